"""A validation for people: the same tables in a terminal and as one self-contained page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup
from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from advisor.report.pages import _html, _source, digest
from advisor.report.terminal import rendered

if TYPE_CHECKING:
    from advisor.validation.document import ErrorRow, ValidationReport

_TARGETS = {
    "ttft_ms": "time to first token",
    "tpot_ms": "time per output token",
    "throughput_tokens_per_s": "output tokens per second",
    "throughput_images_per_s": "images per second",
    "accuracy_recovery_pct": "accuracy kept",
}
_METRICS = {"ttft": "TTFT", "tpot": "TPOT", "e2e": "E2E"}
_FAMILIES = {"dense": "dense", "moe": "MoE"}
_ERROR_COLUMNS = ("rows", "median", "mean", "p90", "bias", "inside")
INTERVAL_WORDS = (
    "Median, mean and p90 (nine in ten are below it) are of the error: distance between predicted and measured over "
    "measured. Bias: median of predicted over measured, less 1. Inside: share of the measurements between the 10 % and "
    "the 90 % end of their interval; 80 % is right."
)


@dataclass(frozen=True, slots=True)
class Section:
    """One table: its rows are texts, one for each column."""

    title: str
    note: str
    columns: tuple[str, ...]
    """Headings; those from `numbers_from` on are numbers."""
    numbers_from: int
    rows: tuple[tuple[str, ...], ...]


def sections(report: ValidationReport) -> tuple[Section, ...]:
    """Return the tables of a validation that have rows, in the order in which they are read."""
    found = (
        *_errors(report),
        _skipped(report),
        _held_out(report),
        _choices(report),
        _promises(report),
        _reliability(report),
    )
    return tuple(section for section in found if section.rows)


def render_validation(report: ValidationReport, *, width: int = 100, colour: bool = False) -> str:
    """Return a validation for a terminal.

    Args:
        report: What to show.
        width: Columns of the terminal; no line is longer. At least 72.
        colour: Whether to use ANSI colours.
    """
    return rendered(_parts(report), width=max(width, 72), colour=colour)


def render_validation_html(report: ValidationReport) -> str:
    """Return a validation as one self-contained HTML page that loads nothing."""
    style = _source("report.css")
    return (
        _html()
        .get_template("validation.html.jinja")
        .render(
            report=report,
            headline=headline(report),
            sections=sections(report),
            interval_words=INTERVAL_WORDS,
            style=Markup(style),  # noqa: S704 - our own file
            policy=f"default-src 'none'; style-src '{digest(style)}'; base-uri 'none'; form-action 'none'",
        )
    )


def headline(report: ValidationReport) -> str:
    """Return how many rows were compared, in words."""
    return f"{report.compared:,} of {report.rows:,} rows compared with measurements"


def _parts(report: ValidationReport) -> Iterator[RenderableType]:
    yield Text(headline(report), style="bold")
    yield Text(report.source)
    yield Text(f"{report.note} {INTERVAL_WORDS}", style="dim")
    for section in sections(report):
        yield Text(f"\n{section.title}", style="bold")
        if section.note:
            yield Text(section.note, style="dim")
        table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
        for place, name in enumerate(section.columns):
            table.add_column(
                name, justify="right" if place >= section.numbers_from else "left", overflow="fold"
            )
        for row in section.rows:
            table.add_row(*map(Text, row))
        yield table


def _percent(share: float | None, *, signed: bool = False) -> str:
    if share is None:
        return "-"
    value = round(100.0 * share, 1) + 0.0  # no minus before a zero
    return (
        f"{value:{'+' if signed else ''}.1f} %"
        if abs(value) < 99.95
        else f"{value:{'+' if signed else ''},.0f} %"
    )


def _name(target: str) -> str:
    if target in _TARGETS:
        return _TARGETS[target]
    metric, _, rest = target.partition("_")
    statistic = rest.removesuffix("_ms")
    return f"{_METRICS[metric]} {statistic}".strip() if metric in _METRICS else target


def _short_name(target: str) -> str:
    return {"ttft_ms": "TTFT", "tpot_ms": "TPOT"}.get(target) or _name(target)


def _errors(report: ValidationReport) -> Iterator[Section]:
    for target in dict.fromkeys(row.target for row in report.errors):
        rows = tuple(_error_cells(row) for row in report.errors if row.target == target)
        yield Section(f"Error of the {_name(target)}", "", ("by", "group", *_ERROR_COLUMNS), 2, rows)


def _error_cells(row: ErrorRow) -> tuple[str, ...]:
    return (
        "" if row.by == "all" else row.by,
        row.group or "all rows",
        f"{row.measurements:,}",
        _percent(row.median_ape_ratio),
        _percent(row.mean_ape_ratio),
        _percent(row.p90_ape_ratio),
        _percent(row.bias_ratio, signed=True),
        _percent(row.coverage_ratio),
    )


def _skipped(report: ValidationReport) -> Section:
    rows = tuple((row.reason, f"{row.rows:,}") for row in report.skipped[:20])
    return Section("Rows left out", "", ("reason", "rows"), 1, rows)


def _held_out(report: ValidationReport) -> Section:
    note = "Recorded when the coefficients were fitted: each model, chip or setting (lengths, concurrency, parallelism) was left out in turn; a lab's rows had no part at all."
    columns = ("prediction", "of", "not seen", *_ERROR_COLUMNS[:4], "inside")
    rows = tuple(
        (
            row.kind,
            _short_name(row.target),
            row.held_out,
            f"{row.measurements:,}",
            _percent(row.median_ape_ratio),
            _percent(row.mean_ape_ratio),
            _percent(row.p90_ape_ratio),
            _percent(row.coverage_ratio),
        )
        for row in report.held_out
    )
    return Section("Held out: errors on what a fit had not seen", note, columns, 3, rows)


def _choices(report: ValidationReport) -> Section:
    note = (
        "Among measured configurations of one model and lengths, under limits on time to first token and time per output "
        "token. Regret: mean further cost over the cheapest that keeps the limits. Broken: share of the choices that break a limit "
        "when measured. None: cases in which nothing was predicted to keep the limits."
    )
    columns = ("models", "not seen", "limits met by", "cases", "regret", "broken", "none")
    rows = tuple(
        (
            _FAMILIES[row.kind],
            row.held_out or "-",
            row.limits_met_by,
            f"{row.cases:,}",
            _percent(row.mean_regret_ratio),
            _percent(row.violated_ratio),
            f"{row.no_choice:,}",
        )
        for row in report.choices
    )
    return Section("Choosing the cheapest measured configuration", note, columns, 3, rows)


def _promises(report: ValidationReport) -> Section:
    note = "Treatments accepted at 90 % confidence, each model left out of the fit; at most 10 % may break the limit."
    rows = tuple(
        (
            f"{row.limit_percent:g} %",
            f"{row.asked:,}",
            f"{row.accepted:,}",
            _percent(row.broken_ratio) if row.accepted else "-",
        )
        for row in report.promises
    )
    return Section(
        "Promises on accuracy", note, ("most accuracy lost", "asked", "accepted", "broken"), 1, rows
    )


def _reliability(report: ValidationReport) -> Section:
    note = "Stated probability that a treatment keeps a limit, against how often it did, each model left out of the fit."
    rows = tuple(
        (f"{row.limit_percent:g} %", f"{row.records:,}", _percent(row.stated_ratio), _percent(row.kept_ratio))
        for row in report.reliability
    )
    return Section(
        "Reliability of stated probabilities", note, ("limit", "records", "stated", "kept"), 1, rows
    )
