"""The next best choices, each different from all before it."""

from collections.abc import Callable, Hashable
from dataclasses import replace

from advisor.solver.evaluation import goal_value
from advisor.solver.program import Choice, Program
from advisor.solver.pulp_bridge import SolverSettings
from advisor.solver.results import Solution
from advisor.solver.solving import by_name, solve


def alternatives(
    program: Program,
    solution: Solution,
    count: int,
    settings: SolverSettings | None = None,
    *,
    kind_of: Callable[[str, str], Hashable] | None = None,
) -> tuple[Solution, ...]:
    """Return up to `count` next best solutions, best first.

    Args:
        program: The program.
        solution: Its best solution; it is not repeated.
        count: How many to look for; fewer are returned where no more exist.
        settings: As for `solve`.
        kind_of: Service name and column name to what makes columns count as the same, for example the machine;
            each alternative then differs from every other in at least one service by that. None is the column itself.

    Example:
        >>> from advisor.solver import Column, Period, Program, Service
        >>> columns = tuple(Column(name, cost) for name, cost in (("a", 3.0), ("b", 1.0), ("c", 2.0)))
        >>> program = Program((Service("chat", columns),), (Period("month", 730.0),))
        >>> best = solve(program).solution
        >>> [other.choice["chat"] for other in alternatives(program, best, 5)]
        ['c', 'a']
    """
    ordered = by_name(program)
    found: list[Solution] = []
    last = solution
    for _ in range(count):
        ordered = replace(ordered, cuts=(*ordered.cuts, _same(ordered, last, kind_of)))
        other = solve(ordered, settings).solution
        if other is None:
            break
        found.append(other)
        last = other
    return tuple(
        sorted(found, key=lambda one: tuple(goal_value(program, goal, one) for goal in program.stages))
    )


def _same(
    program: Program, solution: Solution, kind_of: Callable[[str, str], Hashable] | None
) -> frozenset[Choice]:
    """Return all choices of the same kind as those of a solution."""
    if kind_of is None:
        return frozenset(solution.choice.items())
    kinds = {name: kind_of(name, column) for name, column in solution.choice.items()}
    return frozenset(
        (service.name, column.name)
        for service in program.services
        for column in service.columns
        if kind_of(service.name, column.name) == kinds[service.name]
    )
