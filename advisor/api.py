"""The one call: a workload and requirements in, a recommendation out; pure, typed, and nothing printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from advisor import __version__, cost
from advisor.baseline import Today, today
from advisor.candidates import Selection, compose
from advisor.catalog import Catalog
from advisor.conflict import explain_conflict, meets_totals
from advisor.evaluation import Evaluation
from advisor.examples import is_example
from advisor.explanation import (
    alternatives,
    bill_fields,
    deployment,
    exclusions,
    latencies,
    latency_checks,
    service_plan,
)
from advisor.formulation import formulate
from advisor.plans import Plans, feasible_plans
from advisor.recommendation import (
    Assumption,
    Baseline,
    Binding,
    Plan,
    Provenance,
    Recommendation,
    SolverSummary,
)
from advisor.registry import installed_strategies
from advisor.requirements import Requirements
from advisor.solver import Result, SolverSettings, Status, solve
from advisor.terms import Terms, resolve
from advisor.units import format_count, format_rate, format_ratio, format_seconds, format_usd
from advisor.verification import verify
from advisor.workload import Workload

if TYPE_CHECKING:
    from advisor.catalog import InstanceType
    from advisor.strategy import Strategy


def recommend(
    workload: Workload | Mapping[str, Any] | str,
    requirements: Requirements | None = None,
    *,
    catalog: Catalog | None = None,
    strategies: Sequence[Strategy] | None = None,
    solver: SolverSettings | None = None,
    today_date: str = "",
) -> Recommendation:
    """Return the cheapest plan that meets the requirements, or why there is none.

    Args:
        workload: A `Workload`, a mapping with its fields, a path to a YAML or JSON file, or the name of an example.
        requirements: Limits and objective; those of the workload where not given.
        catalog: Machines and prices; the embedded ones by default.
        strategies: Strategies to consider; the installed ones by default.
        solver: Solver, time limit and gap.
        today_date: `YYYY-MM-DD`, to say which prices are old; empty says nothing.

    Raises:
        InputError: The workload or the requirements cannot be used.
        StrategyError: A strategy breaks its contract.

    Example:
        >>> recommendation = recommend("small-cnn", Requirements(max_accuracy_loss="1%"))
        >>> recommendation.status, recommendation.plan.cost_usd_per_month <= recommendation.baseline.cost_usd_per_month
        ('optimal', True)
    """
    example = workload if isinstance(workload, str) and is_example(workload) else ""
    workload = Workload.load(workload)
    requirements = requirements or Requirements()
    terms = resolve(workload, requirements)
    catalog = _priced(workload, catalog or Catalog.load())
    strategies = tuple(strategies if strategies is not None else installed_strategies())
    settings = solver or SolverSettings()
    machines = considered_machines(workload, requirements, catalog)
    evaluation = Evaluation(workload, catalog, compose(workload, requirements, strategies, machines))
    before = today(workload, terms, catalog, strategies)
    plans = feasible_plans(evaluation, terms)
    result, position = _solved(evaluation, plans, terms, settings)
    common = _common(evaluation, terms, before, today_date, example=example)
    if result is None or position is None:
        return _without_plan(evaluation, terms, result, settings, common)
    verify(evaluation, plans, position, terms, strategies)
    return _with_plan(evaluation, plans, position, terms, before, result, common)


def considered_machines(
    workload: Workload, requirements: Requirements, catalog: Catalog
) -> tuple[InstanceType, ...]:
    """Return the machines to consider: those asked for; else those of today's provider and region.

    Where accelerators must stay as they are, today's machine alone.
    """
    here = workload.serving
    if Selection(requirements.only, requirements.without).leaves_alone("accelerators"):
        return (catalog.instance(here.instance_type, here.provider, here.region),)
    own = catalog.instance(here.instance_type, here.provider, here.region)
    providers = requirements.providers or (() if requirements.regions else (own.provider,))
    regions = requirements.regions or (() if requirements.providers else (own.region,))
    return catalog.select(
        providers=providers,
        regions=regions,
        allow=requirements.allow_instances,
        deny=requirements.deny_instances,
    )


def _priced(workload: Workload, catalog: Catalog) -> Catalog:
    """Return the catalogue with the price that the user pays for today's machine."""
    here = workload.serving
    if here.price_usd_per_h is None:
        return catalog
    return catalog.with_price(
        here.instance_type,
        here.price_usd_per_h,
        purchase=here.purchase,
        provider=here.provider,
        region=here.region,
    )


