"""What a recommendation says about the plan that is in service: keep it or change it, service by service."""

from __future__ import annotations

from typing import Literal

from advisor.results import Result


class Difference(Result):
    """One thing that is not as it is in service."""

    what: str
    """`machine`, `machines` (of the busiest hour), `purchase`, or the name of a strategy."""
    now: str
    then: str


class ServiceSwitch(Result):
    """One service: what is in service, and what a change would bring."""

    name: str
    action: Literal["keep", "change", "new", "replace"]
    """`keep` the choices in service; `change` them, as it pays; `new`: nothing is in service yet; `replace` what
    cannot run within the limits any more."""
    differences: tuple[Difference, ...]
    """What is advised to be different; of a plan that is kept, counts of machines that follow the traffic."""
    instead: tuple[Difference, ...] = ()
    """Of a plan that is kept: what the cheapest plan would change; empty where nothing is cheaper."""
    instance_type: str
    """Machine of the best change: the one advised, or the one of `instead`; the same as now where there is none."""
    choices: tuple[str, ...]
    """`strategy=option` of that change, of everything that is not as it was before advisor was asked."""
    saving_usd_per_month: float
    """Running cost in service less that of the best change, machines of its own; negative where it costs more."""
    switching_usd: float
    """One-time work of what changes, and what is left to pay for reserved machines that would stand idle."""
    margin_usd_per_month: float
    """What a change must save beyond its cost: the tolerance, and what it would cost more in a bad outcome."""
    needed_usd_per_month: float
    """Saving from which on the change pays: switching cost over the horizon, and the margin."""
    why: str = ""
    """Where it must be replaced: what is wrong."""


class Switch(Result):
    """Whether to act, and what it brings."""

    action: Literal["keep", "change"]
    running_usd_per_month: float
    """Running cost of what is in service, under today's traffic and prices."""
    saving_usd_per_month: float
    """Running cost less that of the best change, machines bought together: of the one advised, or of the cheapest."""
    switching_usd: float
    needed_usd_per_month: float
    """Saving from which on that change pays."""
    horizon_months: float
    tolerance_ratio: float
    sure_ratio: float
    """Probability with which a saving must be real."""
    months_left: float
    """Months that remain to be paid of what the plan in service reserved; 0 where not stated."""
    services: tuple[ServiceSwitch, ...]
    notes: tuple[str, ...] = ()
