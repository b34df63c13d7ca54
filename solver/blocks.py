"""Parts of a program that share no row, so that each can be solved by itself."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import fsum

from advisor.solver.columns import COST
from advisor.solver.data import Aggregate, Goal, Limit
from advisor.solver.program import Program


def links(program: Program) -> Iterator[tuple[str, ...]]:
    """Yield the names of the services that each row or pool holds together, where these are two or more."""
    for limit in program.limits:
        if limit.aggregate is not Aggregate.EACH:
            yield tuple(service.name for service in program.concerned(limit))
    for cut in program.cuts:
        yield tuple(sorted({service for service, _ in cut}))
    users: dict[str, dict[str, None]] = {}
    for service in program.services:
        for column in service.columns:
            for name in column.demand:
                users.setdefault(name, {})[service.name] = None
    for pool in program.pools:
        if not pool.owned:
            yield tuple(users.get(pool.name, ()))
    for group in program.groups:
        yield tuple({service: None for name in group.pools for service in users.get(name, ())})


def is_separable(program: Program) -> bool:
    """Return whether nothing is left to buy and no row holds two services together."""
    return all(pool.owned for pool in program.pools) and all(len(names) <= 1 for names in links(program))


def without_links(program: Program) -> Program | None:
    """Return the program without the rows that hold services together, or None if purchases do."""
    if not all(pool.owned for pool in program.pools):
        return None
    limits = tuple(
        limit for limit in program.limits if limit.aggregate is Aggregate.EACH or _is_single(program, limit)
    )
    cuts = tuple(cut for cut in program.cuts if len({service for service, _ in cut}) == 1)
    return replace(program, limits=limits, groups=(), cuts=cuts)


def blocks(program: Program) -> tuple[Program, ...]:
    """Return parts without common rows; services that nothing holds together form one part."""
    parts = _connected([service.name for service in program.services], links(program))
    alone = [name for part in parts if len(part) == 1 for name in part]
    tied = [part for part in parts if len(part) > 1]
    return tuple(_part(program, set(names)) for names in ([alone] if alone else []) + tied)


def _is_single(program: Program, limit: Limit) -> bool:
    return len(program.concerned(limit)) == 1


def _connected(names: list[str], held: Iterable[tuple[str, ...]]) -> list[list[str]]:
    parent = {name: name for name in names}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for first, *others in (group for group in held if group):
        for other in others:
            parent[root(other)] = root(first)
    parts: dict[str, list[str]] = {}
    for name in names:
        parts.setdefault(root(name), []).append(name)
    return list(parts.values())


def _part(program: Program, names: set[str]) -> Program:
    if len(names) == len(program.services):
        return program
    services = tuple(service for service in program.services if service.name in names)
    used = {pool for service in services for column in service.columns for pool in column.demand}
    pools = tuple(pool for pool in program.pools if pool.name in used)
    groups = (
        replace(group, pools=tuple(pool for pool in group.pools if pool in used)) for group in program.groups
    )
    return replace(
        program,
        services=services,
        pools=pools,
        groups=tuple(group for group in groups if group.pools),
        goals=tuple(_goal(program, goal, names) for goal in program.stages),
        limits=tuple(
            _narrowed(program, limit, names) for limit in program.limits if _concerns(program, limit, names)
        ),
        cuts=tuple(cut for cut in program.cuts if any(service in names for service, _ in cut)),
    )


def _goal(program: Program, goal: Goal, names: set[str]) -> Goal:
    """Return the part of a goal that concerns some services; nothing of it is a sum of nothing."""
    if goal.attribute == COST:
        return goal
    inside = [service for service in program.concerned(goal) if service.name in names]
    weighty = fsum(service.weight for service in inside) > 0
    aggregate = goal.aggregate if weighty else Aggregate.SUM
    concerned = tuple(service.name for service in inside if weighty or goal.aggregate is Aggregate.SUM)
    return replace(goal, aggregate=aggregate, services=concerned)


def _concerns(program: Program, limit: Limit, names: set[str]) -> bool:
    return any(service.name in names for service in program.concerned(limit))


def _narrowed(program: Program, limit: Limit, names: set[str]) -> Limit:
    if limit.attribute == COST:
        return limit
    return replace(
        limit, services=tuple(service.name for service in program.concerned(limit) if service.name in names)
    )
