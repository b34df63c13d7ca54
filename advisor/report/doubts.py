"""How sure a plan is: whether to act, what to measure first, and what may turn out differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.recommendation import NextMeasurement, RobustChoice
from advisor.report.charts import Chart
from advisor.report.curves import tornado_chart
from advisor.report.insight_rows import FactorRow, Measurement, RobustRow, Verdict
from advisor.report.limits import differs
from advisor.report.opening import Figure
from advisor.report.words import (
    NOT_KNOWN,
    capital,
    clean,
    counted,
    monthly,
    pasted,
    plainly,
    sentence,
    share,
)
from advisor.units import format_probability, format_usd

if TYPE_CHECKING:
    from advisor.insight.results import Insights, Outcome, PlanBrief, Robustness, RobustPlan

_OTHERS = 3
_WORDS = {"act": ("Act", "good"), "measure first": ("Measure first", "warn"), "hold": ("Hold", "warn")}


def measurement(next_one: NextMeasurement | None) -> Measurement | None:
    """Return what to measure before deciding; none where nothing that could be measured would change the decision."""
    if next_one is None:
        return None
    return Measurement(
        subject=clean(next_one.subject),
        why=plainly(next_one.why),
        value=monthly(next_one.value_usd_per_month),
        chance=format_probability(next_one.probability_changes_plan),
        samples="" if next_one.samples is None else f"about {counted(next_one.samples, 'question')}",
        command=pasted(next_one.command),
        record=pasted(next_one.record),
        notes=tuple(plainly(note) for note in next_one.notes),
    )


def certainty(robust: Robustness | RobustChoice | None) -> tuple[Figure, ...]:
    """Return the probability that all limits hold, for the first screen; nothing where it is not known."""
    if robust is None:
        return ()
    sure = robust.all_limits_probability >= robust.confidence
    return (
        Figure(
            "All limits hold",
            format_probability(robust.all_limits_probability),
            "with accuracy, speed, traffic and prices uncertain at once",
            "good" if sure else "warn",
        ),
    )


def verdict(robust: Robustness | RobustChoice) -> Verdict:
    """Return whether to act."""
    word, tone = _WORDS[robust.verdict]
    return Verdict(
        word=word,
        tone=tone,
        reason=f"{sentence(robust.reason)}.",
        rule=f"{sentence(robust.rule)}.",
        assumptions=tuple(sentence(text) for text in robust.assumptions),
    )


def factors(insights: Insights) -> tuple[FactorRow, ...]:
    """Return what happens to the plan when one thing turns out lower or higher."""
    return tuple(
        _factor(clean(factor.title), outcome, insights.plan)
        for factor in insights.sensitivity
        for outcome in (factor.low, factor.high)
    )


def tornado(insights: Insights) -> Chart | None:
    """Return the same as a chart; none where it was not asked for."""
    if not insights.sensitivity:
        return None
    rows = [
        (
            clean(factor.title),
            (factor.low.text, factor.low.best_usd_per_month),
            (factor.high.text, factor.high.best_usd_per_month),
        )
        for factor in insights.sensitivity
    ]
    return tornado_chart(insights.plan.cost_usd_per_month, rows)


def _factor(what: str, outcome: Outcome, recommended: PlanBrief) -> FactorRow:
    if outcome.kept_usd_per_month is None:
        kept = "no number keeps the limits"
    else:
        room = "" if outcome.holds_as_sized else ", with machines added"
        kept = f"{format_usd(outcome.kept_usd_per_month)}{room}"
    best = NOT_KNOWN if outcome.best_usd_per_month is None else format_usd(outcome.best_usd_per_month)
    plan = "nothing fits" if outcome.best is None else differs(outcome.best, recommended)
    return FactorRow(what, plainly(outcome.text), kept, best, plan)


def _shown(robust: Robustness) -> tuple[RobustPlan, ...]:
    """Return the recommended plan, the robust choice, and a few others in their order."""
    others = [plan for plan in robust.plans if not (plan.is_recommended or plan.is_robust)][:_OTHERS]
    return tuple(plan for plan in robust.plans if plan.is_recommended or plan.is_robust or plan in others)


def robust_rows(robust: Robustness, recommended: PlanBrief) -> tuple[RobustRow, ...]:
    """Return the recommended plan and others in the same draws."""
    return tuple(_robust(plan, recommended) for plan in _shown(robust))


def _robust(found: RobustPlan, recommended: PlanBrief) -> RobustRow:
    notes = [
        *(["recommended"] if found.is_recommended else []),
        *(["robust choice"] if found.is_robust else []),
        *([f"machines counted for {share(found.sized_for)} confidence"] if found.sized_for else []),
        *([f"room for {share(found.headroom_ratio)} more traffic"] if found.headroom_ratio else []),
    ]
    return RobustRow(
        plan=differs(found.plan, recommended),
        notes=capital(", ".join(notes)),
        cost=format_usd(found.plan.cost_usd_per_month),
        all_hold=format_probability(found.all_limits_probability),
        expected=format_usd(found.expected_usd_per_month),
        regret=format_usd(found.expected_regret_usd_per_month),
        saves=format_probability(found.saving_probability),
    )


def robust_note(robust: Robustness) -> str:
    """Return what the draws say of the recommended plan."""
    return (
        f"In {robust.draws:,} draws of accuracy, speed, traffic and prices the plan is expected to cost "
        f"{monthly(robust.expected_usd_per_month)}, in 8 of 10 draws between {format_usd(robust.p10_usd_per_month)} and "
        f"{format_usd(robust.p90_usd_per_month)}, machines added where they are needed; knowing the truth beforehand would "
        f"save {monthly(robust.expected_regret_usd_per_month)} more."
    )
