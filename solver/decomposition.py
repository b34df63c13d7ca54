"""Many services on shared purchases: a bound, a plan close to it, and the few columns that could still be better.

Columns are selected by reduced cost. The linear relaxation is solved over a few columns of each service; its prices are
asked what every other column would cost, and those that would pay are added, until none does. Prices prove a bound
whatever they are, so the search may stop early. The plan is found by fixing what the relaxation is sure of, step by step,
and by changing one service at a time afterwards. A column that is dearer at the prices than the gap between plan and
bound is in no better plan, and is dropped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from advisor.solver.data import Goal
from advisor.solver.descent import descended
from advisor.solver.evaluation import broken_rows, evaluate
from advisor.solver.flat import Flat, flat
from advisor.solver.master import Master, Point
from advisor.solver.program import Program
from advisor.solver.pulp_bridge import Observer, SolverSettings
from advisor.solver.relaxation import Bound, Prices, bound, nothing_fits
from advisor.solver.repair import repaired
from advisor.solver.stages import HELD, Clock
from advisor.solver.tables import Floats

ROUNDS: Final = 60
ADDED: Final = 4
"""Columns of one service that are added in a round, at most."""
TRUSTED: Final = 0.4
"""Weight of the prices of the best bound so far when the next are taken: prices jump about otherwise."""
NEAR: Final = 8
"""Columns of one service that a plan is improved with."""
SURE: Final = 0.95
DIVES: Final = 25


@dataclass(frozen=True, slots=True)
class Decomposed:
    """What is known about a program.

    Attributes:
        bound: No choice costs less, in USD per month; infinite where no choice keeps every row.
        choice: Service name to column name; None where none was found that keeps every row.
        cost_usd_per_month: Of the choice; infinite without one.
        left: The program with the columns that a cheaper choice could have, and those of this one.
        interrupted: Whether the user interrupted the search.
    """

    bound: float
    choice: Mapping[str, str] | None
    cost_usd_per_month: float
    left: Program
    interrupted: bool = False


def applies(program: Program) -> bool:
    """Return whether a program can be decomposed: several services, the cost comes first, and no choice is excluded."""
    return len(program.services) > 1 and program.stages[0] == Goal() and not program.cuts


def decomposed(
    program: Program, *, gap_ratio: float, clock: Clock | None = None, observer: Observer | None = None
) -> Decomposed:
    """Return a bound, a choice, and the columns that are left.

    When the time is up, or the user interrupts the search, what is known by then is returned.

    Args:
        program: One to which this applies.
        gap_ratio: Gap that is good enough.
        clock: Time that is left; no limit if not given.
        observer: Told the cost of the best choice and the bound.
    """
    whole = flat(program)
    if not np.logical_or.reduceat(whole.allowed, whole.starts).all():
        return Decomposed(np.inf, None, np.inf, program)
    search = _Search(whole, gap_ratio, clock or Clock(SolverSettings()), observer)
    try:
        point = search.close()
        if point.exceeded and nothing_fits(whole, point.prices):
            return Decomposed(np.inf, None, np.inf, program)
        search.plan()
    except KeyboardInterrupt:
        search.interrupted = True
    if search.choice is None and (search.interrupted or search.clock.is_up()):
        search.keep(repaired(whole, whole.least(search.best.reduced), search.best.reduced))
    left = search.left(search.choice, search.cost)
    return Decomposed(search.best.value, search.choice, search.cost, left, search.interrupted)


class _Search:
    """The relaxation, the best bound, and the prices that prove it."""

    def __init__(self, whole: Flat, gap_ratio: float, clock: Clock, observer: Observer | None) -> None:
        self.flat = whole
        self.gap_ratio = gap_ratio
        self.clock = clock
        self.observer = observer
        self.choice: Mapping[str, str] | None = None
        self.cost = float(np.inf)
        self.interrupted = False
        self.rounds = 0
        self.tolerance = max(gap_ratio / 10.0, 1e-7)
        starts = [bound(whole, _scaled(whole, factor)) for factor in (1.0, 0.6, 0.3, 0.0)]
        self.best = max(starts, key=lambda found: found.value)
        self.prices = _scaled(whole, (1.0, 0.6, 0.3, 0.0)[starts.index(self.best)])
        size = float(starts[0].cheapest.sum()) / len(whole.starts)
        self.master = Master(whole, usd_per_service=max(size, 1e-6))
        for found in starts:
            self.master.add(whole.least(found.reduced))

    def close(self) -> Point:
        """Add columns until the relaxation is as good as its bound, and return its optimum."""
        while True:
            point = self.master.solve()
            exact = bound(self.flat, point.prices)
            mixed_prices = self.prices.between(point.prices, TRUSTED)
            mixed = bound(self.flat, mixed_prices)
            for found, prices in ((exact, point.prices), (mixed, mixed_prices)):
                if found.value > self.best.value:
                    self.best, self.prices = found, prices
            closed = point.objective - self.best.value <= self.tolerance * abs(point.objective)
            added = self.master.add(self._promising(exact))
            added += self.master.add(self.flat.least(mixed.reduced))
            self.rounds += 1
            self._tell()
            if closed or not added or self.rounds == ROUNDS or self.clock.is_up():
                return point

    def _promising(self, found: Bound) -> NDArray[np.intp]:
        """Return the columns of each service that pay most at the prices of a point, a few of each."""
        paid = np.full(len(self.flat.starts), np.inf)
        known = found.reduced[self.master.columns]
        np.minimum.at(paid, self.flat.owner[self.master.columns], known)
        candidates = np.flatnonzero(
            found.reduced < paid[self.flat.owner] - 1e-9 * (1.0 + found.cheapest[self.flat.owner])
        )
        order = candidates[np.lexsort((found.reduced[candidates], self.flat.owner[candidates]))]
        owner = self.flat.owner[order]
        rank = np.arange(len(order)) - np.searchsorted(owner, owner)
        return order[rank < ADDED]

    def plan(self) -> None:
        """Look for a cheap choice that keeps every row."""
        if self.clock.is_up():
            return
        columns = repaired(self.flat, self._dive(), self.best.reduced)
        self.keep(columns)
        if columns is None or self.choice is None or self._is_close(self.cost) or self.clock.is_up():
            return
        choice = descended(self.flat.only(self._near(columns)), self.choice)
        self._keep_choice(choice)

    def keep(self, columns: NDArray[np.intp] | None) -> None:
        """Keep a column of each service as the choice if it keeps every row and costs less than the one before."""
        if columns is not None:
            self._keep_choice(self.flat.choice(columns))

    def _keep_choice(self, choice: Mapping[str, str]) -> None:
        cost = _cost(self.flat.program, choice)
        if cost < self.cost:
            self.choice, self.cost = choice, cost
            self._tell()

    def _tell(self) -> None:
        if self.observer is not None:
            self.observer(self.cost, self.best.value)

    def _is_close(self, cost: float) -> bool:
        return cost - self.best.value <= self.gap_ratio * abs(cost)

    def _near(self, columns: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return a few columns of each service that are cheapest at the prices, those of a choice among them."""
        order = np.lexsort((self.best.reduced, self.flat.owner))
        rank = np.arange(len(order)) - self.flat.starts[self.flat.owner[order]]
        keep = np.zeros(len(order), dtype=bool)
        keep[order] = rank < NEAR
        keep &= np.isfinite(self.best.reduced)
        keep[columns] = True
        return keep

    def _dive(self) -> NDArray[np.intp]:
        """Return a column of each service: what the relaxation is sure of is fixed, then it is solved again."""
        point = self.master.solve()
        fixed = np.zeros(len(self.flat.starts), dtype=bool)
        for _ in range(DIVES):
            owner = self.flat.owner[self.master.columns]
            best, share = _largest(owner, point.values)
            sure = ~fixed & (share >= min(SURE, np.quantile(share[~fixed], 0.7)))
            fixed |= sure
            self.master.fix(best[sure])
            if fixed.all() or self.clock.is_up():
                break
            point = self.master.solve()
        return self.master.columns[_largest(self.flat.owner[self.master.columns], point.values)[0]]

    def left(self, choice: Mapping[str, str] | None, cost: float) -> Program:
        """Return the program with the columns that are not too dear for a choice better than the one found."""
        if choice is None:
            return self.flat.program
        keep = self.best.reduced <= cost - self.best.value + 1e-7 * abs(cost)
        for number, service in enumerate(self.flat.program.services):
            names = service.columns.names  # type: ignore[attr-defined]
            keep[int(self.flat.starts[number]) + names.index(choice[service.name])] = True
        return self.flat.only(keep & self.flat.allowed)


