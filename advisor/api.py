"""The one call: a workload and requirements in, a recommendation out; pure, typed, and nothing printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.assembly import common_fields, with_plan, without_plan
from advisor.billing.whole import whole_bill
from advisor.calibration import Calibration
from advisor.catalog import Catalog
from advisor.errors import InputError
from advisor.evaluating import Asked, Progress, Workers, evaluated, verified
from advisor.examples import is_example
from advisor.fleet import Fleet, Source
from advisor.mixing import MIX, Mixer, verify_mix
from advisor.planning import solved
from advisor.preparation import Prepared
from advisor.recommendation import (
    Inputs,
    Recommendation,
    ServiceInputs,
)
from advisor.registry import installed_strategies
from advisor.requirements import Requirements
from advisor.sharing import (
    bill_of_all,
    shared_terms,
)
from advisor.solver import SolverSettings, Status
from advisor.switching import Current, InService, in_service, preparer, switch_of
from advisor.terms import Terms, resolve

if TYPE_CHECKING:
    from advisor.strategy import Strategy


def recommend(
    workload: Source | Sequence[Source] | Fleet,
    requirements: Requirements | None = None,
    *,
    current: Current | Recommendation | str | Path | None = None,
    catalog: Catalog | None = None,
    strategies: Sequence[Strategy] | None = None,
    calibration: Calibration | str | Path | None = None,
    solver: SolverSettings | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    today_date: str = "",
    mix: int = 1,
) -> Recommendation:
    """Return the cheapest plan that meets the requirements, or why there is none.

    Args:
        workload: A `Workload`, a mapping with its fields, a path to a YAML or JSON file, or the name of an example;
            several of them, or one with `services:`, for a fleet that shares machines, quotas and budgets.
        requirements: Limits and objective; those of the workload where not given.
        current: The plan in service, an earlier recommendation or its file; a change must pay the switch from there.
            The workload's `serving` where not given.
        catalog: Machines and prices; the embedded ones by default.
        strategies: Strategies to consider; the installed ones by default.
        calibration: Own benchmarks, or the file of `advisor calibrate`; candidates to which they apply are predicted by
            them, all others as shipped.
        solver: Solver, time limit and gap.
        executor: Where the services of a fleet are evaluated: any `concurrent.futures.Executor`, such as a pool of
            processes; here, one after the other, if not given. The answer is the same.
        progress: Called with how many services of a fleet are evaluated, and their number.
        today_date: `YYYY-MM-DD`, to say which prices are old; empty says nothing.
        mix: Most pools of machines that one service may run on, each for requests of its sizes; 1 is no mix.

    Raises:
        InputError: The workload or the requirements cannot be used.
        StrategyError: A strategy breaks its contract.

    Example:
        >>> recommendation = recommend("small-cnn", Requirements(max_accuracy_loss="1%"))
        >>> recommendation.status, recommendation.plan.cost_usd_per_month <= recommendation.baseline.cost_usd_per_month
        ('optimal', True)
    """
    return decided(
        workload,
        requirements,
        current=current,
        catalog=catalog,
        strategies=strategies,
        calibration=calibration,
        solver=solver,
        workers=Workers(executor, progress),
        today_date=today_date,
        mix=mix,
    ).recommendation


@dataclass(frozen=True, slots=True)
class Decided:
    """A recommendation with what it was made from.

    Args:
        recommendation: The result.
        services: Every service that was asked for, evaluated.
        chosen: Position of each served service's plan among its candidates; without those that are mixed or not served.
        requirements: Of all services together.
    """

    recommendation: Recommendation
    services: Sequence[Prepared]
    chosen: Mapping[str, int]
    requirements: Requirements = field(default_factory=Requirements)


def decided(
    workload: Source | Sequence[Source] | Fleet,
    requirements: Requirements | None,
    *,
    catalog: Catalog | None,
    strategies: Sequence[Strategy] | None,
    solver: SolverSettings | None,
    workers: Workers,
    today_date: str,
    calibration: Calibration | str | Path | None = None,
    whole: bool = False,
    current: Current | Recommendation | str | Path | None = None,
    mix: int = 1,
) -> Decided:
    """Return the recommendation with what it was made from, for questions that go on from there; see `recommend`.

    With `whole`, every candidate of a fleet is kept, not only those that its program may need.
    """
    if mix < 1 or (mix > 1 and current is not None):
        wanted = "1 beside a plan in service (current)" if mix > 1 else "1 or more"
        raise InputError(f"mix: got {mix} pools of machines for one service; expected {wanted}")
    fleet = Fleet.read(workload)
    requirements = requirements or Requirements()
    catalog = catalog or Catalog.load()
    strategies = tuple(strategies if strategies is not None else installed_strategies())
    running: InService | None = None
    if current is not None:
        fleet, running = in_service(current, fleet)
    settings = solver or SolverSettings()
    own = None if calibration is None else Calibration.load(calibration)
    services, terms = _evaluated(
        fleet,
        requirements,
        catalog,
        strategies,
        running,
        workers,
        calibration=own,
        whole=whole,
        mixed=lambda prepare: prepare if mix == 1 else Mixer(prepare, mix, replace(settings, observer=None)),
    )
    example = workload if isinstance(workload, str) and is_example(workload) else ""
    asked = _asked(fleet, requirements, mix)
    common = common_fields(services, terms, today_date, asked, example=example)
    planned = _planned(services, terms, settings, common, running, workers)
    if requirements.robust:
        planned = _robustly(planned, terms, settings, common, workers, plain=running is None and mix == 1)
    found = planned.recommendation
    workloads = [service.workload for service in fleet.services]
    if any(workload.lifecycle for workload in workloads):
        whole_life = whole_bill(workloads, found, catalog, today_date=today_date)
        found = found.model_copy(update={"bill": whole_life})
    return replace(planned, recommendation=found, requirements=requirements)


def _evaluated(
    fleet: Fleet,
    requirements: Requirements,
    catalog: Catalog,
    strategies: Sequence[Strategy],
    running: InService | None,
    workers: Workers,
    *,
    calibration: Calibration | None,
    whole: bool,
    mixed: Callable[[Callable[..., Prepared]], Callable[..., Prepared]],
) -> tuple[list[Prepared], Terms]:
    """Return every service evaluated, and what must hold for all of them together."""
    asked = [
        Asked(
            one.workload,
            one.over(requirements),
            one.priority,
            mixed(preparer(running, one.workload.name, calibration)),
        )
        for one in fleet.services
    ]
    first = asked[0]
    if len(asked) == 1:
        one = first.prepare(
            first.workload, first.requirements, catalog, strategies, priority=first.priority, alone=True
        )
        return [one], one.terms
    shared = shared_terms(requirements, resolve(first.workload, first.requirements).objective)
    if not whole:
        return evaluated(asked, shared, catalog, strategies, workers), shared
    return [
        one.prepare(one.workload, one.requirements, catalog, strategies, priority=one.priority, alone=False)
        for one in asked
    ], shared


def _asked(fleet: Fleet, requirements: Requirements, mix: int) -> Inputs:
    """Return what was asked, as plain values that load to the same again."""
    services = tuple(
        ServiceInputs(
            workload=service.workload.model_dump(mode="json", exclude_unset=True),
            requirements=Requirements.load(service.requirements).model_dump(mode="json", exclude_unset=True),
            priority=service.priority,
        )
        for service in fleet.services
    )
    given = requirements.model_dump(mode="json", exclude_unset=True)
    return Inputs(services=services, requirements=given, mix=mix)


def _planned(
    services: Sequence[Prepared],
    terms: Terms,
    settings: SolverSettings,
    common: dict[str, Any],
    running: InService | None,
    workers: Workers,
) -> Decided:
    """Return the plan; where a fleet is short, that of the services that are served first."""
    shed: list[str] = []
    left = list(services)
    while True:
        formulation, result = solved(left, terms, settings)
        if running and (result is None or result.solution is None):  # the limits leave no room to keep things
            formulation, result = solved([one.willing() for one in left], terms, settings)
        if formulation is not None and result is not None and result.solution is not None:
            choice = result.solution.choice
            alone = [one for one in left if choice[one.name] != MIX]
            chosen = {one.name: formulation.candidate[one.name, choice[one.name]] for one in alone}
            verified(alone, chosen, workers)
            for one in left:
                if one.name not in chosen:
                    verify_mix(one)
            found = with_plan(left, chosen, terms, result, formulation, common, shed)
            if running is not None:
                found = _weighed(found, left, chosen, terms, settings, running)
            return Decided(found, services, chosen)
        last = max(one.priority for one in left)
        rest = [one for one in left if one.priority < last]
        undecided = result is not None and result.status is not Status.INFEASIBLE
        if undecided or not rest:
            found = without_plan(services, terms, result, settings, common, undecided=undecided)
            return Decided(found, services, {})
        shed += [one.name for one in left if one.priority == last]
        left = rest


def _robustly(
    planned: Decided,
    terms: Terms,
    settings: SolverSettings,
    common: dict[str, Any],
    workers: Workers,
    *,
    plain: bool,
) -> Decided:
    """Return the robust choice in place of the cheapest plan as predicted."""
    if len(planned.services) != 1 or not plain:
        raise InputError(
            "robust: chooses for one service, without a plan in service and without mixing; leave it out, or ask "
            "for each service alone"
        )
    if not planned.chosen:
        return planned
    from advisor.insight.robustness import robust_choice
    from advisor.insight.space import space_of

    (one,) = planned.services
    home = one.before.evaluation.candidates.blocks[0].instance_type.id
    space = space_of(one.evaluation, one.terms, one.plans, planned.chosen[one.name], home=home)
    plans, choice = robust_choice(space, one.before)
    verified([replace(one, plans=space.plans)], {one.name: space.like(plans)}, workers)
    sized, at = replace(one, plans=plans), {one.name: 0}
    formulation, result = solved([sized], terms, settings)
    assert formulation is not None  # noqa: S101 - a contender keeps the totals
    assert result is not None  # noqa: S101
    found = with_plan([sized], at, terms, result, formulation, common, [])
    kept = {
        "next_measurement": planned.recommendation.next_measurement,
        "status": "feasible",
        "robust": choice,
    }
    return Decided(found.model_copy(update=kept), [sized], at)


def _weighed(
    found: Recommendation,
    services: Sequence[Prepared],
    chosen: Mapping[str, int],
    terms: Terms,
    settings: SolverSettings,
    running: InService,
) -> Recommendation:
    """Return the recommendation with what is said of the plan in service."""
    assert found.plan is not None  # noqa: S101 - it has a plan
    formulation, result = solved([one.willing() for one in services], terms, settings)
    free, bill = dict(chosen), found.plan.model_dump()
    if formulation is not None and result is not None and result.solution is not None:
        choice = result.solution.choice
        free = {one.name: formulation.candidate[one.name, choice[one.name]] for one in services}
        bill = bill_of_all(services, free, result)
    switch = switch_of(
        services,
        chosen,
        free,
        running,
        running_usd_per_month=found.baseline.cost_usd_per_month,
        bills=(found.plan.model_dump(), bill),
    )
    return found.model_copy(update={"switch": switch})
