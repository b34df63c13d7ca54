"""Services evaluated with the plan in service among their candidates, and what is said of the decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from advisor.baseline import Today
from advisor.plans import feasible_plans
from advisor.preparation import Prepared, Running, prepared
from advisor.sharing import service_of
from advisor.strategy import NONE
from advisor.switch import ServiceSwitch, Switch
from advisor.switching.again import Again, evaluated_again, position_of
from advisor.switching.differences import counted, differences
from advisor.switching.margins import idle_usd, margins_usd_per_month
from advisor.switching.paid import paid

if TYPE_CHECKING:
    from advisor.alike import Alike
    from advisor.calibration import Calibration
    from advisor.catalog import Catalog
    from advisor.plans import Plans
    from advisor.recommendation import ServicePlan
    from advisor.requirements import Requirements
    from advisor.strategy import Strategy
    from advisor.switching.current import Current, InService
    from advisor.workload import Workload


def preparer(
    running: InService | None, name: str, calibration: Calibration | None = None
) -> Callable[..., Prepared]:
    """Return what evaluates a service, by the user's own benchmarks: reluctant to change where a plan is in service."""
    stored = running and running.plans.get(name)
    if running and stored:
        return partial(reluctant, stored=stored, current=running.current, calibration=calibration)
    return partial(prepared, calibration=calibration)


def reluctant(
    workload: Workload,
    requirements: Requirements,
    catalog: Catalog,
    strategies: Sequence[Strategy],
    *,
    priority: int = 1,
    alone: bool = True,
    stored: ServicePlan,
    current: Current,
    calibration: Calibration | None = None,
    alike: Alike | None = None,
) -> Prepared:
    """Return a service evaluated with what is in service: today's deployment, paid for, and reluctant to change.

    Args:
        workload: Of today, on the baseline of the stored plan.
        requirements: What must hold for it.
        catalog: Machines and prices.
        strategies: Installed strategies.
        priority: Of the service in its fleet.
        alone: Whether totals are its own.
        stored: The service as it was recommended.
        current: What a change must bring.
        calibration: Own benchmarks.
        alike: Services evaluated before.
    """
    own = paid(strategies, {choice.strategy: choice.option for choice in stored.choices})
    again = evaluated_again(
        stored, workload, requirements, catalog, own, alone=alone, calibration=calibration
    )
    one = prepared(
        workload,
        requirements,
        catalog,
        own,
        priority=priority,
        alone=alone,
        calibration=calibration,
        alike=alike,
    )
    plans, kept = _with_kept(one, stored)
    none = np.zeros(len(plans))
    margin = (
        none
        if kept is None
        else margins_usd_per_month(
            one.evaluation,
            plans,
            one.terms,
            kept=kept,
            tolerance_ratio=current.tolerance_ratio,
            sure_ratio=current.sure_ratio,
        )
    )
    running = Running(
        stored=stored,
        now=again.now,
        kept=kept,
        margin_usd_per_month=margin,
        idle_usd=idle_usd(one.evaluation, plans, stored, months_left=current.months_left),
        why="" if kept is not None else again.missing or "it does not meet the requirements any more",
    )
    return replace(one, before=_before(again) or one.before, plans=plans, running=running)


def _with_kept(one: Prepared, stored: ServicePlan) -> tuple[Plans, int | None]:
    """Return the candidates with the choices in service among them, where they meet the terms, and their position."""
    found = position_of(one.evaluation, stored)
    if found is None:
        return one.plans, None
    plans = one.plans
    if found[0] not in plans.engine:
        plans = feasible_plans(one.evaluation, one.terms, also=found[0])
    at = np.flatnonzero((plans.engine == found[0]) & (plans.policy == found[1]))
    return plans, int(at[0]) if len(at) else None


def _before(again: Again) -> Today | None:
    if again.prepared is None or again.plans is None:
        return None
    return Today(again.prepared.evaluation, again.plans, again.carries)


def marked(plan: ServicePlan, running: Running | None) -> ServicePlan:
    """Return a service of a plan with the choices marked that are in service already."""
    if running is None:
        return plan
    has = {(choice.strategy, choice.option) for choice in running.stored.choices}
    choices = tuple(
        choice.model_copy(update={"in_service": (choice.strategy, choice.option) in has})
        for choice in plan.choices
    )
    return plan.model_copy(update={"choices": choices})


