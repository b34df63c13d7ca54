"""What a program states that can be relaxed: limits, quotas, shares of use."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from advisor.solver.data import Limit, Plan, Pool
from advisor.solver.program import Program


class RequirementKind(StrEnum):
    """What can be relaxed."""

    LIMIT = "limit"
    GROUP_QUOTA = "group quota"
    PLAN_QUOTA = "plan quota"
    SHARE = "share of use"


@dataclass(frozen=True, slots=True, order=True)
class Requirement:
    """Something stated that the choice must keep.

    Attributes:
        kind: What it is.
        name: Name of the limit or group; 'pool/plan' for what belongs to a plan.
        bound: Largest value that is allowed.
    """

    kind: RequirementKind
    name: str
    bound: float


def requirements(program: Program) -> tuple[Requirement, ...]:
    """Return everything that can be relaxed, by kind and name."""
    found = [Requirement(RequirementKind.LIMIT, limit.name, limit.bound) for limit in program.limits]
    found += [
        Requirement(RequirementKind.GROUP_QUOTA, group.name, group.max_instances) for group in program.groups
    ]
    for pool in program.pools:
        for plan in pool.plans:
            name = f"{pool.name}/{plan.name}"
            if plan.quota is not None:
                found.append(Requirement(RequirementKind.PLAN_QUOTA, name, plan.quota))
            if plan.max_share_of_use < 1:
                found.append(Requirement(RequirementKind.SHARE, name, plan.max_share_of_use))
    return tuple(sorted(found))


def relaxed(program: Program, requirement: Requirement, bound: float | None) -> Program:
    """Return the program with another bound for a requirement; None removes it."""
    if requirement.kind is RequirementKind.LIMIT:
        return replace(program, limits=tuple(_limits(program, requirement.name, bound)))
    if requirement.kind is RequirementKind.GROUP_QUOTA:
        groups = (group for group in program.groups if group.name != requirement.name or bound is not None)
        moved = (
            replace(group, max_instances=int(bound))
            if group.name == requirement.name and bound is not None
            else group
            for group in groups
        )
        return replace(program, groups=tuple(moved))
    return replace(program, pools=tuple(_pool(pool, requirement, bound) for pool in program.pools))


def _limits(program: Program, name: str, bound: float | None) -> Sequence[Limit]:
    others = [limit for limit in program.limits if limit.name != name or bound is not None]
    return [
        replace(limit, bound=bound) if limit.name == name and bound is not None else limit for limit in others
    ]


def _pool(pool: Pool, requirement: Requirement, bound: float | None) -> Pool:
    plans = (
        _plan(plan, requirement, bound) if f"{pool.name}/{plan.name}" == requirement.name else plan
        for plan in pool.plans
    )
    return replace(pool, plans=tuple(plans))


def _plan(plan: Plan, requirement: Requirement, bound: float | None) -> Plan:
    if requirement.kind is RequirementKind.SHARE:
        return replace(plan, max_share_of_use=1.0 if bound is None else bound)
    return replace(plan, quota=None if bound is None else int(bound))
