"""From rows with measured values to observations of engines: what each can teach, and why some teach nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from advisor.calibrating.observations import (
    Batches,
    ClosedLoop,
    Observed,
    OpenLoop,
    Spread,
    decoder_spread,
    load_spread,
    pass_spread,
    waits_for_admission,
)
from advisor.calibration import EngineKey
from advisor.models import ModelSpec
from advisor.prediction import load, load_columns, serving
from advisor.prediction.deployments import Deployment, Deployments
from advisor.prediction.images import passes_of
from advisor.prediction.inputs import Inputs, Row, cell
from advisor.prediction.rows import NOT_RECOGNISED, kind_of
from advisor.validation.comparison import MEASURED

_LEAST_FACTOR = 4.0
_MOST_SIGMAS = 3.5
_FIRST = ("ttft_mean_ms", "ttft_p50_ms")
_NEXT = ("tpot_mean_ms", "tpot_p50_ms", "e2e_mean_ms")
_NO_VALUE = "it states no measured value that advisor predicts"


@dataclass(frozen=True, slots=True)
class Observation:
    """One measured value of one run."""

    key: EngineKey
    kind: str
    run: int
    row: int
    """Position among the rows of its kind."""
    target: str
    measured: float
    """Logarithm."""
    spread: Spread
    """Of the value."""
    spreads: tuple[Spread, ...]
    """Of the kinds of time that the factors scale."""
    condition: tuple[float | str, ...]
    """What repeated runs share."""
    accelerators: int


@dataclass(slots=True)
class Collected:
    """Observations of all runs, how to predict each kind of them, and the runs that teach nothing."""

    observations: list[Observation] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    """Reason by run."""
    groups: dict[str, Callable[[Sequence[Observation]], Observed]] = field(default_factory=dict)

    def observed(self, found: Sequence[Observation]) -> list[Observed]:
        """Return observations by their kind, each able to predict itself."""
        kinds = [kind for kind in self.groups if any(one.kind == kind for one in found)]
        return [self.groups[kind]([one for one in found if one.kind == kind]) for kind in kinds]


def collected(rows: Sequence[tuple[int, Row]], models: Mapping[str, ModelSpec]) -> Collected:
    """Return the observations in rows.

    Args:
        rows: Number of the run, and its row as `advisor predict` takes it, with measured values.
        models: Models of the user's own, by name.
    """
    found = Collected()
    kinds: dict[str, list[tuple[int, Row]]] = {"load": [], "serving": [], "images": []}
    for run, row in rows:
        kinds.get(kind_of(row), []).append((run, row))
        if kind_of(row) not in kinds:
            found.refused[run] = NOT_RECOGNISED
    kinds["serving"] += _open_loop(found, kinds["load"], models)
    _closed_loop(found, kinds["serving"], models)
    _batches(found, kinds["images"])
    return found


def _columns(found: Sequence[Observation]) -> dict[str, Any]:
    return {
        "rows": np.array([one.row for one in found], dtype=np.int64),
        "measured": np.array([one.measured for one in found]),
        "log_sigma": np.array([one.spread.single for one in found]),
        "targets": tuple(one.target for one in found),
        "runs": tuple(one.run for one in found),
    }


def _open_loop(
    found: Collected, rows: list[tuple[int, Row]], models: Mapping[str, ModelSpec]
) -> Iterator[tuple[int, Row]]:
    """Note what runs under a rate say; yield those that shipped predictions call overloaded, as runs in flight."""
    if not rows:
        return
    inputs = Inputs.of([row for _, row in rows])
    columns = load_columns.columns_of(inputs)
    deployments = Deployments.of(inputs, backend=load.DEFAULT_BACKEND, models=models)
    found.groups["load"] = lambda own: OpenLoop(deployments=deployments, columns=columns, **_columns(own))
    usable = deployments.usable
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        stable = load.loaded(deployments, columns, usable).stable if usable.size else np.zeros(0, dtype=bool)
    keeps_up = dict(zip(usable.tolist(), stable.tolist(), strict=True))
    for place, (run, row) in enumerate(rows):
        if place not in keeps_up:
            found.refused[run] = inputs.reasons[place]
        elif not keeps_up[place]:
            yield run, _in_flight(row, float(columns["rate"][place]))
        else:
            one = deployments.distinct[deployments.index[place]]
            condition = tuple(float(f"{values[place]:.3g}") for values in columns.values())
            _note(found, run, place, row, (_FIRST, _NEXT), _Decoder("load", one, condition))


def _in_flight(row: Row, rate: float) -> Row:
    """Return a run under a rate as one with a number in flight (Little's law), of which the time per token counts."""
    e2e, tpot = (value(row, name) for name in ("e2e_mean_ms", "tpot_mean_ms"))
    kept = {name: cell_value for name, cell_value in row.items() if name not in load_columns.RATE}
    in_flight = rate * e2e / 1e3 if e2e else None
    return {**kept, "concurrency": in_flight, "tpot_ms": tpot}


def _closed_loop(found: Collected, rows: list[tuple[int, Row]], models: Mapping[str, ModelSpec]) -> None:
    if not rows:
        return
    inputs = Inputs.of([row for _, row in rows])
    shape = serving.shape_of(inputs)
    deployments = Deployments.of(inputs, models=models)
    found.groups["serving"] = lambda own: ClosedLoop(deployments=deployments, shape=shape, **_columns(own))
    waits = waits_for_admission(deployments, shape)
    usable = set(deployments.usable.tolist())
    for place, (run, row) in enumerate(rows):
        if place not in usable:
            found.refused[run] = inputs.reasons[place]
            continue
        one = deployments.distinct[deployments.index[place]]
        condition = tuple(float(f"{values[place]:.3g}") for values in shape.values())
        groups = (("tpot_ms",),) if waits[place] else (("ttft_ms",), ("tpot_ms",))
        _note(found, run, place, row, groups, _Decoder("serving", one, condition))


@dataclass(frozen=True, slots=True)
class _Decoder:
    """An engine of a language model in one run."""

    kind: str
    found: Deployment
    load: tuple[float, ...]

    @property
    def key(self) -> EngineKey:
        return self.found.key

    @property
    def spreads(self) -> tuple[Spread, ...]:
        token, first = (decoder_spread(self.found, target) for target in ("tpot", "ttft"))
        return token, token, first, first

    def spread(self, target: str) -> Spread:
        if self.kind == "load":
            return load_spread(self.found, target)
        return self.spreads[2 if target == "ttft_ms" else 0]

    @property
    def accelerators(self) -> int:
        return self.found.accelerators

    @property
    def condition(self) -> tuple[float | str, ...]:
        return (self.kind, self.accelerators, *self.load)


@dataclass(frozen=True, slots=True)
class _Pass:
    """An engine of one pass in one run."""

    key: EngineKey
    total: float
    batch: float
    kind: str = "images"
    accelerators: int = 1

    @property
    def spreads(self) -> tuple[Spread, ...]:
        return (pass_spread(self.total),) * 2

    def spread(self, target: str) -> Spread:
        del target
        return self.spreads[0]

    @property
    def condition(self) -> tuple[float | str, ...]:
        return (self.kind, float(f"{self.batch:.3g}"))


def _batches(found: Collected, rows: list[tuple[int, Row]]) -> None:
    if not rows:
        return
    asked = passes_of([row for _, row in rows])
    found.groups["images"] = lambda own: Batches(asked=asked, **_columns(own))
    sigma = np.broadcast_to(np.asarray(asked.engine.coefficients.log_sigma, dtype=float), asked.batch.shape)
    for place, (run, row) in enumerate(rows):
        if asked.inputs.reasons[place]:
            found.refused[run] = asked.inputs.reasons[place]
            continue
        key = asked.machines[asked.index[place]].key
        engine = _Pass(key, float(sigma[place]), float(asked.batch[place]))
        _note(found, run, place, row, (("throughput_images_per_s",),), engine)


def _note(
    found: Collected,
    run: int,
    place: int,
    row: Row,
    groups: Sequence[Sequence[str]],
    engine: _Decoder | _Pass,
) -> None:
    """Note the first value of each group of columns that a run states."""
    before = len(found.observations)
    for names in groups:
        target = next((name for name in names if value(row, name)), None)
        if target is not None:
            measured = value(row, target) or 1.0
            found.observations.append(
                Observation(
                    engine.key,
                    engine.kind,
                    run,
                    place,
                    target,
                    math.log(measured),
                    engine.spread(target),
                    engine.spreads,
                    (target, *engine.condition),
                    engine.accelerators,
                )
            )
    if len(found.observations) == before:
        found.refused[run] = _NO_VALUE


def value(row: Row, target: str) -> float | None:
    """Return what a row measured of a predicted column; `None` where it states none above 0."""
    try:
        measured = float(cell(row, *MEASURED[target]))
    except ValueError:
        return None
    return measured if 1e-6 < measured < 1e12 else None


def unbelievable(one: Observation, predicted: float) -> str:
    """Return why a value cannot be what it says: far beyond what any machine was ever off; '' where it can.

    Args:
        one: What was measured.
        predicted: Logarithm of the shipped prediction for it.
    """
    off = one.measured - predicted
    most = max(math.log(_LEAST_FACTOR), _MOST_SIGMAS * max(spread.total for spread in one.spreads))
    if abs(off) <= most:
        return ""
    times = f"{math.exp(abs(off)):,.0f} times" if abs(off) < 20.0 else "absurdly"
    words = f"{times} {'above' if off > 0.0 else 'below'} the shipped prediction"
    return f"{one.target} is {words}, more than machines differ: check units, chip, model, number format and load"
