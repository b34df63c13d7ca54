"""A stored plan against today: is it still within the limits, and does a cheaper one pay the switch?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from advisor.api import Source, recommend
from advisor.catalog import Catalog
from advisor.checking.again import Again, evaluated_again, one_time_usd
from advisor.checking.limits import service_checks, shared_checks
from advisor.checking.results import CheckResult, RequirementCheck, ServiceCheck
from advisor.checking.services import fleet_today, own_requirements
from advisor.errors import InputError
from advisor.fleet import Fleet, Service
from advisor.formulation import Case, formulate
from advisor.provenance import inputs_digest
from advisor.recommendation import Bill, Plan, Recommendation, ServicePlan
from advisor.registry import installed_strategies
from advisor.requirements import Requirements
from advisor.sharing import Shared
from advisor.solver import SolverSettings, solve
from advisor.stored import load_plan
from advisor.terms import Terms
from advisor.units import format_ratio, format_usd

if TYPE_CHECKING:
    from advisor.strategy import Strategy

TOLERANCE_RATIO = 0.02
"""Saving, as a share of the stored plan's running cost, below which a cheaper plan is not worth a change: assumed."""


@dataclass(frozen=True)
class _Today:
    """Everything that the verdict rests on."""

    stored: Recommendation
    fleet: Fleet
    requirements: Requirements
    found: tuple[Again, ...]
    fresh: Recommendation
    bill: Bill | None
    terms: Terms
    switching_cost_usd: float

    @property
    def plan(self) -> Plan:
        assert self.stored.plan is not None  # noqa: S101 - `load_plan` refuses others
        return self.stored.plan

    @property
    def comparable(self) -> Plan | None:
        """The fresh plan where it serves the same services; `None` where some are left out or nothing fits."""
        plan = self.fresh.plan
        same = plan and {one.name for one in plan.services} == {one.name for one in self.fleet_plans}
        return plan if same else None

    @property
    def fleet_plans(self) -> tuple[ServicePlan, ...]:
        """Services of the stored plan, called as they are today."""
        return tuple(one.stored for one in self.found)

    @property
    def horizon_months(self) -> float:
        return self.fleet.services[0].workload.horizon_months

    @property
    def saving_usd_per_month(self) -> float:
        if self.bill is None or self.comparable is None:
            return 0.0
        return _running(self.bill) - _running(self.comparable)


def check(
    stored: Recommendation | str | Path,
    workload: Source | Sequence[Source] | Fleet | None = None,
    *,
    requirements: Requirements | None = None,
    tolerance_ratio: float = TOLERANCE_RATIO,
    catalog: Catalog | None = None,
    strategies: Sequence[Strategy] | None = None,
    solver: SolverSettings | None = None,
) -> CheckResult:
    """Return whether a stored plan is still the one to run.

    Its choices are evaluated again, exactly those on its machine, with the replicas that they need under today's
    workload, prices, evidence and calibration, and compared with a fresh recommendation. The plan is taken to be in
    service: what it cost once is spent. It has drifted where a fresh plan pays the switch over the horizon,

        (running cost of the stored plan - running cost of the fresh one) x months > switching cost,

    and what is left of the saving a month is more than `tolerance_ratio` of the stored plan's running cost.

    Args:
        stored: A recommendation, or the file of one.
        workload: Today's; what was asked then where not given. Its `serving` is not used: the plan's choices are
            relative to what served when it was made.
        requirements: Today's; those asked then where not given.
        tolerance_ratio: Share of the running cost that is not worth a change, 0.02 for 2 %.
        catalog: Machines and prices; the embedded ones by default.
        strategies: Strategies to consider; the installed ones by default.
        solver: Solver, time limit and gap.

    Raises:
        InputError: The file is no stored plan, or the workload does not serve its services.

    Example:
        >>> from advisor import recommend
        >>> check(recommend("small-cnn", Requirements(max_accuracy_loss="1%"))).status
        'best'
    """
    if not 0.0 <= tolerance_ratio < 1.0:
        raise InputError(f"tolerance: got {tolerance_ratio:g}; expected a share from 0 to 1, such as 2%")
    plan = load_plan(stored)
    assert plan.inputs is not None  # noqa: S101 - `load_plan` refuses others
    asked = requirements or Requirements.load(plan.inputs.requirements)
    fleet, notes = fleet_today(plan, plan.inputs, workload)
    strategies = tuple(strategies if strategies is not None else installed_strategies())
    today = _evaluated(plan, fleet, asked, catalog or Catalog.load(), strategies, solver)
    if catalog is None and any(
        line.price_kind == "user" for service in today.plan.services for line in service.purchases
    ):
        notes.append("The plan was bought at prices of your own; give them again with --catalog.")
    return _result(today, tolerance_ratio, notes)


