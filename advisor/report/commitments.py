"""What a report says about commitments: from when on each pays, and what is at stake if traffic falls."""

from __future__ import annotations

from advisor.recommendation import Commitment, Recommendation
from advisor.report.rows import Chapter
from advisor.report.words import clean, machines
from advisor.units import format_usd

_NAMES = {"reserved-1y": "1 year", "reserved-3y": "3 years"}


def commitment_chapter(recommendation: Recommendation) -> Chapter | None:
    """Return from when on each commitment pays; `None` where none is sold."""
    found = recommendation.commitments
    if not found:
        return None
    return Chapter(
        anchor="commitments",
        title="When a commitment pays",
        lead=(
            "Against buying the same machine by the hour; a commitment is paid whether it is used or not.",
        ),
        caption="Commitments that the machines are sold with",
        head=("Commitment", "An hour", "Pays from h/month", "Back in months", "Bought", "Used h/month"),
        rows=tuple(_row(one) for one in found),
        numbers=(1, 2, 3, 4, 5),
        notes=tuple(_risk(one) for one in found if one.instances)
        + tuple(_long(one) for one in found if not one.within_horizon),
    )


def _row(one: Commitment) -> tuple[str, ...]:
    return (
        f"{clean(one.instance_type)}, {_NAMES.get(one.plan, clean(one.plan))}",
        f"{format_usd(one.usd_per_h)}, not {format_usd(one.on_demand_usd_per_h)}",
        f"{one.break_even_hours_per_month:,.0f}",
        f"{one.break_even_months:.1f}",
        str(one.instances),
        f"{one.least_used_hours_per_month:,.0f}",
    )


def _risk(one: Commitment) -> str:
    term = one.usd_per_h * one.term_months * 730.0 * one.instances
    return (
        f"{clean(one.service)}: if traffic falls until {machines(one.instances, one.instance_type)} would run for less than "
        f"{one.break_even_hours_per_month:,.0f} h a month, the last of them loses money; {format_usd(term)} are owed over "
        f"{_NAMES.get(one.plan, clean(one.plan))} in any case."
    )


def _long(one: Commitment) -> str:
    name = _NAMES.get(one.plan, clean(one.plan))
    return f"{clean(one.instance_type)}: {name} is longer than the horizon and charged in full within it."
