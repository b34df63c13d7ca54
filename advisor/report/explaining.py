"""The chapters that explain a plan: what each change saves, why this one, and what goes with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from advisor.recommendation import Recommendation
from advisor.report.curves import waterfall_chart
from advisor.report.doubts import factors, robust_note, robust_rows, tornado, verdict
from advisor.report.insight_rows import InsightView, NearRow, OtherRow, PartRow, ReasonView
from advisor.report.limits import frontier_views, promise_rows, sliders
from advisor.report.references import References
from advisor.report.rollout import steps
from advisor.report.words import (
    NOT_KNOWN,
    capital,
    clean,
    listed,
    machines,
    plainly,
    requirement_name,
    sentence,
    share,
    signed,
)
from advisor.units import format_probability, format_usd

if TYPE_CHECKING:
    from advisor.insight.results import Attribution, Insights, NearOptimal, OptionCost, StrategyReason

_SHOWN = 3


def insight_view(recommendation: Recommendation, insights: Insights, refs: References) -> InsightView:
    """Return everything that explains the plan of one service."""
    saving, robust = insights.attribution, insights.robustness
    return InsightView(
        verdict=verdict(robust) if robust else None,
        waterfall=waterfall_chart(
            saving.baseline_usd_per_month,
            saving.plan_usd_per_month,
            [(_part_name(part.title), part.usd_per_month) for part in saving.parts],
        ),
        parts=tuple(_parts(saving)),
        parts_note=plainly(saving.note),
        reasons=tuple(_reason(reason) for reason in insights.reasons),
        rollout=plainly(insights.rollout.text),
        steps=steps(insights, recommendation, refs),
        near=tuple(_near(near) for near in insights.near_optimal),
        sliders=sliders(insights.grid, saving.baseline_usd_per_month, insights.plan)
        if insights.grid
        else None,
        frontiers=frontier_views(insights.frontiers, insights.plan),
        promises=promise_rows(insights.promises),
        tornado=tornado(insights),
        factors=factors(insights),
        holds=tuple(
            (requirement_name(one.requirement), format_probability(one.probability)) for one in robust.limits
        )
        if robust
        else (),
        robust=robust_rows(robust, insights.plan) if robust else (),
        robust_note=robust_note(robust) if robust else "",
    )


def _near(near: NearOptimal) -> NearRow:
    plan = near.plan
    return NearRow(
        differs=capital(near.differs),
        machine=machines(plan.instances_peak, plan.instance_type),
        cost=format_usd(plan.cost_usd_per_month),
        extra=f"{signed(near.extra_usd_per_month)} ({share(near.extra_ratio)})",
        one_time=format_usd(plan.one_time_usd),
        loss=share(plan.loss_expected_ratio),
        kept=NOT_KNOWN if plan.probability_kept is None else format_probability(plan.probability_kept),
    )


def _part_name(title: str) -> str:
    return clean(title).partition(":")[0]


def _parts(attribution: Attribution) -> Iterator[PartRow]:
    today = left = attribution.baseline_usd_per_month
    yield PartRow("Today", "", "", format_usd(today))
    for part in attribution.parts:
        left -= part.usd_per_month
        ratio = part.usd_per_month / today if today else 0.0
        yield PartRow(clean(part.title), signed(-part.usd_per_month), share(ratio), format_usd(left))
    saved = attribution.savings_usd_per_month
    yield PartRow(
        "After",
        signed(-saved),
        share(saved / today if today else 0.0),
        format_usd(attribution.plan_usd_per_month),
    )


def _reason(reason: StrategyReason) -> ReasonView:
    usable = [
        _other(option, option.cost_usd_per_month, option.extra_usd_per_month)
        for option in reason.alternatives
        if option.cost_usd_per_month is not None and option.extra_usd_per_month is not None
    ]
    return ReasonView(
        strategy=capital(reason.strategy),
        title=plainly(reason.title) or "as today",
        changed=reason.changed,
        text=plainly(reason.text),
        others=tuple(usable[:_SHOWN]),
        more=tuple(usable[_SHOWN:]),
        refused=_refused(reason.alternatives),
    )


def _other(option: OptionCost, cost: float, extra: float) -> OtherRow:
    return OtherRow(plainly(option.title), format_usd(cost), signed(extra), sentence(option.reason))


def _refused(options: Sequence[OptionCost]) -> tuple[tuple[str, str], ...]:
    grouped: dict[str, list[str]] = {}
    for option in options:
        if option.cost_usd_per_month is None:
            grouped.setdefault(sentence(option.reason), []).append(plainly(option.title))
    return tuple((listed(titles, most=6), reason) for reason, titles in grouped.items())
