"""What a measurement is worth before deciding: how far the bill is expected to move once its result is known.

For an option whose loss is within the limit with probability p:

- chosen: it breaks the limit with 1 - p, and the best plan without it costs more: (1 - p) (C_without - C);
- left out although it may keep the limit: p (C - C_with).

For the speed of an engine, latencies are scaled to their 10th, 50th and 90th percentile, with weights 0.3, 0.4, 0.3; the
plan's machines are counted again at each, and the next best engine is taken where it is cheaper.

Source of the weights: Swanson's rule, as in Hurst, Brown and Swanson, "Swanson's 30-40-30 rule", AAPG Bulletin 84, 2000.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from advisor.accuracy.measured import DISCORDANT_SHARE, needed_samples
from advisor.conflict import meets_totals
from advisor.explanation import P90_Z
from advisor.plans import Plans, plans_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from advisor.evaluation import Evaluation
    from advisor.terms import Terms

LEAST_PROBABILITY = 0.2
"""An option that keeps the limit less often than this is not worth a measurement."""
LEAST_USD_PER_MONTH = 1.0
"""A measurement that is worth less than this is not named."""
MOST_SAMPLES = 100_000
"""An evaluation of more questions than this is not proposed."""
ASSUMED_BASELINE = 0.8
"""Metric of today's model where the workload does not say it; sample sizes depend on it."""
SCREENED = 100
"""Engines with options left out that are evaluated in full."""
ENGINES = 8
"""Engines beside the chosen one whose speed is asked about: the cheapest of as many machines and number formats."""
SWANSON = ((-P90_Z, 0.3), (0.0, 0.4), (P90_Z, 0.3))
"""Standard normal quantiles and weights of the three-point approximation."""


@dataclass(frozen=True, slots=True)
class Worth:
    """A possible measurement of one candidate and what it is worth.

    Args:
        kind: `accuracy` or `speed`.
        value_usd_per_month: How far the bill is expected to move.
        probability: That it moves.
        plans: Candidates among which the measured one is.
        position: The measured one.
        usd_per_month: What the bill becomes: with good news, with bad news.
    """

    kind: str
    value_usd_per_month: float
    probability: float
    plans: Plans
    position: int
    usd_per_month: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Decision:
    """What is decided: the plans within the terms, and the chosen one."""

    evaluation: Evaluation
    terms: Terms
    plans: Plans
    position: int

    @property
    def cost(self) -> float:
        """Cost of the chosen plan, in USD a month."""
        return float(self.plans.cost_usd_per_month[self.position])

    @property
    def treatment(self) -> int:
        """Index of the chosen plan's treatment."""
        return int(self.evaluation.engines.treatment[self.plans.engine[self.position]])

    @property
    def within(self) -> NDArray[np.bool_]:
        """Which plans meet the limits on totals."""
        return meets_totals(self.evaluation, self.plans, self.terms)


def accuracy_worth(decision: Decision) -> list[Worth]:
    """Return what it is worth to evaluate the chosen options, and each set of options left out for its expected loss."""
    if not decision.terms.loss_ratio or not _can_be_settled(decision):
        return []
    kept = _kept(decision)
    return [*_chosen_worth(decision, kept), *_rejected_worth(decision, kept)]


def samples_to_settle(decision: Decision, task: str | None) -> int | None:
    """Return how many questions settle the limit on a class of tasks, answers compared one by one; `None` for a limit of zero."""
    known, limit = decision.evaluation.workload.accuracy, decision.terms.loss_ratio[task]
    if limit <= 0.0:
        return None
    baseline = known.slices.get(task, known.baseline) or ASSUMED_BASELINE  # type: ignore[call-overload]
    return needed_samples(baseline, limit_ratio=limit, discordant_share=DISCORDANT_SHARE)


def _can_be_settled(decision: Decision) -> bool:
    needed = [samples_to_settle(decision, task) for task in decision.terms.loss_ratio]
    return all(count is not None and count <= MOST_SAMPLES for count in needed)


def _kept(decision: Decision) -> NDArray[np.float64]:
    """Return the probability that each treatment keeps every limit: that of its worst."""
    evaluation, kept = decision.evaluation, np.ones(len(decision.evaluation.losses))
    for task, limit in decision.terms.loss_ratio.items():
        losses = evaluation.losses if task is None else evaluation.slice_losses(task)
        kept = np.minimum(kept, [0.0 if loss is None else loss.probability_at_most(limit) for loss in losses])
    return kept


def _chosen_worth(decision: Decision, kept: NDArray[np.float64]) -> list[Worth]:
    broken = 1.0 - float(kept[decision.treatment])
    if broken <= 0.0:
        return []
    treatments = decision.evaluation.engines.treatments
    mine = _parts(treatments[decision.treatment])
    without = np.array([not mine <= _parts(other) for other in treatments])
    others = decision.within & without[decision.evaluation.engines.treatment[decision.plans.engine]]
    if not others.any():
        return []
    dearer = float(decision.plans.cost_usd_per_month[others].min())
    value = broken * (dearer - decision.cost)
    return [Worth("accuracy", value, broken, decision.plans, decision.position, (decision.cost, dearer))]


def _parts(treatment: object) -> set[object]:
    names = getattr(treatment, "names", ())
    return {name for _, group in names for name in group} | set(getattr(treatment, "losses", ()))


