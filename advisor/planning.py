"""One choice for all services together: the integer program of what was prepared, solved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from advisor.conflict import meets_totals
from advisor.errors import InputError
from advisor.formulation import Formulation, formulate
from advisor.preparation import Prepared
from advisor.solver import Result, SolverSettings, SolverUnavailable, solve
from advisor.terms import Terms

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
    if len(services) > 1 or first.mixed is not None:
        formulation = formulate([one.case for one in services], terms)
    else:
        within = np.flatnonzero(meets_totals(first.evaluation, first.plans, terms))
        if not len(within):
            return None, None
        formulation = _of_some(first, within, terms)
    try:
        return formulation, solve(formulation.program, settings)
    except SolverUnavailable as error:
        raise InputError(f"solver: {error}") from error


def _of_some(one: Prepared, within: NDArray[np.int64], terms: Terms) -> Formulation:
    """Return the program of one service with some of its candidates, named by their positions among all of them.

    Those beyond a quota must go before the program's columns are thinned out, where a cheaper one replaces a dearer.
    """
    whole = one.case  # what stands against a change is in its costs
    found = formulate([replace(whole, plans=whole.plans.take(within))], terms)
    return replace(found, candidate={name: int(within[at]) for name, at in found.candidate.items()})


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
