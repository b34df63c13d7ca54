"""One solve for each goal, and what was found read as a choice and compared with the data."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from time import monotonic
from typing import Final

from advisor.solver.columns import COST, Column
from advisor.solver.data import Goal
from advisor.solver.errors import SolverDisagreement
from advisor.solver.evaluation import TOLERANCE, evaluate, goal_value
from advisor.solver.program import Program
from advisor.solver.pulp_bridge import Answer, SolverSettings, minimize
from advisor.solver.results import Status
from advisor.solver.rows import formulation

HELD: Final = 1e-9
"""Relative amount by which an earlier goal may get worse in a later stage: rounding error only."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found for a program or a part of it: a column name for each service, and a bound for the first goal."""

    status: Status
    choice: Mapping[str, str] | None = None
    bound: float | None = None
    interrupted: bool = False


class Clock:
    """Hands out what is left of the time limit."""

    def __init__(self, settings: SolverSettings) -> None:
        self.limit_s = settings.time_limit_s
        self.end_s = monotonic() + (settings.time_limit_s or 0.0)

    def left_s(self) -> float | None:
        """Return what is left in seconds, never 0; None without a limit."""
        return None if self.limit_s is None else max(self.end_s - monotonic(), 0.01)

    def is_up(self) -> bool:
        """Return whether nothing is left."""
        return self.limit_s is not None and monotonic() >= self.end_s


def in_stages(program: Program, settings: SolverSettings, clock: Clock) -> Outcome:
    """Minimise each goal among the optima of those before, which rows C9 hold."""
    form = formulation(program, implied=settings.simplify)
    reached: list[tuple[Goal, float]] = []
    best: Outcome | None = None
    for goal in program.stages:
        answer = minimize(form.stage(goal, reached), settings, time_limit_s=clock.left_s())
        best = _followed(best, answer, form.choice_at)
        if best.choice is None or best.status is not Status.OPTIMAL:
            return best
        reached.append((goal, _checked_value(program, goal, best.choice, answer, settings)))
    return best or Outcome(Status.UNDETERMINED)


def narrowing_stages(program: Program, settings: SolverSettings, clock: Clock) -> Outcome:
    """Do the same where no row holds services together: each service keeps the columns as good as its chosen one."""
    best: Outcome | None = None
    for goal in program.stages:
        if best is not None and all(len(service.columns) == 1 for service in program.services):
            return best
        form = formulation(program)
        answer = minimize(form.stage(goal), settings, time_limit_s=clock.left_s())
        best = _followed(best, answer, form.choice_at)
        if best.choice is None or best.status is not Status.OPTIMAL:
            return best
        _checked_value(program, goal, best.choice, answer, settings)
        program = _narrowed(program, goal, best.choice)
    return _first_by_name(program, best, settings, clock) if best else Outcome(Status.UNDETERMINED)


def _first_by_name(program: Program, best: Outcome, settings: SolverSettings, clock: Clock) -> Outcome:
    if all(len(service.columns) == 1 for service in program.services):
        return best
    form = formulation(program)
    answer = minimize(form.name_order(), settings, time_limit_s=clock.left_s())
    return _followed(best, answer, form.choice_at)


def _followed(best: Outcome | None, answer: Answer, choice_at: Mapping[tuple[str, str], int]) -> Outcome:
    """Return the outcome after one more stage; a later stage that finds nothing leaves the earlier choice unproven."""
    if answer.values:
        choice = read_choice(answer, choice_at)
        return Outcome(answer.status, choice, answer.bound if best is None else best.bound)
    if best is None:
        return Outcome(answer.status, None, answer.bound)
    if answer.status is Status.UNDETERMINED:
        return replace(best, status=Status.FEASIBLE)
    raise SolverDisagreement(f"a later goal is {answer.status.value} although an earlier one had a solution")


def read_choice(answer: Answer, choice_at: Mapping[tuple[str, str], int]) -> dict[str, str]:
    """Return service name to column name.

    Raises:
        SolverDisagreement: Not exactly one column is chosen for each service.
    """
    chosen = [key for key, at in choice_at.items() if answer.values[at] == 1.0]
    choice = dict(chosen)
    services = {service for service, _ in choice_at}
    if len(chosen) != len(services) or choice.keys() != services:
        raise SolverDisagreement(
            f"the solver chose {len(chosen)} columns for {len(services)} services; expected one for each"
        )
    return choice


def _checked_value(
    program: Program, goal: Goal, choice: Mapping[str, str], answer: Answer, settings: SolverSettings
) -> float:
    """Return the exact value of a goal, with room for rounding.

    Raises:
        SolverDisagreement: It differs from the solver's objective by more than `TOLERANCE`.
    """
    solution = evaluate(program, choice)
    if solution is None or answer.objective is None:
        raise SolverDisagreement(f"the solver chose {dict(choice)}, whose use no purchases can cover")
    value = goal_value(program, goal, solution)
    size = max(abs(value), abs(answer.objective), _largest(program, goal))
    too_low = value < answer.objective - TOLERANCE * size and settings.gap_ratio == 0
    if value > answer.objective + TOLERANCE * size or (too_low and answer.status is Status.OPTIMAL):
        raise SolverDisagreement(
            f"the goal {goal.attribute!r} is {value:.12g}, but {answer.objective:.12g} for the solver"
        )
    return max(value, answer.objective) + HELD * size


def _largest(program: Program, goal: Goal) -> float:
    """Return the size of the numbers behind a goal, for which differences are rounding errors."""
    columns = (column for service in program.concerned(goal) for column in service.columns)
    return max((abs(_own_value(column, goal)) for column in columns), default=0.0)


def _own_value(column: Column, goal: Goal) -> float:
    return column.cost_usd_per_month if goal.attribute == COST else column.attributes[goal.attribute]


def _narrowed(program: Program, goal: Goal, choice: Mapping[str, str]) -> Program:
    concerned = {service.name for service in program.concerned(goal)}
    services = []
    for service in program.services:
        if service.name in concerned:
            values = {column.name: _own_value(column, goal) for column in service.columns}
            best = values[choice[service.name]]
            room = best + HELD * abs(best)
            columns = tuple(column for column in service.columns if values[column.name] <= room)
            services.append(replace(service, columns=columns))
        else:
            services.append(service)
    return replace(program, services=tuple(services))
