"""The chapters that explain a plan, for a terminal and for Markdown: the same rows as in the HTML report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from advisor.report.sheets import Chapter, Column, Grid, Lines, Paste

if TYPE_CHECKING:
    from advisor.report.insight_rows import FrontierView, InsightView, OtherRow, ReasonView, StepView

WHY = (
    "Each cost is that of the cheapest plan with the other option, everything else chosen anew. Its reason compares with "
    "the plan that differs in this option alone, where there is one."
)
_COST = Column("Cost a month", right=True)


def explained(view: InsightView) -> tuple[Chapter, ...]:
    """Return everything that explains a plan; chapters that were not asked for are left out."""
    return tuple(_chapters(view))


def _chapters(view: InsightView) -> Iterator[Chapter]:
    yield Chapter("Why this plan and not another", (WHY, *(_reason(reason) for reason in view.reasons)))
    yield Chapter("What saves how much", (_parts(view), view.parts_note))
    if view.steps:
        yield Chapter("The way there", tuple(_way(view)))
    if view.near:
        yield Chapter("Almost as cheap", (_near(view),))
    if view.promises or view.sliders:
        yield Chapter("What limits cost", tuple(_limits(view)))
    if view.robust:
        yield Chapter("What may turn out differently", tuple(_differently(view)))


def _reason(reason: ReasonView) -> Chapter:
    title = f"{reason.strategy}: {reason.title}"
    more = (f"Dearer still: {'; '.join(f'{row.title} ({row.extra})' for row in reason.more)}.",)
    refused = Lines(tuple(f"{titles}: {because}." for titles, because in reason.refused))
    blocks = (
        reason.text,
        *((_others(reason.others),) if reason.others else ()),
        *(more if reason.more else ()),
        *((refused,) if refused.items else ()),
    )
    return Chapter(title if reason.changed or reason.title == "as today" else f"{title} (as today)", blocks)


def _others(rows: tuple[OtherRow, ...]) -> Grid:
    columns = (Column("Instead"), _COST, Column("Extra", right=True), Column("Because"))
    return Grid(columns, tuple((row.title, row.cost, row.extra, row.reason) for row in rows))


def _parts(view: InsightView) -> Grid:
    columns = (
        Column("Change"),
        _COST,
        Column("Of today's bill", right=True),
        Column("Bill", right=True),
    )
    return Grid(columns, tuple((row.what, row.saves, row.share, row.left) for row in view.parts))


def _way(view: InsightView) -> Iterator[str | Grid | Chapter]:
    yield view.rollout
    columns = (
        Column("Step", right=True),
        Column("What"),
        Column("On", spare=True),
        Column("Bill after it", right=True),
        Column("Change", right=True),
        Column("Since today", right=True),
    )
    rows = tuple(
        (str(step.number), step.title, step.machines, step.cost, step.saves, step.cumulative)
        for step in view.steps
    )
    yield Grid(columns, rows)
    yield from (_step(step) for step in view.steps)


def _step(step: StepView) -> Chapter:
    lines = [*step.steps]
    first = (f"First: {step.prerequisite}.",) if step.prerequisite != "None" else ()
    back = f"Go back if {step.back_if}: {step.back}" if step.back_if else f"No way back: {step.back}."
    blocks = (
        f"Effort: {step.effort}; {step.once}.",
        *first,
        *((Lines(tuple(lines), ordered=True),) if lines else ()),
        *(Paste(place, text) for place, text in step.artefacts),
        Paste("check", step.checks),
        back,
        *(f"Risk: {risk}" for risk in step.risks),
    )
    return Chapter(f"Step {step.number}: {step.title}", blocks)


def _near(view: InsightView) -> Grid:
    columns = (
        Column("What differs"),
        Column("On", spare=True),
        _COST,
        Column("Extra", right=True),
        Column("Loss", right=True),
        Column("Within the limit", right=True, spare=True),
    )
    rows = tuple((row.differs, row.machine, row.cost, row.extra, row.loss, row.kept) for row in view.near)
    return Grid(columns, rows)


def _limits(view: InsightView) -> Iterator[str | Grid | Chapter]:
    if view.promises:
        columns = (
            Column("Promise"),
            Column("Now", right=True),
            Column("One step"),
            Column("Tighter", right=True),
            Column("Looser", right=True),
            Column("Tighter, next change at", right=True, spare=True),
            Column("Looser, next change at", right=True, spare=True),
        )
        rows = tuple(
            (row.promise, row.now, row.step, row.tighter, row.looser, row.next_tighter, row.next_looser)
            for row in view.promises
        )
        yield Grid(columns, rows)
    if view.sliders:
        slid = view.sliders
        across = (Column("Loss at most", right=True), *(Column(name, right=True) for name in slid.columns))
        costs = tuple((f"{row.loss}{' (yours)' if row.yours else ''}", *row.costs) for row in slid.rows)
        title = "Cost a month by accuracy limit" + (" and latency limits" if slid.latency_chart else "")
        yield Chapter(title, (Grid(across, costs),))
    yield from (curve(frontier) for frontier in view.frontiers)


def curve(frontier: FrontierView) -> Chapter:
    """Return cost against one limit as a table."""
    columns = (Column("Limit", right=True), _COST, Column("Plan"))
    title = f"Cost against {frontier.title[:1].lower()}{frontier.title[1:]}, the rest held"
    return Chapter(title, (Grid(columns, frontier.rows),))


def _differently(view: InsightView) -> Iterator[str | Grid | Lines | Chapter]:
    if view.verdict:
        yield f"{view.verdict.word}. {view.verdict.reason}"
        yield f"The rule: {view.verdict.rule[:1].lower()}{view.verdict.rule[1:]}"
    columns = (
        Column("What"),
        Column("Turns out", right=True),
        Column("This plan kept", right=True),
        Column("Best plan", right=True),
        Column("Which is", spare=True),
    )
    rows = tuple((row.what, row.turns_out, row.kept, row.best, row.plan) for row in view.factors)
    yield Grid(columns, rows)
    yield Chapter("Everything uncertain at once", tuple(_together(view)))


def _together(view: InsightView) -> Iterator[str | Grid | Lines]:
    yield view.robust_note
    yield Lines(tuple(f"{name} holds: {chance}" for name, chance in view.holds))
    columns = (
        Column("Plan"),
        _COST,
        Column("All limits hold", right=True),
        Column("Expected cost", right=True),
        Column("Regret", right=True, spare=True),
        Column("Saves", right=True, spare=True),
    )
    rows = tuple(
        (
            f"{row.notes}: {row.plan}" if row.notes else row.plan,
            row.cost,
            row.all_hold,
            row.expected,
            row.regret,
            row.saves,
        )
        for row in view.robust
    )
    yield Grid(columns, rows)
    if view.verdict:
        yield Lines(tuple(f"{text}." for text in view.verdict.assumptions))
