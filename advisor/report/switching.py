"""What a report says about the plan in service: keep it or change it, what changes, and what it would take."""

from __future__ import annotations

from advisor.recommendation import Recommendation
from advisor.report.rows import Chapter
from advisor.report.words import capital, clean, listed, monthly, plainly, share
from advisor.switch import Difference, ServiceSwitch, Switch
from advisor.units import format_probability, format_usd

_ACTIONS = {"keep": "Keep", "change": "Change", "new": "New", "replace": "Replace"}
_NAMES = {"machine": "Machine", "machines": "Machines, busiest hour", "purchase": "Bought"}


def switch_chapter(recommendation: Recommendation) -> Chapter | None:
    """Return what to do with the plan in service; `None` where none was given."""
    switch = recommendation.switch
    if switch is None:
        return None
    first = 0 if len(switch.services) > 1 else 1  # one service needs no name
    return Chapter(
        anchor="switch",
        title="The plan in service",
        lead=tuple(_lead(switch)),
        caption="What is in service, what is advised, and what a change would bring",
        head=("Service", "Advice", "What", "In service", "Then")[first:],
        rows=tuple(row[first:] for one in switch.services for row in _rows(one, alone=bool(first))),
        numbers=(),
        notes=tuple(plainly(clean(note)) for note in switch.notes),
    )


def _lead(switch: Switch) -> list[str]:
    saves = f"{monthly(switch.saving_usd_per_month)} of {monthly(switch.running_usd_per_month)}"
    needed = monthly(switch.needed_usd_per_month)
    spread = (
        f"{format_usd(switch.switching_usd)} to switch, spread over {switch.horizon_months:g} months; "
        f"{share(switch.tolerance_ratio)} of the bill that is not worth a change; and what other engines would cost "
        f"more where they are slower than predicted, so that the saving is {format_probability(switch.sure_ratio)} sure"
    )
    if switch.action == "change" and switch.saving_usd_per_month > 0.0:
        return [f"Changing it saves {saves}. It pays from {needed} on: {spread}."]
    if switch.action == "change":
        return ["It must be changed, as some of it cannot stay as it is.", f"A change costs {spread}."]
    if any(one.instead for one in switch.services):
        return [f"Nothing pays a change: the cheapest saves {saves}, and {needed} would be needed: {spread}."]
    return ["Nothing is cheaper than what is in service."]


def _rows(one: ServiceSwitch, *, alone: bool) -> list[tuple[str, ...]]:
    name, action = clean(one.name), _ACTIONS[one.action]
    rows = [_row(name, action, found) for found in one.differences]
    rows += [_row(name, "Not worth it", found) for found in one.instead]
    if one.why:
        rows.insert(0, (name, action, "Why", plainly(clean(one.why)), ""))
    if one.instead:
        rows.append(
            (
                name,
                "Not worth it",
                "Saves",
                monthly(one.saving_usd_per_month),
                f"{monthly(one.needed_usd_per_month)} needed",
            )
        )
    if rows or alone:
        return rows
    return [(name, action, "", "nothing yet" if one.action == "new" else "as it is", "")]


def _row(name: str, action: str, found: Difference) -> tuple[str, ...]:
    what = _NAMES.get(found.what, capital(found.what))
    return (name, action, what, plainly(clean(found.now)), plainly(clean(found.then)))


def changes(switch: Switch) -> tuple[str, ...]:
    """Return what changes in the engine or its policy, in words."""
    return tuple(
        clean(found.then) for one in switch.services for found in one.differences if found.what not in _NAMES
    )


def taken_back(recommendation: Recommendation) -> tuple[str, ...]:
    """Return what is in service and has to be taken back, a sentence each."""
    plan, switch = recommendation.plan, recommendation.switch
    if plan is None or switch is None:
        return ()
    none = {(s.name, c.strategy) for s in plan.services for c in s.choices if not c.changed}
    return tuple(
        f"{clean(one.name)}: take back {listed([clean(found.now)])}."
        for one in switch.services
        for found in one.differences
        if (one.name, found.what) in none
    )
