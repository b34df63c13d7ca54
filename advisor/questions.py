"""The calls behind `advisor explain`, `frontier`, `what-if` and `compare`: pure, typed, and nothing printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.api import decided
from advisor.errors import InputError, UnknownName
from advisor.evaluating import Workers
from advisor.fleet import Source
from advisor.insight.outcomes import Comparison, Explanation, FleetInsights, FrontierAnswer, WhatIf
from advisor.latency import LATENCY_KEYS
from advisor.scenario import Scenario
from advisor.stored import load_plan
from advisor.units import DURATION, LOSS, RATIO

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from advisor.api import Decided
    from advisor.calibration import Calibration
    from advisor.catalog import Catalog
    from advisor.evaluating import Progress
    from advisor.fleet import Fleet
    from advisor.recommendation import Recommendation
    from advisor.requirements import Requirements
    from advisor.solver import SolverSettings
    from advisor.strategy import Strategy
    from advisor.switching import Current

ACCURACY, CONFIDENCE = "max_accuracy_loss", "confidence"
MOST_VALUES = 200
"""Points of one frontier that are solved at most."""
MOST_SERVICES = 20
"""Services of one fleet that are explained at most."""


def explain(
    workload: Source | Sequence[Source] | Fleet,
    requirements: Requirements | None = None,
    *,
    full: bool = False,
    current: Current | Recommendation | str | Path | None = None,
    catalog: Catalog | None = None,
    strategies: Sequence[Strategy] | None = None,
    calibration: Calibration | str | Path | None = None,
    solver: SolverSettings | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    today_date: str = "",
    mix: int = 1,
) -> Explanation:
    """Return a recommendation and what there is to say about it; candidates are evaluated once for both.

    Args:
        workload: As for `recommend`.
        requirements: As for `recommend`.
        full: Also frontiers, the price of each promise, the sensitivity and the robustness, which take some seconds;
            else why, what each change saves, the roll-out and near-optimal plans.
        current: As for `recommend`; there is no insight beside a plan in service, as insights explain the way from the
            workload's `serving`.
        catalog: Machines and prices; the embedded ones by default.
        strategies: Strategies to consider; the installed ones by default.
        calibration: As for `recommend`.
        solver: Solver, time limit and gap.
        executor: As for `recommend`.
        progress: As for `recommend`.
        today_date: `YYYY-MM-DD`, to say which prices are old; empty says nothing.
        mix: As for `recommend`; there is no insight into a mix.

    Raises:
        InputError: The workload or the requirements cannot be used.
        StrategyError: A strategy breaks its contract.

    Example:
        >>> from advisor import Requirements
        >>> found = explain("small-cnn", Requirements(max_accuracy_loss="1%"))
        >>> saving = found.insights.attribution.savings_usd_per_month
        >>> abs(saving - found.recommendation.savings_usd_per_month) < 0.01
        True
    """
    found = decided(
        workload,
        requirements,
        catalog=catalog,
        strategies=strategies,
        calibration=calibration,
        solver=solver,
        workers=Workers(executor, progress),
        today_date=today_date,
        current=current,
        mix=mix,
    )
    unexplained = current is not None or found.recommendation.robust is not None
    if not found.chosen or unexplained:
        return Explanation(recommendation=found.recommendation, insights=None)
    if len(found.services) != 1:
        return Explanation(recommendation=found.recommendation, insights=None, fleet=_of_fleet(found))
    from advisor.insight import insights

    (one,) = found.services
    position = found.chosen[one.name]
    said = insights(one.evaluation, one.terms, one.plans, position, one.before, full=full)
    return Explanation(recommendation=found.recommendation, insights=said)


def _of_fleet(found: Decided) -> FleetInsights | None:
    if len(found.services) > MOST_SERVICES or len(found.chosen) < len(found.services):
        return None
    from advisor.insight.fleets import fleet_insights

    return fleet_insights(found.services, found.chosen, found.recommendation)


def what_if(
    workload: Source | Sequence[Source] | Fleet,
    requirements: Requirements | None = None,
    scenarios: Sequence[Scenario | Mapping[str, Any]] = (),
    *,
    catalog: Catalog | None = None,
    strategies: Sequence[Strategy] | None = None,
    solver: SolverSettings | None = None,
) -> WhatIf:
    """Return what becomes of the plan under each scenario, and which plan would then be best.

    Candidates are evaluated once; every scenario is then chosen for and proven on its own.

    Args:
        workload: As for `recommend`.
        requirements: As for `recommend`.
        scenarios: What turns out differently, each all at once.
        catalog: Machines and prices; the embedded ones by default.
        strategies: Strategies to consider; the installed ones by default.
        solver: Solver, time limit and gap of the plan as stated.

    Raises:
        InputError: The workload, the requirements or a scenario cannot be used.

    Example:
        >>> from advisor import Requirements, Scenario
        >>> found = what_if("small-cnn", Requirements(max_accuracy_loss="1%"), [Scenario(traffic="x2")])
        >>> found.scenarios[0].best_usd_per_month > found.stated.best_usd_per_month
        True
    """
    from advisor.insight.whatif import what_if as answered

    _refuse_robust(requirements)
    asked = [Scenario.load(scenario) for scenario in scenarios]
    found = decided(
        workload,
        requirements,
        catalog=catalog,
        strategies=strategies,
        solver=solver,
        workers=Workers(),
        today_date="",
        whole=True,
    )
    return answered(found.recommendation.workload, found.services, found.chosen, found.requirements, asked)


def frontier(
    workload: Source | Sequence[Source] | Fleet,
    requirements: Requirements | None = None,
    *,
    against: Sequence[str] = (),
    values: Sequence[str | float] = (),
    catalog: Catalog | None = None,
    strategies: Sequence[Strategy] | None = None,
    solver: SolverSettings | None = None,
) -> FrontierAnswer:
    """Return the cheapest plan along a limit, everything else held, for each limit that is moved.

    Args:
        workload: As for `recommend`.
        requirements: As for `recommend`; every limit but the one that moves stays as it is.
        against: `max_accuracy_loss`, a latency such as `ttft_p99`, or `confidence`; all that are stated by default.
        values: Of the one limit in `against`, such as `["0.5%", "1%"]`; a range around the stated value by default.
        catalog: Machines and prices; the embedded ones by default.
        strategies: Strategies to consider; the installed ones by default.
        solver: Solver, time limit and gap of the plan as stated.

    Raises:
        InfeasibleError: Nothing meets the requirements as stated.
        InputError: The workload or the requirements cannot be used, or a limit cannot be moved.

    Example:
        >>> from advisor import Requirements
        >>> found = frontier("small-cnn", Requirements(max_accuracy_loss="1%"), against=["max_accuracy_loss"])
        >>> costs = [point.plan.cost_usd_per_month for point in found.frontiers[0].points if point.plan]
        >>> costs == sorted(costs, reverse=True)
        True
    """
    _refuse_robust(requirements)
    wanted = _moved(against, values)
    found = decided(
        workload,
        requirements,
        catalog=catalog,
        strategies=strategies,
        solver=solver,
        workers=Workers(),
        today_date="",
        whole=True,
    )
    found.recommendation.require()
    return _frontiers(found, wanted)


def _refuse_robust(requirements: Requirements | None) -> None:
    if requirements is not None and requirements.robust:
        raise InputError("robust: this question is about the cheapest plan as predicted; leave it out")


def _moved(against: Sequence[str], values: Sequence[str | float]) -> dict[str, tuple[float, ...]]:
    """Return the values of each limit to move, none where the usual ones are meant."""
    names = [name.strip().replace("-", "_") for name in against]
    for name in names:
        if name not in {ACCURACY, CONFIDENCE, *LATENCY_KEYS}:
            raise UnknownName.among("limit", name, (ACCURACY, CONFIDENCE, *LATENCY_KEYS), "can be moved")
    if values and len(names) != 1:
        raise InputError("values: say which one limit they are of, such as --against max-accuracy-loss")
    if len(values) > MOST_VALUES:
        raise InputError(f"values: got {len(values):,}; expected at most {MOST_VALUES}")
    units = {ACCURACY: LOSS, CONFIDENCE: RATIO}
    try:
        return {
            name: tuple(float(units.get(name, DURATION).read(value)) for value in values) for name in names
        }
    except ValueError as error:
        raise InputError(f"values: {error}") from None


def _frontiers(found: Decided, wanted: Mapping[str, tuple[float, ...]]) -> FrontierAnswer:
    import numpy as np

    from advisor.insight.briefs import briefs
    from advisor.insight.frontier import frontiers, frontiers_of

    if len(found.services) != 1:
        raise InputError("a frontier is of one service; give one workload")
    (one,) = found.services
    recommended = one.plans.take(np.array([found.chosen[one.name]]))
    return FrontierAnswer(
        workload=one.name,
        today_usd_per_month=float(one.before.plan.cost_usd_per_month[0]),
        plan=briefs(one.evaluation, recommended, one.terms)[0],
        frontiers=frontiers(frontiers_of(one.evaluation, one.terms, recommended), wanted),
    )


def compare(first: Recommendation | str | Path, second: Recommendation | str | Path) -> Comparison:
    """Return what distinguishes two stored recommendations: what was asked, money, machines, choices, promises.

    Args:
        first: A file of `advisor recommend -o plan.json`, or the recommendation itself.
        second: Another one.

    Raises:
        InputError: One of them cannot be read, or holds no plan.

    Example:
        >>> from advisor import Requirements, recommend
        >>> loose, tight = (recommend("small-cnn", Requirements(max_accuracy_loss=x)) for x in ("1%", "0.1%"))
        >>> compare(loose, tight).cheaper
        'first'
    """
    from advisor.insight.comparing import compared

    names = [
        str(one) if isinstance(one, str | Path) else name
        for one, name in ((first, "first"), (second, "second"))
    ]
    return compared(load_plan(first), load_plan(second), names=(names[0], names[1]))
