"""Cascades on machines of their own: the cheapest pair of a small model's pool and the main model's.

The first pool and the second are chosen by one integer program, as two services that share quotas, pools and one limit
on accuracy: what handing on loses (published, or measured by the user), and what each model loses by its own options,
weighed by the share of the requests that it answers. Its proof holds for the pairs of one division of the latency
limits; where requests take the time of both models a few divisions are tried (`DIVISIONS`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from advisor.candidates import Selection, compose
from advisor.columns import Treatment
from advisor.evaluation import Evaluation
from advisor.formulation import Case, formulate
from advisor.losses import treatment_losses
from advisor.mixing.accuracy import keeps_limits
from advisor.mixing.latency import keeps_latency
from advisor.mixing.parts import Handing, Mixed, Part, effort_usd, stage_part
from advisor.plans import Plans, feasible_plans
from advisor.preparation import Prepared, considered_machines
from advisor.solver import SolverReport, SolverSettings, Status, solve
from advisor.stages import Stage, stage_of, stage_terms, stages_of
from advisor.terms import Terms
from advisor.units import format_ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.accuracy import LossDistribution
    from advisor.strategy import Option

DIVISIONS = (0.2, 0.35, 0.5, 0.65)
"""Shares of the latency limits that the small model may take, where a request that is handed on takes the time of both."""
ALIKE = 2.0
"""Assumed: published results hold for a first model of up to so many times more or less of the size that they are for."""


@dataclass(frozen=True, slots=True)
class _Pool:
    """One stage with its candidates; losses are those over the requests that it answers, weighed by their share of all."""

    stage: Stage
    evaluation: Evaluation
    plans: Plans
    terms: Terms

    def case(self, losses: NDArray[np.float64]) -> Case:
        return Case(self.evaluation, replace(self.plans, loss_ratio=losses[self.plans.engine]), self.terms)


def best_cascade(one: Prepared, settings: SolverSettings) -> Mixed | None:
    """Return the cheapest cascade on two pools; `None` where the workload names no small model, or none fits."""
    found = [mixed for handing in handings(one) for mixed in _cascades(one, handing, settings)]
    return min(found, key=lambda mixed: mixed.cost_usd_per_month, default=None)


def handings(one: Prepared) -> tuple[Handing, ...]:
    """Return the ways to hand requests on that the strategies offer and the user allows; see `refusal`."""
    return tuple(
        handing(one, name, option) for name, option in _offered(one) if not _refused(one, name, option)
    )


def handing(one: Prepared, strategy: str, option: Option) -> Handing:
    """Return a way to hand requests on, with what it loses on each class of tasks that is limited."""
    workload, deltas = one.evaluation.workload, option.deltas
    assert workload.cascade is not None  # noqa: S101 - else nothing is offered
    treatment = Treatment(
        names=((strategy, deltas.treatments),) if deltas.treatments else (),
        losses=((strategy, deltas.loss),) if deltas.loss else (),
    )
    losses: dict[str | None, LossDistribution] = {}
    for task in {None, *one.terms.loss_ratio}:
        (loss,) = treatment_losses(workload, [treatment], task=task, measured=one.evaluation.measured)
        assert loss is not None  # noqa: S101 - one treatment excludes nothing
        losses[task] = loss
    share = workload.cascade.escalated or deltas.escalation_share
    return Handing(strategy, option, workload.cascade.model, share, losses)


def refusal(one: Prepared) -> str:
    """Return why no cascade on machines of its own was considered, in a sentence; empty where one was."""
    if one.evaluation.workload.cascade is None:
        return ""
    offered = _offered(one)
    reasons = [_refused(one, name, option) for name, option in offered]
    if not offered:
        return "No strategy offers to hand requests on for this model and its engine, or none was allowed."
    return "" if "" in reasons else reasons[0]


def _offered(one: Prepared) -> list[tuple[str, Option]]:
    workload = one.evaluation.workload
    if workload.cascade is None:
        return []
    selection = Selection(tuple(one.requirements.only), tuple(one.requirements.without))
    found: dict[tuple[str, str], Option] = {}
    for block in one.evaluation.candidates.blocks:
        for strategy in one.strategies:
            for option in strategy.options(workload, block.instance_type):
                fits = not option.requires.refusal(
                    family=workload.model.family,
                    runtime=workload.serving.runtime,
                    instance_type=block.instance_type,
                )
                hands_on = option.deltas.escalation_share < 1.0
                if hands_on and fits and selection.allows(strategy.name, option.id):
                    found.setdefault((strategy.name, option.id), option)
    return [(name, option) for (name, _), option in sorted(found.items())]


def _refused(one: Prepared, strategy: str, option: Option) -> str:
    workload, deltas = one.evaluation.workload, option.deltas
    assert workload.cascade is not None  # noqa: S101 - else nothing is offered
    label, covered = f"{strategy}={option.id}", {(name, None) for name in deltas.treatments}
    measured = any(own.covers == covered for own in one.evaluation.measured)
    size = workload.cascade.model.flops_per_item / workload.model.flops_per_item
    known = deltas.first_stage_ratio
    if workload.model.family == "decoder" and not deltas.routed_ahead:
        return f"{label} judges whole answers, so that the time to the first token is not known: no cascade was considered."
    if not measured and not known / ALIKE <= size <= known * ALIKE:
        return (
            f"{workload.cascade.model.name} does {format_ratio(size)} of the main model's work, and what is published "
            f"on {label} is for about {format_ratio(known)}: no cascade was considered. Measure its accuracy and say so in "
            "`measurements`."
        )
    if workload.cascade.escalated is not None and not measured:
        return (
            f"cascade.escalated is {format_ratio(workload.cascade.escalated)}, and what that loses is published for about "
            f"{format_ratio(deltas.escalation_share)}: no cascade was considered. Say in `measurements` what {label} lost."
        )
    return ""


def _cascades(one: Prepared, handing: Handing, settings: SolverSettings) -> Iterator[Mixed]:
    ahead = handing.option.deltas.routed_ahead
    made: dict[bool, Evaluation] = {}
    for division in (1.0,) if ahead else DIVISIONS:
        stages = stages_of(
            escalated_ratio=handing.escalated_ratio, routed_ahead=ahead, first_latency_ratio=division
        )
        for stage in stages:
            if stage.first not in made:
                made[stage.first] = evaluated(one, handing, stage)
        mixed = cheapest_pair(one, handing, [(stage, made[stage.first]) for stage in stages], settings)
        if mixed is not None and keeps_latency(mixed, one.terms) and keeps_limits(mixed, one.terms):
            yield mixed


def evaluated(one: Prepared, handing: Handing, stage: Stage) -> Evaluation:
    """Return one stage with every candidate for it; options that hand requests on again are none."""
    workload = stage_of(one.evaluation.workload, stage)
    never = (f"{handing.strategy}={handing.option.id}", *handing.option.conflicts)
    requirements = one.requirements.model_copy(update={"without": (*one.requirements.without, *never)})
    catalog = one.evaluation.catalog
    machines = considered_machines(workload, requirements, catalog)
    candidates = compose(workload, requirements, one.strategies, machines)
    measured = () if stage.first else one.evaluation.measured
    return Evaluation(workload, catalog, candidates, measured, one.evaluation.calibration)


def cheapest_pair(
    one: Prepared, handing: Handing, stages: Sequence[tuple[Stage, Evaluation]], settings: SolverSettings
) -> Mixed | None:
    """Return the cheapest pair of pools within the quotas, the totals and the limits on accuracy; `None` where none is.

    Args:
        one: The service.
        handing: How requests are handed on.
        stages: Both stages with their candidates.
        settings: Of the solver.
    """
    pools = [_pool(one, handing, stage, evaluation) for stage, evaluation in stages]
    if not all(len(pool.plans) for pool in pools):
        return None
    cases = [pool.case(_weighed(one, pool.stage, pool.evaluation)) for pool in pools]
    formulation = formulate(cases, _shared(one, handing))
    result = solve(formulation.program, settings)
    solution = result.solution
    if solution is None:
        return None
    parts: list[Part] = []
    for pool in pools:
        name = pool.evaluation.workload.name
        at = formulation.candidate[name, solution.choice[name]]
        parts.append(stage_part(one, pool.stage, pool.evaluation, pool.plans, at))
    return Mixed(tuple(parts), handing, proof=_proof(result.report, pools))


def _proof(report: SolverReport, pools: Sequence[_Pool]) -> str:
    """Return what the program proved of a pair."""
    if report.status is not Status.OPTIMAL:
        return ""
    first, second = (len(pool.plans) for pool in pools)
    division = pools[0].stage.latency_ratio
    under = (
        "" if division == 1.0 else f" where the small model may take {format_ratio(division)} of the limits"
    )
    within = f" by more than {format_ratio(report.gap_ratio)}" if report.gap_ratio else ""
    return f"Proven: of {first:,} × {second:,} pairs{under}, none is cheaper{within}."


def _pool(one: Prepared, handing: Handing, stage: Stage, evaluation: Evaluation) -> _Pool:
    """Return the candidates of a stage, without those that alone lose more than all requests may."""
    terms = stage_terms(one.terms, stage)
    plans = feasible_plans(evaluation, terms)
    keep = np.ones(len(plans), dtype=bool)
    for task, limit in one.terms.loss_ratio.items():
        left = limit - _at(handing.losses[task], one.terms.confidence)
        # on each class of tasks but the workload's own, either model by itself stays within what handing on leaves
        weight = stage.answered_ratio if task is None else 1.0
        losses = weight * _losses(evaluation, task, one.terms.confidence)
        keep &= losses[plans.engine] <= left + 1e-12
    return _Pool(stage, evaluation, plans.take(keep), terms)


def _weighed(one: Prepared, stage: Stage, evaluation: Evaluation) -> NDArray[np.float64]:
    return stage.answered_ratio * _losses(evaluation, None, one.terms.confidence)


def _losses(evaluation: Evaluation, task: str | None, confidence: float | None) -> NDArray[np.float64]:
    """Return what each engine loses on a class of tasks, on average or at most with a confidence."""
    losses = evaluation.losses if task is None else evaluation.slice_losses(task)
    each = np.array([1.0 if loss is None else _at(loss, confidence) for loss in losses])
    return each[evaluation.engines.treatment]


def _at(loss: LossDistribution, confidence: float | None) -> float:
    """Return the expected loss, or the one that is not exceeded with a confidence.

    Losses of both models and of handing on are taken to go up and down together, so that these add.
    """
    if confidence is None:
        return loss.expected_ratio
    return float(loss.samples[max(0, int(np.ceil(confidence * len(loss.samples) - 1e-9)) - 1)])


def _shared(one: Prepared, handing: Handing) -> Terms:
    """Return what holds for both pools together: what is left of the totals and of the accuracy."""
    terms = one.terms
    own, effort = handing.costs_usd(one.evaluation), effort_usd(one)
    once, monthly = own[0] + effort[0], own[1] + effort[1]
    spent = {"cost": monthly + once / one.evaluation.workload.horizon_months, "one-time": once}
    totals: dict[str, float] = {name: bound - spent.get(name, 0.0) for name, bound in terms.totals.items()}
    limit = terms.loss_ratio.get(None)
    if limit is not None:
        totals["accuracy"] = limit - _at(handing.losses[None], terms.confidence)
    return Terms(totals=totals, quotas=terms.quotas)
