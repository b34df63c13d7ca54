"""The whole bill as rows of texts and one chart: what costs what, from where, and what would make it smaller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from advisor.billing.results import Actual, CostItem, EnergyItem, WholeBill
from advisor.report.charts import Chart, Shape, _bar, _text
from advisor.report.words import (
    NOT_KNOWN,
    capital,
    carbon,
    clean,
    energy,
    hourly,
    listed,
    monthly,
    plainly,
    share,
    signed,
)
from advisor.units import format_usd

_ROW = 44
_MACHINES = 8
_LONGEST_NAME = 40
"""Letters beside an amount that fit on a telephone."""
_NO_STRATEGY = "no strategy"


@dataclass(frozen=True, slots=True)
class Step:
    """One bar of the waterfall."""

    name: str
    start_ratio: float
    """Where it starts, as a share of the whole bill."""
    width_ratio: float
    value: str


@dataclass(frozen=True, slots=True)
class CostRow:
    """One line of the bill."""

    name: str
    today: str
    after: str
    change: str
    share: str
    """Of today's bill."""
    moved_by: str
    """Strategies that change it."""
    formula: str
    figures: tuple[tuple[str, str, str, str], ...]
    """What, value, basis, source with its date."""


@dataclass(frozen=True, slots=True)
class LeverRow:
    """What would make a line smaller that no strategy touches."""

    line: str
    title: str
    saves: str
    how: str
    basis: str
    source: str


@dataclass(frozen=True, slots=True)
class ActualView:
    """A provider's bill beside the prediction."""

    lead: str
    lines: tuple[tuple[str, str, str, str, str], ...]
    """Line, predicted, billed, difference, services."""
    machines: tuple[tuple[str, str, str, str, str], ...]
    """Machine, predicted hours, billed hours, predicted price, billed price."""
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BillView:
    """The chapter on the whole bill."""

    lead: str
    has_plan: bool
    chart: Chart
    steps: tuple[Step, ...]
    """What the chart shows."""
    rows: tuple[CostRow, ...]
    """The total is the last one."""
    levers: tuple[LeverRow, ...]
    energy: tuple[tuple[str, str, str, str], ...]
    """Name, of machines, of cooling, carbon; today."""
    energy_after: str
    energy_note: str
    energy_sources: tuple[str, ...]
    left_out: tuple[tuple[str, str, str], ...]
    """What, why, where to state it."""
    stale: tuple[str, ...]
    actual: ActualView | None


def bill_view(bill: WholeBill | None) -> BillView | None:
    """Return the chapter on the whole bill; none where there is no bill."""
    if bill is None:
        return None
    has_plan = bill.after_usd_per_month is not None
    several = len({item.service for item in bill.items if item.service}) > 1
    named = [
        item.model_copy(update={"name": _named(item.service, item.name, several)}) for item in bill.items
    ]
    bill = bill.model_copy(update={"items": tuple(named)})
    steps = waterfall_steps(bill)
    return BillView(
        lead=_lead(bill),
        has_plan=has_plan,
        chart=bill_chart(steps),
        steps=steps,
        rows=(*(_row(item, bill) for item in bill.items), _total(bill)),
        levers=tuple(
            LeverRow(
                line=clean(item.name),
                title=clean(lever.title),
                saves=monthly(lever.saves_usd_per_month),
                how=plainly(lever.how),
                basis=lever.basis,
                source=plainly(lever.source),
            )
            for item in bill.items
            for lever in sorted(item.levers, key=lambda one: -one.saves_usd_per_month)
        ),
        energy=tuple(_energy(item, _named(item.service, item.name, several)) for item in bill.energy),
        energy_after=_energy_after(bill.energy),
        energy_note=clean(bill.energy_note),
        energy_sources=tuple(dict.fromkeys(plainly(item.source) for item in bill.energy)),
        left_out=tuple((capital(one.what), clean(one.why), clean(one.key)) for one in bill.left_out),
        stale=tuple(clean(text) for text in bill.stale_prices),
        actual=_actual(bill.actual),
    )


def waterfall_steps(bill: WholeBill) -> tuple[Step, ...]:
    """Return the way from nothing to today's bill: one step for each line that costs something, and all together."""
    whole = max(bill.today_usd_per_month, 1e-9)
    steps, reached = [], 0.0
    for item in bill.items:
        usd = item.today_usd_per_month
        if not usd:
            continue
        steps.append(Step(_short(clean(item.name)), reached / whole, usd / whole, monthly(usd)))
        reached += usd
    return (*steps, Step("All together", 0.0, reached / whole, monthly(reached)))


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def bill_chart(steps: Sequence[Step]) -> Chart:
    """Return the steps from nothing to today's bill as bars, each starting where the last one ends."""
    shapes: list[Shape] = []
    for number, step in enumerate(steps):
        top, is_total = number * _ROW, number == len(steps) - 1
        left, width = 100.0 * step.start_ratio, 100.0 * step.width_ratio
        shapes += [
            _text("0%", top + 14, step.name, "start", "plain"),
            _text("100%", top + 14, step.value, "end", "value"),
            _bar(0.0, top + 21, 100.0, 14, "track"),
            _bar(min(left, 99.75), top + 21, max(width, 0.25), 14, "bar" if is_total else "band"),
        ]
    said = ", ".join(f"{step.name} {step.value}" for step in steps)
    return Chart("bill", "Today's whole bill, line by line", f"{said}.", len(steps) * _ROW, tuple(shapes))


