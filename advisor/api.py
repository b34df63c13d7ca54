"""The one call: a workload and requirements in, a recommendation out; pure, typed, and nothing printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.billing.whole import whole_bill
from advisor.calibration import Calibration
from advisor.catalog import Catalog
from advisor.cautions import binding, warnings
from advisor.commitments import commitments
from advisor.conflict import meets_totals
from advisor.errors import InputError
from advisor.evaluating import Asked, Progress, Workers, evaluated, verified
from advisor.examples import is_example
from advisor.explanation import (
    alternatives,
    bill_of,
    deployment,
    exclusions,
    latencies,
    latency_checks,
)
from advisor.fleet import Fleet, Source
from advisor.formulation import Formulation
from advisor.mixing import MIX, Mixer, in_parts, verify_mix
from advisor.mixing.words import ASSUMPTIONS, mixing_notes, with_routers
from advisor.next_measurement import next_measurement
from advisor.own import in_words
from advisor.planning import solved
from advisor.preparation import Prepared
from advisor.provenance import assumptions, calibration_notes, described, provenance
from advisor.recommendation import (
    Baseline,
    Inputs,
    Mixing,
    Plan,
    Recommendation,
    ServiceInputs,
    ServicePlan,
    SolverSummary,
)
from advisor.registry import installed_strategies
from advisor.repairs import explain_conflict
from advisor.requirements import Requirements
from advisor.sharing import (
    Shared,
    bill_of_all,
    bill_together,
    explain_shared_conflict,
    service_of,
    shared_terms,
)
from advisor.solver import Result, SolverSettings, Status
from advisor.switching import Current, InService, in_service, marked, preparer, switch_of
from advisor.terms import Terms, resolve

if TYPE_CHECKING:
    from advisor.strategy import Strategy


def recommend(
    workload: Source | Sequence[Source] | Fleet,
    requirements: Requirements | None = None,
    *,
    current: Current | Recommendation | str | Path | None = None,
    catalog: Catalog | None = None,
    strategies: Sequence[Strategy] | None = None,
    calibration: Calibration | str | Path | None = None,
    solver: SolverSettings | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    today_date: str = "",
    mix: int = 1,
) -> Recommendation:
    """Return the cheapest plan that meets the requirements, or why there is none.

    Args:
        workload: A `Workload`, a mapping with its fields, a path to a YAML or JSON file, or the name of an example;
            several of them, or one with `services:`, for a fleet that shares machines, quotas and budgets.
        requirements: Limits and objective; those of the workload where not given.
        current: The plan in service, an earlier recommendation or its file; a change must pay the switch from there.
            The workload's `serving` where not given.
        catalog: Machines and prices; the embedded ones by default.
        strategies: Strategies to consider; the installed ones by default.
        calibration: Own benchmarks, or the file of `advisor calibrate`; candidates to which they apply are predicted by
            them, all others as shipped.
        solver: Solver, time limit and gap.
        executor: Where the services of a fleet are evaluated: any `concurrent.futures.Executor`, such as a pool of
            processes; here, one after the other, if not given. The answer is the same.
        progress: Called with how many services of a fleet are evaluated, and their number.
        today_date: `YYYY-MM-DD`, to say which prices are old; empty says nothing.
        mix: Most pools of machines that one service may run on, each for requests of its sizes; 1 is no mix.

    Raises:
        InputError: The workload or the requirements cannot be used.
        StrategyError: A strategy breaks its contract.

    Example:
        >>> recommendation = recommend("small-cnn", Requirements(max_accuracy_loss="1%"))
        >>> recommendation.status, recommendation.plan.cost_usd_per_month <= recommendation.baseline.cost_usd_per_month
        ('optimal', True)
    """
    return decided(
        workload,
        requirements,
        current=current,
        catalog=catalog,
        strategies=strategies,
        calibration=calibration,
        solver=solver,
        workers=Workers(executor, progress),
        today_date=today_date,
        mix=mix,
    ).recommendation


@dataclass(frozen=True, slots=True)
class Decided:
    """A recommendation with what it was made from.

    Args:
        recommendation: The result.
        services: Every service that was asked for, evaluated.
        chosen: Position of each served service's plan among its candidates; without those that are mixed or not served.
        requirements: Of all services together.
    """

    recommendation: Recommendation
    services: Sequence[Prepared]
    chosen: Mapping[str, int]
    requirements: Requirements = field(default_factory=Requirements)


def decided(
    workload: Source | Sequence[Source] | Fleet,
    requirements: Requirements | None,
    *,
    catalog: Catalog | None,
    strategies: Sequence[Strategy] | None,
    solver: SolverSettings | None,
    workers: Workers,
    today_date: str,
    calibration: Calibration | str | Path | None = None,
    whole: bool = False,
    current: Current | Recommendation | str | Path | None = None,
    mix: int = 1,
) -> Decided:
    """Return the recommendation with what it was made from, for questions that go on from there; see `recommend`.

    With `whole`, every candidate of a fleet is kept, not only those that its program may need.
    """
    if mix < 1 or (mix > 1 and current is not None):
        wanted = "1 beside a plan in service (current)" if mix > 1 else "1 or more"
        raise InputError(f"mix: got {mix} pools of machines for one service; expected {wanted}")
    fleet = Fleet.read(workload)
    requirements = requirements or Requirements()
    catalog = catalog or Catalog.load()
    strategies = tuple(strategies if strategies is not None else installed_strategies())
    running: InService | None = None
    if current is not None:
        fleet, running = in_service(current, fleet)
    settings = solver or SolverSettings()
    own = None if calibration is None else Calibration.load(calibration)
    services, terms = _evaluated(
        fleet,
        requirements,
        catalog,
        strategies,
        running,
        workers,
        calibration=own,
        whole=whole,
        mixed=lambda prepare: prepare if mix == 1 else Mixer(prepare, mix, replace(settings, observer=None)),
    )
    example = workload if isinstance(workload, str) and is_example(workload) else ""
    asked = _asked(fleet, requirements, mix)
    common = _common(services, terms, today_date, asked, example=example)
    planned = _planned(services, terms, settings, common, running, workers)
    if requirements.robust:
        planned = _robustly(planned, terms, settings, common, workers, plain=running is None and mix == 1)
    found = planned.recommendation
    workloads = [service.workload for service in fleet.services]
    if any(workload.lifecycle for workload in workloads):
        whole_life = whole_bill(workloads, found, catalog, today_date=today_date)
        found = found.model_copy(update={"bill": whole_life})
    return replace(planned, recommendation=found, requirements=requirements)


def _evaluated(
    fleet: Fleet,
    requirements: Requirements,
    catalog: Catalog,
    strategies: Sequence[Strategy],
    running: InService | None,
    workers: Workers,
    *,
    calibration: Calibration | None,
    whole: bool,
    mixed: Callable[[Callable[..., Prepared]], Callable[..., Prepared]],
) -> tuple[list[Prepared], Terms]:
    """Return every service evaluated, and what must hold for all of them together."""
    asked = [
        Asked(
            one.workload,
            one.over(requirements),
            one.priority,
            mixed(preparer(running, one.workload.name, calibration)),
        )
        for one in fleet.services
    ]
    first = asked[0]
    if len(asked) == 1:
        one = first.prepare(
            first.workload, first.requirements, catalog, strategies, priority=first.priority, alone=True
        )
        return [one], one.terms
    shared = shared_terms(requirements, resolve(first.workload, first.requirements).objective)
    if not whole:
        return evaluated(asked, shared, catalog, strategies, workers), shared
    return [
        one.prepare(one.workload, one.requirements, catalog, strategies, priority=one.priority, alone=False)
        for one in asked
    ], shared


def _asked(fleet: Fleet, requirements: Requirements, mix: int) -> Inputs:
    """Return what was asked, as plain values that load to the same again."""
    services = tuple(
        ServiceInputs(
            workload=service.workload.model_dump(mode="json", exclude_unset=True),
            requirements=Requirements.load(service.requirements).model_dump(mode="json", exclude_unset=True),
            priority=service.priority,
        )
        for service in fleet.services
    )
    given = requirements.model_dump(mode="json", exclude_unset=True)
    return Inputs(services=services, requirements=given, mix=mix)


def _planned(
    services: Sequence[Prepared],
    terms: Terms,
    settings: SolverSettings,
    common: dict[str, Any],
    running: InService | None,
    workers: Workers,
) -> Decided:
    """Return the plan; where a fleet is short, that of the services that are served first."""
    shed: list[str] = []
    left = list(services)
    while True:
        formulation, result = solved(left, terms, settings)
        if running and (result is None or result.solution is None):  # the limits leave no room to keep things
            formulation, result = solved([one.willing() for one in left], terms, settings)
        if formulation is not None and result is not None and result.solution is not None:
            choice = result.solution.choice
            alone = [one for one in left if choice[one.name] != MIX]
            chosen = {one.name: formulation.candidate[one.name, choice[one.name]] for one in alone}
            verified(alone, chosen, workers)
            for one in left:
                if one.name not in chosen:
                    verify_mix(one)
            found = _with_plan(left, chosen, terms, result, formulation, common, shed)
            if running is not None:
                found = _weighed(found, left, chosen, terms, settings, running)
            return Decided(found, services, chosen)
        last = max(one.priority for one in left)
        rest = [one for one in left if one.priority < last]
        undecided = result is not None and result.status is not Status.INFEASIBLE
        if undecided or not rest:
            found = _without_plan(services, terms, result, settings, common, undecided=undecided)
            return Decided(found, services, {})
        shed += [one.name for one in left if one.priority == last]
        left = rest


def _robustly(
    planned: Decided,
    terms: Terms,
    settings: SolverSettings,
    common: dict[str, Any],
    workers: Workers,
    *,
    plain: bool,
) -> Decided:
    """Return the robust choice in place of the cheapest plan as predicted."""
    if len(planned.services) != 1 or not plain:
        raise InputError(
            "robust: chooses for one service, without a plan in service and without mixing; leave it out, or ask "
            "for each service alone"
        )
    if not planned.chosen:
        return planned
    from advisor.insight.robustness import robust_choice
    from advisor.insight.space import space_of

    (one,) = planned.services
    home = one.before.evaluation.candidates.blocks[0].instance_type.id
    space = space_of(one.evaluation, one.terms, one.plans, planned.chosen[one.name], home=home)
    plans, choice = robust_choice(space, one.before)
    verified([replace(one, plans=space.plans)], {one.name: space.like(plans)}, workers)
    sized, at = replace(one, plans=plans), {one.name: 0}
    formulation, result = solved([sized], terms, settings)
    assert formulation is not None  # noqa: S101 - a contender keeps the totals
    assert result is not None  # noqa: S101
    found = _with_plan([sized], at, terms, result, formulation, common, [])
    kept = {
        "next_measurement": planned.recommendation.next_measurement,
        "status": "feasible",
        "robust": choice,
    }
    return Decided(found.model_copy(update=kept), [sized], at)


def _weighed(
    found: Recommendation,
    services: Sequence[Prepared],
    chosen: Mapping[str, int],
    terms: Terms,
    settings: SolverSettings,
    running: InService,
) -> Recommendation:
    """Return the recommendation with what is said of the plan in service."""
    assert found.plan is not None  # noqa: S101 - it has a plan
    formulation, result = solved([one.willing() for one in services], terms, settings)
    free, bill = dict(chosen), found.plan.model_dump()
    if formulation is not None and result is not None and result.solution is not None:
        choice = result.solution.choice
        free = {one.name: formulation.candidate[one.name, choice[one.name]] for one in services}
        bill = bill_of_all(services, free, result)
    switch = switch_of(
        services,
        chosen,
        free,
        running,
        running_usd_per_month=found.baseline.cost_usd_per_month,
        bills=(found.plan.model_dump(), bill),
    )
    return found.model_copy(update={"switch": switch})


def _common(
    services: Sequence[Prepared], terms: Terms, today_date: str, asked: Inputs, *, example: str
) -> dict[str, Any]:
    """Return the fields that every recommendation has, whether or not there is a plan."""
    evaluations = [one.evaluation for one in services]
    alone = len(services) == 1
    return {
        "objective": terms.objective[0],
        "workload": services[0].name if alone else f"a fleet of {len(services)} services",
        "example": bool(example),
        "example_name": example,
        "description": "; ".join(
            described(one.workload) if alone else f"{one.workload.name}: {described(one.workload)}"
            for one in evaluations
        ),
        "baseline": _baseline(services),
        "candidates_considered": sum(one.candidates.count for one in evaluations),
        "exclusions": exclusions(evaluations),
        "assumptions": tuple(
            dict.fromkeys(
                (
                    *(found for one in services for found in assumptions(one.evaluation, one.terms)),
                    *(ASSUMPTIONS if asked.mix > 1 else ()),
                )
            )
        ),
        "measured": tuple(
            text
            for one in services
            for text in in_words(
                one.evaluation.measured, one.evaluation.workload, limits_ratio=one.terms.loss_ratio
            )
        ),
        "provenance": provenance(evaluations, today_date, asked),
        "inputs": asked,
    }


def _baseline(services: Sequence[Prepared]) -> Baseline:
    together = [(one.before.evaluation, one.before.plan) for one in services]
    apart = Shared.of([bill_of(*pair, 0) for pair in together], [pair[0] for pair in together])
    in_service = any(one.running is not None for one in services)
    deployments = []
    for one in services:
        predicted = latencies(one.before.evaluation, one.before.plan, 0)
        checks = latency_checks(predicted, limits_s=one.terms.latency_s, today={})
        deployments.append(
            deployment(one.before.evaluation, one.before.plan, checks=checks, carries=one.before.keeps_limits)
        )
    return Baseline.model_validate(
        {
            **(bill_together(together) if in_service else apart.bill_fields()),
            "services": tuple(deployments),
            "keeps_limits": all(one.before.keeps_limits for one in services),
        }
    )


def _summary(
    result: Result | None, settings: SolverSettings, columns: int, *, reluctance: float = 0.0
) -> SolverSummary:
    """Return what the solver proved, of a cost without what stands against a change."""
    if result is None:
        return SolverSummary(
            name=settings.name, status="infeasible", objective=None, bound=None, gap_ratio=None, columns=0
        )
    report = result.report
    return SolverSummary(
        name=report.name,
        status=report.status.value,
        objective=_less(report.objective, reluctance),
        bound=_less(report.bound, reluctance),
        gap_ratio=report.gap_ratio,
        columns=columns,
    )


def _less(value: float | None, reluctance: float) -> float | None:
    return value - reluctance if value is not None and reluctance else value


def _without_plan(
    services: Sequence[Prepared],
    terms: Terms,
    result: Result | None,
    settings: SolverSettings,
    common: dict[str, Any],
    *,
    undecided: bool,
) -> Recommendation:
    conflict = None
    if not undecided:
        alone = len(services) == 1
        conflict = (
            explain_conflict(services[0].evaluation, terms)
            if alone
            else explain_shared_conflict([one.willing() for one in services], terms)
        )
    return Recommendation.model_validate(
        {
            **common,
            "status": "undetermined" if undecided else "infeasible",
            "plan": None,
            "mixing": _mixing(common, services, terms, {one.name: 0 for one in services}),
            "savings_usd_per_month": None,
            "savings_ratio": None,
            "accuracy_loss": None,
            "calibrations": calibration_notes([one.evaluation for one in services], ()),
            "conflict": conflict,
            "solver": _summary(result, settings, 0),
        }
    )


def _with_plan(
    services: Sequence[Prepared],
    chosen: Mapping[str, int],
    terms: Terms,
    result: Result,
    formulation: Formulation,
    common: dict[str, Any],
    shed: Sequence[str],
) -> Recommendation:
    baseline: Baseline = common["baseline"]
    bought = in_parts(services, chosen)
    at = {one.name: chosen.get(one.name, 0) for one in bought}
    served = tuple(marked(service_of(one, at[one.name]), one.running) for one in bought)
    served = with_routers(services, chosen, served)
    plan = _plan(bought, at, served, result, baseline)
    saved = baseline.cost_usd_per_month - plan.cost_usd_per_month
    first = services[0]
    alone = len(bought) == 1 and not shed
    against = sum(float(one.reluctance_usd_per_month[at[one.name]]) for one in bought)
    reluctance = against if terms.objective[0] == "cost" else 0.0
    worst = max(served, key=lambda service: service.accuracy_loss.expected_ratio)
    return Recommendation.model_validate(
        {
            **common,
            "status": result.status.value,
            "plan": plan,
            "mixing": _mixing(common, services, terms, chosen),
            "savings_usd_per_month": saved,
            "savings_ratio": saved / baseline.cost_usd_per_month if baseline.cost_usd_per_month else 0.0,
            "accuracy_loss": worst.accuracy_loss,
            "binding": binding(plan, terms),
            "commitments": tuple(
                found
                for one, service in zip(bought, served, strict=True)
                for found in commitments(one.evaluation, one.plans, at[one.name], service)
            ),
            "calibrations": calibration_notes([one.evaluation for one in services], served),
            "next_measurement": next_measurement(first.evaluation, terms, first.plans, chosen[first.name])
            if alone
            else None,
            "alternatives": alternatives(
                first.evaluation,
                first.plans,
                chosen[first.name],
                meets=meets_totals(first.evaluation, first.plans, terms),
                terms=terms,
            )
            if alone
            else (),
            "solver": _summary(result, SolverSettings(), formulation.columns, reluctance=reluctance),
            "warnings": (
                *_stopped(result),
                *(_not_served(name) for name in shed),
                *warnings(plan, baseline, in_service=any(one.running for one in services)),
            ),
        }
    )


def _mixing(
    common: Mapping[str, Any], services: Sequence[Prepared], terms: Terms, chosen: Mapping[str, int]
) -> tuple[Mixing, ...]:
    """Return what mixing saves, where that was asked for."""
    inputs: Inputs = common["inputs"]
    return mixing_notes(services, terms, set(chosen)) if inputs.mix > 1 else ()


def _stopped(result: Result) -> tuple[str, ...]:
    """Return what was proven of a plan where the user interrupted the solver."""
    if not result.report.interrupted:
        return ()
    gap = result.report.gap_ratio
    return (
        "Stopped by you: "
        + ("nothing is proven of this plan." if gap is None else f"proven to {100.0 * gap:.2g} %."),
    )


def _not_served(name: str) -> str:
    return f"Machines or money are short: {name} has the lowest priority and is left out of this plan."


def _plan(
    services: Sequence[Prepared],
    chosen: Mapping[str, int],
    served: tuple[ServicePlan, ...],
    result: Result,
    baseline: Baseline,
) -> Plan:
    fields = bill_of_all(services, chosen, result)
    if len(baseline.services) == 1 < len(services):  # one service in parts is billed as one
        units = baseline.cost_usd_per_month / baseline.unit_cost_usd
        fields |= {"unit": baseline.unit, "unit_cost_usd": fields["cost_usd_per_month"] / units}
    running = fields["cost_usd_per_month"] - fields["amortised_usd_per_month"]
    saved = baseline.cost_usd_per_month - running
    payback = fields["one_time_usd"] / saved if saved > 0.0 else None
    return Plan.model_validate({**fields, "payback_months": payback, "services": served})