def _evaluated(
    stored: Recommendation,
    fleet: Fleet,
    requirements: Requirements,
    catalog: Catalog,
    strategies: Sequence[Strategy],
    solver: SolverSettings | None,
) -> _Today:
    assert stored.plan is not None  # noqa: S101
    by_name = {one.workload.name: one for one in fleet.services}
    alone = len(fleet.services) == 1
    found = tuple(
        evaluated_again(
            plan,
            by_name[plan.name].workload,
            own_requirements(by_name[plan.name], requirements),
            catalog,
            strategies,
            alone=alone,
        )
        for plan in stored.plan.services
    )
    terms = found[0].terms if alone and found[0].terms else Terms()
    terms = replace(terms, totals=requirements.limited_attributes(), quotas=dict(requirements.quotas))
    fresh = recommend(fleet, requirements, catalog=catalog, strategies=strategies, solver=solver)
    return _Today(
        stored=stored,
        fleet=fleet,
        requirements=requirements,
        found=found,
        fresh=fresh,
        bill=_bill(found),
        terms=terms,
        switching_cost_usd=_switching_cost_usd(found, fresh, by_name, catalog, strategies),
    )


def _bill(found: Sequence[Again]) -> Bill | None:
    """Return one bill for the stored plan, machines bought together; `None` where a service cannot be served."""
    if not all(one.carries for one in found):
        return None
    bills = [one.bill for one in found if one.bill is not None]
    prepared = [one.prepared for one in found if one.prepared is not None]
    plans = [one.plans for one in found if one.plans is not None]
    if len(bills) == 1:
        return bills[0]
    shared = Shared.of(bills, [one.evaluation for one in prepared])
    cases = [Case(one.evaluation, own, Terms()) for one, own in zip(prepared, plans, strict=True)]
    solution = solve(formulate(cases, Terms()).program, SolverSettings()).solution
    pooled = shared.machines_usd_per_month - solution.purchase_cost_usd_per_month if solution else 0.0
    return Bill.model_validate(shared.bill_fields(pooled_usd_per_month=pooled))


def _switching_cost_usd(
    found: Sequence[Again],
    fresh: Recommendation,
    services: Mapping[str, Service],
    catalog: Catalog,
    strategies: Sequence[Strategy],
) -> float:
    """Return the one-time cost of the fresh plan's options that the stored plan has not got, in USD."""
    if fresh.plan is None:
        return 0.0
    by_name = {one.stored.name: one for one in found}
    total = 0.0
    for plan in fresh.plan.services:
        one = by_name.get(plan.name)
        if one is None or one.prepared is None:
            continue
        has = {(choice.strategy, choice.option) for choice in one.stored.choices}
        machine = catalog.instance(plan.instance_type, plan.provider, plan.region)
        workload = services[plan.name].workload
        for strategy in strategies:
            options = {option.id: option for option in strategy.options(workload, machine)}
            new = [
                c for c in plan.choices if c.strategy == strategy.name and (c.strategy, c.option) not in has
            ]
            total += sum(one_time_usd(options[c.option], one.prepared.evaluation) for c in new)
    return total


def _running(bill: Bill) -> float:
    return bill.cost_usd_per_month - bill.amortised_usd_per_month


def _result(today: _Today, tolerance_ratio: float, notes: Sequence[str]) -> CheckResult:
    rows = [row for one in today.found for row in service_checks(one)]
    rows += shared_checks(today.found, today.bill, today.terms)
    broken = [row for row in rows if not row.kept]
    saving, months = today.saving_usd_per_month, today.horizon_months
    left = saving - today.switching_cost_usd / months
    running = _running(today.bill) if today.bill else 0.0
    status: Literal["best", "infeasible", "drifted"] = "best"
    if broken:
        status = "infeasible"
    elif saving * months > today.switching_cost_usd and left > tolerance_ratio * running:
        status = "drifted"
    plan, fresh = today.plan, today.fresh.plan
    fields: dict[str, Any] = {
        "status": status,
        "summary": _summary(today, status, broken, left, tolerance_ratio),
        "tolerance_ratio": tolerance_ratio,
        "workload": today.stored.workload,
        "stored_usd_per_month": plan.cost_usd_per_month,
        "cost_usd_per_month": today.bill.cost_usd_per_month if today.bill else None,
        "running_usd_per_month": running if today.bill else None,
        "fresh_usd_per_month": fresh.cost_usd_per_month if fresh else None,
        "fresh_running_usd_per_month": _running(fresh) if fresh else None,
        "saving_usd_per_month": saving,
        "horizon_months": months,
        "saving_over_horizon_usd": saving * months,
        "switching_cost_usd": today.switching_cost_usd,
        "requirements": tuple(rows),
        "services": tuple(_service(one, today.fresh) for one in today.found),
        "changes": tuple(_changes(today)),
        "notes": (*notes, *_notes(today)),
    }
    return CheckResult.model_validate(fields)


