"""The report in a terminal: the decision, before and after, what to do, how sure, and what else was close."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from io import StringIO
from itertools import chain
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from advisor.report.insight_rows import Measurement
    from advisor.report.rows import Action, Chapter
    from advisor.report.view import View

_TONES = {"good": "green", "warn": "yellow", "plain": ""}
NARROW = 100
"""Columns below which tables leave out what is not needed."""
_BLANK_END = re.compile(r"(?: |\x1b\[[\d;]*m)+$", re.MULTILINE)


def terminal_page(view: View, more: Iterable[RenderableType] = (), *, width: int, colour: bool) -> str:
    """Return the report as lines of at most `width` columns, with ANSI colours where asked for.

    Args:
        view: What to show.
        more: Chapters that explain the plan.
        width: Columns of the terminal.
        colour: Whether to use ANSI colours.
    """
    return rendered(chain(_parts(view, width), more, _end()), width=width, colour=colour)


def rendered(parts: Iterable[RenderableType], *, width: int, colour: bool) -> str:
    """Return parts as lines of at most `width` columns without blanks at their ends; ANSI colours where asked for."""
    target = StringIO()
    console = Console(
        file=target,
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
        _environ={},
    )
    console.print(Group(*parts))
    return _BLANK_END.sub(lambda end: end[0].replace(" ", ""), target.getvalue()).strip("\n") + "\n"


def _parts(view: View, width: int) -> Iterator[RenderableType]:
    yield from _decision(view)
    if view.switch:
        yield from _chapter(view.switch)
    yield from _first(view)
    if view.bill:
        from advisor.report.bill_pages import bill_parts

        yield from _section("Today's bill and where it goes", Group(*bill_parts(view.bill)))
    yield from _section("Today and after" if view.has_plan else "Today", _comparison(view))
    if any(service.actions for service in view.services):
        yield from _section("Changes", _actions(view))
    if view.has_plan:
        yield from _section("How sure we are", _sure(view))
    if view.bindings:
        yield from _section("What binds", _bindings(view))
    if view.alternatives:
        yield from _section("Alternatives", _alternatives(view, width))
    if view.commitments:
        yield from _chapter(view.commitments)
    if view.mixing:
        yield from _section("Mixed machines", bullets(view.mixing, mark="-"))


def _first(view: View) -> Iterator[RenderableType]:
    if view.repairs or view.nearest:
        yield from _way_out(view)
    elif view.monday:
        if view.before:
            yield from _section("Before you decide", _before(view.before))
        yield from _section("What to do on Monday", numbered(view.monday))


def _decision(view: View) -> Iterator[RenderableType]:
    if view.example:
        yield Text("Built-in example, not your service. To start your own:", style="dim")
        yield Text(f"  advisor example {view.example_name} > advisor.yaml\n", style="dim")
    yield Text(view.headline, style="bold")
    if view.how:
        yield Text(view.how)
    yield Text(view.lead, style="dim")
    if view.verdict:
        yield Text.assemble(
            (f"{view.verdict.word}. ", f"bold {_TONES[view.verdict.tone]}"), view.verdict.reason
        )
    yield Text()
    yield _figures(view)
    yield from _warnings(view)


def _end() -> Iterator[RenderableType]:
    yield Text("\nEvidence, assumptions and charts: add -o report.html", style="dim")


def _way_out(view: View) -> Iterator[RenderableType]:
    if view.repairs:
        yield from _section("The nearest that works", _repairs(view))
    if view.nearest:
        yield from _section("The best plan found", Group(*map(Text, view.nearest)))


def _section(title: str, body: RenderableType) -> Iterator[RenderableType]:
    yield Text(f"\n{title}", style="bold cyan")
    yield body


def _chapter(chapter: Chapter) -> Iterator[RenderableType]:
    parts: list[RenderableType] = [Text(sentence) for sentence in chapter.lead]
    if chapter.rows:
        table = ruled(
            *((name, "right" if at in chapter.numbers else "left") for at, name in enumerate(chapter.head))
        )
        for row in chapter.rows:
            table.add_row(*map(Text, row))
        parts += [Text(), table]
    yield from _section(chapter.title, Group(*parts))
    if chapter.notes:
        yield bullets(chapter.notes, mark="-")


def _figures(view: View) -> Table:
    table = Table.grid(padding=(0, 2))
    for _ in range(3):
        table.add_column()
    for figure in view.figures:
        style = f"bold {_TONES[figure.tone]}".strip()
        table.add_row(
            Text(figure.label, style="dim"), Text(figure.value + figure.per, style=style), Text(figure.detail)
        )
    return table


def _warnings(view: View) -> Iterator[RenderableType]:
    if view.warnings:
        yield Text()
        yield bullets(view.warnings, mark="!", style="yellow")


def bullets(lines: Iterable[str], *, mark: str, style: str = "") -> Table:
    """Return lines, each behind a mark."""
    table = Table.grid(padding=(0, 1))
    for line in lines:
        table.add_row(Text(mark, style=style), Text(line))
    return table


def numbered(lines: Iterable[str]) -> Table:
    """Return lines, each behind its number."""
    table = Table.grid(padding=(0, 1))
    for number, line in enumerate(lines, 1):
        table.add_row(Text(f"{number}.", style="cyan"), Text(line))
    return table


def ruled(*columns: tuple[str, str]) -> Table:
    """Return an empty table; each column is its heading and `left` or `right`."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False, header_style="dim")
    for heading, justify in columns:
        table.add_column(heading, justify="right" if justify == "right" else "left", overflow="fold")
    return table


