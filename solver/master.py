"""The linear relaxation over a few columns of each service, kept between solves while columns are added and fixed."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from advisor.solver.data import PlanKind
from advisor.solver.errors import SolverFailure
from advisor.solver.flat import Flat
from advisor.solver.master_rows import INFINITY, Entries, Layout, Matrix
from advisor.solver.relaxation import Prices
from advisor.solver.tables import Floats

PENALTY: Final = 1e3
"""Mean costs of a service that exceeding a quota by one, or a limit by its largest column, is taken to cost."""


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """An optimum of the relaxation over the columns known so far.

    Attributes:
        objective: Its value, in USD per month; a bound only once no column prices out.
        values: Share of each known column, by its place in `Master.columns`.
        prices: What shared rows are worth.
        exceeded: Whether a quota or limit is exceeded, for want of better columns.
    """

    objective: float
    values: Floats
    prices: Prices
    exceeded: bool


class Master:
    """Rows C1 to C6 with purchases in broken numbers, over columns that are added."""

    def __init__(self, flat: Flat, *, usd_per_service: float) -> None:
        import highspy  # noqa: PLC0415  (only programs that share purchases pay for importing it)

        self.flat = flat
        self.layout = Layout(flat)
        self.columns = np.zeros(0, dtype=np.intp)
        self.known = np.zeros(len(flat.cost), dtype=bool)
        self.unit_usd = usd_per_service  # costs near 1, as the solver's tolerances are absolute
        self.solver: Any = highspy.Highs()
        self.solver.setOptionValue("output_flag", False)
        self.solver.setOptionValue("threads", 1)
        self.solver.setOptionValue("random_seed", 0)
        self.optimal: Any = highspy.HighsModelStatus.kOptimal
        self._add_rows()
        self.purchases = self._add_purchases()
        self.first = self._add_excesses()

    def add(self, columns: NDArray[np.intp]) -> int:
        """Add columns that are not known yet, and return how many were not."""
        new = np.unique(columns[~self.known[columns]])
        self.known[new] = True
        self.columns = np.concatenate([self.columns, new])
        if len(new):
            self._add_columns(self.layout.cost(new), np.full(len(new), INFINITY), self.layout.entries(new))
        return len(new)

    def fix(self, at: NDArray[np.intp]) -> None:
        """Take the columns at some places of `columns` in full."""
        for place in at.tolist():
            self.solver.changeColBounds(self.first + place, 1.0, INFINITY)

    def solve(self) -> Point:
        """Return the optimum over the known columns.

        Raises:
            SolverFailure: The solver broke off.
        """
        self.solver.run()
        if self.solver.getModelStatus() != self.optimal:
            raise SolverFailure(f"the linear relaxation ended as {self.solver.getModelStatus().name}")
        solution = self.solver.getSolution()
        values = np.array(solution.col_value)
        return Point(
            float(self.solver.getInfo().objective_function_value) * self.unit_usd,
            values[self.first :],
            self._prices(np.array(solution.row_dual) * self.unit_usd),
            bool((values[self.purchases : self.first] > 1e-7).any()),
        )

    def _prices(self, dual: Floats) -> Prices:
        layout, periods = self.layout, self.layout.periods
        cover = {name: dual[first : first + periods] for name, first in layout.cover.items()}
        return Prices(
            {**layout.steady, **cover},
            {name: -dual[first : first + periods] for name, first in layout.groups.items()},
            {name: -float(dual[row]) for name, row in layout.limits.items()},
        )

    def _add_rows(self) -> None:
        lower, upper = np.concatenate(self.layout.lower), np.concatenate(self.layout.upper)
        none = np.zeros(0, dtype=np.int32)
        self.solver.addRows(
            len(lower), lower, upper, 0, np.zeros(len(lower), dtype=np.int32), none, np.zeros(0)
        )

    def _add_purchases(self) -> int:
        """Add a variable for each committed plan, and for each hourly plan in each period; return their number."""
        cost, most, entries, count = [], [], Entries(), 0
        hours, periods = self.flat.hours, np.arange(self.layout.periods)
        for pool in self.layout.pools:
            for plan in pool.plans:
                committed = plan.kind is PlanKind.COMMITTED
                width = 1 if committed else len(periods)
                columns = count + np.zeros(len(periods), dtype=np.intp) if committed else count + periods
                entries.add(self.layout.cover[pool.name] + periods, columns, np.ones(len(periods)))
                if plan.max_share_of_use < 1.0:
                    rows = self.layout.share[pool.name, plan.name] + periods
                    entries.add(rows, columns, np.ones(len(periods)))
                cost.append(plan.usd_per_h * (hours.sum(keepdims=True) if committed else hours))
                most.append(np.full(width, INFINITY if plan.quota is None else float(plan.quota)))
                count += width
        if count:
            self._add_columns(np.concatenate(cost), np.concatenate(most), entries.matrix(count))
        return count

    def _add_excesses(self) -> int:
        """Add what rows may be exceeded by, and return the number of variables so far."""
        entries, count = Entries(), 0
        for first, rows, unit in self.layout.relaxable():
            entries.add(first + np.arange(rows), count + np.arange(rows), np.full(rows, unit))
            count += rows
        if count:
            penalty = np.full(count, PENALTY * self.unit_usd)
            self._add_columns(penalty, np.full(count, INFINITY), entries.matrix(count))
        return self.purchases + count

    def _add_columns(self, cost: Floats, most: Floats, matrix: Matrix) -> None:
        values, rows, starts = matrix
        self.solver.addCols(
            len(cost), cost / self.unit_usd, np.zeros(len(cost)), most, len(values), starts, rows, values
        )
