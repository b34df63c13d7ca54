"""How sure the plan is when accuracy, speed, traffic and prices are uncertain at once, and which plan to choose then."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from advisor.insight.briefs import briefs
from advisor.insight.contenders import contenders
from advisor.insight.draws import COUNT, PRICE_P90_RATIO, TRAFFIC_P90_RATIO, draws
from advisor.insight.frontier import latency_title
from advisor.insight.results import LimitProbability, Robustness, RobustPlan
from advisor.insight.trials import trials
from advisor.plans import Plans
from advisor.recommendation import RobustChoice
from advisor.running import electricity_usd_per_month, energy_and_carbon
from advisor.units import format_probability, format_usd

if TYPE_CHECKING:
    from advisor.baseline import Today
    from advisor.insight.contenders import Contenders
    from advisor.insight.space import Space
    from advisor.insight.trials import Trials

SHOWN = 8
"""Plans that are reported: the recommended, the robust and the cheapest on average."""
CONFIDENCE = 0.9
"""Used where the requirements ask for none."""
ASSUMPTIONS = (
    f"assumed: one time in ten, traffic is more than {TRAFFIC_P90_RATIO:g} times what was stated, and as rarely less than 1/{TRAFFIC_P90_RATIO:g} of it",
    f"assumed: one time in ten, machines are dearer than {PRICE_P90_RATIO:g} times the catalogue, and as rarely cheaper than 1/{PRICE_P90_RATIO:g} of it",
    "accuracy: the distribution of each treatment's loss, good or bad for all treatments together",
    "speed: the error of the performance model on measurements left out of its fit, the same way for all plans",
    "reactive scaling follows traffic; static and scheduled replicas stay as planned until machines are added",
    "where the accuracy fails or no number of machines keeps the latencies, the cheapest plan whose accuracy is certain takes over (today's deployment where there is none), and the one-time cost is lost",
)


def robustness(space: Space, before: Today) -> Robustness:
    """Return how likely each limit holds, what the plan is expected to cost, and the robust choice."""
    confidence = CONFIDENCE if space.terms.confidence is None else space.terms.confidence
    found = contenders(space, confidence=confidence)
    tried = trials(space, found, draws(), before)
    together = tried.all_hold.mean(axis=1)
    expected = tried.usd_per_month.mean(axis=1)
    robust = _robust(together, expected, confidence)
    plans = _plans(space, found, tried, robust)
    limits = tuple(
        LimitProbability(requirement=name, probability=float(holds[0].mean()))
        for name, holds in tried.holds.items()
    )
    mine = tried.usd_per_month[0]
    saved = tried.today_usd_per_month - mine
    for_money = before.keeps_limits and space.terms.objective[0] == "cost"
    gain = float(saved.mean()) if for_money else None
    verdict, reason = _verdict(limits, plans, saved=gain, confidence=confidence)
    return Robustness(
        draws=COUNT,
        confidence=confidence,
        limits=limits,
        all_limits_probability=plans[0].all_limits_probability,
        expected_usd_per_month=plans[0].expected_usd_per_month,
        p10_usd_per_month=float(np.quantile(mine, 0.1)),
        p90_usd_per_month=float(np.quantile(mine, 0.9)),
        expected_saving_usd_per_month=float(saved.mean()),
        expected_regret_usd_per_month=plans[0].expected_regret_usd_per_month,
        saving_probability=plans[0].saving_probability,
        plans=plans,
        verdict=verdict,
        reason=reason,
        rule=_rule(confidence),
        assumptions=ASSUMPTIONS,
    )


def robust_choice(space: Space, before: Today) -> tuple[Plans, RobustChoice]:
    """Return the robust choice alone, with the machines that it was counted with, and why it is taken."""
    confidence = CONFIDENCE if space.terms.confidence is None else space.terms.confidence
    found = contenders(space, confidence=confidence)
    tried = trials(space, found, draws(), before)
    together, expected = tried.all_hold.mean(axis=1), tried.usd_per_month.mean(axis=1)
    at = _robust(together, expected, confidence)
    saved = tried.today_usd_per_month - tried.usd_per_month[at]
    for_money = before.keeps_limits and space.terms.objective[0] == "cost"
    limits = {name: float(holds[at].mean()) for name, holds in tried.holds.items()}
    mine = next(plan for plan in _plans(space, found, tried, at) if plan.is_robust)
    verdict, reason = _verdict(
        tuple(LimitProbability(requirement=name, probability=chance) for name, chance in limits.items()),
        (mine.model_copy(update={"is_recommended": True}),),
        saved=float(saved.mean()) if for_money else None,
        confidence=confidence,
    )
    choice = RobustChoice(
        confidence=confidence,
        draws=COUNT,
        considered=len(found.plans),
        all_limits_probability=mine.all_limits_probability,
        limits=limits,
        headroom_ratio=mine.headroom_ratio,
        expected_usd_per_month=mine.expected_usd_per_month,
        expected_regret_usd_per_month=mine.expected_regret_usd_per_month,
        saving_probability=mine.saving_probability,
        cheapest_usd_per_month=space.chosen_cost,
        cheapest_all_limits_probability=float(together[0]),
        verdict=verdict,
        reason=reason,
        rule=_rule(confidence),
        assumptions=ASSUMPTIONS,
    )
    return _as_used(space, found.plans.take(np.array([at]))), choice


def _as_used(space: Space, plan: Plans) -> Plans:
    """Return a plan with the energy that its machines take at the traffic stated, not at that they were counted for."""
    energy, carbon = energy_and_carbon(
        space.evaluation, plan.engine, plan.capacity_requests_per_s, plan.instances
    )
    own = electricity_usd_per_month(space.evaluation, plan.engine, energy)
    before = electricity_usd_per_month(space.evaluation, plan.engine, plan.energy_kwh_per_month)
    return replace(
        plan,
        energy_kwh_per_month=energy,
        carbon_kg_per_month=carbon,
        own_usd_per_month=plan.own_usd_per_month - before + own,
    )


def _robust(together: np.ndarray, expected: np.ndarray, confidence: float) -> int:
    """Return the cheapest on average of those that keep every limit with the confidence, else the likeliest to."""
    sure = np.flatnonzero(together >= confidence)
    if len(sure):
        return int(sure[np.argmin(expected[sure])])
    return int(np.lexsort((expected, -together))[0])


def _plans(space: Space, found: Contenders, tried: Trials, robust: int) -> tuple[RobustPlan, ...]:
    described = briefs(space.evaluation, found.plans, space.terms)
    together = tried.all_hold.mean(axis=1)
    expected = tried.usd_per_month.mean(axis=1)
    regret = (tried.usd_per_month - tried.informed_usd_per_month).mean(axis=1)
    saves = (tried.usd_per_month < tried.today_usd_per_month).mean(axis=1)
    order = sorted(range(len(found.plans)), key=lambda at: (at != 0, at != robust, float(expected[at]), at))[
        :SHOWN
    ]
    order = sorted(order, key=lambda at: (at != 0, float(expected[at]), at))
    return tuple(
        RobustPlan(
            plan=described[at],
            sized_for=found.sized_for[at],
            headroom_ratio=found.headroom_ratio[at],
            all_limits_probability=float(together[at]),
            expected_usd_per_month=float(expected[at]),
            expected_regret_usd_per_month=float(regret[at]),
            saving_probability=float(saves[at]),
            is_recommended=at == 0,
            is_robust=at == robust,
        )
        for at in order
    )


def _rule(confidence: float) -> str:
    return (
        f"act where the plan is cheaper than today with {confidence:.0%} probability and keeps every limit with {confidence:.0%}; "
        "hold where it is not expected to save, or is likelier to cost more than today; measure first otherwise; the saving "
        "does not count where today's deployment breaks the limits or the objective is not the cost"
    )


def _verdict(
    limits: tuple[LimitProbability, ...],
    plans: tuple[RobustPlan, ...],
    *,
    saved: float | None,
    confidence: float,
) -> tuple[Literal["act", "measure first", "hold"], str]:
    mine = plans[0]
    sure = f"every limit holds with {format_probability(mine.all_limits_probability)} probability"
    chances = [mine.all_limits_probability]
    if saved is not None:
        if saved <= 0.0 or mine.saving_probability < 0.5:
            return "hold", (
                f"it is expected to save {format_usd(saved)}/month and is cheaper than today with a probability of "
                f"{format_probability(mine.saving_probability)} only"
            )
        sure += f", and it saves with {format_probability(mine.saving_probability)}"
        chances.append(mine.saving_probability)
    if min(chances) >= confidence:
        return "act", f"{sure}, at least the {confidence:.0%} asked for"
    doubt = min(limits, key=lambda limit: limit.probability, default=None)
    measured = (
        ""
        if doubt is None
        else f"; measure {_title(doubt.requirement)} first ({format_probability(doubt.probability)})"
    )
    return "measure first", f"{sure}, and {confidence:.0%} is asked for{measured}{_safer(plans)}"


def _safer(plans: tuple[RobustPlan, ...]) -> str:
    robust = next(plan for plan in plans if plan.is_robust)
    if robust.is_recommended:
        return ""
    extra = format_usd(robust.plan.cost_usd_per_month - plans[0].plan.cost_usd_per_month)
    return f"; the robust choice keeps every limit with {format_probability(robust.all_limits_probability)} for {extra}/month more"


def _title(requirement: str) -> str:
    if requirement.startswith("max_accuracy_loss"):
        return "the accuracy" + requirement.removeprefix("max_accuracy_loss").replace(" ", " on ")
    return "the cost" if requirement == "cost" else latency_title(requirement)
