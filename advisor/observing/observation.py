"""What was learnt about a running service, whoever said it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from advisor.observing.metrics import Engine
from advisor.traffic import RateQuantiles


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Arrival rates, in requests per second."""

    rates: tuple[float, ...] | RateQuantiles | float
    """168 hours of a week, 24 of a day, quantiles, or one mean."""
    mean_requests_per_s: float
    busiest_requests_per_s: float | None = None
    """Of the busiest step."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gpus:
    """The accelerators that DCGM, or Triton, watched."""

    count: int
    names: tuple[str, ...]
    busy_ratio: float
    """Mean over GPUs and time."""
    busiest_ratio: float


@dataclass(frozen=True, slots=True)
class Observation:
    """What was learnt; None and empty where nothing was."""

    source: str
    """Words for a comment: where it comes from, and for which time."""
    engine: Engine
    model: str | None = None
    rhythm: Rhythm | None = None
    input_tokens: Mapping[str, float] | None = None
    """Mean, cv and quantiles; the mean alone where only totals are counted."""
    output_tokens: Mapping[str, float] | None = None
    latencies_s: Mapping[str, float] | None = None
    """Such as `ttft_p99`: seconds."""
    replicas: float | None = None
    running: float | None = None
    """Requests in flight together, mean over time."""
    most_running: float | None = None
    most_waiting: float | None = None
    cache_ratio: float | None = None
    prefix_ratio: float | None = None
    gpus: Gpus | None = None
    notes: tuple[str, ...] = ()

    @property
    def no_requests(self) -> bool:
        """Whether it is known that nothing was asked."""
        return self.rhythm is not None and self.rhythm.mean_requests_per_s <= 0
