"""Accuracy of a mix: what each part loses, weighed by its share of the requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from advisor.accuracy.distribution import LossDistribution
from advisor.explanation import task_loss
from advisor.sizes import Sizes
from advisor.units import format_ratio

if TYPE_CHECKING:
    from advisor.mixing.parts import Mixed, Part
    from advisor.preparation import Prepared
    from advisor.recommendation import AccuracyLoss

_SUREST_FIRST = ("measured", "lossless", "fitted", "assumed")


def loss_of(mixed: Mixed, task: str | None = None) -> LossDistribution:
    """Return the loss over all requests.

    The losses of parts are taken to go up and down together, as all come from one model and one kind of evidence: the
    widest that the whole can spread.

    Args:
        mixed: The mix.
        task: Class of tasks; `None` is the workload's own.
    """
    losses = [(each.share, _part_loss(each, task)) for each in mixed.parts]
    return LossDistribution(
        samples=np.sum([share * loss.samples for share, loss in losses], axis=0),
        treatments=tuple(sorted({name for _, loss in losses for name in loss.treatments})),
        basis=max((loss.basis for _, loss in losses), key=_SUREST_FIRST.index),
        evidence=tuple(dict.fromkeys(name for _, loss in losses for name in loss.evidence)),
        unknown_pairs=tuple(dict.fromkeys(pair for _, loss in losses for pair in loss.unknown_pairs)),
        notes=tuple(dict.fromkeys(note for _, loss in losses for note in loss.notes)),
    )


def _part_loss(each: Part, task: str | None) -> LossDistribution:
    evaluation, plans = each.service.evaluation, each.service.plans
    losses = evaluation.losses if task is None else evaluation.slice_losses(task)
    loss = losses[int(evaluation.engines.treatment[plans.engine[0]])]
    assert loss is not None  # noqa: S101 - engines whose treatments exclude each other are never evaluated
    return loss


def accuracy_of(one: Prepared, mixed: Mixed) -> AccuracyLoss:
    """Return what a mix costs in accuracy over all requests, on the whole and on each class of tasks with a limit."""
    limits = one.terms.loss_ratio
    slices = {
        task: task_loss(loss_of(mixed, task), limit_ratio=limit)
        for task, limit in limits.items()
        if task is not None
    }
    worst_first = sorted(slices.items(), key=lambda item: (item[1].probability_kept or 0.0, item[0]))
    sizes = Sizes.of(one.evaluation.workload)
    parts = "; ".join(
        f"{each.share:.0%} ({sizes.words(each.spans)}) lose {format_ratio(_part_loss(each, None).expected_ratio)}"
        for each in mixed.parts
    )
    whole = task_loss(
        loss_of(mixed), limit_ratio=limits.get(None), settled=(f"Over all requests: {parts}, expected.",)
    )
    return whole.model_copy(update={"slices": dict(worst_first)})
