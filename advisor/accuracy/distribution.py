"""A loss as 512 equally likely values.

Loss is relative to the baseline's metric and never negative: 0.01 means that the optimized model keeps 99 %. Values
are the mid-quantiles of the distribution, sorted, so that every summary is exact arithmetic on a fixed vector and
equal inputs give bit-identical results.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from advisor.errors import InputError

SAMPLES = 512
"""Number of equally likely values in every distribution."""

Vector = NDArray[np.float64]

PROBABILITIES: Vector = (np.arange(SAMPLES) + 0.5) / SAMPLES
"""Probability level of each sorted value."""


@dataclass(frozen=True, slots=True, eq=False)
class LossDistribution:
    """Relative loss of quality with its uncertainty.

    Attributes:
        samples: 512 equally likely relative losses, sorted, each in [0, 1].
        treatments: Ids of the treatments it stands for, sorted.
        basis: Where it comes from: `lossless`, `fitted` (evidence model), `assumed`, or `measured` (the user's own).
        evidence: Ids of the published records closest to the question.
        unknown_pairs: Pairs of treatments combined without published evidence.
        notes: Remarks a reader must see.
        weights: Share of the expected loss by treatment id (empty for a single treatment).
    """

    samples: Vector
    treatments: tuple[str, ...] = ()
    basis: str = "fitted"
    evidence: tuple[str, ...] = ()
    unknown_pairs: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def expected_ratio(self) -> float:
        """Expected relative loss."""
        return float(self.samples.mean())

    @property
    def p10_ratio(self) -> float:
        """Relative loss that is exceeded with 90 % probability."""
        return self.quantile(0.10)

    @property
    def p50_ratio(self) -> float:
        """Median relative loss."""
        return self.quantile(0.50)

    @property
    def p90_ratio(self) -> float:
        """Relative loss that is exceeded with 10 % probability."""
        return self.quantile(0.90)

    def quantile(self, probability: float) -> float:
        """Relative loss not exceeded with the given probability, interpolated between the samples.

        Example:
            >>> uniform = LossDistribution(PROBABILITIES / 10)
            >>> round(uniform.quantile(0.9), 6)
            0.09
        """
        return float(np.interp(probability, PROBABILITIES, self.samples))

    def probability_at_most(self, limit_ratio: float) -> float:
        """Probability that the relative loss is at most `limit_ratio`: the share of samples that keep it.

        Example:
            >>> LossDistribution(PROBABILITIES / 10).probability_at_most(0.05)
            0.5
        """
        return float(np.searchsorted(self.samples, limit_ratio + 1e-12, side="right")) / SAMPLES

    def scaled(self, factor: float) -> "LossDistribution":
        """The same distribution with every loss multiplied by `factor`, cut at a total loss."""
        return replace(self, samples=np.minimum(self.samples * factor, 1.0))

    def __eq__(self, other: object) -> bool:
        """Equal samples, treatments, basis and notes; arrays compare by value."""
        if not isinstance(other, LossDistribution):
            return NotImplemented
        mine = (self.treatments, self.basis, self.evidence, self.unknown_pairs, self.notes)
        theirs = (other.treatments, other.basis, other.evidence, other.unknown_pairs, other.notes)
        return mine == theirs and bool(np.array_equal(self.samples, other.samples))

    def __hash__(self) -> int:
        return hash((self.treatments, self.basis, self.samples.tobytes()))


def lossless(treatment: str = "", *, evidence: Sequence[str] = ()) -> LossDistribution:
    """The distribution of a treatment that leaves the outputs as they are: zero with certainty.

    Example:
        >>> lossless("speculative").expected_ratio
        0.0
    """
    named = (treatment,) if treatment else ()
    return LossDistribution(np.zeros(SAMPLES), named, "lossless", tuple(evidence))


def from_quantiles(
    probabilities: ArrayLike,
    losses: ArrayLike,
    *,
    treatment: str = "",
    basis: str = "assumed",
    evidence: Sequence[str] = (),
) -> LossDistribution:
    """The distribution through the given quantiles, linear between them, gains cut at zero.

    Args:
        probabilities: Increasing probability levels from 0 to 1.
        losses: Relative loss at each level; negative values are gains and count as zero.
        treatment: Id of the treatment.
        basis: Label of the source, see `LossDistribution`.
        evidence: Ids of the records behind it.

    Returns:
        The distribution.

    Example:
        >>> round(from_quantiles([0, 1], [-0.01, 0.01]).expected_ratio, 4)
        0.0025
    """
    values = np.interp(PROBABILITIES, np.asarray(probabilities, float), np.asarray(losses, float))
    return LossDistribution(
        np.clip(np.sort(values), 0.0, 1.0), (treatment,) if treatment else (), basis, tuple(evidence)
    )


def from_normal(
    mean_ratio: float,
    standard_error_ratio: float,
    *,
    treatment: str = "",
    basis: str = "measured",
    evidence: Sequence[str] = (),
) -> LossDistribution:
    """A normal distribution of the loss, gains cut at zero.

    Args:
        mean_ratio: Estimated relative loss, negative for a gain.
        standard_error_ratio: Standard error of the estimate.
        treatment: Id of the treatment.
        basis: Label of the source.
        evidence: Ids of the records behind it.

    Returns:
        The distribution.

    Example:
        >>> measured = from_normal(0.004, 0.002)
        >>> round(measured.p90_ratio, 5)  # 0.004 + 1.2816 x 0.002
        0.00656
    """
    values = mean_ratio + standard_error_ratio * NORMAL_QUANTILES
    return LossDistribution(
        np.clip(values, 0.0, 1.0), (treatment,) if treatment else (), basis, tuple(evidence)
    )


def relative_limit(points: float, *, baseline: float) -> float:
    """Turn a limit in percentage points into a relative one.

    Args:
        points: Allowed loss in points of the metric (1.0 for 1 pp).
        baseline: Metric of the unchanged model, as a fraction or in percent.

    Returns:
        Allowed relative loss.

    Raises:
        InputError: The baseline is not between 0 and 100.

    Example:
        >>> relative_limit(1.0, baseline=80)
        0.0125
    """
    if not 0 < baseline <= 100:
        raise InputError(
            f"a limit in points needs the metric of the unchanged model; got {baseline}, expected 0 to 1 or 1 to 100 percent."
        )
    return points / (100 * baseline if baseline <= 1 else baseline)


def permutation(key: str) -> NDArray[np.int64]:
    """A fixed shuffle of the sample positions for a name; the same name always gives the same shuffle.

    Example:
        >>> bool((permutation("a") == permutation("a")).all()), bool((permutation("a") == permutation("b")).all())
        (True, False)
    """
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")
    return np.random.Generator(np.random.PCG64(seed)).permutation(SAMPLES)


def _normal_quantiles() -> Vector:
    from statistics import NormalDist  # noqa: PLC0415  - needed once

    inverse = NormalDist().inv_cdf
    return np.array([inverse(float(p)) for p in PROBABILITIES])


NORMAL_QUANTILES: Vector = _normal_quantiles()
"""Standard normal quantiles at `PROBABILITIES`."""
