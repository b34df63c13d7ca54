"""The deltas of every engine as columns: what the chosen options change together, one entry for each engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from advisor.errors import StrategyError
from advisor.strategy import RATIOS, Deltas, LossEstimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.candidates import Axis, Block, Candidates

SUMS = ("gpu_hours", "engineer_hours", "running_usd_per_month")


@dataclass(frozen=True, slots=True)
class Treatment:
    """What the options do to the model's accuracy together.

    Args:
        names: For each strategy that touches the model, the names of its treatments in the evidence.
        losses: Losses that plugin authors gave themselves, by strategy.
    """

    names: tuple[tuple[str, tuple[str, ...]], ...] = ()
    losses: tuple[tuple[str, LossEstimate], ...] = ()


@dataclass(frozen=True, slots=True)
class EngineColumns:
    """One entry for each engine of each block, in the order of the blocks.

    Args:
        block: Number of the block.
        row: Number of the engine within its block.
        values: Deltas by name, ratios multiplied and amounts added over the strategies; a setting that no
            option sets is NaN.
        precision: Index into `precisions`.
        precisions: Distinct (precision, compute dtype), `None` where no option sets one.
        treatment: Index into `treatments`.
        treatments: Distinct treatments.
    """

    block: NDArray[np.int64]
    row: NDArray[np.int64]
    values: dict[str, NDArray[np.float64]]
    precision: NDArray[np.int64]
    precisions: tuple[tuple[str | None, str | None], ...]
    treatment: NDArray[np.int64]
    treatments: tuple[Treatment, ...]

    def __len__(self) -> int:
        """Return the number of engines."""
        return len(self.block)

    def take(self, keep: NDArray[Any]) -> EngineColumns:
        """Return the engines at those positions, or where a mask is true."""
        return EngineColumns(
            self.block[keep],
            self.row[keep],
            {name: values[keep] for name, values in self.values.items()},
            self.precision[keep],
            self.precisions,
            self.treatment[keep],
            self.treatments,
        )

    def used(self) -> tuple[EngineColumns, NDArray[np.int64]]:
        """Return the same without the treatments that no engine has, and the positions of those that are left."""
        treated, treatment = np.unique(self.treatment, return_inverse=True)
        treatments = tuple(self.treatments[at] for at in treated)
        return replace(self, treatment=treatment, treatments=treatments), treated


def narrowed(candidates: Candidates, columns: EngineColumns) -> tuple[Candidates, EngineColumns]:
    """Return the candidates with some of their engines alone, and the columns of these with their new rows.

    Args:
        candidates: All of them.
        columns: Of the engines to keep.
    """
    row, blocks = columns.row.copy(), []
    for number, block in enumerate(candidates.blocks):
        mine = columns.block == number
        kept, row[mine] = np.unique(columns.row[mine], return_inverse=True)
        blocks.append(replace(block, engines=block.engines[kept]))
    few = replace(candidates, blocks=tuple(blocks), considered=candidates.count)
    return few, replace(columns, row=row)


SETTINGS = (
    "max_batch",
    "max_queue_delay_s",
    "accelerators_per_replica",
    "decode_steps_decay",
    "exit_share",
    "escalation_share",
    "first_stage_ratio",
)
"""Deltas that at most one strategy sets; those without a neutral value are NaN where nobody sets them."""


def engine_columns(candidates: Candidates) -> EngineColumns:
    """Return the deltas of every engine.

    Raises:
        StrategyError: Two strategies set the same delta in one candidate.
    """
    precisions: dict[tuple[str | None, str | None], int] = {}
    treatments: dict[Treatment, int] = {}
    parts = [_block_columns(block, precisions, treatments) for block in candidates.blocks]
    counts = [len(block.engines) for block in candidates.blocks]
    return EngineColumns(
        block=np.repeat(np.arange(len(counts)), counts),
        row=np.concatenate([np.arange(count) for count in counts]),
        values={
            name: np.concatenate([part[0][name] for part in parts]) for name in (*RATIOS, *SETTINGS, *SUMS)
        },
        precision=np.concatenate([part[1] for part in parts]),
        precisions=tuple(precisions),
        treatment=np.concatenate([part[2] for part in parts]),
        treatments=tuple(treatments),
    )


def _block_columns(
    block: Block, precisions: dict[tuple[str | None, str | None], int], treatments: dict[Treatment, int]
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.int64], NDArray[np.int64]]:
    axes, engines = block.engine_axes, block.engines
    values = {name: _combined(name, axes, engines, np.multiply, 1.0) for name in RATIOS}
    values |= {name: _combined(name, axes, engines, np.add, 0.0) for name in SUMS}
    values |= {name: _setting(name, axes, engines) for name in SETTINGS}
    return values, _precision(axes, engines, precisions), _treatment(axes, engines, treatments)


def _of_options(axis: Axis, name: str) -> list[Any]:
    return [getattr(option.deltas, name) for option in axis.options]


def _combined(
    name: str,
    axes: Sequence[Axis],
    engines: NDArray[np.int64],
    combine: Callable[..., NDArray[np.float64]],
    neutral: float,
) -> NDArray[np.float64]:
    total = np.full(len(engines), neutral)
    for number, axis in enumerate(axes):
        offered = np.array(_of_options(axis, name), dtype=float)
        if (offered != neutral).any():
            combine(total, offered[engines[:, number]], out=total)
    return total


def _setting(name: str, axes: Sequence[Axis], engines: NDArray[np.int64]) -> NDArray[np.float64]:
    neutral: float | None = Deltas.__dataclass_fields__[name].default  # type: ignore[assignment]
    unset = np.nan if neutral is None else float(neutral)
    total = np.full(len(engines), unset)
    setter = np.zeros(len(engines), dtype=bool)
    for number, axis in enumerate(axes):
        offered = _of_options(axis, name)
        is_set = np.array([value != neutral for value in offered])[engines[:, number]]
        if is_set.any():
            _refuse_two(name, axis, setter & is_set)
            numbers = np.array([unset if value is None else float(value) for value in offered])
            total[is_set] = numbers[engines[is_set, number]]
            setter |= is_set
    return total


def _refuse_two(name: str, axis: Axis, twice: NDArray[np.bool_]) -> None:
    if twice.any():
        raise StrategyError.breaks(
            axis.strategy,
            f"sets {name} together with another strategy and declares no conflict",
            "both in one candidate",
        )


def _precision(
    axes: Sequence[Axis], engines: NDArray[np.int64], known: dict[tuple[str | None, str | None], int]
) -> NDArray[np.int64]:
    index = np.full(len(engines), known.setdefault((None, None), len(known)))
    setter = np.zeros(len(engines), dtype=bool)
    for number, axis in enumerate(axes):
        pairs = [(option.deltas.precision, option.deltas.compute_dtype) for option in axis.options]
        if any(pair != (None, None) for pair in pairs):
            codes = np.array([known.setdefault(pair, len(known)) for pair in pairs])
            is_set = np.array([pair != (None, None) for pair in pairs])[engines[:, number]]
            _refuse_two("precision", axis, setter & is_set)
            index[is_set] = codes[engines[is_set, number]]
            setter |= is_set
    return index


def _treatment(
    axes: Sequence[Axis], engines: NDArray[np.int64], known: dict[Treatment, int]
) -> NDArray[np.int64]:
    """Return the index of each engine's treatment; equal treatments share one."""
    touching = [
        (number, axis)
        for number, axis in enumerate(axes)
        if any(o.deltas.treatments or o.deltas.loss for o in axis.options)
    ]
    if not touching:
        return np.full(len(engines), known.setdefault(Treatment(), len(known)))
    shape = tuple(len(axis.options) for _, axis in touching)
    codes = np.ravel_multi_index(tuple(engines[:, number] for number, _ in touching), shape)
    distinct, inverse = np.unique(codes, return_inverse=True)
    index = np.empty(len(distinct), dtype=np.int64)
    for position, code in enumerate(distinct):
        chosen = [
            axis.options[i] for (_, axis), i in zip(touching, np.unravel_index(code, shape), strict=True)
        ]
        named = [(axis.strategy, option.deltas) for (_, axis), option in zip(touching, chosen, strict=True)]
        treatment = Treatment(
            names=tuple((strategy, deltas.treatments) for strategy, deltas in named if deltas.treatments),
            losses=tuple((strategy, deltas.loss) for strategy, deltas in named if deltas.loss is not None),
        )
        index[position] = known.setdefault(treatment, len(known))
    return index[inverse]
