"""What the options of a candidate cost in accuracy together: one loss distribution for each distinct treatment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from advisor.accuracy import Interactions, LossDistribution, combine, from_quantiles, loss, lossless
from advisor.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.columns import Treatment
    from advisor.strategy import LossEstimate
    from advisor.workload import Workload


def treatment_losses(
    workload: Workload, treatments: Sequence[Treatment], *, task: str | None = None
) -> tuple[LossDistribution | None, ...]:
    """Return the loss of each treatment on the workload's model, in the order given; `None` where parts exclude each other.

    Args:
        workload: Its model and task decide how much a treatment costs.
        treatments: Distinct treatments, as from `advisor.columns.engine_columns`.
        task: Task class to look at instead of the workload's.
    """
    task = task or workload.task
    names = {name for treatment in treatments for _, group in treatment.names for name in group}
    single = {name: _single(workload, name, task) for name in sorted(names)}
    return tuple(_together(workload, treatment, single) for treatment in treatments)


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


def _together(
    workload: Workload, treatment: Treatment, single: dict[str, LossDistribution]
) -> LossDistribution | None:
    parts = {name: single[name] for _, group in treatment.names for name in group}
    parts |= {strategy: _estimated(strategy, estimate) for strategy, estimate in treatment.losses}
    if not parts:
        return lossless()
    if len(parts) == 1:
        return next(iter(parts.values()))
    try:
        return combine(parts, family=workload.model.family)
    except InputError:
        return None


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
