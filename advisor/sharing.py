"""What services of a fleet share: totals, quotas, one bill, and why they cannot all be served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from advisor.conflict import looser
from advisor.evaluation import Evaluation
from advisor.explanation import bill_of, latencies, latency_checks, service_plan
from advisor.formulation import Case, formulate
from advisor.plans import Plans
from advisor.preparation import Prepared
from advisor.recommendation import Bill, Conflict, Miss, NearestPlan, Repair, ServicePlan
from advisor.repairs import explain_conflict, repaired
from advisor.requirements import Requirements
from advisor.solver import Repair as ProgramRepair
from advisor.solver import Result, SolverSettings, solve
from advisor.solver import conflict as program_conflict
from advisor.terms import Terms
from advisor.units import format_usd

_TITLES = {"cost": "budget a month", "one-time": "one-time budget", "carbon": "carbon a month"}


def shared_terms(requirements: Requirements, objective: tuple[str, ...]) -> Terms:
    """Return what holds for all services together: totals, quotas and the objective."""
    return Terms(
        objective=objective, totals=requirements.limited_attributes(), quotas=dict(requirements.quotas)
    )


@dataclass(frozen=True, slots=True)
class Shared:
    """Bills of several services as one."""

    bills: tuple[Bill, ...]
    requests_per_month: float

    @classmethod
    def of(cls, bills: Sequence[Bill], evaluations: Sequence[Evaluation]) -> Shared:
        """Return the bills of services, in the order of their evaluations."""
        hours = [one.periods.hours_per_month for one in evaluations]
        rates = [one.periods.requests_per_s for one in evaluations]
        count = sum(float(rate @ length) * 3600.0 for rate, length in zip(rates, hours, strict=True))
        return cls(tuple(bills), count)

    @property
    def machines_usd_per_month(self) -> float:
        """Machines of every service as if each bought its own."""
        return sum(bill.machines_usd_per_month for bill in self.bills)

    def bill_fields(self, *, pooled_usd_per_month: float = 0.0) -> dict[str, Any]:
        """Return the fields of one bill for all.

        Args:
            pooled_usd_per_month: What buying machines together saves.
        """
        if len(self.bills) == 1:
            return self.bills[0].model_dump()
        names = (
            "cost_usd_per_month",
            "machines_usd_per_month",
            "fees_usd_per_month",
            "amortised_usd_per_month",
            "one_time_usd",
            "energy_kwh_per_month",
            "carbon_kg_per_month",
        )
        sums: dict[str, Any] = {name: sum(getattr(bill, name) for bill in self.bills) for name in names}
        sums["cost_usd_per_month"] -= pooled_usd_per_month
        sums["machines_usd_per_month"] -= pooled_usd_per_month
        grams = [bill.carbon_g_per_kwh for bill in self.bills]
        return {
            **sums,
            "unit": "thousand requests",
            "unit_cost_usd": sums["cost_usd_per_month"] / (self.requests_per_month / 1000.0),
            "carbon_g_per_kwh": sum(grams) / len(grams),
            "carbon_source": "; ".join(dict.fromkeys(bill.carbon_source for bill in self.bills)),
        }


def service_of(one: Prepared, position: int) -> ServicePlan:
    """Return a candidate of a service as what is recommended for it."""
    now = latencies(one.before.evaluation, one.before.plan, 0)
    predicted = latencies(one.evaluation, one.plans, position)
    checks = latency_checks(predicted, limits_s=one.terms.latency_s, today=now)
    return service_plan(one.evaluation, one.plans, position, checks=checks, limits_ratio=one.terms.loss_ratio)


def bill_of_all(services: Sequence[Prepared], chosen: Mapping[str, int], result: Result) -> dict[str, Any]:
    """Return the fields of one bill for the candidates that a program chose, machines bought together."""
    bills = [bill_of(one.evaluation, one.plans, chosen[one.name]) for one in services]
    shared = Shared.of(bills, [one.evaluation for one in services])
    assert result.solution is not None  # noqa: S101 - something was chosen
    following = sum(float(one.plans.following_usd_per_month[chosen[one.name]]) for one in services)
    pooled = shared.machines_usd_per_month - following - result.solution.purchase_cost_usd_per_month
    return shared.bill_fields(pooled_usd_per_month=pooled if len(services) > 1 else 0.0)


def bill_together(pairs: Sequence[tuple[Evaluation, Plans]]) -> dict[str, Any]:
    """Return the fields of one bill for services whose plans are given, machines bought together.

    Args:
        pairs: Evaluation of each service, and its plan, the first one.
    """
    shared = Shared.of([bill_of(one, plans, 0) for one, plans in pairs], [one for one, _ in pairs])
    if len(pairs) == 1:
        return shared.bill_fields()
    cases = [Case(one, plans, Terms()) for one, plans in pairs]
    solution = solve(formulate(cases, Terms()).program, SolverSettings()).solution
    following = sum(float(plans.following_usd_per_month[0]) for _, plans in pairs)
    bought = solution.purchase_cost_usd_per_month if solution else 0.0
    pooled = shared.machines_usd_per_month - following - bought if solution else 0.0
    return shared.bill_fields(pooled_usd_per_month=pooled)


def explain_shared_conflict(services: Sequence[Prepared], terms: Terms) -> Conflict:
    """Return why a fleet cannot be served: a service that cannot be served at all, or limits that all share."""
    for one in services:
        if not len(one.plans):
            own = explain_conflict(one.evaluation, one.terms)
            return own.model_copy(update={"text": f"{one.name}: {own.text}"})
    found = program_conflict(formulate([one.case for one in services], terms).program)
    if found is None:
        return Conflict(requirements=(), repairs=(), text="the services cannot be planned for together")
    together = tuple(_named(requirement.name, requirement.bound) for requirement in found.together)
    text = f"no plan for all {len(services)} services keeps {' and '.join(together)}"
    return Conflict(
        requirements=together,
        repairs=tuple(map(_repair, found.repairs)),
        text=text,
        best=None if found.joint is None else _nearest(found.joint),
    )


def _nearest(joint: ProgramRepair) -> NearestPlan:
    """Return the plan of the smallest total change of several bounds."""
    misses = tuple(
        Miss(
            requirement=one.name.replace("quota of ", "quota "),
            limit=_amount(one.name, one.bound),
            reached=_amount(one.name, nearest),
        )
        for one, nearest in zip(joint.requirements, joint.nearest, strict=True)
    )
    cost = joint.solution.cost_usd_per_month
    missed = "; ".join(f"{one.requirement} {one.reached} instead of {one.limit}" for one in misses)
    return NearestPlan(
        instance_type="",
        instances_peak=0,
        choices=(),
        cost_usd_per_month=cost,
        misses=misses,
        text=f"nearest: a plan for {format_usd(cost)}/month, with {missed}",
    )


def _repair(found: ProgramRepair) -> Repair:
    requirement, nearest = found.requirements[0], found.nearest[0]
    cost = found.solution.cost_usd_per_month
    return Repair(
        requirement=requirement.name,
        given=_amount(requirement.name, requirement.bound),
        nearest=_amount(requirement.name, nearest),
        cost_usd_per_month=cost,
        instance_type="",
        loosened_ratio=looser(nearest, requirement.bound, unit=1.0),
        text=f"{_repaired(requirement.name, requirement.bound, nearest)}: {format_usd(cost)}/month",
    )


def _repaired(name: str, bound: float, nearest: float) -> str:
    given, works = _amount(name, bound), _amount(name, nearest)
    return repaired(name.replace("quota of ", "quota "), _TITLES.get(name, name), given, works)


def _named(name: str, bound: float) -> str:
    return f"{_TITLES.get(name, name)} {_amount(name, bound)}"


def _amount(name: str, bound: float) -> str:
    if name == "carbon":
        return f"{bound:,.0f} kg"
    return format_usd(bound) if name in {"cost", "one-time"} else f"{bound:g}"
