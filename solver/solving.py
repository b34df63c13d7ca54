"""From a program to a checked result: one solve for each goal, whole numbers, everything evaluated again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import fsum, inf
from typing import Final

from advisor.solver.blocks import blocks, is_separable, without_links
from advisor.solver.data import Aggregate, Service
from advisor.solver.decomposition import Decomposed, applies, decomposed
from advisor.solver.errors import SolverDisagreement
from advisor.solver.evaluation import TOLERANCE, broken_rows, evaluate, goal_value
from advisor.solver.program import Program
from advisor.solver.pulp_bridge import SolverSettings
from advisor.solver.reduction import drop_idle, price_purchases
from advisor.solver.results import Result, Solution, SolverReport, Status
from advisor.solver.stages import HELD, Clock, Outcome, in_stages, narrowing_stages
from advisor.solver.tables import Table

_WORST_FIRST: Final = (
    Status.INFEASIBLE,
    Status.UNBOUNDED,
    Status.UNDETERMINED,
    Status.FEASIBLE,
    Status.OPTIMAL,
)


def solve(program: Program, settings: SolverSettings | None = None) -> Result:
    """Return the best choice and purchases, or why there is none.

    Args:
        program: The program; the order of its entries does not matter.
        settings: Solver, time limit and gap; HiGHS with a full proof by default.

    Raises:
        SolverUnavailable: The solver is not installed.
        SolverDisagreement: The solver's answer does not hold when it is evaluated again.

    Example:
        >>> from advisor.solver import Column, Limit, Period, Program, Service
        >>> columns = (Column("small", 10.0, {"loss_ratio": 0.02}), Column("large", 30.0, {"loss_ratio": 0.0}))
        >>> limit = Limit("accuracy", "loss_ratio", 0.01)
        >>> result = solve(Program((Service("chat", columns),), (Period("month", 730.0),), limits=(limit,)))
        >>> result.status.value, dict(result.solution.choice)
        ('optimal', {'chat': 'large'})
    """
    settings = settings or SolverSettings()
    clock = Clock(settings)
    if settings.simplify:
        outcome = (
            _decomposed(program, settings, clock)
            if applies(program)
            else _simplified(by_name(program), settings, clock)
        )
    else:
        outcome = in_stages(by_name(program), settings, clock)
    if outcome.choice is None:
        return Result(SolverReport(settings.name, outcome.status, bound=outcome.bound), None)
    solution = checked(program, outcome.choice)
    return Result(_report(program, settings, outcome, solution), solution)


def checked(program: Program, choice: Mapping[str, str]) -> Solution:
    """Return a choice evaluated from the data.

    Raises:
        SolverDisagreement: Its purchases cannot cover it, or it breaks a row by more than `TOLERANCE`.
    """
    solution = evaluate(program, choice)
    if solution is None:
        raise SolverDisagreement(f"the solver chose {dict(choice)}, whose use no purchases can cover")
    broken = broken_rows(program, solution)
    if broken:
        raise SolverDisagreement(
            f"the solver's choice does not hold when evaluated again: {'; '.join(broken)}"
        )
    return solution


def by_name(program: Program) -> Program:
    """Return the program with every set in the order of its names, so that the answer cannot depend on the given one."""
    services = (_columns_by_name(service) for service in program.services)
    return replace(
        program,
        services=tuple(sorted(services, key=lambda service: service.name)),
        pools=tuple(sorted(program.pools, key=lambda pool: pool.name)),
        groups=tuple(sorted(program.groups, key=lambda group: group.name)),
        limits=tuple(sorted(program.limits, key=lambda limit: limit.name)),
    )


def _columns_by_name(service: Service) -> Service:
    if isinstance(service.columns, Table):
        return service
    return replace(service, columns=tuple(sorted(service.columns, key=lambda column: column.name)))


def _simplified(program: Program, settings: SolverSettings, clock: Clock) -> Outcome:
    priced = price_purchases(program)
    if priced is None:
        return Outcome(Status.INFEASIBLE)
    small = drop_idle(priced)
    parts = blocks(small)
    return _joined(small, parts, [_part(part, settings, clock) for part in parts])


def _part(program: Program, settings: SolverSettings, clock: Clock) -> Outcome:
    """Solve without the rows that hold services together first: if its answer keeps them, it is the answer."""
    if is_separable(program):
        return narrowing_stages(program, settings, clock)
    loose = without_links(program)
    if loose is not None:
        outcome = narrowing_stages(loose, settings, clock)
        if outcome.choice is None or _holds(program, outcome.choice):
            return outcome
        return in_stages(program, settings, clock)
    return in_stages(program, settings, clock)


def _decomposed(program: Program, settings: SolverSettings, clock: Clock) -> Outcome:
    """Decompose; where the gap is not closed, solve exactly what is left of the columns."""
    found = decomposed(program, gap_ratio=settings.gap_ratio, clock=clock, observer=settings.observer)
    if found.bound == inf:
        return Outcome(Status.INFEASIBLE)
    cost = found.cost_usd_per_month
    if (
        found.choice is not None
        and settings.gap_ratio > 0
        and cost - found.bound <= settings.gap_ratio * abs(cost)
    ):
        return Outcome(Status.OPTIMAL, found.choice, found.bound)
    if found.interrupted and found.choice is None:
        raise KeyboardInterrupt
    if found.choice is not None and (found.interrupted or clock.is_up()):
        return Outcome(Status.FEASIBLE, found.choice, found.bound, found.interrupted)
    try:
        exact = _simplified(by_name(found.left), settings, clock)
    except KeyboardInterrupt:
        if found.choice is None:
            raise
        return Outcome(Status.FEASIBLE, found.choice, found.bound, interrupted=True)
    if found.choice is None or exact.status is Status.OPTIMAL:
        return exact if exact.bound is None else replace(exact, bound=max(found.bound, exact.bound))
    return _better(program, found, exact)


def _better(program: Program, found: Decomposed, exact: Outcome) -> Outcome:
    """Return the cheaper of two choices where neither is proven, with the better bound."""
    proven = min(
        found.cost_usd_per_month, found.bound if exact.bound is None else max(exact.bound, found.bound)
    )
    own = None if exact.choice is None else checked(program, exact.choice).cost_usd_per_month
    better = exact.choice if own is not None and own < found.cost_usd_per_month else found.choice
    return Outcome(Status.FEASIBLE, better, proven)


def _holds(program: Program, choice: Mapping[str, str]) -> bool:
    solution = evaluate(program, choice)
    return solution is not None and not broken_rows(program, solution, tolerance=HELD)


def _joined(program: Program, parts: Sequence[Program], outcomes: Sequence[Outcome]) -> Outcome:
    status = min((outcome.status for outcome in outcomes), key=_WORST_FIRST.index)
    if any(outcome.choice is None for outcome in outcomes):
        return Outcome(status)
    choice = {name: column for outcome in outcomes for name, column in (outcome.choice or {}).items()}
    bounds = [outcome.bound for outcome in outcomes if outcome.bound is not None]
    if len(bounds) < len(outcomes):
        return Outcome(status, choice)
    shares = [_share(program, part) for part in parts]
    return Outcome(status, choice, fsum(share * bound for share, bound in zip(shares, bounds, strict=True)))


def _share(program: Program, part: Program) -> float:
    """Return how much of the first goal of the whole program one unit of it in a part is."""
    if program.stages[0].aggregate is not Aggregate.MEAN:
        return 1.0
    goal = program.stages[0]
    names = {service.name for service in part.services}
    weights = {service.name: service.weight for service in program.concerned(goal)}
    return fsum(weight for name, weight in weights.items() if name in names) / fsum(weights.values())


def _report(program: Program, settings: SolverSettings, outcome: Outcome, solution: Solution) -> SolverReport:
    objective = goal_value(program, program.stages[0], solution)
    bound = None if outcome.bound is None else min(outcome.bound, objective)
    gap = None if bound is None else _gap_ratio(objective, bound)
    if gap is not None and outcome.status is Status.OPTIMAL and gap > settings.gap_ratio + TOLERANCE:
        raise SolverDisagreement(
            f"the solver proved {bound:.12g}, but its choice is {objective:.12g} when evaluated again"
        )
    return SolverReport(settings.name, outcome.status, objective, bound, gap, outcome.interrupted)


def _gap_ratio(objective: float, bound: float) -> float:
    """Return the gap over the objective; differences of rounding size count as none, also at 0."""
    return 0.0 if objective - bound <= HELD else (objective - bound) / max(abs(objective), HELD)
