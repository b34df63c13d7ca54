"""The services under a scenario: which plan would then be best, and what becomes of the recommended one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

from advisor.baseline import today_in
from advisor.errors import UnknownName
from advisor.insight.briefs import briefs
from advisor.insight.circumstances import carried
from advisor.insight.outcomes import ScenarioOutcome, WhatIf
from advisor.insight.sensitivity import kind
from advisor.insight.space import admissible
from advisor.planning import chosen
from advisor.plans import Plans, feasible_plans, plans_at
from advisor.repairs import explain_conflict
from advisor.scenario import ALL, Scenario
from advisor.sharing import explain_shared_conflict, shared_terms
from advisor.terms import Terms, resolve
from advisor.variation import with_losses, with_prices, with_speed, with_traffic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.catalog import InstanceType
    from advisor.evaluation import Evaluation
    from advisor.insight.results import PlanBrief
    from advisor.preparation import Prepared
    from advisor.recommendation import Conflict
    from advisor.requirements import Requirements

TOKEN_LATENCIES = ("ttft", "tpot")


def what_if(
    name: str,
    services: Sequence[Prepared],
    positions: Mapping[str, int],
    requirements: Requirements,
    scenarios: Sequence[Scenario],
) -> WhatIf:
    """Return the plan as stated and under each scenario, every one chosen and proven anew.

    Args:
        name: Of the workload or fleet.
        services: Evaluated as stated; candidates are not evaluated again.
        positions: Of the recommended plan of each service; empty where nothing was recommended.
        requirements: Of all services together.
        scenarios: What turns out differently.

    Raises:
        UnknownName: A pattern for prices fits no machine that is considered.
        InputError: A limit cannot be meant for these models.
    """
    mine = {
        one.name: one.plans.take(np.array([positions[one.name]])) for one in services if one.name in positions
    }
    stated = _outcome(services, mine, requirements, Scenario(name="as stated"), None)
    found = tuple(
        _outcome(_varied(services, one), mine, one.changed(requirements), one, stated.best_usd_per_month)
        for one in (scenario.named() for scenario in scenarios)
    )
    return WhatIf(workload=name, stated=stated, scenarios=found)


def _varied(services: Sequence[Prepared], scenario: Scenario) -> list[Prepared]:
    """Return the services as they are in a scenario."""
    ratios = _price_ratios(services, scenario.prices)
    return [_one_varied(one, scenario, ratios, alone=len(services) == 1) for one in services]


def _one_varied(one: Prepared, scenario: Scenario, ratios: Mapping[str, float], *, alone: bool) -> Prepared:
    requirements = _meant_for(one, scenario).changed(one.requirements)
    terms = resolve(one.evaluation.workload, requirements)
    if not alone:
        terms = replace(terms, totals={})
    evaluation = _evaluation(one.evaluation, scenario, terms, ratios)
    before = today_in(_evaluation(one.before.evaluation, scenario, terms, ratios), terms)
    plans = feasible_plans(evaluation, terms)
    return replace(
        one, terms=terms, evaluation=evaluation, before=before, plans=plans, requirements=requirements
    )


def _meant_for(one: Prepared, scenario: Scenario) -> Scenario:
    """Return the scenario without limits on tokens where a service of a fleet writes none."""
    latency = scenario.limits.get("latency")
    if not latency or one.evaluation.workload.model.family == "decoder":
        return scenario
    kept = {name: limit for name, limit in latency.items() if not name.startswith(TOKEN_LATENCIES)}
    return scenario.model_copy(update={"limits": {**scenario.limits, "latency": kept}})


def _evaluation(
    evaluation: Evaluation, scenario: Scenario, terms: Terms, ratios: Mapping[str, float]
) -> Evaluation:
    if scenario.traffic != 1.0:
        evaluation = with_traffic(evaluation, scenario.traffic)
    if ratios:
        evaluation = with_prices(evaluation, ratios)
    if scenario.losses != 1.0:
        tasks = tuple(task for task in terms.loss_ratio if task is not None)
        evaluation = with_losses(evaluation, scenario.losses, tasks=tasks)
    return evaluation if scenario.speed == 1.0 else with_speed(evaluation, scenario.speed)


def _price_ratios(services: Sequence[Prepared], prices: Mapping[str, float]) -> dict[str, float]:
    """Return the ratio of each machine's prices, by id; a later pattern multiplies an earlier one.

    Raises:
        UnknownName: A pattern fits no machine.
    """
    machines = {
        machine.id: machine
        for one in services
        for machine in (
            *one.evaluation.catalog.instances,
            *(block.instance_type for block in one.evaluation.candidates.blocks),
        )
    }
    found: dict[str, float] = {}
    for pattern, ratio in prices.items():
        fitting = [id_ for id_, machine in machines.items() if _fits(machine, pattern)]
        if not fitting:
            known = {name for machine in machines.values() for name in (machine.name, machine.accelerator.id)}
            raise UnknownName.among("machine or accelerator", pattern, known, "is in the catalogue")
        for id_ in fitting:
            found[id_] = found.get(id_, 1.0) * ratio
    return found


def _fits(machine: InstanceType, pattern: str) -> bool:
    """Return whether a pattern is for a machine; one without wildcards may be the beginning of an accelerator's id."""
    wanted = pattern.casefold()
    names = (machine.name.casefold(), machine.id.casefold(), machine.accelerator.id.casefold())
    return wanted == ALL or any(fnmatchcase(name, wanted) for name in names) or names[2].startswith(wanted)


