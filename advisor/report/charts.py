"""Static charts as lists of shapes: horizontal places in percent of the width, vertical ones in pixels.

Why: with percentages a chart fills any width while its text keeps its size, on a phone as on paper; and a strict
Content-Security-Policy leaves no other way to place things than attributes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from advisor.recommendation import AccuracyLoss, LatencyCheck
from advisor.report.words import clean, duration, latency_name, share
from advisor.units import format_usd

_ROW = 46
_BULLET_LIMIT = 66.0
_BULLET_END = 97.0
_GUTTER = 7.0
_SEPARATE_BARS = 48


@dataclass(frozen=True, slots=True)
class Shape:
    """One SVG element with its attributes; `text` only for text."""

    tag: str
    attributes: Mapping[str, str]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart with the words that stand for it where it cannot be seen."""

    id: str
    title: str
    description: str
    height: int
    shapes: tuple[Shape, ...]
    legend: tuple[tuple[str, str], ...] = field(default=())
    """Class of the colour and its meaning."""


def loss_chart(loss: AccuracyLoss, *, id: str = "loss") -> Chart | None:  # noqa: A002 - the attribute's name
    """Return the interval of the accuracy loss against its limit; none where nothing can be lost."""
    if loss.p90_ratio <= 0.0:
        return None
    end = 1.15 * max(loss.p90_ratio, loss.limit_ratio or 0.0)
    left, right, middle = (_place(x, end) for x in (loss.p10_ratio, loss.p90_ratio, loss.expected_ratio))
    within = 100.0 if loss.limit_ratio is None else _place(loss.limit_ratio, end)
    shapes = [
        _bar(0.0, 30, within, 14, "track"),
        _bar(within, 30, 100.0 - within, 14, "track beyond"),
        _bar(left, 33, max(right - left, 0.6), 8, "band"),
        _line(middle, 28, middle, 46, "mark"),
        _text("0%", 62, "0", "start", "muted"),
        _label(max(middle, 6.0), 62, f"expected {share(loss.expected_ratio)}", "strong"),
    ]
    said = f"Expected loss {share(loss.expected_ratio)}; with 80% probability between {share(loss.p10_ratio)} and {share(loss.p90_ratio)}"
    if loss.limit_ratio is not None:
        at = _place(loss.limit_ratio, end)
        shapes += [
            _line(at, 22, at, 48, "limit"),
            _label(at, 15, f"limit {share(loss.limit_ratio)}", "limit-text"),
        ]
        said += f"; the limit is {share(loss.limit_ratio)}"
    legend = (("mark", "expected"), ("band", "8 of 10 outcomes lie here (p10 to p90)"))
    return Chart(id, "Accuracy loss against its limit", f"{said}.", 68, tuple(shapes), legend)


def latency_chart(checks: Sequence[LatencyCheck], *, id: str = "latency") -> Chart | None:  # noqa: A002 - the attribute's name
    """Return the limited latencies as bars on one scale on which every limit stands at the same place."""
    limited = [check for check in checks if check.limit_s]
    if not limited:
        return None
    shapes: list[Shape] = []
    for row, check in enumerate(limited):
        shapes += _bullet(check, row * _ROW)
    bottom = len(limited) * _ROW
    shapes += [
        _line(_BULLET_LIMIT, 18, _BULLET_LIMIT, bottom, "limit"),
        _text("0%", bottom + 14, "0", "start", "muted"),
        _text(f"{_BULLET_LIMIT}%", bottom + 14, "limit", "middle", "limit-text"),
    ]
    said = "; ".join(
        f"{latency_name(c.metric)} {duration(c.predicted_s)}, between {duration(c.p10_s)} and {duration(c.p90_s)}, limit {duration(c.limit_s)}"
        for c in limited
    )
    legend = (
        ("mark", "expected"),
        ("band", "8 of 10 outcomes lie here (p10 to p90)"),
        *((("today", "today"),) if any(c.today_s for c in limited) else ()),
    )
    return Chart(id, "Latencies against their limits", f"{said}.", bottom + 20, tuple(shapes), legend)


