"""The one file that knows PuLP: a linear program in, a status and numbers out, for PuLP 3.3 and 4."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from advisor.solver.errors import SolverFailure, SolverUnavailable
from advisor.solver.linear import Domain, Expression, LinearProgram
from advisor.solver.results import Status

_PULP_NAMES: Final = {
    "highs": "HiGHS",
    "cbc": "COIN_CMD",
    "glpk": "GLPK_CMD",
    "scip": "SCIP_CMD",
    "gurobi": "GUROBI",
    "cplex": "CPLEX_PY",
}
RANDOM_SEED: Final = 0
"""Seed of the solver, fixed so that answers are reproducible."""
_SENSES: Final = {"<=": -1, "=": 0, ">=": 1}
_TIGHT: Final = 1e-9
Observer = Callable[[float, float], None]
"""Called with the cost of the best choice so far, infinite without one, and the proven bound, in USD per month."""


@dataclass(frozen=True, slots=True)
class SolverSettings:
    """Which solver PuLP calls, and when it may stop.

    Attributes:
        name: One of `available_solvers()`.
        time_limit_s: Wall time for the whole answer, in seconds; None is no limit.
        gap_ratio: Relative gap at which a solution counts as optimal; 0 asks for a full proof.
        threads: Threads of the solver; one keeps answers reproducible.
        simplify: Whether provably equivalent smaller programs may be solved instead of the rows as written.
        observer: Told how far a decomposition is.
    """

    name: str = "highs"
    time_limit_s: float | None = None
    gap_ratio: float = 0.0
    threads: int = 1
    simplify: bool = True
    observer: Observer | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.name not in _PULP_NAMES:
            raise SolverUnavailable(
                f"no solver {self.name!r} is known; expected one of: {', '.join(_PULP_NAMES)}"
            )
        if self.time_limit_s is not None and not (math.isfinite(self.time_limit_s) and self.time_limit_s > 0):
            raise ValueError(
                f"time_limit_s is {self.time_limit_s!r}; expected a number of seconds above 0, or None"
            )
        if not 0 <= self.gap_ratio < 1:
            raise ValueError(f"gap_ratio is {self.gap_ratio!r}; expected at least 0 and less than 1")
        if self.threads < 1:
            raise ValueError(f"threads is {self.threads!r}; expected at least 1")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the solver returned for one linear program.

    Attributes:
        status: Read from the solver's own model and solution status, never from one of them alone.
        values: One for each variable, whole for binary and integer ones; empty without a solution.
        objective: Value at the solver's unrounded point; None without a solution.
        bound: Proven lower bound of the objective; None where nothing is proven.
    """

    status: Status
    values: Sequence[float] = ()
    objective: float | None = None
    bound: float | None = None


def available_solvers() -> tuple[str, ...]:
    """Return the names of the installed solvers that `SolverSettings` accepts, the default first."""
    import pulp  # noqa: PLC0415  (only programs that solve pay for importing it)

    return tuple(name for name in _PULP_NAMES if _created(pulp, name).available())


def minimize(
    program: LinearProgram, settings: SolverSettings, *, time_limit_s: float | None = None
) -> Answer:
    """Return the solver's answer to a linear program.

    Raises:
        SolverUnavailable: The solver is known but not installed.
    """
    import pulp  # noqa: PLC0415  (only programs that solve pay for importing it)

    problem = pulp.LpProblem("advisor", pulp.LpMinimize)
    variables = _add_variables(problem, program.domains)
    scale = _power_of_two(program.objective.coefficients, largest=1024.0)
    problem += _sum(pulp, program.objective, variables, scale)
    for number, row in enumerate(program.rows):
        factor = _power_of_two(row.expression.coefficients, largest=1.0)
        expression = _sum(pulp, row.expression, variables, factor)
        problem.addConstraint(
            _compared(pulp, expression, _SENSES[row.sense], row.bound * factor), f"c{number:07d}"
        )
    stats = problem.solve(_solver(pulp, settings, time_limit_s))
    return _answer(problem, stats, program, variables, scale)


def _add_variables(problem: Any, domains: Sequence[Domain]) -> list[Any]:
    """Numbered names, because PuLP rewrites any others silently and sorts by them."""
    bounds = {
        Domain.BINARY: (0, 1, "Integer"),
        Domain.INTEGER: (0, None, "Integer"),
        Domain.CONTINUOUS: (0, None, "Continuous"),
    }
    return [problem.add_variable(f"v{number:07d}", *bounds[domain]) for number, domain in enumerate(domains)]


def _power_of_two(coefficients: Sequence[float], *, largest: float) -> float:
    """Return an exact factor that brings the largest coefficient near `largest`: tolerances are absolute."""
    most = max((abs(coefficient) for coefficient in coefficients), default=0.0)
    return 2.0 ** round(math.log2(largest / most)) if most > 0 else 1.0