def _rejected_worth(decision: Decision, kept: NDArray[np.float64]) -> list[Worth]:
    evaluation, terms = decision.evaluation, decision.terms
    of_engine = evaluation.engines.treatment
    accepted = np.zeros(len(kept), dtype=bool)
    accepted[of_engine[evaluation.accepted(terms)]] = True
    open_treatments = ~accepted & (kept >= LEAST_PROBABILITY)
    keep = np.zeros(len(of_engine), dtype=bool)
    keep[_promising(decision, kept, np.flatnonzero(open_treatments[of_engine]))] = True
    if not keep.any():
        return []
    capacity = evaluation.capacity_requests_per_s(terms.latency_limits, keep, confidence=terms.confidence)
    plans = plans_at(evaluation, terms, capacity, np.flatnonzero((capacity > 0.0).any(axis=1)))
    cost = np.where(meets_totals(evaluation, plans, terms), plans.cost_usd_per_month, inf)
    found = []
    for treatment in np.unique(of_engine[plans.engine]):
        at = np.flatnonzero(of_engine[plans.engine] == treatment)
        best = int(at[np.argmin(cost[at])])
        probability, saved = float(kept[treatment]), decision.cost - float(cost[best])
        if saved > 0.0:
            found.append(
                Worth(
                    "accuracy",
                    probability * saved,
                    probability,
                    plans,
                    best,
                    (float(cost[best]), decision.cost),
                )
            )
    return found


def _promising(
    decision: Decision, kept: NDArray[np.float64], engines: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the engines whose measurement may be worth most, those that fit only, by their cost at one level of burstiness."""
    evaluation, terms = decision.evaluation, decision.terms
    replica = evaluation.serving.replica
    fits = replica.fits[engines] & (replica.memory_bytes[engines] <= (terms.max_memory_bytes or inf))
    engines = engines[fits]
    if not len(engines):
        return engines
    z = 0.0 if terms.confidence is None else NormalDist().inv_cdf(terms.confidence)
    capacity = _capacity(decision, engines, [z], evaluation.arrival_cvs[-1:])[0]
    plans = plans_at(evaluation, terms, capacity, engines[capacity[engines].min(axis=1) > 0.0])
    worth = kept[evaluation.engines.treatment[plans.engine]] * (decision.cost - plans.cost_usd_per_month)
    order = np.argsort(-worth, kind="stable")
    best = np.unique(plans.engine[order[worth[order] > 0.0]], return_index=True)
    return np.asarray(best[0][np.argsort(best[1])][:SCREENED], dtype=np.int64)


def _capacity(
    decision: Decision, engines: NDArray[np.int64], quantiles: Sequence[float], arrival_cvs: Sequence[float]
) -> list[NDArray[np.float64]]:
    """Return the capacity of some engines, for each quantile of how much longer than predicted their latencies are.

    Returns:
        For each quantile, shape (engines of the evaluation, levels), requests per second; 0 for the others. One level
        given stands for all.
    """
    evaluation, count = decision.evaluation, len(decision.evaluation.arrival_cvs)
    serving = evaluation.serving.take(np.tile(engines, len(quantiles)))
    z, sigma = np.repeat(quantiles, len(engines)), serving.replica.log_sigma
    limits: dict[tuple[str, str], Any] = {
        key: limit / np.exp(z * sigma[key]) for key, limit in decision.terms.latency_limits.items()
    }
    levels = np.stack([serving.capacity_requests_per_s(limits, arrival_cv=cv) for cv in arrival_cvs], axis=1)
    found = []
    for part in np.split(levels, len(quantiles)):
        capacity = np.zeros((len(evaluation.engines), count))
        capacity[engines] = part
        found.append(capacity)
    return found


def speed_worth(decision: Decision) -> list[Worth]:
    """Return what it is worth to benchmark the chosen engine, and the cheapest engine of other machines and formats."""
    positions = _cheapest_of_each(decision)
    engines = decision.plans.engine[positions]
    capacities = _capacity(decision, engines, [z for z, _ in SWANSON], decision.evaluation.arrival_cvs)
    costs = np.stack([_costs_at(decision, engines, capacity) for capacity in capacities])
    weights = np.array([weight for _, weight in SWANSON])
    mine, found = decision.cost, []
    second = min((float(decision.plans.cost_usd_per_month[at]) for at in positions[1:]), default=inf)
    for number, at in enumerate(positions):
        if number == 0:
            known = np.minimum(costs[:, 0], max(second, mine))
            moved = np.abs(np.where(np.isfinite(known), known, mine) - mine)
        else:
            moved = np.maximum(mine - costs[:, number], 0.0)
        value, probability = float(weights @ moved), float(weights @ (moved > LEAST_USD_PER_MONTH))
        ends = (float(costs[0, number]), float(costs[-1, number]))
        found.append(Worth("speed", value, probability, decision.plans, int(at), ends))
    return found


def _cheapest_of_each(decision: Decision) -> list[int]:
    """Return the chosen plan, then the cheapest of each other machine and number format, the cheapest first."""
    engines, plans = decision.evaluation.engines, decision.plans
    cell = engines.block[plans.engine] * (int(engines.precision.max()) + 1) + engines.precision[plans.engine]
    order = np.argsort(np.where(decision.within, plans.cost_usd_per_month, inf), kind="stable")
    order = order[decision.within[order]]
    _, first = np.unique(cell[order], return_index=True)
    others = [int(order[at]) for at in np.sort(first) if cell[order[at]] != cell[decision.position]]
    return [decision.position, *others[:ENGINES]]


def _costs_at(
    decision: Decision, engines: NDArray[np.int64], capacity: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the cheapest way to run each engine at such capacities, in USD a month; infinite where there is none."""
    able = np.unique(engines[(capacity[engines] > 0.0).all(axis=1)])
    plans = plans_at(decision.evaluation, decision.terms, capacity, able)
    meets = meets_totals(decision.evaluation, plans, decision.terms)
    cost = np.where(meets, plans.cost_usd_per_month, inf)
    return np.array([cost[plans.engine == engine].min(initial=inf) for engine in engines])
