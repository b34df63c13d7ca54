"""The choices of a stored plan, exactly those, evaluated under today's inputs with the replicas that they need now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from advisor.errors import AdvisorError
from advisor.explanation import bill_of, latencies, latency_checks, service_plan
from advisor.plans import Plans, plans_at
from advisor.preparation import Prepared, prepared
from advisor.requirements import Requirements
from advisor.terms import Terms

if TYPE_CHECKING:
    from advisor.calibration import Calibration
    from advisor.candidates import Axis
    from advisor.catalog import Catalog
    from advisor.evaluation import Evaluation
    from advisor.recommendation import Bill, ServicePlan
    from advisor.strategy import Strategy
    from advisor.workload import Workload


@dataclass(frozen=True)
class Again:
    """One service of a stored plan, evaluated now.

    Args:
        stored: As it was recommended.
        terms: What must hold for it now.
        prepared: Its one candidate with what surrounds it; `None` where it does not exist any more.
        plans: That candidate alone; empty where it does not exist or a cold start breaks a limit.
        carries: Whether some number of replicas keeps the latency limits.
        missing: Why the candidate does not exist.
    """

    stored: ServicePlan
    terms: Terms | None
    prepared: Prepared | None
    plans: Plans | None
    carries: bool
    missing: str = ""

    @property
    def now(self) -> ServicePlan | None:
        """The service as it would be deployed now; `None` where it cannot be."""
        if self.prepared is None or self.plans is None or self.terms is None:
            return None
        predicted = latencies(self.prepared.evaluation, self.plans, 0)
        checks = latency_checks(predicted, limits_s=self.terms.latency_s, today={})
        return service_plan(
            self.prepared.evaluation, self.plans, 0, checks=checks, limits_ratio=self.terms.loss_ratio
        )

    @property
    def bill(self) -> Bill | None:
        """What it costs now, machines of its own."""
        if self.prepared is None or self.plans is None:
            return None
        return bill_of(self.prepared.evaluation, self.plans, 0)


def evaluated_again(
    stored: ServicePlan,
    workload: Workload,
    requirements: Requirements,
    catalog: Catalog,
    strategies: Sequence[Strategy],
    *,
    alone: bool,
    calibration: Calibration | None = None,
) -> Again:
    """Return a service's stored choices on its stored machine, under today's workload, prices and evidence.

    Args:
        stored: Service of the plan.
        workload: What it serves now; `serving` is what the choices are relative to.
        requirements: What must hold now.
        catalog: Machines and prices.
        strategies: Installed strategies.
        alone: Whether totals are its own.
        calibration: Own benchmarks.
    """
    wanted = {choice.strategy: choice.option for choice in stored.choices}
    try:
        catalog.instance(stored.instance_type, stored.provider, stored.region)
        found = prepared(
            workload,
            _only(stored, requirements, strategies),
            catalog,
            strategies,
            alone=alone,
            calibration=calibration,
        )
    except AdvisorError as error:
        return Again(stored, None, None, None, carries=False, missing=str(error))
    missing = _missing(found.evaluation, wanted, [strategy.name for strategy in strategies])
    position = None if missing else position_of(found.evaluation, stored)
    if position is None:
        return Again(
            stored,
            found.terms,
            None,
            None,
            carries=False,
            missing=missing or "its options exclude each other",
        )
    return _costed(stored, found, *position)


def _only(stored: ServicePlan, requirements: Requirements, strategies: Sequence[Strategy]) -> Requirements:
    """Return the requirements with nothing but the stored choices on the stored machine to choose from."""
    named = {strategy.name for strategy in strategies}
    return requirements.model_copy(
        update={
            "only": (
                *(f"{c.strategy}={c.option}" for c in stored.choices if c.strategy in named),
                "*=none",  # else a plan made without the strategy of the accelerators would keep today's machine
            ),
            "without": (),
            "providers": (stored.provider,),
            "regions": (stored.region,),
            "allow_instances": (stored.instance_type,),
            "deny_instances": (),
        }
    )


def _missing(evaluation: Evaluation, wanted: Mapping[str, str], installed: Sequence[str]) -> str:
    """Return why a choice cannot be made any more; empty where all can."""
    block = evaluation.candidates.blocks[0]
    offered = {axis.strategy: _ids(axis) for axis in (*block.engine_axes, *block.policy_axes)}
    for strategy, option in wanted.items():
        if option == "none" or option in offered.get(strategy, ()):
            continue
        if strategy not in installed:
            return f"strategy '{strategy}' of the plan is not installed"
        refused = [
            e for e in evaluation.candidates.exclusions if (e.strategy, e.option) == (strategy, option)
        ]
        why = refused[0].reason if refused else "is not offered for this workload and machine any more"
        return f"{strategy}={option} {why}"
    return ""


def position_of(evaluation: Evaluation, stored: ServicePlan) -> tuple[int, int] | None:
    """Return the engine of an evaluation and the number of the policy that are a stored plan's; `None` where it has none."""
    wanted = {choice.strategy: choice.option for choice in stored.choices}
    for number, block in enumerate(evaluation.candidates.blocks):
        machine = block.instance_type
        if (machine.name, machine.provider, machine.region) != (
            stored.instance_type,
            stored.provider,
            stored.region,
        ):
            continue
        engine = _row(block.engines, block.engine_axes, wanted)
        policy = _row(block.policies, block.policy_axes, wanted)
        if engine is None or policy is None:
            return None
        found = np.flatnonzero((evaluation.engines.block == number) & (evaluation.engines.row == engine))
        return (int(found[0]), policy) if len(found) else None
    return None


def _row(table: np.ndarray, axes: Sequence[Axis], wanted: Mapping[str, str]) -> int | None:
    names = [wanted.get(axis.strategy, "none") for axis in axes]
    if any(name not in _ids(axis) for name, axis in zip(names, axes, strict=True)):
        return None
    numbers = [_ids(axis).index(name) for name, axis in zip(names, axes, strict=True)]
    found = np.flatnonzero((table == np.array(numbers, dtype=table.dtype)).all(axis=1))
    return int(found[0]) if len(found) else None


def _ids(axis: Axis) -> list[str]:
    return [option.id for option in axis.options]


def _costed(stored: ServicePlan, found: Prepared, engine: int, policy: int) -> Again:
    """Return the candidate with the replicas that keep the limits; where none do, with those that keep up at all."""
    evaluation, terms = found.evaluation, found.terms
    keep = np.zeros(len(evaluation.engines), dtype=bool)
    keep[engine] = True
    within = evaluation.capacity_requests_per_s(terms.latency_limits, keep, confidence=terms.confidence)
    carries = bool((within[engine] > 0.0).any())
    capacity = within if carries else evaluation.capacity_requests_per_s({}, keep, confidence=None)
    plans = plans_at(evaluation, terms, np.maximum(capacity, 1e-12), np.array([engine]))
    plans = plans.take(plans.policy == policy)
    if len(plans) and (capacity[engine] > 0.0).any():
        return Again(stored, terms, found, plans, carries=carries)
    why = (
        "cold starts after idle hours break the latency limits"
        if not len(plans)
        else f"the model does not fit into the memory of {stored.accelerators_per_replica} of {stored.accelerator}"
    )
    return Again(stored, terms, None, None, carries=False, missing=why)
