"""Why nothing fits: requirements that exclude each other, and the nearest values that work, each solved again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import ceil, fsum
from typing import Final

from advisor.solver.columns import Column
from advisor.solver.data import Aggregate, Goal, Limit
from advisor.solver.evaluation import evaluate
from advisor.solver.linear import Kind
from advisor.solver.program import Program
from advisor.solver.pulp_bridge import SolverSettings, minimize
from advisor.solver.reduction import price_purchases
from advisor.solver.requirements import Requirement, RequirementKind, relaxed, requirements
from advisor.solver.results import Solution, Status
from advisor.solver.rows import formulation
from advisor.solver.solving import by_name, solve
from advisor.solver.stages import read_choice

_SHARE_STEPS: Final = 1000
_NO_SLACK: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Repair:
    """Requirements with bounds that work.

    Attributes:
        requirements: What has to change.
        nearest: The bound that works, one for each of `requirements`.
        solution: The best solution with these bounds and everything else as stated.
    """

    requirements: tuple[Requirement, ...]
    nearest: tuple[float, ...]
    solution: Solution


@dataclass(frozen=True, slots=True)
class Conflict:
    """Why a program is infeasible.

    Attributes:
        together: Requirements that cannot all hold, none of which can be left out of this statement.
        repairs: For each requirement that is enough to change by itself, the nearest bound that works.
        not_enough: Requirements whose removal alone does not help.
        joint: The smallest total change of several bounds relative to their sizes; None where one was not found.
    """

    together: tuple[Requirement, ...]
    repairs: tuple[Repair, ...]
    not_enough: tuple[Requirement, ...]
    joint: Repair | None


def conflict(program: Program, settings: SolverSettings | None = None) -> Conflict | None:
    """Return which requirements exclude each other and what would work; None if the program has a solution.

    Example:
        >>> from advisor.solver import Column, Limit, Period, Program, Service
        >>> service = Service("chat", (Column("fast", 9.0, {"tpot_s": 0.012}), Column("slow", 4.0, {"tpot_s": 0.03})))
        >>> stated = (Limit("tpot", "tpot_s", 0.008), Limit("budget", "cost_usd_per_month", 5.0))
        >>> found = conflict(Program((service,), (Period("month", 730.0),), limits=stated))
        >>> [requirement.name for requirement in found.together]
        ['tpot']
        >>> [(one.name, bound) for one, bound in zip(found.joint.requirements, found.joint.nearest)]
        [('budget', 9.0), ('tpot', 0.012)]
    """
    settings = settings or SolverSettings()
    search = _Search(by_name(program), settings)
    if not search.is_infeasible(search.program):
        return None
    stated = requirements(program)
    enough = search.enough_alone(stated)
    repairs = tuple(repair for repair in map(search.alone, enough) if repair is not None)
    repaired = {repair.requirements[0] for repair in repairs}
    not_enough = tuple(requirement for requirement in stated if requirement not in repaired)
    return Conflict(search.together(stated), repairs, not_enough, search.joint(stated))


class _Search:
    """Solves relaxed programs, all made from the same stated one."""

    def __init__(self, program: Program, settings: SolverSettings) -> None:
        self.program = program
        self.settings = settings

    def fits(self, program: Program) -> bool:
        return solve(replace(program, goals=(Goal(),)), self.settings).solution is not None

    def is_infeasible(self, program: Program) -> bool:
        return solve(replace(program, goals=(Goal(),)), self.settings).status is Status.INFEASIBLE

    def together(self, stated: Sequence[Requirement]) -> tuple[Requirement, ...]:
        """Drop requirements as long as the rest still cannot hold (deletion filter), shares and quotas first.

        Several are dropped at once where that is possible, which asks for far fewer solves.
        """
        needed: list[Requirement] = []
        program = self.program
        for _, same_kind in groupby(reversed(stated), key=lambda one: one.kind):
            program = self._drop(program, list(same_kind), needed)
        return tuple(sorted(needed))

    def _drop(self, program: Program, some: list[Requirement], needed: list[Requirement]) -> Program:
        """Return the program without those of some requirements that it stays infeasible without."""
        without = _without(program, some)
        if self.is_infeasible(without):
            return without
        if len(some) == 1:
            needed += some
            return program
        half = len(some) // 2
        return self._drop(self._drop(program, some[:half], needed), some[half:], needed)

    def enough_alone(self, stated: Sequence[Requirement]) -> list[Requirement]:
        """Return the requirements each of which it is enough to remove."""
        kinds = [list(same) for _, same in groupby(stated, key=lambda one: one.kind)]
        return [one for same in kinds for one in self._enough(same)]

    def _enough(self, some: list[Requirement]) -> list[Requirement]:
        if not self.fits(_without(self.program, some)):
            return []
        half = len(some) // 2
        return some if half == 0 else [*self._enough(some[:half]), *self._enough(some[half:])]

    def alone(self, requirement: Requirement) -> Repair | None:
        """Return the repair that moves one bound, whose removal is enough, as little as works."""
        without = relaxed(self.program, requirement, None)
        return self._verified({requirement: self._nearest(requirement, without)})

    def _nearest(self, requirement: Requirement, without: Program) -> float:
        if requirement.kind is RequirementKind.LIMIT:
            limit = next(limit for limit in self.program.limits if limit.name == requirement.name)
            if limit.aggregate is not Aggregate.EACH:
                return self._least(limit, without)
            return self._first_that_fits(requirement, _values_of_each(self.program, limit))
        if requirement.kind is RequirementKind.SHARE:
            return self._first_that_fits(
                requirement, [step / _SHARE_STEPS for step in range(_SHARE_STEPS + 1)]
            )
        return self._first_that_fits(requirement, range(_most_instances(self.program) + 1))

    def _least(self, limit: Limit, without: Program) -> float:
        """Return the least value of the bounded sum or mean."""
        goal = Goal(limit.attribute, limit.aggregate, limit.services)
        objective = solve(replace(without, goals=(goal,)), self.settings).report.objective
        return limit.bound if objective is None else objective

    def _first_that_fits(self, requirement: Requirement, steps: Sequence[float]) -> float:
        """Return the first of rising steps that fits, by bisection; the last one is as good as no bound."""
        rising = [step for step in steps if step > requirement.bound]
        low, high = 0, len(rising) - 1
        while low < high:
            middle = (low + high) // 2
            if self.fits(relaxed(self.program, requirement, rising[middle])):
                high = middle
            else:
                low = middle + 1
        return rising[high] if rising else requirement.bound

    def joint(self, stated: Sequence[Requirement]) -> Repair | None:
        """Solve the elastic program, and state the bounds that its choice needs."""
        priced = price_purchases(self.program, keep_quotas=True) if self.settings.simplify else self.program
        form = formulation(priced or self.program, elastic=True)
        answer = minimize(form.least_slack(), self.settings, time_limit_s=self.settings.time_limit_s)
        if not answer.values:
            return None
        loose = self.program
        bounds: dict[Requirement, float] = {}
        for one in stated:
            slack = form.slacks.get((Kind.PLAN_QUOTA, one.name.replace("/", ",", 1)))
            if (
                one.kind is RequirementKind.PLAN_QUOTA
                and slack is not None
                and answer.values[slack] > _NO_SLACK
            ):
                bounds[one] = ceil(one.bound + max(one.bound, 1) * answer.values[slack] - _NO_SLACK)
                loose = relaxed(loose, one, bounds[one])
        solution = evaluate(loose, read_choice(answer, form.choice_at))
        if solution is None:
            return None
        for one in stated:
            value = _attained(self.program, one, solution)
            if value > one.bound + _NO_SLACK * abs(one.bound):
                bounds[one] = value
        return self._verified(bounds) if bounds else None

    def _verified(self, bounds: Mapping[Requirement, float]) -> Repair | None:
        """Return the repair if the program as given, with these bounds, has a solution."""
        program = self.program
        for requirement, bound in bounds.items():
            program = relaxed(program, requirement, bound)
        solution = solve(program, self.settings).solution
        if solution is None:
            return None
        ordered = tuple(sorted(bounds))
        return Repair(ordered, tuple(bounds[one] for one in ordered), solution)


def _without(program: Program, some: Sequence[Requirement]) -> Program:
    for requirement in some:
        program = relaxed(program, requirement, None)
    return program


def _values_of_each(program: Program, limit: Limit) -> list[float]:
    columns = (column for service in program.concerned(limit) for column in service.columns)
    return sorted({column.attributes[limit.attribute] for column in columns})


def _most_instances(program: Program) -> int:
    """Return instances that are enough for any choice in any period."""
    most = (max(_peak(column) for column in service.columns) for service in program.services)
    return ceil(fsum(most)) + len(program.pools)


def _peak(column: Column) -> float:
    return max((fsum(counts) for counts in zip(*column.demand.values(), strict=True)), default=0.0)


def _attained(program: Program, requirement: Requirement, solution: Solution) -> float:
    """Return what a solution needs of a limit or a group quota; purchases are not looked at."""
    if requirement.kind is RequirementKind.LIMIT:
        return solution.limits[requirement.name]
    if requirement.kind is RequirementKind.GROUP_QUOTA:
        pools = next(group.pools for group in program.groups if group.name == requirement.name)
        return ceil(
            max(fsum(counts) for counts in zip(*(solution.use[pool] for pool in pools), strict=True))
            - _NO_SLACK
        )
    return requirement.bound
