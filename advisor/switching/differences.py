"""What is different between two deployments of a service, for a reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.switch import Difference

if TYPE_CHECKING:
    from advisor.recommendation import ServicePlan


def differences(now: ServicePlan, then: ServicePlan) -> tuple[Difference, ...]:
    """Return what is different: the machine, how many, how they are bought, and the option of each strategy."""
    before = {choice.strategy: choice for choice in now.choices}
    chosen = [
        Difference(what=choice.strategy, now=before[choice.strategy].title, then=choice.title)
        for choice in then.choices
        if choice.strategy in before and before[choice.strategy].option != choice.option
    ]
    new = [
        Difference(what=choice.strategy, now="nothing", then=choice.title)
        for choice in then.choices
        if choice.strategy not in before and choice.changed
    ]
    return (*counted(now, then), *chosen, *new)


def counted(now: ServicePlan, then: ServicePlan) -> tuple[Difference, ...]:
    """Return what is different in machines and purchases."""
    pairs = (
        ("machine", _place(now), _place(then)),
        ("machines", str(now.instances_peak), str(then.instances_peak)),
        ("purchase", _bought(now), _bought(then)),
    )
    return tuple(Difference(what=what, now=a, then=b) for what, a, b in pairs if a != b)


def _place(plan: ServicePlan) -> str:
    return f"{plan.instance_type} ({plan.provider}, {plan.region})"


def _bought(plan: ServicePlan) -> str:
    return ", ".join(f"{line.instances_peak} {line.plan}" for line in plan.purchases) or "nothing"
