"""A provider's bill beside what was predicted: line by line, machine by machine, scaled to a month."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from advisor.billing.charges import LINES
from advisor.billing.results import Actual, ActualLine, ActualMachine
from advisor.billing.sums import HOURS_PER_MONTH, FocusBill
from advisor.catalog.layers import folded


@dataclass(frozen=True, slots=True)
class Predicted:
    """What a provider's bill should hold in a month.

    Args:
        lines: US dollars by line of `LINES`; a line that is not here has no prediction.
        machine_hours: By machine.
        machine_usd: By machine.
    """

    lines: Mapping[str, float] = field(default_factory=dict)
    machine_hours: Mapping[str, float] = field(default_factory=dict)
    machine_usd: Mapping[str, float] = field(default_factory=dict)


def line_of_purchase(purchase: str) -> str:
    """Return the line of a bill on which machines stand that are bought in one way.

    Example:
        >>> line_of_purchase("reserved-1y"), line_of_purchase("spot")
        ('compute-committed', 'compute-spot')
    """
    return "compute-committed" if purchase.startswith("reserved") else f"compute-{purchase}"


def compared(focus: FocusBill, predicted: Predicted) -> Actual:
    """Return a provider's bill beside the prediction."""
    billed = {line.name: line for line in focus.lines()}
    names = [name for name in LINES if name in billed or predicted.lines.get(name)]
    lines = []
    for name in names:
        usd, expected = focus.usd_per_month(name), predicted.lines.get(name)
        services = tuple(service for service, _ in billed[name].services[:3]) if name in billed else ()
        lines.append(
            ActualLine(
                line=name,
                predicted_usd_per_month=expected,
                billed_usd_per_month=usd,
                difference_usd_per_month=None if expected is None else usd - expected,
                services=services,
            )
        )
    return Actual(
        source=focus.source,
        start=focus.start,
        end=focus.end,
        hours=focus.hours,
        basis=focus.basis,
        billed_usd_per_month=sum(line.billed_usd_per_month for line in lines),
        predicted_usd_per_month=sum(predicted.lines.values()),
        lines=tuple(lines),
        machines=_machines(focus, predicted),
        notes=(*focus.notes, *_scaling(focus)),
    )


def _machines(focus: FocusBill, predicted: Predicted) -> tuple[ActualMachine, ...]:
    """Every machine with hours on either side, the most billed hours first."""
    scale = HOURS_PER_MONTH / focus.hours if focus.hours else 0.0
    hours: dict[str, float] = {}
    usd: dict[str, float] = {}
    names: dict[str, str] = {}
    for use in focus.instances():
        if use.hours:
            key = folded(use.instance_type)
            names.setdefault(key, use.instance_type)
            hours[key] = hours.get(key, 0.0) + use.hours * scale
            usd[key] = usd.get(key, 0.0) + use.usd * scale
    expected = {folded(name): (name, count) for name, count in predicted.machine_hours.items()}
    keys = sorted({*hours, *expected}, key=lambda key: (-hours.get(key, 0.0), key))
    return tuple(
        ActualMachine(
            instance_type=expected[key][0] if key in expected else names[key],
            predicted_hours=expected[key][1] if key in expected else 0.0,
            billed_hours=hours.get(key, 0.0),
            predicted_usd_per_h=_each(predicted.machine_usd.get(expected[key][0]), expected[key][1])
            if key in expected
            else None,
            billed_usd_per_h=_each(usd.get(key), hours.get(key, 0.0)),
        )
        for key in keys
    )


def _each(usd: float | None, hours: float) -> float | None:
    return usd / hours if usd is not None and hours else None


def _scaling(focus: FocusBill) -> tuple[str, ...]:
    if not focus.hours or abs(focus.hours / HOURS_PER_MONTH - 1.0) < 0.03:  # months have 672 to 744 hours
        return ()
    return (
        f"The export covers {focus.hours:,.0f} hours; its sums are scaled to a month of {HOURS_PER_MONTH:,.0f}.",
    )