def _outcome(
    services: Sequence[Prepared],
    mine: Mapping[str, Plans],
    requirements: Requirements,
    scenario: Scenario,
    as_stated_usd: float | None,
) -> ScenarioOutcome:
    terms = (
        services[0].terms if len(services) == 1 else shared_terms(requirements, services[0].terms.objective)
    )
    best = chosen(services, terms)
    kept = _kept(services, mine, terms)
    served = [one for one in services if one.name in mine]
    cost = None if best is None else best.cost_usd_per_month
    positions = {} if best is None else best.positions
    return ScenarioOutcome(
        name=scenario.name,
        scenario=scenario.model_dump(exclude_defaults=True, exclude={"name"}),
        today_usd_per_month=sum(float(one.before.plan.cost_usd_per_month[0]) for one in services),
        today_keeps_limits=all(one.before.keeps_limits for one in services),
        best_usd_per_month=cost,
        change_usd_per_month=None if cost is None or as_stated_usd is None else cost - as_stated_usd,
        kept_usd_per_month=kept,
        holds_as_sized=bool(served) and all(_holds(one, mine[one.name]) for one in served),
        changes_plan=_differs(services, mine, positions),
        services=_briefs(services, positions),
        conflict=None if best is not None else _conflict(services, terms),
    )


def _briefs(services: Sequence[Prepared], positions: Mapping[str, int]) -> dict[str, PlanBrief]:
    return {
        one.name: briefs(one.evaluation, one.plans.take(np.array([positions[one.name]])), one.terms)[0]
        for one in services
        if one.name in positions
    }


def _conflict(services: Sequence[Prepared], terms: Terms) -> Conflict:
    if len(services) == 1:
        return explain_conflict(services[0].evaluation, terms)
    return explain_shared_conflict(services, terms)


def _kept(services: Sequence[Prepared], mine: Mapping[str, Plans], terms: Terms) -> float | None:
    """Return the cost of the recommended machines and options, counted anew and bought together, or `None`."""
    if any(one.name not in mine for one in services):
        return None
    found = chosen([replace(one, plans=_resized(one, mine[one.name])) for one in services], terms)
    return None if found is None else found.cost_usd_per_month


def _resized(one: Prepared, plan: Plans) -> Plans:
    """Return a plan with as many machines as are needed; none where no number keeps the limits."""
    capacity = _capacity(one, plan)
    engines = np.flatnonzero((capacity > 0.0).any(axis=1))
    found = plans_at(one.evaluation, one.terms, capacity, engines)
    return found.take(found.policy == plan.policy[0])


def _holds(one: Prepared, plan: Plans) -> bool:
    """Return whether a plan keeps its limits with the machines that it has."""
    capacity = _capacity(one, plan)[plan.engine[0]]
    rates = one.evaluation.periods.requests_per_s
    within = rates <= carried(plan.replicas[0], capacity) * (1.0 + 1e-9)
    return bool((capacity > 0.0).any() and within.all())


def _capacity(one: Prepared, plan: Plans) -> NDArray[np.float64]:
    """Return what a replica of the plan's engine carries, 0 for every other engine and where it breaks a limit."""
    keep = admissible(one.evaluation, one.terms) & (np.arange(len(one.evaluation.engines)) == plan.engine[0])
    limits = one.terms.latency_limits
    return one.evaluation.capacity_requests_per_s(limits, keep, confidence=one.terms.confidence)


def _differs(services: Sequence[Prepared], mine: Mapping[str, Plans], positions: Mapping[str, int]) -> bool:
    """Return whether the best plan of a service has another machine, treatment, scaling or purchase."""
    return any(
        one.name in mine
        and one.name in positions
        and kind(one.evaluation, mine[one.name])
        != kind(one.evaluation, one.plans.take(np.array([positions[one.name]])))
        for one in services
    )
