"""Histograms of cumulative buckets, and the mean, spread and quantiles that can be read from them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from advisor.observing.words import digits

QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
_SMALLEST, _LARGEST, _STEEPEST = 1e-9, 1e15, 4.0
"""Edges and powers that are computed with; whatever lies beyond is none that an engine has."""
FEWEST = 1.0
"""Observations in a histogram below which nothing is read from it."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Observations by upper edge, cumulative, the last edge infinite; and the sum of all values where known."""

    edges: tuple[float, ...]
    cumulative: tuple[float, ...]
    total: float | None = None

    @classmethod
    def of(cls, buckets: Mapping[float, float], *, total: float | None = None) -> Histogram | None:
        """Return the histogram of `buckets` (upper edge: observations up to it); None where it holds nothing.

        Extrapolated increases need not grow from bucket to bucket; each counts at least as much as the one below.
        """
        edges = tuple(sorted(edge for edge in buckets if _is_edge(edge)))
        if not edges or edges[-1] != math.inf or len(edges) == 1:
            return None
        counts: list[float] = []
        for edge in edges:
            counts.append(max(buckets[edge], counts[-1] if counts else 0.0, 0.0))
        if not FEWEST <= counts[-1] < math.inf:
            return None
        known = total if total is not None and math.isfinite(total) and total >= 0 else None
        return cls(edges, tuple(counts), known)

    @property
    def count(self) -> float:
        """Observations."""
        return self.cumulative[-1]

    @property
    def mean(self) -> float:
        """Arithmetic mean: exact where the sum is known, else of the buckets."""
        return self._moments()[0] if self.total is None else self.total / self.count

    @property
    def cv(self) -> float:
        """Standard deviation over mean, with the density in each bucket growing or falling as its neighbours say."""
        first, second = self._moments()
        return math.sqrt(max(second / first**2 - 1.0, 0.0)) if first**2 > 0 else 0.0

    def quantile(self, share: float) -> float | None:
        """Return the value that a `share` of observations does not exceed, between the edges around it.

        Returns:
            None where it lies beyond the last finite edge.

        Example:
            >>> Histogram((10.0, 20.0, math.inf), (50.0, 100.0, 100.0)).quantile(0.75)  # half of the way, geometric
            14.142135623730951
        """
        rank = share * self.count
        below = 0.0
        for (low, high), upto in zip(self._spans(), self.cumulative, strict=True):
            if upto >= rank and upto > below:
                if high == math.inf:
                    return None
                part = (rank - below) / (upto - below)
                return high * part if low <= 0 else low * (high / low) ** part
            below = max(below, upto)
        return None

    def stated(self) -> dict[str, float]:
        """Return the quantiles that the buckets reach, by name."""
        found = {name: self.quantile(share) for name, share in QUANTILES.items()}
        return {name: value for name, value in found.items() if value is not None and value > 0}

    def lengths(self) -> dict[str, float] | None:
        """Return mean, cv and quantiles as a workload takes them, to four digits; None where every length is 0."""
        if self.mean <= 0:
            return None
        found = {"mean": self.mean, "cv": min(self.cv, 20.0), **self.stated()}
        return {name: digits(value) for name, value in found.items()}

    def _spans(self) -> Iterable[tuple[float, float]]:
        return pairwise((0.0 if self.edges[0] > 0 else self.edges[0], *self.edges))

    def _moments(self) -> tuple[float, float]:
        """Return the mean and the mean square; values above the last finite edge lie where the sum says."""
        counts = [self.cumulative[0], *(high - low for low, high in pairwise(self.cumulative))]
        spans = [(max(low, 0.0), max(high, 0.0)) for low, high in self._spans()]
        slopes = _slopes(spans, counts)
        first = second = 0.0
        for (low, high), count, slope in zip(spans, counts, slopes, strict=True):
            if high < math.inf:
                middle, square = _within(low, high, slope)
                first, second = first + count * middle, second + count * square
        last = spans[-1][0]
        if counts[-1]:
            rest = last if self.total is None else max((self.total - first) / counts[-1], last)
            first, second = first + counts[-1] * rest, second + counts[-1] * rest**2
        return first / self.count, second / self.count


def _is_edge(edge: float) -> bool:
    return edge == math.inf or (abs(edge) <= _LARGEST and not 0 < abs(edge) < _SMALLEST)


def _slopes(spans: Sequence[tuple[float, float]], counts: Sequence[float]) -> list[float]:
    """Return the power of x with which the density on the logarithm grows in each bucket, seen from its neighbours."""
    heights: list[tuple[float, float] | None] = [
        (math.log(low * high) / 2, math.log(count / math.log(high / low)))
        if 0 < low < high < math.inf and count > 0
        else None
        for (low, high), count in zip(spans, counts, strict=True)
    ]
    slopes = []
    for at, own in enumerate(heights):
        around = [heights[at - 1] if at else None, own, heights[at + 1] if at + 1 < len(heights) else None]
        known = [height for height in around if height is not None]
        if own is None or len(known) < 2:
            slopes.append(0.0)
            continue
        (left, low), (right, high) = known[0], known[-1]
        slopes.append(min(max((high - low) / (right - left), -_STEEPEST), _STEEPEST))
    return slopes


def _within(low: float, high: float, slope: float = 0.0) -> tuple[float, float]:
    r"""Return mean and mean square in a bucket: uniform from 0, else with a density of x to a power on the logarithm.

    $$E[x^k] = \frac{\int_a^b x^{s + k - 1} dx}{\int_a^b x^{s - 1} dx}$$

    Example:
        >>> _within(0.0, 3.0)
        (1.5, 3.0)
        >>> _within(1.0, 3.0, slope=1.0)  # uniform: (1 + 3) / 2 and (27 - 1) / 3 / 2
        (2.0, 4.333333333333333)
    """
    if low <= 0 or high <= low:
        return (high / 2, high**2 / 3) if low <= 0 else (high, high**2)
    whole, first, second = (_integral(high / low, slope + power) for power in (0, 1, 2))
    return low * first / whole, low**2 * second / whole


def _integral(ratio: float, power: float) -> float:
    """Return the integral of `x ** (power - 1)` from 1 to `ratio`."""
    return math.log(ratio) if abs(power) < 1e-9 else (ratio**power - 1.0) / power
