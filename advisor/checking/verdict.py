"""A stored plan against today: is it still within the limits, and does a cheaper one pay the switch?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from advisor.api import recommend
from advisor.calibration import Calibration
from advisor.catalog import Catalog
from advisor.checking.limits import service_checks, shared_checks
from advisor.checking.results import CheckResult, RequirementCheck, ServiceCheck
from advisor.errors import InputError
from advisor.fleet import Fleet, Source
from advisor.provenance import inputs_digest
from advisor.recommendation import Bill, Plan, Recommendation, ServicePlan
from advisor.registry import installed_strategies
from advisor.requirements import Requirements
from advisor.sharing import bill_together
from advisor.solver import SolverSettings
from advisor.stored import load_unmixed
from advisor.switch import ServiceSwitch, Switch
from advisor.switching import TOLERANCE_RATIO, Again, Current, evaluated_again, fleet_today
from advisor.terms import Terms
from advisor.units import format_ratio, format_usd

if TYPE_CHECKING:
    from advisor.strategy import Strategy


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
    def switch(self) -> Switch | None:
        """What a change would bring; `None` where it cannot be compared."""
        return self.fresh.switch if self.bill is not None and self.comparable is not None else None


def check(
    stored: Recommendation | str | Path,
    workload: Source | Sequence[Source] | Fleet | None = None,
    *,
    requirements: Requirements | None = None,
    tolerance_ratio: float = TOLERANCE_RATIO,
    catalog: Catalog | None = None,
    calibration: Calibration | str | Path | None = None,
    strategies: Sequence[Strategy] | None = None,
    solver: SolverSettings | None = None,
) -> CheckResult:
    """Return whether a stored plan is still the one to run.

    Its choices are evaluated again, exactly those on its machine, with the replicas that they need under today's
    workload, prices, evidence and calibration. The plan is taken to be in service: what it cost once is spent. It has
    drifted where a recommendation with it as `current` changes it: where, over the horizon, a saving pays the switch
    and the margin that `advisor.switching` asks for.

    Args:
        stored: A recommendation, or the file of one.
        workload: Today's; what was asked then where not given. Its `serving` is not used: the plan's choices are
            relative to what served when it was made.
        requirements: Today's; those asked then where not given.
        tolerance_ratio: Share of the running cost that is not worth a change, 0.02 for 2 %.
        catalog: Machines and prices; the embedded ones by default.
        calibration: Own benchmarks of today, or the file of `advisor calibrate`.
        strategies: Strategies to consider; the installed ones by default.
        solver: Solver, time limit and gap.

    Raises:
        InputError: The file is no stored plan, or the workload does not serve its services.

    Example:
        >>> from advisor import recommend
        >>> check(recommend("small-cnn", Requirements(max_accuracy_loss="1%"))).status
        'best'
    """
    plan = load_unmixed(stored)
    current = Current(plan, tolerance_ratio=tolerance_ratio)
    assert plan.inputs is not None  # noqa: S101 - `load_plan` refuses others
    asked = requirements or Requirements.load(plan.inputs.requirements)
    if asked.robust:
        raise InputError(
            "the plan was chosen with `robust`, which a check cannot weigh against a switch; recommend again with --robust "
            "and compare: advisor compare plan.json new.json"
        )
    fleet, notes = fleet_today(plan, workload)
    strategies = tuple(strategies if strategies is not None else installed_strategies())
    own = None if calibration is None else Calibration.load(calibration)
    today = _evaluated(plan, current, fleet, asked, catalog or Catalog.load(), strategies, solver, own)
    if catalog is None and any(
        line.price_kind == "user" for service in today.plan.services for line in service.purchases
    ):
        notes.append("The plan was bought at prices of your own; give them again with --catalog.")
    if own is None and any(note.applies_to == "plan" for note in plan.calibrations):
        notes.append("The plan rests on a calibration of your own; give it again with --calibration.")
    return _result(today, tolerance_ratio, notes)


def _evaluated(
    stored: Recommendation,
    current: Current,
    fleet: Fleet,
    requirements: Requirements,
    catalog: Catalog,
    strategies: Sequence[Strategy],
    solver: SolverSettings | None,
    calibration: Calibration | None,
) -> _Today:
    assert stored.plan is not None  # noqa: S101
    by_name = {one.workload.name: one for one in fleet.services}
    alone = len(fleet.services) == 1
    found = tuple(
        evaluated_again(
            plan,
            by_name[plan.name].workload,
            by_name[plan.name].over(requirements),
            catalog,
            strategies,
            alone=alone,
            calibration=calibration,
        )
        for plan in stored.plan.services
    )
    terms = found[0].terms if alone and found[0].terms else Terms()
    terms = replace(terms, totals=requirements.limited_attributes(), quotas=dict(requirements.quotas))
    fresh = recommend(
        fleet,
        requirements,
        current=current,
        catalog=catalog,
        strategies=strategies,
        calibration=calibration,
        solver=solver,
    )
    return _Today(
        stored=stored,
        fleet=fleet,
        requirements=requirements,
        found=found,
        fresh=fresh,
        bill=_bill(found),
        terms=terms,
    )


def _bill(found: Sequence[Again]) -> Bill | None:
    """Return one bill for the stored plan, machines bought together; `None` where a service cannot be served."""
    if not all(one.carries for one in found):
        return None
    pairs = [(one.prepared.evaluation, one.plans) for one in found if one.prepared and one.plans]
    return Bill.model_validate(bill_together(pairs))


def _running(bill: Bill) -> float:
    return bill.cost_usd_per_month - bill.amortised_usd_per_month


def _result(today: _Today, tolerance_ratio: float, notes: Sequence[str]) -> CheckResult:
    rows = [row for one in today.found for row in service_checks(one)]
    rows += shared_checks(today.found, today.bill, today.terms)
    broken = [row for row in rows if not row.kept]
    status: Literal["best", "infeasible", "drifted"] = "best"
    if broken:
        status = "infeasible"
    elif today.switch is not None and today.switch.action == "change":
        status = "drifted"
    fields: dict[str, Any] = {
        "status": status,
        "summary": _summary(today, status, broken),
        "tolerance_ratio": tolerance_ratio,
        "workload": today.stored.workload,
        "stored_usd_per_month": today.plan.cost_usd_per_month,
        "cost_usd_per_month": today.bill.cost_usd_per_month if today.bill else None,
        **_money(today),
        "requirements": tuple(rows),
        "services": tuple(_service(one, today.fresh) for one in today.found),
        "changes": tuple(_changes(today)),
        "notes": (*notes, *_notes(today)),
    }
    return CheckResult.model_validate(fields)


def _money(today: _Today) -> dict[str, float | None]:
    """Return the amounts of the verdict: the running plan, and the best change to it."""
    switch, fresh = today.switch, today.fresh.plan
    saving, once = (switch.saving_usd_per_month, switch.switching_usd) if switch else (0.0, 0.0)
    months = today.fleet.services[0].workload.horizon_months
    running = _running(today.bill) if today.bill else None
    after = _running(fresh) if fresh else None
    if switch is not None and running is not None:
        after = running - saving
    return {
        "running_usd_per_month": running,
        "fresh_usd_per_month": None if after is None else after + once / months,
        "fresh_running_usd_per_month": after,
        "saving_usd_per_month": saving,
        "horizon_months": months,
        "saving_over_horizon_usd": saving * months,
        "switching_cost_usd": once,
        "needed_usd_per_month": switch.needed_usd_per_month if switch else 0.0,
    }


def _summary(today: _Today, status: str, broken: Sequence[RequirementCheck]) -> str:
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
    switch = today.switch
    if fresh is None or switch is None:
        return "The stored plan meets the requirements; the solver found no other plan to compare with."
    saves = f"saves {format_usd(switch.saving_usd_per_month)} a month"
    if status == "drifted":
        return (
            f"A cheaper plan pays the switch: it {saves}, and {format_usd(switch.needed_usd_per_month)} would be "
            f"enough: {format_usd(switch.switching_usd)} to switch spread over {switch.horizon_months:g} months, and "
            "what may go wrong."
        )
    if any(one.instead for one in switch.services):
        return (
            f"The stored plan is still the one to run: the cheapest other one {saves}, and it would have to save "
            f"more than {format_usd(switch.needed_usd_per_month)} to pay the switch and what may go wrong."
        )
    return "The stored plan is still the best."


def _service(one: Again, fresh: Recommendation) -> ServiceCheck:
    now = one.now if one.carries else None
    other = _fresh(one.stored.name, fresh)
    return ServiceCheck(
        name=one.stored.name,
        instance_type=one.stored.instance_type,
        choices=_choices(one.stored),
        replicas_peak_stored=one.stored.replicas_peak,
        replicas_peak=now.replicas_peak if now else None,
        instances_peak_stored=one.stored.instances_peak,
        instances_peak=now.instances_peak if now else None,
        fresh_instance_type=other.instance_type if other else None,
        fresh_choices=other.choices if other else (),
    )


def _fresh(name: str, fresh: Recommendation) -> ServiceSwitch | None:
    """Return the best change to a service; `None` where it would not be served."""
    services = fresh.switch.services if fresh.switch else ()
    return next((one for one in services if one.name == name), None)


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
    if today.fresh.switch is not None:
        found += today.fresh.switch.notes
    if today.fresh.plan is not None and today.comparable is None:
        found.append("The fresh plan leaves services out, so costs are not compared.")
    return found
