"""Traffic cut by the size of its requests: what a router can see, which part each machine gets, and that part as a workload."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from advisor.traffic import Distribution, RateQuantiles, Traffic
from advisor.workload import Workload

CUTS = (0.25, 0.5, 0.7, 0.85, 0.95)
"""Shares of requests, from the smallest, at which traffic is cut into buckets."""
_NORMAL = NormalDist()
_FIELDS = (("input_tokens", "input tokens"), ("image_size_px", "px a side"))

Span = tuple[float, float]
"""Requests between two shares of all, from the smallest: (0.0, 0.5) is the smaller half."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The size of a request that is known when it arrives: a router sees the prompt, not the answer.

    Args:
        field: Field of the requests.
        unit: What it counts, in words.
        distribution: Lengths, taken as lognormal.
    """

    field: str
    unit: str
    distribution: Distribution

    @classmethod
    def of(cls, workload: Workload) -> Sizes:
        """Return the size of a workload's requests."""
        for field, unit in _FIELDS:
            found = getattr(workload.requests, field)
            if found.mean:
                return cls(field, unit, found)
        return cls("input_tokens", "input tokens", workload.requests.input_tokens)

    @property
    def alike(self) -> bool:
        """Whether every request has the same size, so that traffic can only be split at random."""
        return self.distribution.cv == 0.0

    def buckets(self) -> tuple[Span, ...]:
        """Return the buckets, smallest first; one where all requests are alike."""
        edges = (0.0, *(() if self.alike else CUTS), 1.0)
        return tuple(itertools.pairwise(edges))

    def at(self, share: float) -> float:
        """Return the size that a share of the requests does not exceed."""
        spread = self._sigma
        return self.distribution.mean * math.exp(_NORMAL.inv_cdf(share) * spread - spread**2 / 2)

    def within(self, spans: Sequence[Span]) -> Distribution:
        r"""Return the sizes of the requests in some spans, by their mean and spread.

        With $\sigma^2 = \ln(1 + c^2)$ and z the normal quantiles of a span's ends, the part of the k-th moment in it is
        $E[X^k] (\Phi(z_1 - k \sigma) - \Phi(z_0 - k \sigma))$.

        Example:
            >>> sizes = Sizes("input_tokens", "input tokens", Distribution(mean=1000, cv=1.0))
            >>> short, long = sizes.within([(0.0, 0.5)]), sizes.within([(0.5, 1.0)])
            >>> round(0.5 * short.mean + 0.5 * long.mean, 6)
            1000.0
            >>> round(short.mean)  # 2 x 1000 x Phi(-0.8326)
            405
        """
        if self.alike:
            return Distribution(mean=self.distribution.mean, cv=0.0)
        share = share_of(spans)
        first, second = (sum(self._moment(span, power) for span in spans) / share for power in (1, 2))
        return Distribution(mean=first, cv=math.sqrt(max(second / first**2 - 1.0, 0.0)))

    @property
    def _sigma(self) -> float:
        return math.sqrt(math.log1p(self.distribution.cv**2))

    def _moment(self, span: Span, power: int) -> float:
        whole = self.distribution.mean**power * math.exp((power**2 - power) * self._sigma**2 / 2)
        low, high = (self._below(edge, power) for edge in span)
        return whole * (high - low)

    def _below(self, share: float, power: int) -> float:
        return (
            share if share in {0.0, 1.0} else float(_NORMAL.cdf(_NORMAL.inv_cdf(share) - power * self._sigma))
        )

    def words(self, spans: Sequence[Span]) -> str:
        """Return which requests are in some spans.

        Example:
            >>> sizes = Sizes("input_tokens", "input tokens", Distribution(mean=1000, cv=1.0))
            >>> sizes.words([(0.0, 0.5)]), sizes.words([(0.5, 1.0)])
            ('up to 707 input tokens', 'over 707 input tokens')
        """
        if self.alike:
            return f"{share_of(spans):.0%} of requests"
        return " or ".join(self._span_words(span) for span in spans)

    def _span_words(self, span: Span) -> str:
        low, high = (None if edge in {0.0, 1.0} else f"{self.at(edge):,.0f}" for edge in span)
        if low is None:
            return f"up to {high} {self.unit}" if high else "any size"
        return f"{low} to {high} {self.unit}" if high else f"over {low} {self.unit}"


def share_of(spans: Sequence[Span]) -> float:
    """Return the share of the requests in some spans."""
    return math.fsum(high - low for low, high in spans)


def part_of(workload: Workload, spans: Sequence[Span]) -> Workload:
    r"""Return the requests of some spans as a workload of their own: their sizes, their rate, their burstiness.

    A stream of which a share p is taken has $c_p^2 = 1 + p (c^2 - 1)$. The length of the answers is taken to be the same
    for prompts of every size, as the workload does not say how they hang together.

    Source:
        Splitting of a renewal process: Whitt, "The queueing network analyzer", Bell System Technical Journal 62(9), 1983.
    """
    sizes, share = Sizes.of(workload), share_of(spans)
    requests = workload.requests.model_copy(update={sizes.field: sizes.within(spans)})
    return workload.model_copy(
        update={
            "name": f"{workload.name}: {sizes.words(spans)}",
            "requests": requests,
            "traffic": thinned(workload.traffic, share),
        }
    )


def thinned(traffic: Traffic, share: float) -> Traffic:
    """Return the stream of a share of the requests, taken one by one; see `part_of`."""
    rates: Any = traffic.requests_per_s
    if isinstance(rates, RateQuantiles):
        given = {name: getattr(rates, name) for name in type(rates).model_fields}
        rates = rates.model_copy(
            update={name: value * share for name, value in given.items() if value is not None}
        )
    elif isinstance(rates, tuple):
        rates = tuple(rate * share for rate in rates)
    else:
        rates = rates * share
    bursts = math.sqrt(1.0 + share * (traffic.arrival_cv**2 - 1.0))
    return traffic.model_copy(update={"requests_per_s": rates, "arrival_cv": bursts})
