"""One choice for all services together: the integer program of what was prepared, solved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from advisor.conflict import meets_totals
from advisor.errors import InputError
from advisor.formulation import Formulation, formulate
from advisor.preparation import Prepared
from advisor.solver import Result, SolverSettings, SolverUnavailable, solve
from advisor.terms import Terms


def solved(
    services: Sequence[Prepared], terms: Terms, settings: SolverSettings
) -> tuple[Formulation | None, Result | None]:
    """Return the program and its result; none where a service has no candidate, or none that keeps its totals.

    Raises:
        InputError: The solver is not installed.
    """
    if not all(len(one.plans) for one in services):
        return None, None
    first = services[0]
    alone = len(services) == 1 and first.mixed is None
    if alone and not meets_totals(first.evaluation, first.plans, terms).any():
        return None, None
    formulation = formulate([one.case for one in services], terms)
    try:
        return formulation, solve(formulation.program, settings)
    except SolverUnavailable as error:
        raise InputError(f"solver: {error}") from error


@dataclass(frozen=True, slots=True)
class Chosen:
    """A plan for all services.

    Args:
        positions: Of each service's plan among its candidates.
        cost_usd_per_month: All of it, machines bought together.
    """

    positions: Mapping[str, int]
    cost_usd_per_month: float


def chosen(
    services: Sequence[Prepared], terms: Terms, settings: SolverSettings | None = None
) -> Chosen | None:
    """Return the best plan for all services together, or `None` where nothing fits.

    Args:
        services: Prepared, their traffic in the same periods.
        terms: What holds for all of them together.
        settings: Of the solver.
    """
    formulation, result = solved(services, terms, settings or SolverSettings())
    if formulation is None or result is None or result.solution is None:
        return None
    choice = result.solution.choice
    positions = {one.name: formulation.candidate[one.name, choice[one.name]] for one in services}
    return Chosen(positions, result.solution.cost_usd_per_month)
