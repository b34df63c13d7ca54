"""A service made ready to be planned for: its terms, its candidates evaluated, and what serves it today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from advisor.alike import Alike
from advisor.baseline import Today, today
from advisor.calibration import Calibration
from advisor.candidates import Selection, compose
from advisor.catalog import Catalog, InstanceType
from advisor.evaluation import Evaluation
from advisor.formulation import Case
from advisor.own import own_measurements
from advisor.plans import Plans, feasible_plans
from advisor.requirements import Requirements
from advisor.strategy import Strategy
from advisor.terms import Terms, resolve
from advisor.workload import Workload

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.mixing import Mixed
    from advisor.recommendation import ServicePlan


@dataclass(frozen=True, slots=True)
class Running:
    """What is in service of a plan made earlier, and what stands against each candidate that would replace it.

    Args:
        stored: The service as it was recommended.
        now: The same choices under today's traffic and prices; `None` where they cannot be deployed any more.
        kept: Position of those choices among the candidates; `None` where they do not keep the terms.
        margin_usd_per_month: What each candidate must save beyond its cost; zero for the one in service.
        idle_usd: What is left to pay for reserved machines that each candidate leaves idle.
        why: Why the choices do not keep the terms; empty where they do.
    """

    stored: ServicePlan
    now: ServicePlan | None
    kept: int | None
    margin_usd_per_month: NDArray[np.float64]
    idle_usd: NDArray[np.float64]
    why: str = ""

    def take(self, positions: NDArray[np.int64]) -> Running:
        """Return the same beside some of the candidates, the one in service among them."""
        at = None if self.kept is None else int(np.flatnonzero(positions == self.kept)[0])
        return replace(
            self,
            kept=at,
            margin_usd_per_month=self.margin_usd_per_month[positions],
            idle_usd=self.idle_usd[positions],
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """One service, evaluated.

    Args:
        terms: What must hold for it.
        evaluation: Of its candidates.
        before: What serves it today.
        plans: Candidates that meet its terms, but for totals.
        requirements: What the terms were resolved from.
        strategies: Strategies that were considered for it.
        priority: 1 is served first where machines or money are short.
        reduced: Whether candidates that a fleet's program never needs were left out.
        running: What is in service of an earlier plan; `None` where there is none.
        mixed: The best mix of machines found for it; `None` where none was asked for or found.
    """

    terms: Terms
    evaluation: Evaluation
    before: Today
    plans: Plans
    requirements: Requirements
    strategies: tuple[Strategy, ...]
    priority: int = 1
    reduced: bool = False
    running: Running | None = None
    mixed: Mixed | None = None

    @property
    def name(self) -> str:
        """Name of the service."""
        return self.evaluation.workload.name

    @property
    def case(self) -> Case:
        """The service as the formulation takes it: what stands against a change is a part of its cost."""
        own = self.plans.own_usd_per_month + self.reluctance_usd_per_month
        plans = replace(self.plans, own_usd_per_month=own)
        extras = (self.mixed.as_extra(),) if self.mixed else ()
        return Case(self.evaluation, plans, self.terms, self.reduced, extras)

    @property
    def reluctance_usd_per_month(self) -> NDArray[np.float64]:
        """What stands against each candidate beside its bill: margin, and idle reserved machines over the horizon."""
        if self.running is None:
            return np.zeros(len(self.plans))
        idle = self.running.idle_usd / self.evaluation.workload.horizon_months
        return np.asarray(self.running.margin_usd_per_month + idle, dtype=np.float64)

    def willing(self) -> Prepared:
        """Return the service with nothing that stands against a change but what the change costs."""
        return replace(self, running=None)


def prepared(
    workload: Workload,
    requirements: Requirements,
    catalog: Catalog,
    strategies: Sequence[Strategy],
    *,
    priority: int = 1,
    alone: bool = True,
    calibration: Calibration | None = None,
    alike: Alike | None = None,
) -> Prepared:
    """Return a service evaluated.

    Args:
        workload: What is served, and what serves it today.
        requirements: Its limits.
        catalog: Machines and prices.
        strategies: Strategies to consider.
        priority: Of the service in its fleet.
        alone: Whether totals (budgets, carbon) are its own; those of a fleet hold for all services together.
        calibration: Own benchmarks.
        alike: Services evaluated before, with the same catalogue and benchmarks.
    """
    terms = resolve(workload, requirements)
    if not alone:
        terms = replace(terms, totals={})
    catalog = priced(workload, catalog)
    machines = considered_machines(workload, requirements, catalog)

    def made() -> Evaluation:
        measured = own_measurements(workload, strategies, catalog.instances) if workload.measurements else ()
        candidates = compose(workload, requirements, strategies, machines)
        return Evaluation(workload, catalog, candidates, measured, calibration)

    evaluation = alike.evaluation(workload, requirements, strategies, machines, made) if alike else made()
    before = today(workload, terms, catalog, strategies, calibration, alike)
    plans = feasible_plans(evaluation, terms)
    return Prepared(terms, evaluation, before, plans, requirements, tuple(strategies), priority)


def considered_machines(
    workload: Workload, requirements: Requirements, catalog: Catalog
) -> tuple[InstanceType, ...]:
    """Return the machines to consider: those asked for; else those of today's provider and region.

    Where accelerators must stay as they are, today's machine alone.
    """
    here = workload.serving
    if Selection(requirements.only, requirements.without).leaves_alone("accelerators"):
        return (catalog.instance(here.instance_type, here.provider, here.region),)
    own = catalog.instance(here.instance_type, here.provider, here.region)
    providers = requirements.providers or (() if requirements.regions else (own.provider,))
    regions = requirements.regions or (() if requirements.providers else (own.region,))
    return catalog.select(
        providers=providers,
        regions=regions,
        allow=requirements.allow_instances,
        deny=requirements.deny_instances,
    )


def priced(workload: Workload, catalog: Catalog) -> Catalog:
    """Return the catalogue with the price that the user pays for today's machine."""
    here = workload.serving
    if here.price_usd_per_h is None:
        return catalog
    return catalog.with_price(
        here.instance_type,
        here.price_usd_per_h,
        purchase=here.purchase,
        provider=here.provider,
        region=here.region,
    )
