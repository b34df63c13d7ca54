"""What the options of a candidate cost in accuracy together: one loss distribution for each distinct treatment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from advisor.accuracy import Interactions, LossDistribution, combine, from_quantiles, loss, lossless
from advisor.errors import InputError
from advisor.own import Own, Part, measured_loss, resolution

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.columns import Treatment
    from advisor.strategy import LossEstimate
    from advisor.workload import Workload


def treatment_losses(
    workload: Workload,
    treatments: Sequence[Treatment],
    *,
    task: str | None = None,
    measured: Sequence[Own] = (),
) -> tuple[LossDistribution | None, ...]:
    """Return the loss of each treatment on the workload's model, in the order given; `None` where parts exclude each other.

    Args:
        workload: Its model and task decide how much a treatment costs.
        treatments: Distinct treatments, as from `advisor.columns.engine_columns`.
        task: Task class to look at instead of the workload's.
        measured: What the user measured; it stands in for published evidence.
    """
    task = task or workload.task
    names = {name for treatment in treatments for _, group in treatment.names for name in group}
    single: dict[Part, LossDistribution] = {
        (name, None): _single(workload, name, task) for name in sorted(names)
    }
    return tuple(_together(workload, _parts(treatment, single), task, measured) for treatment in treatments)


def resolutions(
    workload: Workload, treatment: Treatment, measured: Sequence[Own], *, task: str | None, limit_ratio: float
) -> tuple[str, ...]:
    """Return whether the user's measurements settle that a treatment keeps a limit, in words; nothing where they do not cover it."""
    task = task or workload.task
    names = [name for _, group in treatment.names for name in group]
    parts = _parts(treatment, {(name, None): _single(workload, name, task) for name in names})
    used = _chosen(parts, task, workload, measured).used
    lossy = {part for part, loss in parts.items() if loss.basis != "lossless"}
    if not used or lossy - {part for own in used for part in own.covers}:
        return ()
    found = (own.on(task, workload) for own in used)
    texts = (resolution(one, limit_ratio=limit_ratio) for one in found if one is not None)
    return tuple(text for text in texts if text)


def treatment_speeds(workload: Workload, treatments: Sequence[Treatment]) -> NDArray[np.float64]:
    """Return the declared factor on the product of the speed-ups of each treatment's parts, in the order given."""
    rules, family = Interactions.load(), workload.model.family
    parts = [[name for _, group in treatment.names for name in group] for treatment in treatments]
    return np.array([rules.speed_factor(names, family=family) if len(names) > 1 else 1.0 for names in parts])


def _single(workload: Workload, name: str, task: str) -> LossDistribution:
    model = workload.model
    return loss(
        name,
        family=model.family,
        parameters=model.parameters,
        task="" if task == "mixed" and model.family != "decoder" else task,
        model=model.name,
    )


def _parts(treatment: Treatment, single: Mapping[Part, LossDistribution]) -> dict[Part, LossDistribution]:
    parts: dict[Part, LossDistribution] = {
        (name, None): single[name, None] for _, group in treatment.names for name in group
    }
    return parts | {
        (strategy, estimate): _estimated(strategy, estimate) for strategy, estimate in treatment.losses
    }


def _together(
    workload: Workload, parts: dict[Part, LossDistribution], task: str, measured: Sequence[Own]
) -> LossDistribution | None:
    if measured:
        parts = _chosen(parts, task, workload, measured).parts
    if not parts:
        return lossless()
    if len(parts) == 1:
        return next(iter(parts.values()))
    try:
        return combine({name: loss for (name, _), loss in parts.items()}, family=workload.model.family)
    except InputError:
        return None


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The parts of a treatment after the user's measurements took their places, and those that did."""

    parts: dict[Part, LossDistribution]
    used: list[Own] = field(default_factory=list)


def _chosen(
    parts: Mapping[Part, LossDistribution], task: str, workload: Workload, measured: Sequence[Own]
) -> _Chosen:
    """Let measurements take the places of what they cover, those of more parts first; each part is taken once.

    What was measured together stands at the part that is expected to lose most, with the others at nothing, so that
    interactions with what was not measured are those of that part.
    """
    found = _Chosen(dict(parts))
    left = set(parts)
    for own in sorted(measured, key=lambda one: (-len(one.covers), one.label)):
        if not own.covers <= left:
            continue
        at = max(sorted(own.covers, key=str), key=lambda part: parts[part].expected_ratio)
        measurement = own.on(task, workload)
        if measurement is None:
            tasks = ", ".join(sorted({one.task or workload.task for one in own.results}))
            note = f"{own.label}: what you measured on {tasks} does not speak for {task}"
            found.parts[at] = replace(found.parts[at], notes=(*found.parts[at].notes, note))
            continue
        prior = _published(own, parts, workload)
        for part in own.covers:
            found.parts[part] = lossless(part[0])
        found.parts[at] = measured_loss(measurement, name=at[0], prior=prior, label=own.label)
        found.used.append(own)
        left -= own.covers
    return found


def _published(own: Own, parts: Mapping[Part, LossDistribution], workload: Workload) -> LossDistribution:
    """Return the published estimate of everything that a measurement covers."""
    covered = {part[0]: parts[part] for part in own.covers}
    try:
        return combine(covered, family=workload.model.family)
    except InputError:
        return max(covered.values(), key=lambda loss: loss.expected_ratio)


def _estimated(strategy: str, estimate: LossEstimate) -> LossDistribution:
    """Return the distribution through an author's 10 %, mean and 90 % points, as wide again beyond them."""
    low, middle, high = estimate.p10_ratio, estimate.expected_ratio, estimate.p90_ratio
    ends = (max(0.0, low - (middle - low) / 2.0), min(1.0, high + (high - middle) / 2.0))
    return from_quantiles(
        (0.0, 0.1, 0.5, 0.9, 1.0),
        (ends[0], low, middle, high, ends[1]),
        treatment=strategy,
        basis="assumed" if estimate.source.startswith("assumed") else "measured",
    )