def _cost(program: Program, choice: Mapping[str, str]) -> float:
    """Return what a choice costs, infinite where it breaks a row."""
    solution = evaluate(program, choice)
    if solution is None or broken_rows(program, solution, tolerance=HELD):
        return float(np.inf)
    return solution.cost_usd_per_month


def _largest(owner: NDArray[np.intp], values: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Return the place of the largest value of each service, and that value."""
    order = np.lexsort((np.arange(len(owner)), -values, owner))
    _, first = np.unique(owner[order], return_index=True)
    best = order[first]
    return best, values[best]


def _scaled(whole: Flat, factor: float) -> Prices:
    """Return prices between those of commitments used at all hours (0) and those of buying by the hour (1)."""
    hours, cover = whole.hours, {}
    for pool in whole.program.pools:
        if pool.owned or pool.name not in whole.uses:
            continue
        by_hour = pool.hourly[-1].usd_per_h if pool.hourly else 0.0
        full = min((plan.usd_per_h for plan in pool.committed), default=by_hour)
        cover[pool.name] = (factor * max(by_hour, full) + (1.0 - factor) * min(full, by_hour or full)) * hours
    return Prices(
        cover,
        {group.name: np.zeros(len(hours)) for group in whole.program.groups},
        dict.fromkeys(whole.shares, 0.0),
    )
