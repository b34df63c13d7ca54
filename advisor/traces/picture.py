"""Shows a reduced trace: a picture and a table for the terminal, and the same as one HTML page with a static SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import zip_longest
from textwrap import wrap

from advisor.traces.summary import Lengths, TrafficSummary
from advisor.units import format_rate, format_ratio, format_seconds

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_ROWS = 8
_LABEL = 8


def bars(values: Sequence[float], *, rows: int = _ROWS) -> list[str]:
    """Return lines of block characters, the highest value as high as all rows.

    Example:
        >>> print(*bars([0.0, 1.0, 2.0, 4.0], rows=2), sep="|")
           █| ▄██
    """
    top = max(values) or 1.0
    filled = [round(value / top * rows * 8) for value in values]
    return [
        "".join(_EIGHTHS[min(max(height - row * 8, 0), 8)] for height in filled)
        for row in reversed(range(rows))
    ]


def terminal(summary: TrafficSummary) -> str:
    """Return the picture and the table, at most 80 columns wide."""
    top, each = max(summary.curve), summary.duration_s / len(summary.curve)
    labels = [_rate(top), *([""] * (_ROWS - 2)), "0/s"]
    picture = [
        f"{label:>{_LABEL - 1}} {line}" for label, line in zip(labels, bars(summary.curve), strict=True)
    ]
    title = f"Arrivals along the trace, each column {format_seconds(each)}"
    blocks = [[headline(summary)], [title, *(line.rstrip() for line in picture)]]
    blocks += [_table(rows) for rows in tables(summary)]
    blocks += [[f"- {note}" for note in summary.notes]] if summary.notes else []
    blocks += [["For a workload: add --format yaml"]]
    wrapped = [line for block in blocks for line in [*_wrapped(block), ""]]
    return "\n".join(wrapped[:-1]) + "\n"


def _wrapped(block: Sequence[str]) -> list[str]:
    lines: list[str] = []
    for line in block:
        lines += [line] if len(line) <= 80 else wrap(line, 80, subsequent_indent="  ")
    return lines


def headline(summary: TrafficSummary) -> str:
    """Return the trace in one line."""
    since = f" from {summary.start} UTC" if summary.start else ""
    return (
        f"{summary.source}: {summary.requests:,} requests in {format_seconds(summary.duration_s)}{since}, "
        f"layout {summary.layout}"
    )


def tables(summary: TrafficSummary) -> list[list[tuple[str, ...]]]:
    """Return what the summary says as tables of words; the first row of each is its head."""
    return [_rates(summary), _variability(summary), *_lengths(summary)]


def _rates(summary: TrafficSummary) -> list[tuple[str, ...]]:
    kinds = {24: "24 hours of a day", 168: "168 hours of a week"}
    rates = summary.requests_per_s
    kind = kinds[len(rates)] if isinstance(rates, tuple) else "quantiles of the rate"
    rows: list[tuple[str, ...]] = [
        ("Rate", ""),
        ("Mean", _rate(summary.mean_requests_per_s)),
        (f"Busiest {format_seconds(summary.window_s)}", _rate(summary.peak_requests_per_s)),
        ("Reduced to", f"{kind} ({len(summary.periods)} periods)"),
        ("Error of the load-duration curve", format_ratio(summary.load_duration_error_ratio)),
        ("Error in replica-hours, ten at the peak", _signed(summary.replica_hours_error_ratio)),
        ("Error at the peak", _signed(summary.peak_error_ratio)),
    ]
    if summary.growth_per_month_ratio is not None:
        error = format_ratio(summary.growth_standard_error_ratio or 0.0)
        rows.append(("Growth a month", f"{_signed(summary.growth_per_month_ratio)} (standard error {error})"))
    return rows


def _variability(summary: TrafficSummary) -> list[tuple[str, ...]]:
    return [
        ("Burstiness", "", "1 is Poisson"),
        ("Deviation over mean of the time between arrivals", f"{summary.interarrival_cv:.2f}", ""),
        ("arrival_cv of the workload, bursts of 2 s included", f"{summary.arrival_cv:.2f}", ""),
        *(
            (f"Variance over mean of arrivals in {format_seconds(part.window_s)}", f"{part.index:.1f}", "")
            for part in summary.dispersion
        ),
        *(
            (
                f"Rise of the rate within {format_seconds(part.lag_s)}, 99 % of requests",
                f"x {part.ratio:.2f}",
                "",
            )
            for part in summary.surges
        ),
    ]


def _lengths(summary: TrafficSummary) -> list[list[tuple[str, ...]]]:
    known = {"Input": summary.input_tokens, "Output": summary.output_tokens}
    rows: list[tuple[str, ...]] = [("Tokens", "mean", "cv", "p50", "p90", "p95", "p99")]
    rows += [(name, *_numbers(lengths)) for name, lengths in known.items() if lengths is not None]
    if len(rows) == 1:
        return []
    if summary.length_correlation is not None:
        rows.append(("Correlation of logarithms", f"{summary.length_correlation:.2f}"))
    if summary.prefix_share_ratio is not None:
        rows.append(("Shared prefixes, endless cache", format_ratio(summary.prefix_share_ratio)))
    return [rows]


def _numbers(lengths: Lengths) -> tuple[str, ...]:
    quantiles = (lengths.p50, lengths.p90, lengths.p95, lengths.p99)
    return (f"{lengths.mean:,.0f}", f"{lengths.cv:.2f}", *(f"{value:,.0f}" for value in quantiles))


def _rate(requests_per_s: float) -> str:
    return format_rate(requests_per_s)


def _signed(ratio: float) -> str:
    return f"+{format_ratio(ratio)}" if ratio > 0.0 else format_ratio(ratio)


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip_longest(*rows, fillvalue="")]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=False)]
        lines.append("  ".join(cells).rstrip())
    return [lines[0], "─" * max(len(line) for line in lines), *lines[1:]]


_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}"
    "table{border-collapse:collapse;margin:1.5rem 0}th,td{text-align:left;padding:.2rem 1rem .2rem 0;"
    "border-bottom:1px solid #ddd}td+td,th+th{text-align:right}rect{fill:#2f6f9f}svg{width:100%;height:auto}"
    "text{font:12px system-ui,sans-serif;fill:#444}"
)


def html(summary: TrafficSummary) -> str:
    """Return one page with the picture as a static SVG and the tables; nothing is fetched, nothing runs."""
    body = "\n".join(_html_table(rows) for rows in tables(summary))
    notes = "".join(f"<li>{escape(note)}</li>" for note in summary.notes)
    title = escape(headline(summary))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>Traffic</h1>\n<p>{title}</p>\n{svg(summary)}\n{body}\n"
        f"<ul>{notes}</ul>\n<pre>{escape(summary.to_yaml())}</pre>\n</body></html>\n"
    )


def svg(summary: TrafficSummary) -> str:
    """Return the arrivals along the trace as a bar chart."""
    top, width, height = max(summary.curve) or 1.0, 720.0 / len(summary.curve), 160.0
    shapes = [
        f'<rect x="{40 + number * width:.1f}" y="{10 + height * (1 - value / top):.1f}" '
        f'width="{width * 0.85:.1f}" height="{height * value / top:.1f}"/>'
        for number, value in enumerate(summary.curve)
    ]
    axis = (
        f'<text x="34" y="20" text-anchor="end">{_rate(top)}</text><text x="34" y="170" text-anchor="end">0/s</text>'
        f'<text x="40" y="188">0</text>'
        f'<text x="760" y="188" text-anchor="end">{escape(format_seconds(summary.duration_s))}</text>'
    )
    label = f"Requests per second along the trace, at most {_rate(top)}"
    return f'<svg viewBox="0 0 770 195" role="img" aria-label="{label}">{"".join(shapes)}{axis}</svg>'


def _html_table(rows: Sequence[tuple[str, ...]]) -> str:
    count = max(len(row) for row in rows)
    lines = []
    for number, row in enumerate(rows):
        tag = "td" if number else "th"
        cells = "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in (*row, *[""] * (count - len(row))))
        lines.append(f"<tr>{cells}</tr>")
    return f"<table>{''.join(lines)}</table>"