def _bullet(check: LatencyCheck, top: int) -> list[Shape]:
    limit = check.limit_s or 1.0
    bar_top = top + 22
    shapes = [
        _text("0%", top + 14, latency_name(check.metric), "start", "plain"),
        _text(
            "100%", top + 14, f"{duration(check.predicted_s)} of {duration(check.limit_s)}", "end", "value"
        ),
        _bar(0.0, bar_top, _BULLET_LIMIT, 14, "track"),
        _bar(_BULLET_LIMIT, bar_top, 100.0 - _BULLET_LIMIT, 14, "track beyond"),
    ]
    if check.p10_s is not None and check.p90_s is not None:
        low, high = _against(check.p10_s, limit), _against(check.p90_s, limit)
        shapes.append(_bar(low, bar_top + 3, max(high - low, 0.6), 8, "band"))
    for seconds, kind in ((check.today_s, "today"), (check.predicted_s, "mark")):
        if seconds is not None:
            at = _against(seconds, limit)
            shapes.append(_line(at, bar_top - 2, at, bar_top + 16, kind))
    return shapes


def _against(seconds: float, limit_s: float) -> float:
    return min(_BULLET_END, _BULLET_LIMIT * seconds / limit_s)


def money_chart(rows: Sequence[tuple[str, Sequence[tuple[str, str, float]]]]) -> Chart:
    """Return bills as stacked bars on one scale.

    Args:
        rows: Name of each bill, and the class, name and US dollars per month of its parts.
    """
    totals = [sum(usd for _, _, usd in parts) for _, parts in rows]
    end = max([*totals, 1e-9])
    shapes: list[Shape] = []
    for number, ((name, parts), total) in enumerate(zip(rows, totals, strict=True)):
        top = number * (_ROW + 4)
        shapes += [
            _text("0%", top + 14, name, "start", "plain"),
            _text("100%", top + 14, f"{format_usd(total)}/month", "end", "value"),
            _bar(0.0, top + 22, 100.0, 16, "track"),
        ]
        left = 0.0
        for kind, _, usd in parts:
            width = 100.0 * usd / end
            shapes.append(_bar(left, top + 22, width, 16, kind))
            left += width
    kinds = {kind: name for _, parts in rows for kind, name, usd in parts if usd > 0.0}
    said = "; ".join(
        f"{name} {format_usd(total)} a month" for (name, _), total in zip(rows, totals, strict=True)
    )
    height = len(rows) * (_ROW + 4)
    return Chart(
        "money", "Monthly cost, today and after", f"{said}.", height, tuple(shapes), tuple(kinds.items())
    )


def hours_chart(after: Sequence[int], today: Sequence[int], *, id: str = "hours") -> Chart | None:  # noqa: A002 - the attribute's name
    """Return the machines in use in each period, after as bars and today as a line; none where there is one period."""
    count = len(after)
    if count < 2:
        return None
    before = list(today) if len(today) == count else []
    most = max([*after, *before, 1])
    width = (100.0 - _GUTTER) / count
    gap = 0.1 if count <= _SEPARATE_BARS else 0.0
    shapes = [*_levels(most)]
    for number, machines in enumerate(after):
        height = 110.0 * machines / most
        shapes.append(
            _bar(_GUTTER + (number + gap) * width, 124 - height, (1.0 - 2.0 * gap) * width, height, "bar")
        )
    shapes += _steps(before, most, width)
    shapes += [
        _text(f"{_GUTTER + place * width:.2f}%", 142, name, "start", "muted")
        for place, name in period_marks(count)
    ]
    legend = (("bar", "after"), *((("level", "today"),) if before else ()))
    said = f"After: between {min(after):,} and {max(after):,} machines"
    said += f"; today: between {min(before):,} and {max(before):,}" if before else ""
    return Chart(id, "Machines in use over time", f"{said}.", 148, tuple(shapes), legend)


