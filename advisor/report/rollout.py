"""The way from today to the plan, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from advisor.recommendation import Choice, Recommendation
from advisor.report.charts import meter
from advisor.report.insight_rows import StepView
from advisor.report.references import References
from advisor.report.words import clean, machines, monthly, pasted, plainly, sentence, signed
from advisor.units import format_usd

if TYPE_CHECKING:
    from advisor.insight.results import Insights, RolloutStep


def _choices(recommendation: Recommendation) -> dict[str, Choice]:
    services = recommendation.plan.services if recommendation.plan else ()
    return {choice.strategy: choice for service in services for choice in service.choices if choice.to_do}


def steps(insights: Insights, recommendation: Recommendation, refs: References) -> tuple[StepView, ...]:
    """Return the roll-out; a risk and its sources stand where the change is complete."""
    total = insights.attribution.savings_usd_per_month
    made = {(change.strategy, change.option) for step in insights.rollout.steps for change in step.changes}
    left = _choices(recommendation)
    found = []
    for step in insights.rollout.steps:
        own = []
        for change in step.changes:
            choice = left.get(change.strategy)
            final = choice is not None and (
                change.option == choice.option or (choice.strategy, choice.option) not in made
            )
            if final:
                own.append(left.pop(change.strategy))
        found.append(_step(step, own, total, refs))
    return tuple(found)


def _step(step: RolloutStep, own: Sequence[Choice], total_usd: float, refs: References) -> StepView:
    hours = [(step.engineer_hours, "h of work"), (step.gpu_hours, "accelerator-hours")]
    effort = " and ".join(f"{amount:,.0f} {what}" for amount, what in hours if amount >= 0.5)
    reached = step.cumulative_saving_usd_per_month / total_usd if total_usd > 0.0 else 0.0
    return StepView(
        number=step.number,
        title=plainly(step.title),
        machines=machines(step.instances_peak, step.instance_type),
        cost=format_usd(step.cost_usd_per_month),
        saves=signed(-step.saving_usd_per_month),
        cumulative=signed(-step.cumulative_saving_usd_per_month),
        meter=meter(reached),
        effort=effort or "none",
        once=f"{format_usd(step.one_time_usd)} once" if step.one_time_usd >= 0.005 else "no one-time cost",
        prerequisite=sentence(step.prerequisite),
        steps=tuple(plainly(text) for text in step.steps),
        artefacts=tuple((clean(place), pasted(text)) for place, text in step.artefacts.items()),
        checks=pasted("\n".join(step.verification)),
        back_if="" if step.rollback_trigger.startswith("none") else plainly(step.rollback_trigger),
        back=clean(step.rollback),
        risks=tuple(clean(choice.risk) for choice in own if choice.risk),
        refs=refs.measurements(tuple(note for choice in own for note in choice.evidence)),
    )


def first_steps(insights: Insights, most: int) -> tuple[str, ...]:
    """Return the first steps of the roll-out with what they save and take."""
    return tuple(
        f"{plainly(step.title)} ({_saves(step.saving_usd_per_month)}, {_work(step.engineer_hours)})."
        for step in insights.rollout.steps[:most]
    )


def _saves(usd_per_month: float) -> str:
    word = "saves" if usd_per_month >= 0.0 else "costs"
    return f"{word} {monthly(abs(usd_per_month))}"


def _work(hours: float) -> str:
    return f"{hours:,.0f} h of work" if hours >= 0.5 else "no work"
