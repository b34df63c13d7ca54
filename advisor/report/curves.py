"""Charts of money: what each change saves, what each limit costs, and what may turn out differently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from advisor.report.charts import Chart, Shape, _bar, _label, _line, _text
from advisor.report.words import NOT_KNOWN, clean, monthly, plainly, signed
from advisor.units import format_usd

_ROW = 44
_TORNADO_ROW = 66
_TOP, _BOTTOM, _COLUMNS_HEIGHT = 10.0, 130.0, 154
_FULL = 0.86
"""Share of the height that the dearest column takes, so that the text above it has room."""


def waterfall_chart(today_usd: float, plan_usd: float, parts: Sequence[tuple[str, float]]) -> Chart:
    """Return the way from today's bill to the plan's, one bar for each change, on one scale.

    Args:
        today_usd: Today's bill, in US dollars per month.
        plan_usd: The plan's bill, in US dollars per month.
        parts: Name of each change and what it saves, in US dollars per month.
    """
    levels = [today_usd]
    for _, saved in parts:
        levels.append(levels[-1] - saved)
    end = max([*levels, plan_usd, 1e-9]) / 100.0
    rows = [("Today", format_usd(today_usd), 0.0, today_usd, "part-other")]
    for (name, saved), before in zip(parts, levels, strict=False):
        low, high = sorted((before, before - saved))
        rows.append((name, signed(-saved), low, high, "bar" if saved >= 0.0 else "over"))
    rows.append(("After", format_usd(plan_usd), 0.0, plan_usd, "bar"))
    shapes: list[Shape] = []
    for number, (name, value, low, high, kind) in enumerate(rows):
        top = number * _ROW
        shapes += [
            _text("0%", top + 14, name, "start", "plain"),
            _text("100%", top + 14, value, "end", "value"),
            _bar(0.0, top + 21, 100.0, 14, "track"),
            _bar(low / end, top + 21, max((high - low) / end, 0.25), 14, kind),
        ]
        if 0 < number < len(rows):
            at = (levels[number - 1] if number <= len(parts) else plan_usd) / end
            shapes.append(_line(at, top - 9, at, top + 21, "link"))
    said = ", ".join(f"{clean(name)} {signed(-saved)}" for name, saved in parts)
    words = f"From {monthly(today_usd)} today to {monthly(plan_usd)}: {said or 'no change'}."
    return Chart("waterfall", "What each change saves a month", words, len(rows) * _ROW, tuple(shapes))


def columns_chart(
    chart_id: str,
    title: str,
    values: Sequence[str],
    costs: Sequence[float | None],
    *,
    picked: int | None,
    most_usd: float,
) -> Chart:
    """Return the cost at each value of a limit as columns from zero, one of them picked.

    Args:
        chart_id: Of the drawing; every part that a script may move carries its position.
        title: Of the chart.
        values: What stands under each column.
        costs: In US dollars per month; `None` where nothing fits.
        picked: Position of the column to mark.
        most_usd: Cost at the top of the scale, in US dollars per month.
    """
    width = 100.0 / len(costs)
    shapes = [_line(0.0, _BOTTOM, 100.0, _BOTTOM, "axis")]
    for at, (value, cost) in enumerate(zip(values, costs, strict=True)):
        middle = (at + 0.5) * width
        height = column_height(cost, most_usd=most_usd)
        kind = "column pick" if at == picked else "column"
        bar = _bar(at * width + 0.08 * width, _BOTTOM - height, 0.84 * width, height, kind)
        none = _text(f"{middle:.2f}%", _BOTTOM - 6, "" if cost is not None else "×", "middle", "muted")
        name = _text(f"{middle:.2f}%", _BOTTOM + 17, value, "middle", _name_kind(at, picked))
        shapes += [_numbered(bar, at), _numbered(none, at), name]
    if picked is not None:
        shapes.append(picked_label(picked, costs, most_usd=most_usd))
    there = [(value, cost) for value, cost in zip(values, costs, strict=True) if cost is not None]
    ends = (there[0], there[-1]) if there else ()
    said = (
        " to ".join(f"{format_usd(cost)} a month at {clean(value)}" for value, cost in ends)
        or "nothing fits at any value"
    )
    return Chart(chart_id, title, f"{said[0].upper()}{said[1:]}.", _COLUMNS_HEIGHT, tuple(shapes))


def column_height(cost_usd: float | None, *, most_usd: float) -> float:
    """Return the height of a column, in pixels.

    Example:
        >>> round(column_height(50.0, most_usd=100.0), 1), column_height(None, most_usd=100.0)
        (51.6, 0.0)
    """
    return 0.0 if cost_usd is None else (_BOTTOM - _TOP) * _FULL * cost_usd / max(most_usd, 1e-9)


def picked_label(picked: int, costs: Sequence[float | None], *, most_usd: float) -> Shape:
    """Return the cost over the picked column."""
    cost = costs[picked]
    place = 100.0 * (picked + 0.5) / len(costs)
    y = _BOTTOM - column_height(cost, most_usd=most_usd) - (8 if cost is not None else 22)
    return _label(place, y, NOT_KNOWN if cost is None else format_usd(cost), "value over")


def _name_kind(at: int, picked: int | None) -> str:
    kinds = ["tick", *(["yours"] if at == picked else []), *(["odd"] if at % 2 else [])]
    return " ".join(kinds)


def _numbered(shape: Shape, at: int) -> Shape:
    return replace(shape, attributes={**shape.attributes, "data-at": str(at)})


def tornado_chart(
    plan_usd: float, rows: Sequence[tuple[str, tuple[str, float | None], tuple[str, float | None]]]
) -> Chart:
    """Return how far the best plan's cost moves with each thing that may turn out lower or higher.

    Args:
        plan_usd: Cost of the recommended plan, in US dollars per month.
        rows: Name of the thing; and for lower and higher what turns out, and the cost then.
    """
    costs = [cost for _, *ends in rows for _, cost in ends if cost is not None]
    low, high = min([plan_usd, *costs]), max([plan_usd, *costs])
    span = max(high - low, 1e-9) / 84.0
    centre = 8.0 + (plan_usd - low) / span
    shapes: list[Shape] = []
    for number, (name, *ends) in enumerate(rows):
        top = number * _TORNADO_ROW
        shapes.append(_text("0%", top + 14, name, "start", "plain"))
        for kind, (_, cost) in zip(("part-three", "bar"), ends, strict=True):
            if cost is not None:
                at = 8.0 + (cost - low) / span
                shapes.append(_bar(min(at, centre), top + 22, abs(at - centre), 14, kind))
        shapes.append(_text("0%", top + 52, _outcomes(ends), "start", "muted"))
    bottom = len(rows) * _TORNADO_ROW
    shapes += [
        *(
            _line(centre, top * _TORNADO_ROW + 19, centre, top * _TORNADO_ROW + 39, "mark thin")
            for top in range(len(rows))
        ),
        _label(centre, bottom + 14, f"this plan {format_usd(plan_usd)}", "muted"),
    ]
    said = "; ".join(f"{clean(name)}: {_outcomes(ends)}" for name, *ends in rows)
    legend = (("part-three", "turns out lower"), ("bar", "turns out higher"))
    words = f"Cost of the best plan a month. {said}."
    return Chart("tornado", "What moves the cost", words, bottom + 20, tuple(shapes), legend)


def _outcomes(ends: Sequence[tuple[str, float | None]]) -> str:
    """Return what turns out on both sides, and the cost then."""
    return " · ".join(
        f"{plainly(text)}: {'nothing fits' if cost is None else format_usd(cost)}" for text, cost in ends
    )