def _levels(most: int) -> list[Shape]:
    levels = sorted({0, most // 2, most})
    places = [(124 - 110.0 * level / most, f"{level:,}") for level in levels]
    lines = [_line(_GUTTER, y, 100.0, y, "axis" if name == "0" else "grid") for y, name in places]
    return [*lines, *(_text(f"{_GUTTER - 1.5}%", y + 4, name, "end", "muted") for y, name in places)]


def _steps(counts: Sequence[int], most: int, width: float) -> list[Shape]:
    """Return a step line: a level for each period, and the risers between unlike neighbours."""
    heights = [124 - 110.0 * count / most for count in counts]
    shapes, start = [], 0
    for number in range(1, len(heights) + 1):
        if number < len(heights) and heights[number] == heights[start]:
            continue
        shapes.append(
            _line(_GUTTER + start * width, heights[start], _GUTTER + number * width, heights[start], "level")
        )
        if number < len(heights):
            at = _GUTTER + number * width
            shapes.append(_line(at, heights[start], at, heights[number], "level"))
        start = number
    return shapes


def period_marks(count: int) -> tuple[tuple[int, str], ...]:
    """Return where the time axis is named: hours of a day, days of a week, or numbers of periods.

    Example:
        >>> period_marks(24)[:2], period_marks(168)[1], period_marks(3)
        (((0, '0 h'), (6, '6 h')), (24, 'day 2'), ((0, 'period 1'), (1, '2'), (2, '3')))
    """
    if count == 24:
        return tuple((hour, f"{hour} h") for hour in range(0, 24, 6))
    if count == 168:
        return tuple((24 * day, f"day {day + 1}") for day in range(7))
    step = max(1, -(-count // 8))
    return tuple((number, f"{number + 1}" if number else "period 1") for number in range(0, count, step))


def meter(ratio: float) -> Chart:
    """Return a little bar that is full at 1; its number stands beside it."""
    kind = "bar" if ratio <= 1.0 else "bar over"
    shapes = (_bar(0.0, 2, 100.0, 8, "track"), _bar(0.0, 2, 100.0 * min(max(ratio, 0.0), 1.0), 8, kind))
    return Chart("", "", "", 12, shapes)


def swatch(kind: str) -> Chart:
    """Return the sample of a colour for a legend."""
    if kind in {"mark", "today"}:
        return Chart("", "", "", 12, (_line(50.0, 0, 50.0, 12, kind),))
    return Chart(
        "", "", "", 12, (_line(0.0, 6, 100.0, 6, kind) if kind == "level" else _bar(0.0, 1, 100.0, 10, kind),)
    )


def _place(value: float, end: float) -> float:
    return 100.0 * value / end


def _bar(x: float, y: float, width: float, height: float, kind: str) -> Shape:
    attributes = {
        "x": f"{x:.2f}%",
        "y": f"{y:.1f}",
        "width": f"{max(width, 0.0):.2f}%",
        "height": f"{height:.1f}",
        "class": kind,
    }
    return Shape("rect", attributes)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Shape:
    return Shape(
        "line", {"x1": f"{x1:.2f}%", "y1": f"{y1:.1f}", "x2": f"{x2:.2f}%", "y2": f"{y2:.1f}", "class": kind}
    )


def _text(x: str, y: float, text: str, anchor: str, kind: str) -> Shape:
    return Shape("text", {"x": x, "y": f"{y:.1f}", "text-anchor": anchor, "class": kind}, clean(text))


def _label(x: float, y: float, text: str, kind: str) -> Shape:
    """Return text over or under a place, kept inside at both ends."""
    anchor = "start" if x < 14.0 else "end" if x > 86.0 else "middle"
    return _text(f"{x:.2f}%", y, text, anchor, kind)
