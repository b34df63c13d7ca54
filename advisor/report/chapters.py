"""The chapters of a report as rows of texts: money, limits, alternatives, what was left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from advisor.recommendation import (
    Bill,
    Deployment,
    Exclusion,
    PurchaseLine,
    Recommendation,
    SolverSummary,
)
from advisor.report.charts import meter
from advisor.report.references import References
from advisor.report.rows import AlternativeRow, BindingRow, ExclusionRow, MoneyRow, RepairRow
from advisor.report.words import (
    NOT_KNOWN,
    better,
    capital,
    change,
    clean,
    counted,
    gap,
    hourly,
    listed,
    machines,
    monthly,
    plainly,
    requirement_name,
    share,
    signed,
    uncapital,
)
from advisor.units import format_probability, format_usd

_PART_CLASSES = {
    "on-demand": "part-demand",
    "spot": "part-spot",
    "reserved-1y": "part-one",
    "reserved-3y": "part-three",
}


def bills(recommendation: Recommendation) -> tuple[tuple[str, tuple[tuple[str, str, float], ...]], ...]:
    """Return the parts of each bill, in US dollars per month, with the class of their colour."""
    baseline, plan = recommendation.baseline, recommendation.plan
    today = ("Today", _parts(baseline, baseline.services))
    return (today, ("After", _parts(plan, plan.services))) if plan else (today,)


def _parts(bill: Bill, deployments: Sequence[Deployment]) -> tuple[tuple[str, str, float], ...]:
    bought = [(line.plan, line.cost_usd_per_month) for d in deployments for line in d.purchases]
    names = dict.fromkeys(name for name, _ in bought)
    parts = [
        (
            _PART_CLASSES.get(name, "part-other"),
            f"machines, {clean(name)}",
            sum(usd for n, usd in bought if n == name),
        )
        for name in names
    ]
    extra = [
        ("part-fees", "fees", bill.fees_usd_per_month),
        ("part-once", "one-time work, spread", bill.amortised_usd_per_month),
    ]
    return tuple(part for part in (*parts, *extra) if part[2] > 0.0)


def money(recommendation: Recommendation, refs: References) -> tuple[MoneyRow, ...]:
    """Return the items of today's bill and of the plan's."""
    baseline, plan = recommendation.baseline, recommendation.plan
    rows = [*_money(baseline, "Today", baseline.services, refs)]
    return (*rows, *_money(plan, "After", plan.services, refs)) if plan else tuple(rows)


def _money(bill: Bill, when: str, deployments: Sequence[Deployment], refs: References) -> Iterator[MoneyRow]:
    for deployment in deployments:
        yield from (_purchase(when, deployment, line, refs) for line in deployment.purchases)
    if bill.fees_usd_per_month > 0.0:
        yield MoneyRow(when, "Fees", NOT_KNOWN, NOT_KNOWN, monthly(bill.fees_usd_per_month))
    if bill.one_time_usd > 0.0:
        yield MoneyRow(
            when,
            "One-time work, spread",
            f"{format_usd(bill.one_time_usd)} once",
            NOT_KNOWN,
            monthly(bill.amortised_usd_per_month),
        )
    yield MoneyRow(when, "Total", "", "", monthly(bill.cost_usd_per_month))


def _purchase(when: str, deployment: Deployment, line: PurchaseLine, refs: References) -> MoneyRow:
    what = f"{clean(deployment.instance_type)}, {clean(line.plan)}"
    hours = f"{line.instance_hours_per_month:,.0f} machine-hours"
    kind = "" if line.price_kind == "published" else f" ({clean(line.price_kind)})"
    return MoneyRow(
        when,
        what,
        hours,
        f"{hourly(line.usd_per_h)}{kind}",
        monthly(line.cost_usd_per_month),
        refs.price(deployment, line),
    )


def bindings(recommendation: Recommendation) -> tuple[BindingRow, ...]:
    """Return the requirements, the most nearly exhausted first."""
    return tuple(
        BindingRow(
            requirement_name(b.requirement),
            clean(b.limit),
            clean(b.reached),
            share(b.used_ratio),
            meter(b.used_ratio),
        )
        for b in recommendation.binding
    )


def alternatives(recommendation: Recommendation) -> tuple[AlternativeRow, ...]:
    """Return other plans that meet the requirements, in the order given."""
    return tuple(
        AlternativeRow(
            differs=capital(a.differs),
            machine=clean(a.instance_type),
            choices=tuple(clean(choice) for choice in a.choices),
            cost=format_usd(a.cost_usd_per_month),
            extra=signed(a.extra_usd_per_month),
            one_time=format_usd(a.one_time_usd),
            loss=share(a.loss_expected_ratio),
            kept=NOT_KNOWN if a.probability_kept is None else format_probability(a.probability_kept),
        )
        for a in recommendation.alternatives
    )


def mixing(recommendation: Recommendation) -> tuple[str, ...]:
    """Return what mixing machines saves, a line for each service."""
    named = len(recommendation.mixing) > 1
    return tuple(
        f"{clean(found.service)}: {clean(found.text)}" if named else capital(clean(found.text))
        for found in recommendation.mixing
    )


def repairs(recommendation: Recommendation) -> tuple[RepairRow, ...]:
    """Return the nearest value of each conflicting requirement that works."""
    found = recommendation.conflict.repairs if recommendation.conflict else ()
    today = recommendation.baseline.cost_usd_per_month
    return tuple(
        RepairRow(
            requirement=requirement_name(r.requirement),
            given=clean(r.given),
            nearest=clean(r.nearest),
            cost=format_usd(r.cost_usd_per_month),
            against_today=change(today, r.cost_usd_per_month),
            machine=clean(r.instance_type),
        )
        for r in found
    )


def nearest_plan(recommendation: Recommendation) -> tuple[str, ...]:
    """Return the best plan found where nothing fits, in sentences; none where there is none to show."""
    best = recommendation.conflict.best if recommendation.conflict else None
    if best is None:
        return ()
    missed = [
        f"{uncapital(requirement_name(one.requirement))} {clean(one.reached)} instead of {clean(one.limit)}"
        for one in best.misses
    ]
    where = machines(best.instances_peak, best.instance_type) if best.instance_type else "A plan"
    changes = f"With {', '.join(clean(text) for text in best.choices)}. " if best.choices else ""
    return (
        f"{where} for {monthly(best.cost_usd_per_month)}: {listed(missed, most=len(missed))}.",
        f"{changes}Every other requirement is kept.",
    )


def exclusions(recommendation: Recommendation) -> tuple[ExclusionRow, ...]:
    """Return what was left out, and by which rule."""
    grouped: dict[tuple[str, tuple[str, ...]], list[Exclusion]] = {}
    for found in recommendation.exclusions:
        grouped.setdefault((found.strategy, found.options), []).append(found)
    return tuple(
        ExclusionRow(
            strategy=capital(strategy) or "Every strategy",
            options=listed([name for name in options if name], most=4) or "every option",
            machines=listed(list(dict.fromkeys(name for e in group for name in e.instance_types)), most=2),
            reasons=tuple(clean(e.reason) for e in group),
        )
        for (strategy, options), group in grouped.items()
    )


def sure(recommendation: Recommendation) -> tuple[str, ...]:
    """Return what is proven, what is measured and what is not, in sentences."""
    notes = tuple(plainly(f"{note.text[:1].upper()}{note.text[1:]}") for note in recommendation.calibrations)
    plan = recommendation.plan
    if plan is None or all(service.calibration for service in plan.services):
        return (_proof(recommendation), *notes)
    calibrated = all(service.calibrated for service in plan.services)
    speed = (
        "The speed is calibrated: this runtime, chip and number format were measured together."
        if calibrated
        else "The speed is extrapolated: this runtime, chip and number format were not measured together. Measure before you buy."
    )
    return _proof(recommendation), speed, *notes


def _proof(recommendation: Recommendation) -> str:
    solver = recommendation.solver
    considered = counted(recommendation.candidates_considered, "candidate")
    if recommendation.status == "infeasible":
        return f"Proven: none of the {considered} meets every requirement."
    if recommendation.status == "undetermined":
        return "Not proven: the solver stopped early."
    if recommendation.status == "feasible":
        away = "by an unknown amount" if solver.gap_ratio is None else f"by at most {gap(solver.gap_ratio)}"
        return f"Not proven: the best plan found before the solver was stopped; it could be beaten {away}{_bound(recommendation)}."
    if recommendation.switch is not None:
        return f"Proven: none of the {considered} is worth more once a change is paid and what may go wrong is counted."
    return f"Proven: no {better(recommendation.objective)} plan exists among the {considered}{_bound(recommendation)}."


def _bound(recommendation: Recommendation) -> str:
    bound = recommendation.solver.bound
    return f" (bound {monthly(bound)})" if bound is not None and recommendation.objective == "cost" else ""


def old_prices(recommendation: Recommendation) -> tuple[str, ...]:
    """Return a warning for each price of today's machines or the plan's that is undated or half a year old."""
    plan = recommendation.plan
    stale = recommendation.provenance.stale_prices
    bought = (
        (one, line)
        for one in (*recommendation.baseline.services, *(plan.services if plan else ()))
        for line in one.purchases
        if line.price_date
        or line.price_kind != "user"  # what the user states without a day is taken as it is
    )
    found = (
        f"Old price: {one.instance_type} {line.plan}, {line.price_date or 'undated'}; give your own with --catalog."
        for one, line in bought
        if f"{one.provider}/{one.region}/{one.instance_type} {line.plan} {line.price_date or 'undated'}"
        in stale
    )
    return tuple(dict.fromkeys(clean(text) for text in found))


def provenance(recommendation: Recommendation) -> tuple[tuple[str, str], ...]:
    """Return what the result was computed from, by name."""
    p = recommendation.provenance
    dates = f"{p.price_dates[0]} to {p.price_dates[-1]}" if len(p.price_dates) > 1 else "".join(p.price_dates)
    found = (
        ("advisor", p.advisor_version),
        ("Catalogue", p.catalog_version),
        ("Prices dated", dates),
        ("Old prices", listed(p.stale_prices, most=6)),
        ("Workload digest", p.workload_digest),
        ("Inputs digest", p.inputs_digest),
        ("Computed with", ", ".join(f"{name} {version}" for name, version in p.versions.items())),
        ("Solver", _solver(recommendation.solver)),
        ("Candidates considered", f"{recommendation.candidates_considered:,}"),
    )
    return tuple((name, clean(value)) for name, value in found if value)


def _solver(solver: SolverSummary) -> str:
    away = "" if solver.gap_ratio is None else f", gap {gap(solver.gap_ratio)}"
    return f"{solver.name}: {solver.status}{away}, {counted(solver.columns, 'candidate')} in the program"