def _solved(
    evaluation: Evaluation, plans: Plans, terms: Terms, settings: SolverSettings
) -> tuple[Result | None, int | None]:
    if not len(plans) or not meets_totals(evaluation, plans, terms).any():
        return None, None
    formulation = formulate(evaluation, plans, terms)
    result = solve(formulation.program, settings)
    if result.solution is None:
        return result, None
    return result, formulation.candidate[result.solution.choice[evaluation.workload.name]]


def _common(
    evaluation: Evaluation, terms: Terms, before: Today, today_date: str, *, example: str
) -> dict[str, Any]:
    """Return the fields that every recommendation has, whether or not there is a plan."""
    workload = evaluation.workload
    limits = terms.latency_s
    checks = latency_checks(latencies(before.evaluation, before.plan, 0), limits_s=limits, today={})
    return {
        "objective": terms.objective[0],
        "workload": workload.name,
        "example": bool(example),
        "example_name": example,
        "description": described(workload),
        "baseline": Baseline.model_validate(
            {
                **bill_fields(before.evaluation, before.plan, 0),
                "deployment": deployment(
                    before.evaluation, before.plan, checks=checks, carries=before.keeps_limits
                ),
                "keeps_limits": before.keeps_limits,
            }
        ),
        "candidates_considered": evaluation.candidates.count,
        "exclusions": exclusions(evaluation),
        "assumptions": assumptions(evaluation, terms),
        "provenance": provenance(evaluation, today_date),
    }


def assumptions(evaluation: Evaluation, terms: Terms) -> tuple[Assumption, ...]:
    """Return everything that was neither given by the user nor measured."""
    workload = evaluation.workload
    own = [
        Assumption(what=a.field, value=a.value, why=a.text)
        for a in (*workload.assumptions(), *terms.assumptions)
    ]
    engine = (
        Assumption(
            what="price of a GPU-hour for one-time work",
            value=f"${evaluation.gpu_hour_usd:.2f}/h",
            why="cheapest H100 in the catalogue",
        ),
        Assumption(
            what="time until a new replica answers",
            value=f"{cost.DETECTION_S + cost.PROVISION_S + cost.ENGINE_START_S:.0f} s and the "
            "loading of the weights",
            why="assumed 60 s to react; 3 min for a node and 40 s for the engine are published",
        ),
        Assumption(what="room of a schedule for busier days", value=f"{cost.FORECAST_MARGIN_RATIO:.0%}"),
        Assumption(what="largest part of a service on spot", value=f"{cost.SPOT_SHARE:.0%}"),
        Assumption(
            what="work outside the model",
            value="none",
            why="decoding of images, tokenising and the network are not in the times",
        ),
    )
    return (*own, *engine)


def described(workload: Workload) -> str:
    """Return the workload in one line."""
    model, requests, traffic = workload.model, workload.requests, workload.traffic
    size = f"{model.name}, {format_count(model.parameters)} parameters"
    if model.family == "decoder":
        size += f"; {requests.input_tokens.mean:,.0f} tokens in, {requests.output_tokens.mean:,.0f} out"
    return f"{size}; {format_rate(traffic.mean_requests_per_s)} on average, {format_rate(traffic.peak_requests_per_s)} at the peak"


def provenance(evaluation: Evaluation, today_date: str) -> Provenance:
    """Return what the result was computed from."""
    machines = [block.instance_type for block in evaluation.candidates.blocks]
    dates = sorted({price.date for machine in machines for price in machine.prices.values() if price.date})
    stale = evaluation.catalog.stale_prices(today_date) if today_date else ()
    mine = {machine.id for machine in machines}
    return Provenance(
        advisor_version=__version__,
        catalog_version=evaluation.catalog.version,
        workload_digest=evaluation.workload.digest(),
        price_dates=tuple(dates),
        stale_prices=tuple(
            f"{machine.id} {purchase} {price.date or 'undated'}"
            for machine, purchase, price in stale
            if machine.id in mine
        ),
    )


def _summary(result: Result | None, settings: SolverSettings, columns: int) -> SolverSummary:
    if result is None:
        return SolverSummary(
            name=settings.name, status="infeasible", objective=None, bound=None, gap_ratio=None, columns=0
        )
    report = result.report
    return SolverSummary(
        name=report.name,
        status=report.status.value,
        objective=report.objective,
        bound=report.bound,
        gap_ratio=report.gap_ratio,
        columns=columns,
    )


def _without_plan(
    evaluation: Evaluation,
    terms: Terms,
    result: Result | None,
    settings: SolverSettings,
    common: dict[str, Any],
) -> Recommendation:
    undecided = result is not None and result.status is not Status.INFEASIBLE
    return Recommendation.model_validate(
        {
            **common,
            "status": "undetermined" if undecided else "infeasible",
            "plan": None,
            "savings_usd_per_month": None,
            "savings_ratio": None,
            "accuracy_loss": None,
            "conflict": None if undecided else explain_conflict(evaluation, terms),
            "solver": _summary(result, settings, 0),
        }
    )


