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
    from advisor.terms import Terms

_SUREST_FIRST = ("measured", "lossless", "fitted", "assumed")


def loss_of(mixed: Mixed, task: str | None = None) -> LossDistribution:
    """Return the loss over all requests.

    The losses of parts are taken to go up and down together, as all come from one model and one kind of evidence: the
    widest that the whole can spread. What a cascade loses by handing on comes on top, over all requests.

    Args:
        mixed: The mix.
        task: Class of tasks; `None` is the workload's own.
    """
    losses = [(each.share, _part_loss(each, task)) for each in mixed.parts]
    if mixed.handing:
        losses.insert(0, (1.0, mixed.handing.losses[task]))
    return LossDistribution(
        samples=np.minimum(np.sum([share * loss.samples for share, loss in losses], axis=0), 1.0),
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


def keeps_limits(mixed: Mixed, terms: Terms) -> bool:
    """Return whether the loss over all requests is within every limit, on average or with the confidence asked for."""
    for task, limit in terms.loss_ratio.items():
        loss = loss_of(mixed, task)
        if terms.confidence is None and loss.expected_ratio > limit + 1e-12:
            return False
        if terms.confidence is not None and loss.probability_at_most(limit) < terms.confidence:
            return False
    return True


def accuracy_of(one: Prepared, mixed: Mixed) -> AccuracyLoss:
    """Return what a mix costs in accuracy over all requests, on the whole and on each class of tasks with a limit."""
    limits = one.terms.loss_ratio
    slices = {
        task: task_loss(loss_of(mixed, task), limit_ratio=limit)
        for task, limit in limits.items()
        if task is not None
    }
    worst_first = sorted(slices.items(), key=lambda item: (item[1].probability_kept or 0.0, item[0]))
    whole = task_loss(loss_of(mixed), limit_ratio=limits.get(None), settled=settled(one, mixed))
    return whole.model_copy(update={"slices": dict(worst_first)})


def settled(one: Prepared, mixed: Mixed) -> tuple[str, ...]:
    """Return in words what the loss over all requests is made of."""
    sizes = Sizes.of(one.evaluation.workload)
    lost = [format_ratio(_part_loss(each, None).expected_ratio) for each in mixed.parts]
    if mixed.handing is None:
        each = (
            f"{part.share:.0%} ({sizes.words(part.spans)}) lose {loss}"
            for part, loss in zip(mixed.parts, lost, strict=True)
        )
        return (f"Over all requests: {'; '.join(each)}, expected.",)
    handed = mixed.handing.losses[None]
    models = (
        f"{part.share:.0%} answered by {part.service.evaluation.workload.model.name}, which loses {loss} by its own options"
        for part, loss in zip(mixed.parts, lost, strict=True)
    )
    return (
        (
            f"Over all requests: handing on loses {format_ratio(handed.expected_ratio)} ({handed.basis}); "
            f"{'; '.join(models)}, expected. The three are added: nobody published them together."
        ),
    )
