"""A service made ready to be planned for: its terms, its candidates evaluated, and what serves it today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from advisor.baseline import Today, today
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


@dataclass(frozen=True, slots=True)
class Prepared:
    """One service, evaluated.

    Args:
        terms: What must hold for it.
        evaluation: Of its candidates.
        before: What serves it today.
        plans: Candidates that meet its terms, but for totals.
        requirements: What the terms were resolved from.
        priority: 1 is served first where machines or money are short.
        reduced: Whether candidates that a fleet's program never needs were left out.
    """

    terms: Terms
    evaluation: Evaluation
    before: Today
    plans: Plans
    requirements: Requirements
    priority: int = 1
    reduced: bool = False

    @property
    def name(self) -> str:
        """Name of the service."""
        return self.evaluation.workload.name

    @property
    def case(self) -> Case:
        """The service as the formulation takes it."""
        return Case(self.evaluation, self.plans, self.terms, self.reduced)


def prepared(
    workload: Workload,
    requirements: Requirements,
    catalog: Catalog,
    strategies: Sequence[Strategy],
    *,
    priority: int = 1,
    alone: bool = True,
) -> Prepared:
    """Return a service evaluated.

    Args:
        workload: What is served, and what serves it today.
        requirements: Its limits.
        catalog: Machines and prices.
        strategies: Strategies to consider.
        priority: Of the service in its fleet.
        alone: Whether totals (budgets, carbon) are its own; those of a fleet hold for all services together.
    """
    terms = resolve(workload, requirements)
    if not alone:
        terms = replace(terms, totals={})
    catalog = priced(workload, catalog)
    machines = considered_machines(workload, requirements, catalog)
    measured = own_measurements(workload, strategies, catalog.instances) if workload.measurements else ()
    candidates = compose(workload, requirements, strategies, machines)
    evaluation = Evaluation(workload, catalog, candidates, measured)
    before = today(workload, terms, catalog, strategies)
    return Prepared(terms, evaluation, before, feasible_plans(evaluation, terms), requirements, priority)


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
