"""The whole bill on its own: in a terminal, as Markdown, and as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup
from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from advisor.billing.results import WholeBill
from advisor.report.billing import BillView, bill_view
from advisor.report.pages import _html, _markdown, _source, digest
from advisor.report.terminal import rendered
from advisor.report.words import clean

_BAR = 32
"""Columns of the waterfall."""


def render_bill(bill: WholeBill, *, width: int = 80, colour: bool = False) -> str:
    """Return a bill for a terminal.

    Args:
        bill: What to show.
        width: Columns of the terminal; no line is longer. At least 72.
        colour: Whether to use ANSI colours.
    """
    return rendered(_page(bill), width=max(width, 72), colour=colour)


def render_bill_markdown(bill: WholeBill) -> str:
    """Return a bill as Markdown."""
    return _markdown().get_template("bill-page.md.jinja").render(bill=_view(bill), title=clean(bill.workload))


def render_bill_html(bill: WholeBill) -> str:
    """Return a bill as one self-contained HTML page that loads nothing."""
    style = _source("report.css")
    return (
        _html()
        .get_template("bill-page.html.jinja")
        .render(
            bill=_view(bill),
            title=clean(bill.workload),
            style=Markup(style),  # noqa: S704 - our own file
            policy=f"default-src 'none'; style-src '{digest(style)}'; base-uri 'none'; form-action 'none'",
        )
    )


def bill_parts(view: BillView) -> Iterator[RenderableType]:
    """Yield the chapter on the whole bill for a terminal: the lines, and what would make them smaller."""
    table = _table("Line", ">Today", *((">After", ">Change") if view.has_plan else ()), "Moved by")
    for row in view.rows:
        style = "bold" if row is view.rows[-1] else ""
        cells = [
            row.name,
            row.today,
            *((row.after, row.change) if view.has_plan else ()),
            row.moved_by,
        ]
        table.add_row(*(Text(cell, style=style) for cell in cells))
    yield from _waterfall(view)
    yield Text()
    yield table
    if view.levers:
        yield Text("\nNext levers, where no strategy helps; each alone, at most", style="bold")
        levers = _table("Line", "Lever", ">Saves", "Basis")
        for lever in view.levers:
            levers.add_row(lever.line, Text(lever.title), lever.saves, lever.basis)
        yield levers
    for text in view.stale[:3]:
        yield Text(f"! Old price: {text}; give your own with --catalog or in the workload", style="yellow")


def _waterfall(view: BillView) -> Iterator[RenderableType]:
    """Yield today's bill as bars, each starting where the last one ends."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(overflow="fold")
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    for step in view.steps:
        left = min(round(_BAR * step.start_ratio), _BAR - 1)
        width = max(round(_BAR * step.width_ratio), 1 if step.width_ratio else 0)
        bar = (" " * left + "█" * width)[:_BAR]
        grid.add_row(Text(step.name), Text(f"{bar:<{_BAR}}", style="cyan"), Text(step.value))
    yield grid


def _view(bill: WholeBill) -> BillView:
    found = bill_view(bill)
    assert found is not None  # noqa: S101 - there is a bill
    return found


def _page(bill: WholeBill) -> Iterator[RenderableType]:
    view = _view(bill)
    yield Text(f"{view.lead}\n", style="bold")
    yield from bill_parts(view)
    if view.actual:
        yield from _actual(view)
    yield Text("\nElectricity and carbon, a month", style="bold")
    energy = _table("", ">Machines", ">Cooling", ">Carbon")
    for row in view.energy:
        energy.add_row(*map(Text, row))
    yield energy
    yield Text(" ".join(part for part in (view.energy_after, view.energy_note) if part), style="dim")
    yield Text("\nIn no sum", style="bold")
    yield _pairs((f"{what}", f"{why}{f' ({key})' if key else ''}") for what, why, key in view.left_out)
    yield Text("\nWhere each line comes from", style="bold")
    for line in view.rows:
        if line.formula:
            yield Group(Text(f"{line.name}: {line.formula}"), *_figures(line.figures))


def _figures(figures: tuple[tuple[str, str, str, str], ...]) -> Iterator[Text]:
    for what, value, basis, source in figures:
        yield Text(f"  {basis}: {what}, {value} ({source})", style="dim")


def _actual(view: BillView) -> Iterator[RenderableType]:
    assert view.actual is not None  # noqa: S101 - asked only then
    yield Text("\nYour bill beside it", style="bold")
    yield Text(view.actual.lead)
    lines = _table("Line", ">Predicted", ">Billed", ">Difference", "Services")
    for row in view.actual.lines:
        lines.add_row(*map(Text, row))
    yield lines
    machines = _table("Machine", ">Hours predicted", ">Hours billed", ">Price predicted", ">Price billed")
    for row in view.actual.machines:
        machines.add_row(*map(Text, row))
    yield machines
    for note in view.actual.notes:
        yield Text(f"- {note}", style="dim")


def _pairs(rows: Iterator[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in rows:
        table.add_row(Text(name, style="dim"), Text(value))
    return table


def _table(*columns: str) -> Table:
    """Return an empty table; headings that begin with `>` stand over numbers."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False, header_style="dim")
    for heading in columns:
        table.add_column(
            heading.lstrip(">"), justify="right" if heading.startswith(">") else "left", overflow="fold"
        )
    return table
