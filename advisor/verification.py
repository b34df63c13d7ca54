"""The chosen candidate evaluated once more, alone and from the beginning: no silent wrong answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from advisor.alike import Alike
from advisor.candidates import compose
from advisor.errors import AdvisorError
from advisor.evaluation import Evaluation
from advisor.explanation import chosen_options
from advisor.formulation import machine_of
from advisor.plans import Plans, plans_at
from advisor.requirements import Requirements
from advisor.terms import Terms

if TYPE_CHECKING:
    from advisor.strategy import Strategy
    from advisor.workload import Workload

TOLERANCE = 1e-6


class EvaluationDisagreement(AdvisorError):
    """The candidate that was chosen comes out differently when it is evaluated alone; a fault of advisor."""

    exit_code = 1

    @classmethod
    def on(cls, what: str, first: float, second: float) -> EvaluationDisagreement:
        """Return the error for one figure that came out twice differently."""
        return cls(
            f"{what} of the chosen plan is {first!r} among all candidates and {second!r} alone; please report this"
        )


def verify(
    evaluation: Evaluation,
    plans: Plans,
    position: int,
    terms: Terms,
    strategies: Sequence[Strategy],
    *,
    alike: Alike | None = None,
) -> None:
    """Compose only the chosen options on the chosen machine, evaluate them, and compare.

    Args:
        evaluation: Of all candidates.
        plans: Candidates.
        position: The chosen one.
        terms: What must hold.
        strategies: Strategies that its options are from.
        alike: Chosen candidates evaluated alone before, with the same catalogue and benchmarks.

    Raises:
        EvaluationDisagreement: Cost, loss, carbon or replicas differ by more than `TOLERANCE`, relatively.
    """
    _, again = evaluated_alone(
        evaluation, plans, position, terms, strategies, workload=evaluation.workload, alike=alike
    )
    pairs = {
        "the capacity": (plans.capacity_requests_per_s[position], again.capacity_requests_per_s[0]),
        "the cost": (plans.cost_usd_per_month[position], again.cost_usd_per_month[0]),
        "the one-time cost": (plans.one_time_usd[position], again.one_time_usd[0]),
        "the accuracy loss": (plans.loss_ratio[position], again.loss_ratio[0]),
        "the carbon": (plans.carbon_kg_per_month[position], again.carbon_kg_per_month[0]),
        "the number of replicas": (plans.replicas[position].sum(), again.replicas[0].sum()),
    }
    for what, (first, second) in pairs.items():
        if abs(first - second) > TOLERANCE * max(1.0, abs(first)):
            raise EvaluationDisagreement.on(what, float(first), float(second))


def evaluated_alone(
    evaluation: Evaluation,
    plans: Plans,
    position: int,
    terms: Terms,
    strategies: Sequence[Strategy],
    *,
    workload: Workload,
    alike: Alike | None = None,
) -> tuple[Evaluation, Plans]:
    """Return the options and the machine of a candidate, and nothing else, evaluated for a workload.

    Args:
        evaluation: Of all candidates.
        plans: Candidates.
        position: The candidate.
        terms: What must hold.
        strategies: Strategies that its options are from.
        workload: What it serves: that of the evaluation, or a part of it.
        alike: Candidates evaluated alone before, with the same catalogue and benchmarks.

    Returns:
        The evaluation, and its one plan; none where a cold start breaks a limit.
    """
    options = chosen_options(evaluation, plans, position)
    only = Requirements(only=tuple(f"{strategy}={option.id}" for strategy, option in options))
    machines = [machine_of(evaluation, plans, position)]

    def made() -> Evaluation:
        candidates = compose(workload, only, strategies, machines)
        return Evaluation(
            workload, evaluation.catalog, candidates, evaluation.measured, evaluation.calibration
        )

    alone = alike.evaluation(workload, only, strategies, machines, made) if alike else made()
    return alone, _same(alone, terms, options)


def _same(alone: Evaluation, terms: Terms, options: Sequence[tuple[str, object]]) -> Plans:
    """Return the one candidate of `alone` with the same options."""
    block = alone.candidates.blocks[0]
    named = dict(options)
    engine = _row(
        block.engines,
        [named[axis.strategy] for axis in block.engine_axes],
        [axis.options for axis in block.engine_axes],
    )
    policy = _row(
        block.policies,
        [named[axis.strategy] for axis in block.policy_axes],
        [axis.options for axis in block.policy_axes],
    )
    keep = alone.engines.row == engine
    capacity = alone.capacity_requests_per_s(terms.latency_limits, keep, confidence=terms.confidence)
    found = plans_at(alone, terms, np.maximum(capacity, 1e-12), np.flatnonzero(keep))
    return found.take(found.policy == policy)


def _row(table: np.ndarray, wanted: Sequence[object], offered: Sequence[Sequence[object]]) -> int:
    """Return the row of a table of option numbers that holds the wanted options."""
    numbers = [options.index(option) for option, options in zip(wanted, offered, strict=True)]
    return int(np.flatnonzero((table == np.array(numbers, dtype=table.dtype)).all(axis=1))[0])
