"""Results apart: why the solver stopped, what it proved, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from advisor.solver.data import PlanKind


class Status(StrEnum):
    """Why the solver stopped."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    UNBOUNDED = "unbounded"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True)
class SolverReport:
    """What the solver proved about the first goal.

    Attributes:
        name: Solver, as in `SolverSettings.name`.
        status: `OPTIMAL` only if every goal is proven to within the gap that was asked for.
        objective: Value of the first goal, recomputed from the data, in its unit; None without a solution.
        bound: No solution can be below this value of the first goal; None where nothing is proven.
        gap_ratio: (objective - bound) / |objective|, at least 0; None where nothing is proven.
        interrupted: Whether the user interrupted the search; what it had found by then is the solution.
    """

    name: str
    status: Status
    objective: float | None = None
    bound: float | None = None
    gap_ratio: float | None = None
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Purchase:
    """Instances bought of one plan of one pool, one count for each period (all equal if committed)."""

    pool: str
    plan: str
    kind: PlanKind
    instances: tuple[int, ...]
    cost_usd_per_month: float


@dataclass(frozen=True, slots=True)
class Solution:
    """What to do, evaluated again from the data of the program.

    Attributes:
        choice: Service name to the name of its chosen column, by service name.
        purchases: Purchases with at least one instance, by pool and plan name.
        cost_usd_per_month: Columns plus purchases.
        purchase_cost_usd_per_month: Purchases alone.
        attributes: Attribute name to its sum over the chosen columns.
        limits: Limit name to the value it bounds (the largest over services where each counts by itself).
        use: Pool name to instances in use in each period.
    """

    choice: Mapping[str, str]
    purchases: tuple[Purchase, ...]
    cost_usd_per_month: float
    purchase_cost_usd_per_month: float
    attributes: Mapping[str, float]
    limits: Mapping[str, float]
    use: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Result:
    """Report and, unless there is none, the solution."""

    report: SolverReport
    solution: Solution | None

    @property
    def status(self) -> Status:
        """Status of the report."""
        return self.report.status