def switch_of(
    services: Sequence[Prepared],
    chosen: Mapping[str, int],
    free: Mapping[str, int],
    running: InService,
    *,
    running_usd_per_month: float,
    bills: tuple[Mapping[str, Any], Mapping[str, Any]],
) -> Switch:
    """Return what is said of the decision.

    Args:
        services: Those that the plan serves.
        chosen: Position of what is recommended for each.
        free: The same where a change need save no more than it costs.
        running: The plan in service.
        running_usd_per_month: What it costs now, machines bought together.
        bills: Fields of the bills of `chosen` and of `free`.
    """
    found = [_service(one, chosen[one.name], free[one.name]) for one in services]
    acts = any(one.action != "keep" for one in found)
    best, bill = (chosen, bills[0]) if acts else (free, bills[1])
    changed = [one for one in services if one.running and best[one.name] != one.running.kept]
    months = services[0].evaluation.workload.horizon_months
    switching = bill["one_time_usd"] + sum(_idle_usd(one, best[one.name]) for one in changed)
    margin = sum(float(_margin(one, best[one.name])) for one in changed)
    return Switch(
        action="change" if acts else "keep",
        running_usd_per_month=running_usd_per_month,
        saving_usd_per_month=running_usd_per_month
        - bill["cost_usd_per_month"]
        + bill["amortised_usd_per_month"],
        switching_usd=switching,
        needed_usd_per_month=switching / months + margin,
        horizon_months=months,
        tolerance_ratio=running.current.tolerance_ratio,
        sure_ratio=running.current.sure_ratio,
        months_left=running.current.months_left,
        services=tuple(found),
        notes=(*running.notes, *_notes(services, running.current)),
    )


def _service(one: Prepared, chosen: int, free: int) -> ServiceSwitch:
    plan, running = service_of(one, chosen), one.running
    kept = running is not None and chosen == running.kept
    at = free if kept else chosen
    best = service_of(one, at)
    now = running.now or running.stored if running else None
    idle = _idle_usd(one, at)
    months = one.evaluation.workload.horizon_months
    one_time = float(one.plans.one_time_usd[at])
    margin = _margin(one, at)
    before = float(one.before.plan.cost_usd_per_month[0])
    return ServiceSwitch(
        name=one.name,
        action="keep" if kept else "new" if running is None else "change" if not running.why else "replace",
        differences=()
        if running is None
        else counted(running.stored, plan)
        if kept
        else differences(now or running.stored, plan),
        instead=differences(now, best) if kept and now and at != chosen else (),
        instance_type=best.instance_type,
        choices=tuple(f"{c.strategy}={c.option}" for c in best.choices if c.option != NONE),
        saving_usd_per_month=before - float(one.plans.cost_usd_per_month[at]) + one_time / months,
        switching_usd=one_time + idle,
        margin_usd_per_month=margin,
        needed_usd_per_month=(one_time + idle) / months + margin,
        why=running.why if running else "",
    )


def _idle_usd(one: Prepared, at: int) -> float:
    """Return what a candidate leaves idle of what is reserved, beyond what is idle already, in USD."""
    if one.running is None:
        return 0.0
    idle, kept = one.running.idle_usd, one.running.kept
    return max(0.0, float(idle[at] - (idle[kept] if kept is not None else 0.0)))


def _margin(one: Prepared, at: int) -> float:
    return 0.0 if one.running is None else float(one.running.margin_usd_per_month[at])


def _notes(services: Sequence[Prepared], current: Current) -> list[str]:
    found = []
    if services[0].terms.objective[0] != "cost":
        found.append(
            f"The plan is chosen for {services[0].terms.objective[0]}; a change is weighed by its cost."
        )
    stored = [one.running.stored for one in services if one.running]
    reserved = any(line.plan.startswith("reserved") for one in stored for line in one.purchases)
    if reserved and not current.months_left:
        found.append(
            "What is left to pay of reserved machines is not counted; say how long with --months-left."
        )
    return found
