"""What every kind of serving model answers: does it fit, how much can a replica carry, how slow is it then."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from advisor.performance.queueing import Latency

if TYPE_CHECKING:
    from advisor.columns import EngineColumns

Array = npt.NDArray[np.float64]
Limits = Mapping[tuple[str, str], float]
"""Largest latency in seconds by (metric, statistic), such as `("ttft", "p99")`."""
T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Replica:
    """What a replica of each engine is made of; one entry for each engine."""

    accelerators: Array
    """Accelerators one replica spans."""
    per_instance: Array
    """Replicas on one machine."""
    weight_bytes_per_accelerator: Array
    memory_bytes: Array
    """Memory that one replica needs at least: weights, one sequence or batch, libraries."""
    fits: npt.NDArray[np.bool_]
    log_sigma: Mapping[tuple[str, str], Array]
    """Standard deviation of the logarithm of measured over predicted latency, by (metric, statistic), dimensionless."""
    calibrated: npt.NDArray[np.bool_]
    """Whether backend, chip and precision were measured together."""


class ServingModel(Protocol):
    """Latency and capacity of every engine."""

    @property
    def replica(self) -> Replica:
        """What a replica of each engine is made of."""
        ...

    @property
    def metrics(self) -> tuple[str, ...]:
        """Latencies the model knows: `ttft`, `tpot`, `e2e`, or `e2e` alone."""
        ...

    def take(self, keep: npt.NDArray[Any]) -> ServingModel:
        """Return the engines at those positions, or where a mask is true."""
        ...

    def capacity_requests_per_s(self, limits: Limits, *, arrival_cv: float | Array) -> Array:
        """Return the highest rate of one replica at which every limit holds; 0 where none does or it does not fit."""
        ...

    def latency(self, requests_per_s: Array, *, arrival_cv: Array) -> Mapping[str, Latency]:
        """Return the latencies of one replica at an arrival rate, by metric."""
        ...


def chosen(setting: Array, today: float) -> Array:
    """Return the setting of each engine, today's where no option sets one (NaN)."""
    return np.where(np.isnan(setting), today, setting)


def cells(columns: EngineColumns, today: str) -> tuple[list[tuple[int, str, str]], npt.NDArray[np.int64]]:
    """Return the distinct (block, precision, compute type) of the engines, and each engine's index into them.

    Args:
        columns: Deltas of the engines.
        today: Number format that is served where no option sets another.
    """
    codes = columns.block * len(columns.precisions) + columns.precision
    distinct, index = np.unique(codes, return_inverse=True)
    found = []
    for code in distinct.tolist():
        block, number = divmod(code, len(columns.precisions))
        precision, dtype = columns.precisions[number]
        found.append((block, precision or today, dtype or today))
    return found, index


def taken(value: T, keep: npt.NDArray[Any], count: int) -> T:
    """Return a dataclass of arrays with only the entries at `keep`; scalars and fields of other length stay."""
    found: Any = value
    if isinstance(value, np.ndarray):
        found = value[keep] if value.shape[:1] == (count,) else value
    elif isinstance(value, dict):
        found = {name: taken(item, keep, count) for name, item in value.items()}
    elif isinstance(value, tuple):
        found = tuple(taken(item, keep, count) for item in value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        found = dataclasses.replace(
            value, **{name: taken(getattr(value, name), keep, count) for name in names}
        )
    kept: T = found
    return kept