def _with_plan(
    evaluation: Evaluation,
    plans: Plans,
    position: int,
    terms: Terms,
    before: Today,
    result: Result,
    common: dict[str, Any],
) -> Recommendation:
    limits = terms.latency_s
    now = latencies(before.evaluation, before.plan, 0)
    checks = latency_checks(latencies(evaluation, plans, position), limits_s=limits, today=now)
    limit = terms.loss_ratio.get(None)
    service = service_plan(evaluation, plans, position, checks=checks, limit_ratio=limit)
    saved = common["baseline"].cost_usd_per_month - float(plans.cost_usd_per_month[position])
    plan = _plan(evaluation, plans, position, service, common["baseline"])
    meets = meets_totals(evaluation, plans, terms)
    return Recommendation.model_validate(
        {
            **common,
            "status": result.status.value,
            "plan": plan,
            "savings_usd_per_month": saved,
            "savings_ratio": saved / common["baseline"].cost_usd_per_month
            if common["baseline"].cost_usd_per_month
            else 0.0,
            "accuracy_loss": service.accuracy_loss,
            "binding": binding(plan, terms),
            "alternatives": alternatives(evaluation, plans, position, meets=meets, terms=terms),
            "solver": _summary(result, SolverSettings(), len(plans)),
            "warnings": warnings(plan, common["baseline"]),
        }
    )


def _plan(evaluation: Evaluation, plans: Plans, position: int, service: Any, baseline: Baseline) -> Plan:
    fields = bill_fields(evaluation, plans, position)
    running = float(fields["cost_usd_per_month"]) - float(fields["amortised_usd_per_month"])  # type: ignore[arg-type]
    saved = baseline.cost_usd_per_month - running
    one_time = float(plans.one_time_usd[position])
    return Plan.model_validate(
        {**fields, "payback_months": one_time / saved if saved > 0.0 else None, "services": (service,)}
    )


def binding(plan: Plan, terms: Terms) -> tuple[Binding, ...]:
    """Return the stated limits, the most nearly exhausted first."""
    service = plan.services[0]
    found = [
        (
            check.metric,
            format_seconds(check.limit_s),
            format_seconds(check.predicted_s),
            check.predicted_s / check.limit_s,
        )
        for check in service.latencies
        if check.limit_s and check.predicted_s is not None
    ]
    loss = service.accuracy_loss
    if loss.limit_ratio:
        found.append(
            (
                "accuracy loss",
                format_ratio(loss.limit_ratio),
                format_ratio(loss.expected_ratio),
                loss.expected_ratio / loss.limit_ratio,
            )
        )
    totals = {"cost": plan.cost_usd_per_month, "one-time": plan.one_time_usd}
    for name, bound in terms.totals.items():
        if name in totals and bound:
            found.append(
                (f"{name} budget", format_usd(bound), format_usd(totals[name]), totals[name] / bound)
            )
        elif name == "carbon" and bound:
            found.append(
                (
                    "carbon",
                    f"{bound:,.0f} kg/month",
                    f"{plan.carbon_kg_per_month:,.0f} kg/month",
                    plan.carbon_kg_per_month / bound,
                )
            )
    ordered = sorted(found, key=lambda row: (-row[3], row[0]))
    return tuple(
        Binding(requirement=name, limit=limit, reached=reached, used_ratio=used)
        for name, limit, reached, used in ordered
    )


def warnings(plan: Plan, baseline: Baseline) -> tuple[str, ...]:
    """Return what a reader must know before acting."""
    service = plan.services[0]
    found = []
    if not baseline.keeps_limits:
        found.append(
            "Today's deployment is predicted to break the limits at the busiest hour, so the saving compares unlike services."
        )
    if not service.calibrated:
        found.append(
            "This runtime, chip and number format were not measured together: the speed is extrapolated. Measure before you buy."
        )
    if service.accuracy_loss.unknown_pairs:
        pairs = "; ".join(" with ".join(pair) for pair in service.accuracy_loss.unknown_pairs)
        found.append(f"Nothing is published about combining {pairs}: the loss is widened.")
    if min(service.instances_by_period) == 1:
        when = "Everything" if max(service.instances_by_period) == 1 else "At quiet hours everything"
        found.append(
            f"{when} runs on one machine: if it fails, the service is down until another one has started."
        )
    if plan.cost_usd_per_month >= baseline.cost_usd_per_month:
        found.append("No plan within the limits is cheaper than today's.")
    return tuple(found)
