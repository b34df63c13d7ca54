"""Autoscaling and purchase: how the number of replicas follows traffic, and how the machines are bought."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

from advisor.strategy import Deltas, Option, Purchase, Scaling, neutral

if TYPE_CHECKING:
    from advisor.catalog import InstanceType
    from advisor.workload import Workload

_SCALING: dict[Scaling, tuple[str, float, tuple[str, ...]]] = {
    "static": ("as many replicas as the busiest hour needs, all day", 2.0, ()),
    "reactive": (
        "replicas follow the load, with room for the time a new one takes to start",
        40.0,
        ("AS-0013",),
    ),
    "scheduled": ("replicas follow the forecast of the hour", 40.0, ("AS-0014",)),
    "scale-to-zero": ("no replica while there is no traffic", 48.0, ("AS-0013",)),
}
_PURCHASE: dict[Purchase, tuple[str, float, tuple[str, ...]]] = {
    "on-demand": ("bought by the hour", 0.0, ()),
    "reserved-1y": ("the steady part reserved for a year", 8.0, ("AS-0009", "AS-0010")),
    "reserved-3y": ("the steady part reserved for three years", 8.0, ("AS-0009", "AS-0010")),
    "spot": ("mostly spot, with a floor on demand", 60.0, ("AS-0001", "AS-0002", "AS-0003")),
}
_RISK = {
    "reserved-1y": "Paid whether used or not: model, traffic or chips may change within the year.",
    "reserved-3y": "Paid whether used or not: few model generations last three years.",
    "spot": "Machines are taken back at short notice; list discounts of up to 91 % came to 43 % in practice.",
}


class Autoscaling:
    """Every scaling policy with every way to buy that the machine is sold in."""

    name = "autoscaling"
    title = "Autoscaling and purchase"

    def options(self, workload: Workload, instance_type: InstanceType) -> Sequence[Option]:
        """Return today's policy, then every other; see `advisor.strategy.Strategy`.

        Scaling to zero is offered where there are hours without traffic; elsewhere it would never happen.
        """
        today = (workload.serving.scaling, workload.serving.purchase)
        idle = any(rate == 0.0 for rate, _ in workload.traffic.periods())
        scalings = [scaling for scaling in _SCALING if idle or scaling != "scale-to-zero"]
        pairs = product(scalings, (plan for plan in _PURCHASE if plan in instance_type.prices))
        return [
            neutral(f"Keep {' scaling, bought '.join(today)}"),
            *(_option(*pair) for pair in pairs if pair != today),
        ]


@cache
def _option(scaling: Scaling, purchase: Purchase) -> Option:
    text, hours, evidence = _SCALING[scaling]
    bought, purchase_hours, purchase_evidence = _PURCHASE[purchase]
    return Option(
        id=scaling if purchase == "on-demand" else f"{scaling}+{purchase}",
        title=f"{text[0].upper()}{text[1:]}; {bought}",
        deltas=Deltas(scaling=scaling, purchase=purchase, engineer_hours=hours + purchase_hours),
        evidence=evidence + purchase_evidence,
        sources=("assumed: working hours to set the policy up and watch it for a week",),
        steps=(f"Set the policy: {text}; send each request to the replica with the fewest outstanding.",)
        + ((f"Buy: {bought}.",) if purchase != "on-demand" else ()),
        risk=_RISK.get(purchase, ""),
    )


strategy = Autoscaling()
