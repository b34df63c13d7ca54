"""Builds the recommendation from what was decided: a plan with its reasons, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from advisor.cautions import binding, warnings
from advisor.commitments import commitments
from advisor.conflict import meets_totals
from advisor.explanation import (
    alternatives,
    bill_of,
    deployment,
    exclusions,
    latencies,
    latency_checks,
)
from advisor.formulation import Formulation
from advisor.mixing import in_parts
from advisor.mixing.words import mixing_assumptions, mixing_notes, with_routers
from advisor.next_measurement import next_measurement
from advisor.own import in_words
from advisor.preparation import Prepared
from advisor.provenance import assumptions, calibration_notes, described, provenance
from advisor.recommendation import (
    Baseline,
    Inputs,
    Mixing,
    Plan,
    Recommendation,
    ServicePlan,
    SolverSummary,
)
from advisor.repairs import explain_conflict
from advisor.sharing import (
    Shared,
    bill_of_all,
    bill_together,
    explain_shared_conflict,
    service_of,
)
from advisor.solver import Result, SolverSettings
from advisor.switching import marked
from advisor.terms import Terms


def common_fields(
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
                    *(mixing_assumptions(services) if asked.mix > 1 else ()),
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


def without_plan(
    services: Sequence[Prepared],
    terms: Terms,
    result: Result | None,
    settings: SolverSettings,
    common: dict[str, Any],
    *,
    undecided: bool,
) -> Recommendation:
    """Return a recommendation without a plan, with the requirements that conflict.

    Args:
        services: Every service that was asked for, evaluated.
        terms: What must hold over all of them.
        result: What the solver said; none where a service has no candidate at all.
        settings: The solver's.
        common: See `common_fields`.
        undecided: Whether the solver was stopped before it knew if there is a plan; then no conflict is looked for.
    """
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


def with_plan(
    services: Sequence[Prepared],
    chosen: Mapping[str, int],
    terms: Terms,
    result: Result,
    formulation: Formulation,
    common: dict[str, Any],
    shed: Sequence[str],
) -> Recommendation:
    """Return a recommendation with its plan, and what there is to say about it.

    Args:
        services: The services that are served, evaluated.
        chosen: Position of each one's plan among its candidates; those that are mixed are not in it.
        terms: What must hold over all of them.
        result: What the solver said; it has a solution.
        formulation: The program that it solved.
        common: See `common_fields`.
        shed: Names of the services that are not served.
    """
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
