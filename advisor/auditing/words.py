"""An audit in words: for a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.auditing.results import Audit, AuditLine, Bias
from advisor.units import format_seconds, format_usd

_HEAD = ("", "planned", "predicted", "actual", "error")


def as_table(audit: Audit, biases: Sequence[Bias] = (), audits: int = 0) -> str:
    """Return the audit as plain text, and below it what all audits of the ledger say."""
    rows = [_HEAD, *(_row(line) for line in audit.lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    table = [
        "  ".join(
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    parts = [_title(audit), "\n".join(table), "\n".join(f"note  {note}" for note in audit.notes)]
    if biases:
        parts.append("\n".join([_ledger_title(audits), *(f"  {one.what:<24}{_bias(one)}" for one in biases)]))
    return "\n\n".join(part for part in parts if part) + "\n"


def as_markdown(audit: Audit, biases: Sequence[Bias] = (), audits: int = 0) -> str:
    """Return the audit as Markdown, for `$GITHUB_STEP_SUMMARY` or a comment."""
    rows = [_row(line) for line in audit.lines]
    lines = [f"### {_cell(_title(audit))}", "", *_rows(_HEAD, rows)]
    if biases:
        said = [(one.what, str(one.audits), _bias(one)) for one in biases]
        lines += ["", _ledger_title(audits), "", *_rows(("", "audits", "off by"), said)]
    lines += ["", *(f"- {_cell(note)}" for note in audit.notes)] if audit.notes else []
    return "\n".join(lines) + "\n"


def _title(audit: Audit) -> str:
    when = f" from {audit.start} UTC" if audit.start else ""
    return f"Audit of {audit.service}: {audit.requests:,} requests in {audit.hours:,.1f} h{when}"


def _ledger_title(audits: int) -> str:
    return f"All {audits} audits of the ledger" if audits > 1 else "The ledger so far"


def _row(line: AuditLine) -> tuple[str, ...]:
    error = line.error_ratio
    return (
        f"{line.what}, h/month" if line.unit == "h/month" else line.what,
        _value(line.planned, line.unit),
        _value(line.predicted, line.unit),
        _value(line.actual, line.unit),
        "" if error is None else f"{error:+.0%}",
    )


def _value(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if unit == "USD/month":
        return format_usd(value)
    if unit == "s":
        return format_seconds(value)
    said = f"{value:,.4g}" if value < 1e4 else f"{value:,.0f}"
    return said if unit == "h/month" else f"{said} {unit}"


def _bias(one: Bias) -> str:
    high = "too high" if one.bias_ratio > 0.0 else "too low"
    return (
        f"predicted {abs(one.bias_ratio):.0%} {high} on average, off by {one.median_error_ratio:.0%} (median)"
    )


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    body = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *body]


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())
