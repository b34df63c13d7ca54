"""The changes between today and the plan, each with its class, its effort and the columns that it sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from advisor.explanation import chosen_options
from advisor.formulation import machine_of
from advisor.insight.results import ChosenOption
from advisor.insight.space import MACHINE, MACHINES
from advisor.strategy import NONE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from advisor.insight.space import Space
    from advisor.strategy import Option

SETTING, MODEL, HARDWARE, COMMITMENT = range(4)
"""Classes of changes, the safest first: what a restart undoes, the model itself, other machines, what cannot be undone."""


@dataclass(frozen=True, slots=True)
class Move:
    """One change.

    Args:
        strategy: Whose option changes.
        title: What is done, for a reader.
        sets: New value by column of the plans' options.
        kind: One of `SETTING`, `MODEL`, `HARDWARE` and `COMMITMENT`.
        option: The option, `None` where only the machine changes.
        engineer_hours: Working hours beyond those of the moves before it.
        gpu_hours: Accelerator hours beyond those of the moves before it.
        after: Position of the move that must come first, `None` where there is none.
    """

    strategy: str
    title: str
    sets: Mapping[str, str]
    kind: int
    option: Option | None
    engineer_hours: float
    gpu_hours: float
    after: int | None = None

    @property
    def change(self) -> ChosenOption:
        """The change as a result."""
        name = str(self.sets.get(MACHINE, NONE)) if self.option is None else self.option.id
        return ChosenOption(strategy=self.strategy, option=name, title=self.title)


def moves(space: Space) -> tuple[Move, ...]:
    """Return the changes of the recommended plan; a commitment comes apart from the scaling it is bought for."""
    found: list[Move] = []
    options = dict(chosen_options(space.evaluation, space.plans, space.chosen))
    for strategy in space.changed:
        option = options.get(strategy)
        if strategy == MACHINES:
            found.append(_machine(space, option))
        elif option is not None and (option.deltas.purchase or "").startswith("reserved"):
            found += _commitment(space, strategy, option, first=len(found))
        elif option is not None:
            kind = MODEL if option.deltas.treatments or option.deltas.loss else SETTING
            found.append(_move(strategy, option, kind))
    return tuple(found)


def _move(
    strategy: str, option: Option, kind: int, *, done: Option | None = None, after: int | None = None
) -> Move:
    before = (0.0, 0.0) if done is None else (done.deltas.engineer_hours, done.deltas.gpu_hours)
    return Move(
        strategy=strategy,
        title=option.title,
        sets={strategy: option.id},
        kind=kind,
        option=option,
        engineer_hours=option.deltas.engineer_hours - before[0],
        gpu_hours=option.deltas.gpu_hours - before[1],
        after=after,
    )


def _machine(space: Space, option: Option | None) -> Move:
    machine = machine_of(space.evaluation, space.plans, space.chosen)
    chosen = None if option is None or option.id == NONE else option
    sets = {MACHINE: machine.id} | ({} if option is None else {MACHINES: option.id})
    moved = f"Move to {machine.name}" if machine.id != space.home else ""
    titles = [title for title in (moved, "" if chosen is None else chosen.title) if title]
    return Move(
        strategy=MACHINES,
        title="; ".join(titles),
        sets=sets,
        kind=HARDWARE if moved else SETTING,
        option=chosen,
        engineer_hours=0.0 if chosen is None else chosen.deltas.engineer_hours,
        gpu_hours=0.0 if chosen is None else chosen.deltas.gpu_hours,
    )


def _commitment(space: Space, strategy: str, option: Option, *, first: int) -> list[Move]:
    """Return the scaling bought as today, where there is such an option, and then the commitment."""
    today = space.evaluation.workload.serving
    halfway = next(
        (
            other
            for other in _options(space, strategy)
            if other.deltas.scaling == option.deltas.scaling and other.deltas.purchase == today.purchase
        ),
        None,
    )
    if halfway is None or option.deltas.scaling == today.scaling:
        return [_move(strategy, option, COMMITMENT)]
    return [
        _move(strategy, halfway, SETTING),
        _move(strategy, option, COMMITMENT, done=halfway, after=first),
    ]


def _options(space: Space, strategy: str) -> tuple[Option, ...]:
    number = int(space.evaluation.engines.block[space.plans.engine[space.chosen]])
    block = space.evaluation.candidates.blocks[number]
    axes = (*block.engine_axes, *block.policy_axes)
    return next((axis.options for axis in axes if axis.strategy == strategy), ())
