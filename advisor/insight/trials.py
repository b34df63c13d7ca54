"""Every contender in every draw: which limits hold with the machines it has, and what it costs once the truth is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from advisor import cost
from advisor.formulation import policy_of
from advisor.insight.contenders import FOLLOWS
from advisor.latency import metric_and_statistic
from advisor.running import prices_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.baseline import Today
    from advisor.insight.contenders import Contenders
    from advisor.insight.draws import Draws
    from advisor.insight.space import Space

LOADS = np.maximum(1.0 - np.linspace(1.0, 0.0, 65)[:-1] ** 3, 1e-3)
"""Shares of the highest stable rate at which latencies are computed; between them they are interpolated."""
TOLERANCE = 1e-3
"""Relative error of the interpolation that is not held against a plan."""


@dataclass(frozen=True, slots=True)
class Trials:
    """Outcomes, shape (contenders, draws).

    Args:
        holds: By limit: whether it holds with the machines of the plan.
        usd_per_month: Cost with machines added until the latencies hold; where accuracy or latencies cannot be had,
            that of the cheapest plan whose accuracy is certain (else of today's deployment) and the one-time cost.
        informed_usd_per_month: Least cost of any contender, or of today's deployment, with the truth known before; one
            entry for each draw.
        today_usd_per_month: Cost of today's deployment; one entry for each draw.
    """

    holds: dict[str, NDArray[np.bool_]]
    usd_per_month: NDArray[np.float64]
    informed_usd_per_month: NDArray[np.float64]
    today_usd_per_month: NDArray[np.float64]

    @property
    def all_hold(self) -> NDArray[np.bool_]:
        """Whether every limit holds."""
        return np.asarray(np.logical_and.reduce(list(self.holds.values())), dtype=np.bool_)


def trials(space: Space, contenders: Contenders, drawn: Draws, before: Today) -> Trials:
    """Return what becomes of each contender in each draw."""
    thresholds = _thresholds(space, contenders, drawn)
    accurate = _accurate(space, contenders, drawn)
    today = _today(before, drawn)
    count, size = len(contenders.plans), len(drawn.accuracy)
    holds = {**accurate, **{name: np.ones((count, size), dtype=bool) for name in thresholds}}
    works = np.logical_and.reduce([*accurate.values(), np.ones((count, size), dtype=bool)])
    paid, needed = np.zeros((count, size)), np.zeros((count, size))
    for at in range(count):
        service = _Service(space, contenders, at, drawn)
        sized = service.replicas(None)
        true = service.stable()
        for name, rates in thresholds.items():
            holds[name][at] = service.carries(sized, rates[at])
            true = np.minimum(true, rates[at])
        works[at] &= (true > 0.0).any(axis=0)
        enough = service.replicas(np.where(works[at], true, np.inf))
        needed[at] = np.where(works[at], service.usd_per_month(enough), np.inf)
        paid[at] = service.usd_per_month(np.maximum(sized, enough))
    once = contenders.plans.one_time_usd / space.evaluation.workload.horizon_months
    back = (
        today if contenders.safe is None else np.where(works[contenders.safe], paid[contenders.safe], today)
    )
    paid = np.where(works, paid, back + once[:, None])
    budget = space.terms.totals.get("cost")
    if budget is not None:
        holds["cost"] = paid <= budget * (1.0 + 1e-9)
    return Trials(holds, paid, np.minimum(needed.min(axis=0), today), today)


@dataclass(frozen=True, slots=True)
class _Service:
    """One contender in every draw."""

    space: Space
    contenders: Contenders
    at: int
    drawn: Draws

    @property
    def _engine(self) -> int:
        return int(self.contenders.plans.engine[self.at])

    def replicas(self, capacity: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """Return replicas in each draw and period, shape (draws, periods).

        Args:
            capacity: True capacity by level, shape (levels, draws); `None` for those of the plan, which follow traffic
                where its policy does, in the belief that its capacity is as predicted.
        """
        evaluation, plans = self.space.evaluation, self.contenders.plans
        policy = policy_of(evaluation, plans, self.at)
        planned = plans.replicas[self.at]
        size = len(self.drawn.traffic_ratio)
        if capacity is None and policy.scaling not in FOLLOWS:
            return np.broadcast_to(planned, (size, len(planned)))
        lag = cost.start_s(evaluation.serving.replica.weight_bytes_per_accelerator[[self._engine]])
        covered = cost.covered_rates(evaluation.periods, policy.scaling, lag_s=lag)
        wanted = np.maximum(
            covered * self.drawn.traffic_ratio[:, None] / policy.target_utilization_ratio,
            self.space.terms.min_requests_per_s,
        )
        believed = self.contenders.believed_requests_per_s[self.at]
        each = np.broadcast_to(believed, (size, len(believed))) if capacity is None else capacity.T
        at_least = 0 if policy.scaling == "scale-to-zero" else 1
        return cost.replicas(wanted, capacity_requests_per_s=each, at_least=at_least)

    def carries(self, replicas: NDArray[np.float64], rates: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return in which draws some replicas carry every period, each at most a rate by level, shape (levels, draws)."""
        level = cost.level_of(replicas, len(rates))
        each = np.take_along_axis(rates.T, level, axis=1)
        load = self.space.evaluation.periods.requests_per_s * self.drawn.traffic_ratio[:, None]
        return np.asarray((load <= replicas * each * (1.0 + TOLERANCE)).all(axis=1))

    def stable(self) -> NDArray[np.float64]:
        """Return the highest rate of a replica without latency limits, shape (levels, draws)."""
        evaluation = self.space.evaluation
        keep = np.arange(len(evaluation.engines)) == self._engine
        rates = evaluation.capacity_requests_per_s({}, keep, confidence=None)[self._engine]
        return np.broadcast_to(rates[:, None], (len(rates), len(self.drawn.slowness)))

    def usd_per_month(self, replicas: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what the plan costs with some replicas in each draw, in USD per month."""
        evaluation, plans = self.space.evaluation, self.contenders.plans
        policy = policy_of(evaluation, plans, self.at)
        rows = np.full(len(replicas), self._engine)
        finite = np.where(np.isfinite(replicas), replicas, 0.0)
        instances = np.ceil(finite / evaluation.serving.replica.per_instance[self._engine] - 1e-9)
        ratio = float(evaluation.engines.values["cost_ratio"][self._engine]) * policy.cost_ratio
        machines = cost.machine_usd_per_month(
            instances, evaluation.periods.hours_per_month, prices_of(evaluation, rows, policy)
        )
        return machines * ratio * self.drawn.price_ratio + float(plans.own_usd_per_month[self.at])


def _thresholds(space: Space, contenders: Contenders, drawn: Draws) -> dict[str, NDArray[np.float64]]:
    """Return for each latency limit the highest rate of a replica at which it holds, shape (contenders, levels, draws)."""
    evaluation, engines = space.evaluation, contenders.plans.engine
    levels = len(evaluation.arrival_cvs)
    keep = np.zeros(len(evaluation.engines), dtype=bool)
    keep[engines] = True
    stable = evaluation.capacity_requests_per_s({}, keep, confidence=None)[engines]
    rates = stable[:, :, None] * LOADS
    rows = np.repeat(engines, levels * len(LOADS))
    cvs = np.broadcast_to(np.array(evaluation.arrival_cvs)[None, :, None], rates.shape)
    latency = evaluation.serving.take(rows).latency(rates.ravel(), arrival_cv=cvs.ravel())
    found = {}
    for name, limit in sorted(space.terms.latency_s.items()):
        metric, statistic = metric_and_statistic(name)
        values = np.minimum(latency[metric][statistic].reshape(rates.shape), 1e12)
        sigma = evaluation.serving.replica.log_sigma[metric, statistic][engines]
        allowed = np.log(limit) - sigma[:, None] * drawn.slowness
        found[name] = _inverse(np.log(np.maximum(values, 1e-12)), rates, allowed)
    return found


def _inverse(
    log_latency: NDArray[np.float64], rates: NDArray[np.float64], allowed: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the highest rate at which a latency, which rises with it, is at most the allowed; 0 where it never is."""
    rising = np.maximum.accumulate(log_latency, axis=2)
    found = np.empty((*rates.shape[:2], allowed.shape[1]))
    for at in range(rates.shape[0]):
        for level in range(rates.shape[1]):
            found[at, level] = np.interp(allowed[at], rising[at, level], rates[at, level], left=0.0)
    return found


def _accurate(space: Space, contenders: Contenders, drawn: Draws) -> dict[str, NDArray[np.bool_]]:
    """Return in which draws each accuracy limit holds, shape (contenders, draws)."""
    evaluation = space.evaluation
    treatments = evaluation.engines.treatment[contenders.plans.engine]
    found = {}
    for task, limit in space.terms.loss_ratio.items():
        losses = evaluation.losses if task is None else evaluation.slice_losses(task)
        rows = []
        for number in treatments:
            loss = losses[int(number)]
            samples = np.ones(1) if loss is None else loss.samples
            rows.append(samples[(drawn.accuracy * len(samples)).astype(np.int64)] <= limit + 1e-12)
        found["max_accuracy_loss" if task is None else f"max_accuracy_loss {task}"] = np.stack(rows)
    return found


def _today(before: Today, drawn: Draws) -> NDArray[np.float64]:
    """Return the cost of today's deployment in each draw: as it is, or with machines added as traffic outgrows it."""
    plan = before.plan
    machines, own = float(plan.machine_usd_per_month[0]), float(plan.own_usd_per_month[0])
    count = float(plan.instances[0].max())
    scaling = policy_of(before.evaluation, plan, 0).scaling
    if scaling in FOLLOWS or not before.keeps_limits:
        growth = drawn.traffic_ratio if scaling in FOLLOWS else np.maximum(drawn.traffic_ratio, 1.0)
    else:
        rates = before.evaluation.periods.requests_per_s
        carried = plan.replicas[0] * float(plan.capacity_requests_per_s[0])
        used = float((rates / np.maximum(carried, 1e-12)).max())
        growth = np.maximum(np.ceil(count * used * drawn.traffic_ratio - 1e-9), count) / max(count, 1.0)
    return machines * growth * drawn.price_ratio + own