def _sum(pulp: Any, expression: Expression, variables: Sequence[Any], scale: float) -> Any:
    pairs = [
        (variables[at], coefficient * scale)
        for at, coefficient in zip(expression.variables, expression.coefficients, strict=True)
        if coefficient
    ]
    batch = getattr(pulp, "lpSum_vars_coefs", None)
    return batch(pairs) if batch else pulp.LpAffineExpression(pairs)


def _compared(pulp: Any, expression: Any, sense: int, bound: float) -> Any:
    if not hasattr(pulp, "lpSum_vars_coefs"):
        return pulp.LpConstraint(expression, sense, rhs=bound)
    if sense == 0:
        return expression == bound
    return expression <= bound if sense < 0 else expression >= bound


def _solver(pulp: Any, settings: SolverSettings, time_limit_s: float | None) -> Any:
    options: dict[str, Any] = {
        "msg": False,
        "threads": settings.threads,
        "gapRel": settings.gap_ratio,
        "timeLimit": time_limit_s,
    }
    if settings.name == "highs":
        options |= {
            "gapAbs": _TIGHT,
            "mip_feasibility_tolerance": _TIGHT,
            "primal_feasibility_tolerance": _TIGHT,
        }
        options |= {"dual_feasibility_tolerance": _TIGHT, "random_seed": RANDOM_SEED}
    solver = _created(pulp, settings.name, **options)
    if not solver.available():
        raise SolverUnavailable(
            f"the solver {settings.name!r} is not installed; expected one of: {', '.join(available_solvers())}"
        )
    return solver


def _created(pulp: Any, name: str, **options: Any) -> Any:
    """Return PuLP's solver of a name; CBC is the installed one, else the one that PuLP 3 brings along."""
    solver = getattr(pulp, _PULP_NAMES[name])(**{"msg": False, **options})
    bundled = getattr(getattr(pulp, "PULP_CBC_CMD", None), "pulp_cbc_path", None)
    if name == "cbc" and bundled and not solver.available():
        return pulp.COIN_CMD(path=bundled, **{"msg": False, **options})
    return solver


def _answer(
    problem: Any, stats: Any, program: LinearProgram, variables: Sequence[Any], scale: float
) -> Answer:
    highs = getattr(problem, "solverModel", None)
    if highs is not None and hasattr(highs, "getModelStatus"):
        status, bound = _highs_status(highs)
    else:
        status, bound = _pulp_status(problem, stats)
    if status not in {Status.OPTIMAL, Status.FEASIBLE}:
        return Answer(status, bound=None if bound is None else bound / scale)
    values = [
        _whole(variable.varValue, domain) for variable, domain in zip(variables, program.domains, strict=True)
    ]
    raw = sum(
        (variables[at].varValue or 0.0) * coefficient
        for at, coefficient in zip(program.objective.variables, program.objective.coefficients, strict=True)
    )
    return Answer(status, values, raw, None if bound is None else bound / scale)


def _whole(value: float | None, domain: Domain) -> float:
    """Return the value, rounded where it has to be whole; a variable in no row and no objective is 0."""
    if value is None:
        return 0.0
    return value if domain is Domain.CONTINUOUS else float(round(value))


def _highs_status(highs: Any) -> tuple[Status, float | None]:
    """Return status and bound; every program here is bounded below, so 'infeasible or unbounded' is infeasible."""
    model_status = highs.getModelStatus().name
    info = highs.getInfo()
    has_point = info.primal_solution_status == 2  # kSolutionStatusFeasible
    bound = float(info.mip_dual_bound)
    proven = bound if math.isfinite(bound) else None
    if model_status in {"kInfeasible", "kUnboundedOrInfeasible"}:
        return Status.INFEASIBLE, None
    if model_status == "kUnbounded":
        return Status.UNBOUNDED, None
    if model_status in {
        "kNotset",
        "kLoadError",
        "kModelError",
        "kPresolveError",
        "kSolveError",
        "kPostsolveError",
    }:
        raise SolverFailure(
            f"HiGHS did not run ({model_status}); one process must keep one number of threads, and numbers in a "
            "program should not differ by more than a factor of about 1e9"
        )
    if not has_point:
        return Status.UNDETERMINED, proven
    if model_status == "kOptimal":
        return Status.OPTIMAL, proven if info.mip_node_count >= 0 else float(info.objective_function_value)
    return Status.FEASIBLE, proven


def _pulp_status(problem: Any, stats: Any) -> tuple[Status, float | None]:
    """Return status and bound of any other solver, from the status of the run and that of the solution."""
    if hasattr(stats, "has_solution"):
        name, has_point, bound = stats.status.name, bool(stats.has_solution), stats.best_bound
    else:
        name = {1: "Optimal", -1: "Infeasible", -2: "Unbounded"}.get(problem.status, "Stopped")
        has_point = problem.sol_status in {1, 2}
        if name == "Optimal" and problem.sol_status != 1:
            name = "Stopped"
        bound = None
    if name in {"Infeasible", "Unbounded"}:
        return Status(name.lower()), None
    if not has_point:
        return Status.UNDETERMINED, bound
    return (Status.OPTIMAL if name in {"Optimal", "GapLimit"} else Status.FEASIBLE), bound