def _summary(
    today: _Today, status: str, broken: Sequence[RequirementCheck], left: float, tolerance_ratio: float
) -> str:
    fresh = today.fresh.plan
    if status == "infeasible":
        names = ", ".join(
            f"{row.service}: {row.requirement}" if row.service else row.requirement for row in broken
        )
        instead = (
            f"a fresh plan costs {format_usd(fresh.cost_usd_per_month)} a month"
            if fresh
            else "nothing else meets the requirements either"
        )
        return f"The stored plan no longer meets the requirements ({names}); {instead}."
    if status == "drifted":
        assert fresh is not None  # noqa: S101 - compared with it
        return (
            f"A cheaper plan pays the switch: it runs at {format_usd(_running(fresh))} a month instead of "
            f"{format_usd(today.saving_usd_per_month + _running(fresh))}; {format_usd(left)} a month are left after "
            f"{format_usd(today.switching_cost_usd)} to switch, spread over {today.horizon_months:g} months."
        )
    if fresh is None:
        return "The stored plan meets the requirements; the solver found no other plan to compare with."
    return f"The stored plan is still the best within {format_ratio(tolerance_ratio)}."


def _service(one: Again, fresh: Recommendation) -> ServiceCheck:
    now = one.now if one.carries else None
    services = fresh.plan.services if fresh.plan else ()
    other = next((service for service in services if service.name == one.stored.name), None)
    return ServiceCheck(
        name=one.stored.name,
        instance_type=one.stored.instance_type,
        choices=_choices(one.stored),
        replicas_peak_stored=one.stored.replicas_peak,
        replicas_peak=now.replicas_peak if now else None,
        instances_peak_stored=one.stored.instances_peak,
        instances_peak=now.instances_peak if now else None,
        fresh_instance_type=other.instance_type if other else None,
        fresh_choices=_choices(other) if other else (),
    )


def _choices(plan: ServicePlan) -> tuple[str, ...]:
    return tuple(f"{choice.strategy}={choice.option}" for choice in plan.choices if choice.changed)


def _changes(today: _Today) -> list[str]:
    """Return what is different from when the plan was stored."""
    then, now = today.stored.provenance, today.fresh.provenance
    pairs = [
        ("advisor", then.advisor_version, now.advisor_version),
        ("catalogue", then.catalog_version, now.catalog_version),
        ("inputs", then.workload_digest[:12], now.workload_digest[:12]),
        ("workload", today.stored.description, today.fresh.description),
    ]
    if today.bill is not None:
        before = today.plan.cost_usd_per_month
        pairs.append(("cost a month", format_usd(before), format_usd(today.bill.cost_usd_per_month)))
    for one in today.found:
        deployed = one.now if one.carries else None
        if deployed is None:
            continue
        pairs.append(
            (
                f"{one.stored.name}, replicas at the peak",
                str(one.stored.replicas_peak),
                str(deployed.replicas_peak),
            )
        )
        losses = (one.stored.accuracy_loss.expected_ratio, deployed.accuracy_loss.expected_ratio)
        pairs.append((f"{one.stored.name}, accuracy loss", format_ratio(losses[0]), format_ratio(losses[1])))
    return [f"{what}: {before} -> {after}" for what, before, after in pairs if before != after]


def _notes(today: _Today) -> list[str]:
    found = []
    stored = today.stored
    if stored.inputs and stored.provenance.inputs_digest not in {"", inputs_digest(stored.inputs)}:
        found.append(
            "`inputs` of the plan was changed after the plan was made; it may not be what it was made for."
        )
    if today.requirements.objective[0] != "cost":
        found.append(
            f"The plan was chosen for {today.requirements.objective[0]}; only costs are compared here."
        )
    if today.fresh.plan is not None and today.comparable is None:
        found.append("The fresh plan leaves services out, so costs are not compared.")
    if any(one.stored.purchase.startswith("reserved") for one in today.found):
        found.append("What is left to pay of reserved machines is not in the switching cost.")
    return found
