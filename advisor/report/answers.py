"""The answers of `advisor explain`, `frontier`, `what-if` and `compare` as chapters of text and tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from advisor.report.explained import explained
from advisor.report.explaining import insight_view
from advisor.report.fleets import fleet_chapters
from advisor.report.limits import differs, limit_value
from advisor.report.opening import headline, lead
from advisor.report.references import References
from advisor.report.sheets import Chapter, Column, Grid, Lines
from advisor.report.words import (
    NOT_KNOWN,
    capital,
    carbon,
    clean,
    duration,
    listed,
    machines,
    monthly,
    months,
    plainly,
    requirement_name,
    sentence,
    share,
    signed,
)
from advisor.units import format_probability, format_usd

if TYPE_CHECKING:
    from advisor.insight.outcomes import (
        Answer,
        Comparison,
        Difference,
        Explanation,
        FrontierAnswer,
        ScenarioOutcome,
        WhatIf,
    )
    from advisor.insight.results import Frontier, PlanBrief

_COST = Column("Cost a month", right=True)
_NOTHING = "nothing fits"
_GROUPS = {
    "asked": "What was asked",
    "money": "Money",
    "machines": "Machines",
    "choices": "Choices",
    "promises": "Promises",
}


def explanation_sheet(found: Explanation) -> tuple[Chapter, ...]:
    """Return why this plan, what saves how much, the way there, and what else was asked for."""
    recommendation = found.recommendation
    decision, how = headline(recommendation)
    opening = Chapter(decision, tuple(text for text in (how, lead(recommendation)) if text))
    if found.fleet is not None:
        return (opening, *fleet_chapters(recommendation, found.fleet))
    if found.insights is None:
        return (opening, *_way_out(found), *_alone(found))
    view = insight_view(recommendation, found.insights, References(recommendation))
    return (opening, *explained(view))


def _alone(found: Explanation) -> Iterator[Chapter]:
    """Yield why there is no more to say of a plan."""
    if found.recommendation.plan is not None:
        said = (
            "Plans as predicted, without a plan in service, are explained: of one service, or of a fleet of at most 20 that "
            "are all served; ask for each service alone."
        )
        yield Chapter("What is explained", (said,))


def _way_out(found: Explanation) -> Iterator[Chapter]:
    conflict = found.recommendation.conflict
    if conflict and conflict.repairs:
        yield Chapter(
            "The nearest that works", (Lines(tuple(sentence(one.text) for one in conflict.repairs)),)
        )


def frontier_sheet(found: FrontierAnswer) -> tuple[Chapter, ...]:
    """Return cost against each limit as a table."""
    title = f"{capital(found.workload)}: what moving a limit costs"
    plan = found.plan
    said = (
        f"As asked: {monthly(plan.cost_usd_per_month)} on {machines(plan.instances_peak, plan.instance_type)}; "
        f"today {monthly(found.today_usd_per_month)}. Each line is the cheapest plan under that limit, solved on its own, "
        "the other limits held."
    )
    return (Chapter(title, (said,)), *(_curve(one, found) for one in found.frontiers))


def _curve(frontier: Frontier, found: FrontierAnswer) -> Chapter:
    columns = (
        Column("Limit", right=True),
        _COST,
        Column("Against yours", right=True),
        Column("Against today", right=True, spare=True),
        Column("Plan"),
    )
    rows: list[tuple[str, ...]] = []
    last = ""
    for point in frontier.points:
        limit = limit_value(point.limit, frontier.unit) + (" (yours)" if point.is_yours else "")
        if point.plan is None:
            rows.append((limit, _NOTHING, NOT_KNOWN, NOT_KNOWN, NOT_KNOWN))
            continue
        cost = point.plan.cost_usd_per_month
        text = differs(point.plan, found.plan)
        against = [
            signed(cost - other) for other in (found.plan.cost_usd_per_month, found.today_usd_per_month)
        ]
        rows.append((limit, format_usd(cost), *against, "as above" if text == last else text))
        last = text
    name = frontier.title if frontier.requirement == "confidence" else requirement_name(frontier.requirement)
    return Chapter(f"Cost against {name[:1].lower()}{name[1:]}", (Grid(columns, tuple(rows)),))


def what_if_sheet(found: WhatIf) -> tuple[Chapter, ...]:
    """Return the plan kept and the best plan under each scenario."""
    stated = found.stated
    columns = (
        Column("If"),
        Column("Today's", right=True),
        Column("This plan kept", right=True),
        Column("Best plan", right=True),
        Column("Against now", right=True),
        Column("Then", spare=True),
    )
    rows = tuple(_scenario_row(one) for one in (stated, *found.scenarios))
    title = f"{capital(found.workload)}: what if"
    said = (
        "Cost a month. This plan kept: the same machines and options, as many as are then needed. Best plan: chosen and "
        "proven anew, had it been known."
    )
    return (Chapter(title, (said, Grid(columns, rows))), *_consequences(found))


def _scenario_row(one: ScenarioOutcome) -> tuple[str, ...]:
    today = format_usd(one.today_usd_per_month) + ("" if one.today_keeps_limits else " (breaks limits)")
    if one.kept_usd_per_month is None:
        kept = "breaks limits"
    else:
        kept = format_usd(one.kept_usd_per_month) + ("" if one.holds_as_sized else " (resized)")
    best = _NOTHING if one.best_usd_per_month is None else format_usd(one.best_usd_per_month)
    against = NOT_KNOWN if one.change_usd_per_month is None else signed(one.change_usd_per_month)
    then = "another plan" if one.changes_plan else "the same plan" if one.services else NOT_KNOWN
    return (capital(plainly(one.name)), today, kept, best, against, then)


def _consequences(found: WhatIf) -> Iterator[Chapter]:
    for one in found.scenarios:
        if one.conflict is not None:
            repairs = tuple(sentence(repair.text) for repair in one.conflict.repairs)
            best = (f"{sentence(one.conflict.best.text)}.",) if one.conflict.best else ()
            blocks = (f"{sentence(one.conflict.text)}.", *((Lines(repairs),) if repairs else ()), *best)
            yield Chapter(f"{capital(plainly(one.name))}: nothing fits", blocks)
        elif one.changes_plan:
            lines = tuple(
                _then(name, plan, found.stated.services.get(name), one) for name, plan in one.services.items()
            )
            yield Chapter(f"{capital(plainly(one.name))}: another plan is best", (Lines(lines),))


def _then(name: str, plan: PlanBrief, stated: PlanBrief | None, one: ScenarioOutcome) -> str:
    prefix = f"{clean(name)}: " if len(one.services) > 1 else ""
    if stated is None:
        options = listed([choice.title for choice in plan.choices], most=6) or "nothing else changed"
        return f"{prefix}{machines(plan.instances_peak, plan.instance_type)}; {plainly(options)}"
    return f"{prefix}{differs(plan, stated)}"


def comparison_sheet(found: Comparison) -> tuple[Chapter, ...]:
    """Return what distinguishes two recommendations; texts that are the same are left out."""
    first, second = clean(found.first), clean(found.second)
    if found.cheaper == "neither":
        said = f"{second} costs as much as {first}."
    else:
        word = "less" if found.cheaper == "second" else "more"
        said = f"{second} costs {monthly(abs(found.change_usd_per_month))} {word} than {first}."
    asked = (
        "Both answer the same request."
        if found.same_request
        else "They answer different requests; see below."
    )
    return (Chapter(f"{first} and {second}", (said, asked)), *_groups(found, (first, second)))


def _groups(found: Comparison, names: tuple[str, str]) -> Iterator[Chapter]:
    services = {one.service for one in found.differences}
    for group, title in _GROUPS.items():
        rows = [one for one in found.differences if one.group == group and (one.unit or not one.same)]
        if group == "machines":
            rows = [one for one in rows if not one.same]
        if rows:
            columns = (Column(""), Column(names[0]), Column(names[1]), Column("Change", right=True))
            yield Chapter(title, (Grid(columns, tuple(_difference(one, len(services) > 2) for one in rows)),))


def _difference(one: Difference, named: bool) -> tuple[str, ...]:
    what = requirement_name(one.what) if one.group != "asked" else clean(one.what)
    label = {"cost": "Cost a month", "saving": "Saving a month", "one-time": "One-time work"}.get(
        one.what, what
    )
    name = f"{clean(one.service)}: {label}" if named and one.service else label
    return (name, _amount(one.first, one.unit), _amount(one.second, one.unit), _moved(one))


def _amount(value: float | str | None, unit: str) -> str:
    if value is None or isinstance(value, str):
        return plainly(value) if value else NOT_KNOWN
    shown = {
        "USD/month": format_usd,
        "USD": format_usd,
        "ratio": share,
        "probability": format_probability,
        "s": duration,
        "kg/month": carbon,
        "months": months,
    }
    return shown[unit](value) if unit in shown else f"{value:,.10g}"


def _moved(one: Difference) -> str:
    if isinstance(one.first, str) or isinstance(one.second, str) or one.first is None or one.second is None:
        return ""
    if one.same:
        return "none"
    moved = one.second - one.first
    if one.unit.startswith("USD"):
        return signed(moved)
    if one.group == "asked" or one.unit == "probability":
        return ""
    return f"{'+' if moved > 0.0 else '-'}{_amount(abs(moved), one.unit)}"


def sheet(found: Answer) -> Sequence[Chapter]:
    """Return the chapters of any of the four answers."""
    written = {
        "Explanation": explanation_sheet,
        "FrontierAnswer": frontier_sheet,
        "WhatIf": what_if_sheet,
        "Comparison": comparison_sheet,
    }
    chapters: Sequence[Chapter] = written[type(found).__name__](found)  # type: ignore[operator]
    return chapters
