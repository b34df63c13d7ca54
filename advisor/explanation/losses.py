"""What a candidate costs in accuracy, against its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from advisor.explanation.options import evidence_notes
from advisor.recommendation import (
    AccuracyLoss,
)

if TYPE_CHECKING:
    from advisor.accuracy import LossDistribution
    from advisor.evaluation import Evaluation


def accuracy_loss(
    evaluation: Evaluation, treatment: int, *, limits_ratio: Mapping[str | None, float]
) -> AccuracyLoss:
    """Return what a treatment costs in accuracy, on the whole and on each class of tasks with a limit of its own.

    Args:
        evaluation: Of the candidates.
        treatment: Index into the evaluation's treatments.
        limits_ratio: Largest loss by class of task; `None` is the workload's own.
    """
    slices = {
        task: _task_loss(evaluation, treatment, task=task, limit_ratio=limit)
        for task, limit in limits_ratio.items()
        if task is not None
    }
    worst_first = sorted(slices.items(), key=lambda item: (item[1].probability_kept or 0.0, item[0]))
    whole = _task_loss(evaluation, treatment, task=None, limit_ratio=limits_ratio.get(None))
    return whole.model_copy(update={"slices": dict(worst_first)})


def _task_loss(
    evaluation: Evaluation, treatment: int, *, task: str | None, limit_ratio: float | None
) -> AccuracyLoss:
    losses = evaluation.losses if task is None else evaluation.slice_losses(task)
    loss = losses[treatment]
    assert loss is not None  # noqa: S101 - engines whose treatments exclude each other are never evaluated
    settled = (
        () if limit_ratio is None else evaluation.resolutions(treatment, task=task, limit_ratio=limit_ratio)
    )
    return task_loss(loss, limit_ratio=limit_ratio, settled=settled)


def task_loss(
    loss: LossDistribution, *, limit_ratio: float | None, settled: Sequence[str] = ()
) -> AccuracyLoss:
    """Return a loss against its limit, where there is one.

    Args:
        loss: Relative loss with its uncertainty.
        limit_ratio: Largest loss allowed.
        settled: What a reader must know beside the notes of the loss.
    """
    return AccuracyLoss(
        expected_ratio=loss.expected_ratio,
        p10_ratio=loss.p10_ratio,
        p90_ratio=loss.p90_ratio,
        limit_ratio=limit_ratio,
        probability_kept=None if limit_ratio is None else loss.probability_at_most(limit_ratio),
        basis=loss.basis,
        evidence=evidence_notes(loss.evidence),
        unknown_pairs=loss.unknown_pairs,
        notes=(*loss.notes, *settled),
    )