def _lead(bill: WholeBill) -> str:
    once = sum(item.one_time_usd for item in bill.items if item.key == "training")
    text = f"{clean(bill.workload)} costs {monthly(bill.today_usd_per_month)} from end to end"
    if once:
        text += f", with {format_usd(once)} of initial training spread over {bill.horizon_months:g} months"
    if bill.after_usd_per_month is not None:
        text += f"; {monthly(bill.after_usd_per_month)} with the plan"
    return f"{text}."


def _named(service: str, name: str, several: bool) -> str:
    return f"{service}: {name}" if several and service else name


def _row(item: CostItem, bill: WholeBill) -> CostRow:
    after = item.after_usd_per_month
    return CostRow(
        name=clean(item.name),
        today=format_usd(item.today_usd_per_month),
        after=NOT_KNOWN if after is None else format_usd(after),
        change=NOT_KNOWN if after is None else signed(after - item.today_usd_per_month),
        share=_share(item.today_usd_per_month, bill.today_usd_per_month),
        moved_by=listed([capital(name) for name in item.strategies], most=6)
        if item.strategies
        else _NO_STRATEGY,
        formula=plainly(item.formula),
        figures=tuple(
            (
                clean(figure.what),
                clean(figure.value),
                figure.basis,
                plainly(figure.source) + (f", {clean(figure.date)}" if figure.date else ""),
            )
            for figure in item.figures
        ),
    )


def _total(bill: WholeBill) -> CostRow:
    today, after = bill.today_usd_per_month, bill.after_usd_per_month
    return CostRow(
        name="Total",
        today=format_usd(today),
        after=NOT_KNOWN if after is None else format_usd(after),
        change=NOT_KNOWN if after is None else signed(after - today),
        share=_share(today, today),
        moved_by="",
        formula="",
        figures=(),
    )


def _share(part: float, whole: float) -> str:
    return share(part / whole) if whole else NOT_KNOWN


def _energy(item: EnergyItem, name: str) -> tuple[str, str, str, str]:
    most = max(item.today_kwh, item.today_cooling_kwh)
    return (
        clean(name),
        energy(item.today_kwh, beside_kwh=most),
        energy(item.today_cooling_kwh, beside_kwh=most),
        carbon(item.today_carbon_kg),
    )


def _energy_after(items: Sequence[EnergyItem]) -> str:
    kwh = [
        (item.after_kwh or 0.0) + (item.after_cooling_kwh or 0.0)
        for item in items
        if item.after_kwh is not None
    ]
    kg = [item.after_carbon_kg or 0.0 for item in items if item.after_carbon_kg is not None]
    return f"With the plan: {energy(sum(kwh))} a month, {carbon(sum(kg))}." if kwh else ""


def _actual(actual: Actual | None) -> ActualView | None:
    if actual is None:
        return None
    lead = (
        f"{clean(actual.source)}, {clean(actual.start[:10])} to {clean(actual.end[:10])}, {actual.basis} costs: "
        f"{monthly(actual.billed_usd_per_month)} billed, {monthly(actual.predicted_usd_per_month)} predicted."
    )
    lines = tuple(
        (
            capital(line.line.replace("-", " ")),
            NOT_KNOWN if line.predicted_usd_per_month is None else format_usd(line.predicted_usd_per_month),
            format_usd(line.billed_usd_per_month),
            NOT_KNOWN if line.difference_usd_per_month is None else signed(line.difference_usd_per_month),
            listed([clean(service) for service in line.services], most=3),
        )
        for line in actual.lines
    )
    machines = tuple(
        (
            clean(one.instance_type) or "not named",
            f"{one.predicted_hours:,.1f} h",
            f"{one.billed_hours:,.1f} h",
            NOT_KNOWN if one.predicted_usd_per_h is None else hourly(one.predicted_usd_per_h),
            NOT_KNOWN if one.billed_usd_per_h is None else hourly(one.billed_usd_per_h),
        )
        for one in actual.machines
    )
    more = len(machines) - _MACHINES
    notes = [*actual.notes, *([f"{more} more kinds of machines are in the JSON."] if more > 0 else [])]
    wanted = [row for row in machines if row[1] != "0.0 h"]
    rest = [row for row in machines if row[1] == "0.0 h"]
    return ActualView(lead, lines, tuple([*wanted, *rest][:_MACHINES]), tuple(clean(note) for note in notes))