def _before(found: Measurement) -> RenderableType:
    said = f"Measure {found.subject}: worth {found.value}, and {found.chance} likely to change the plan."
    return Group(Text(said), Text(found.why), Padding(Text(found.command, style="cyan"), (0, 0, 0, 2)))


def _comparison(view: View) -> Table:
    table = ruled(
        ("", "left"), ("Today", "left"), *((("After", "left"), ("Change", "right")) if view.has_plan else ())
    )
    for group in view.comparison:
        if group.name:
            table.add_section()
            table.add_row(Text(group.name, style="bold"))
        for row in group.rows:
            cells = [Text(row.what), Text(row.today)]
            if view.has_plan:
                cells += [Text(row.after), Text(row.change, style=_TONES[row.tone])]
            table.add_row(*cells)
    return table


def _actions(view: View) -> Table:
    table = Table.grid(padding=(0, 2))
    named = len(view.services) > 1
    for service in view.services:
        if named and service.actions:
            table.add_row("", Text(service.name, style="underline"))
        for action in service.actions:
            table.add_row(Text(action.strategy, style="dim"), _action(action))
    return table


def _action(action: Action) -> RenderableType:
    parts: list[RenderableType] = [Text(action.title, style="bold")]
    if action.steps:
        parts.append(numbered(action.steps))
    for place, text in action.artefacts:
        parts += [Text(f"{place}:", style="dim"), Padding(Text(text, style="cyan"), (0, 0, 0, 2))]
    if action.risk:
        parts.append(Text.assemble(("Risk: ", "yellow"), action.risk))
    return Group(*parts)


def _sure(view: View) -> RenderableType:
    named = len(view.services) > 1
    rows = [
        row
        for service in view.services
        for row in (*([(service.name, "")] if named else []), *service.loss_rows)
    ]
    table = Table.grid(padding=(0, 2))
    for name, value in rows:
        table.add_row(Text(name, style="dim"), Text(value))
    return Group(bullets(view.sure, mark="-"), table)


def _bindings(view: View) -> Table:
    table = ruled(("Requirement", "left"), ("Reached", "right"), ("Limit", "right"), ("Used", "right"))
    for row in view.bindings:
        table.add_row(Text(row.requirement), Text(row.reached), Text(row.limit), Text(row.used))
    return table


def _repairs(view: View) -> Table:
    table = ruled(
        ("Requirement", "left"),
        ("Given", "right"),
        ("Nearest", "right"),
        ("Cost a month", "right"),
        ("On", "left"),
    )
    for row in view.repairs:
        table.add_row(
            Text(row.requirement),
            Text(row.given),
            Text(row.nearest, style="green"),
            Text(row.cost),
            Text(row.machine),
        )
    return table


def _alternatives(view: View, width: int) -> Table:
    wide = width >= NARROW
    table = ruled(
        ("What differs", "left"),
        *((("On", "left"),) if wide else ()),
        ("Cost a month", "right"),
        ("Extra", "right"),
        ("Loss", "right"),
    )
    for row in view.alternatives:
        on = [Text(row.machine)] if wide else []
        table.add_row(Text(row.differs), *on, Text(row.cost), Text(row.extra), Text(row.loss))
    return table
