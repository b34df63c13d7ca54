"""Replays a recommended plan request by request: several replicas behind a router, started and stopped by the policy.

The oracle for plans: the same assumptions as the closed forms (steps of continuous batching, lengths, time to start)
without their approximations (splitting of bursts between replicas, a steady state within each hour, prompts cut into
chunks, an autoscaler that looks at a window of arrivals).
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import simpy
from numpy.typing import NDArray

from advisor import cost
from advisor.evaluation import Evaluation
from advisor.following import STEADY_S, WINDOW_S
from advisor.recommendation import ServicePlan
from advisor.terms import Terms

Floats = NDArray[np.float64]
Process = Generator[simpy.Event, Any, None]
Routing = Literal["random", "shortest-queue", "round-robin"]

LOOK_EVERY_S = 15.0
"""Time between two decisions of an autoscaler: the default of Kubernetes."""


@dataclass(frozen=True, slots=True)
class Engine:
    """One replica, as the performance model sees it."""

    step_s: tuple[float, ...]
    """Time of a step with 0, 1, 2, ... sequences in flight."""
    prefill_s: float
    stall_s: float
    prefill_cv: float
    first_token_s: float
    max_sequences: float
    prompts_per_step: float
    output_tokens: float
    output_cv: float
    start_s: float
    capacities: tuple[float, ...]
    """Highest rate within the limits, by level of `cost.SHARING`."""
    per_instance: int

    @classmethod
    def of(cls, evaluation: Evaluation, terms: Terms, plan: ServicePlan) -> Engine:
        """Return the replica that a plan runs."""
        row = _engine_row(evaluation, plan)
        serving: Any = evaluation.serving.take(np.array([row]))
        queue, slower, share = serving.queue, _one(serving.latency_ratio), _one(serving.throughput_ratio)
        assert share == 1.0, "a cascade sends some requests to a second model; that is not replayed"
        keep = np.arange(len(evaluation.engines)) == row
        capacity = evaluation.capacity_requests_per_s(terms.latency_limits, keep, confidence=terms.confidence)
        most = math.ceil(_one(queue.max_sequences))
        stall = queue.prefill_s if queue.prefill_stall_s is None else queue.prefill_stall_s
        weights = evaluation.serving.replica.weight_bytes_per_accelerator[row]
        return cls(
            step_s=tuple(_one(queue.step.at(max(batch, 1.0))) * slower for batch in range(most + 1)),
            prefill_s=_one(queue.prefill_s) * slower,
            stall_s=_one(stall) * slower,
            prefill_cv=_one(queue.prefill_cv),
            first_token_s=_one(queue.first_token_s) * slower,
            max_sequences=_one(queue.max_sequences),
            prompts_per_step=_one(queue.prompts_per_step),
            output_tokens=_one(queue.output_tokens),
            output_cv=_one(queue.output_cv),
            start_s=float(cost.start_s(weights)),
            capacities=tuple(capacity[row].tolist()),
            per_instance=int(evaluation.serving.replica.per_instance[row]),
        )

    def replicas(self, requests_per_s: float) -> int:
        """Return the replicas that carry a rate, as the plan counts them."""
        capacity = np.array([self.capacities])
        found = cost.replicas(np.array([[requests_per_s]]), capacity_requests_per_s=capacity, at_least=1)
        return int(found[0, 0])


def _engine_row(evaluation: Evaluation, plan: ServicePlan) -> int:
    chosen = {choice.strategy: choice.option for choice in plan.choices}
    for number, block in enumerate(evaluation.candidates.blocks):
        if block.instance_type.name != plan.instance_type:
            continue
        for row in np.flatnonzero(evaluation.engines.block == number):
            options = block.engines[int(evaluation.engines.row[row])]
            pairs = zip(block.engine_axes, options, strict=True)
            if all(chosen[axis.strategy] == axis.options[at].id for axis, at in pairs):
                return int(row)
    raise AssertionError("the plan's engine is not among the candidates")


def _one(value: Any) -> float:
    return float(np.asarray(value, dtype=float).reshape(-1)[0])


@dataclass(frozen=True, slots=True)
class Served:
    """Latencies of every finished request, in order of arrival, and what it took."""

    arrival_s: Floats
    ttft_s: Floats
    tpot_s: Floats
    paid: tuple[tuple[float, int], ...]
    """(time, replicas that are paid for from then on)."""
    until_s: float

    def from_time(self, time_s: float) -> Served:
        """Return only the requests that arrived from a time on."""
        kept = self.arrival_s >= time_s
        return Served(self.arrival_s[kept], self.ttft_s[kept], self.tpot_s[kept], self.paid, self.until_s)

    @property
    def replica_hours(self) -> float:
        """Hours of all replicas, from the order to start to the order to stop."""
        return paid_hours(self.paid, self.until_s, 1)


def paid_hours(paid: tuple[tuple[float, int], ...], until_s: float, per_instance: int) -> float:
    """Return the hours that are paid for, of machines that hold so many replicas each."""
    times = [time for time, _ in paid] + [until_s]
    spans = zip(times, times[1:], paid, strict=False)
    return sum((end - begin) * math.ceil(count / per_instance) for begin, end, (_, count) in spans) / 3600.0


@dataclass(eq=False)
class _Replica:
    """An engine that runs steps: each decodes every running sequence and prefills prompts within a token budget."""

    fleet: Fleet
    waiting: deque[int] = field(default_factory=deque)
    prefilling: list[tuple[int, float]] = field(default_factory=list)
    running: list[tuple[int, int]] = field(default_factory=list)
    leaving: bool = False
    idle: simpy.Event | None = None

    @property
    def load(self) -> int:
        return len(self.waiting) + len(self.prefilling) + len(self.running)

    def take(self, request: int) -> None:
        self.waiting.append(request)
        self.wake()

    def wake(self) -> None:
        if self.idle is not None:
            self.idle.succeed()
            self.idle = None

    def run(self) -> Process:
        fleet, env, steps, step = self.fleet, self.fleet.env, self.fleet.engine.step_s, 0
        while True:
            if not self.load:
                if self.leaving:
                    return
                self.idle = env.event()
                yield self.idle
            done, own_s = self._prefill()
            for request in done:
                heapq.heappush(self.running, (step + fleet.tokens[request] - 1, request))
            step_s = steps[min(len(self.running), len(steps) - 1)]
            yield env.timeout(step_s + own_s * fleet.stall_ratio)
            for request in done:
                fleet.first_s[request] = env.now + own_s * (1.0 - fleet.stall_ratio)
            while self.running and self.running[0][0] <= step:
                fleet.end_s[heapq.heappop(self.running)[1]] = env.now
            step += 1

    def _prefill(self) -> tuple[list[int], float]:
        """Return the prompts that this step completes, and the time of the prompts in it: at most a step's budget."""
        engine, prefills = self.fleet.engine, self.fleet.prefills
        budget_s, own_s, done = self.fleet.budget_s, 0.0, []
        while budget_s > 1e-12:
            if not self.prefilling:
                if not self.waiting or len(self.running) + len(done) >= engine.max_sequences:
                    break
                request = self.waiting.popleft()
                self.prefilling = [(request, prefills[request])]
            request, left_s = self.prefilling.pop()
            taken_s = min(left_s, budget_s)
            budget_s, own_s = budget_s - taken_s, own_s + taken_s
            if left_s > taken_s:
                self.prefilling = [(request, left_s - taken_s)]
            else:
                done.append(request)
        return done, own_s


class Fleet:
    """Replicas behind a router."""

    def __init__(
        self,
        engine: Engine,
        arrivals_s: Floats,
        *,
        tokens: Floats,
        prefills_s: Floats,
        routing: Routing = "shortest-queue",
        seed: int = 0,
    ) -> None:
        self.engine, self.arrivals_s = engine, arrivals_s
        self.tokens: list[int] = np.maximum(np.rint(tokens), 1).astype(int).tolist()
        self.prefills: list[float] = prefills_s.tolist()
        self.stall_ratio = engine.stall_s / engine.prefill_s if engine.prefill_s else 1.0
        self.budget_s = engine.prefill_s * engine.prompts_per_step
        self.first_s, self.end_s = np.full(arrivals_s.size, np.nan), np.full(arrivals_s.size, np.nan)
        self.env = simpy.Environment()
        self.active: list[_Replica] = []
        self.routing: Routing = routing
        self.rng = np.random.default_rng(seed)
        self.arrived = 0
        self.paid = 0
        self.paid_log: list[tuple[float, int]] = []

    def change(self, difference: int, *, lag_s: float = 0.0) -> None:
        """Start replicas, which answer after a lag and are paid for at once; or stop the least loaded ones."""
        self.paid += difference
        self.paid_log.append((self.env.now, self.paid))
        if difference > 0 and lag_s:
            self.env.process(self._join_later(difference, lag_s))
        elif difference > 0:
            self._join(difference)
        for _ in range(-difference):
            leaving = min(self.active, key=lambda replica: replica.load)
            self.active.remove(leaving)
            leaving.leaving = True
            leaving.wake()

    def _join_later(self, count: int, lag_s: float) -> Process:
        yield self.env.timeout(lag_s)
        self._join(count)

    def _join(self, count: int) -> None:
        for _ in range(count):
            replica = _Replica(self)
            self.active.append(replica)
            self.env.process(replica.run())

    def _chosen(self, request: int) -> _Replica:
        if self.routing == "random":
            return self.active[int(self.rng.integers(len(self.active)))]
        if self.routing == "round-robin":
            return self.active[request % len(self.active)]
        return min(self.active, key=lambda replica: replica.load)

    def _arrive(self) -> Process:
        for request, time_s in enumerate(self.arrivals_s.tolist()):
            wait_s = time_s - self.env.now
            if wait_s > 0.0:
                yield self.env.timeout(wait_s)
            self.arrived += 1
            self._chosen(request).take(request)

    def follow(self, follower: Follower) -> Process:
        """Scale as a follower of the rate says."""
        lag_s = self.engine.start_s - cost.DETECTION_S
        while True:
            yield self.env.timeout(LOOK_EVERY_S)
            wanted = follower.wanted(self.env.now, self.arrived, self.paid)
            stoppable = len(self.active) - 1
            if difference := max(wanted - self.paid, -stoppable):
                self.change(difference, lag_s=lag_s)

    def keep(self, counts: list[tuple[float, int]]) -> Process:
        """Have as many replicas at each time as a schedule says."""
        for time_s, count in counts:
            yield self.env.timeout(max(time_s - self.env.now, 0.0))
            if count != self.paid:
                self.change(count - self.paid)

    def run(self, until_s: float) -> Served:
        """Return what was served until a time; requests that are not finished then are left out."""
        self.env.process(self._arrive())
        self.env.run(until=until_s)
        done = np.isfinite(self.end_s)
        later = np.maximum(np.array(self.tokens)[done] - 1, 1)
        return Served(
            arrival_s=self.arrivals_s[done],
            ttft_s=(self.first_s - self.arrivals_s)[done] + self.engine.first_token_s,
            tpot_s=np.maximum(self.end_s - self.first_s, 0.0)[done] / later,
            paid=tuple(self.paid_log),
            until_s=until_s,
        )


class Follower:
    """An autoscaler that sees the mean rate over a window and takes a replica away after some steady time.

    Args:
        planned: Replicas for an observed rate, in requests per second.
        window_s: Window over which the rate is seen.
        steady_s: Time for which fewer replicas must have sufficed.
        before_requests_per_s: Rate before the start.
    """

    def __init__(
        self,
        planned: Callable[[float], int],
        *,
        window_s: float = WINDOW_S,
        steady_s: float = STEADY_S,
        before_requests_per_s: float = 0.0,
    ) -> None:
        self.planned, self.window_s, self.steady_s = planned, window_s, steady_s
        looks = np.arange(-window_s, LOOK_EVERY_S, LOOK_EVERY_S).tolist()
        self.seen: deque[tuple[float, float]] = deque(
            (look, look * before_requests_per_s) for look in looks if look <= 0.0
        )
        self.needed: deque[tuple[float, int]] = deque()

    def wanted(self, now_s: float, arrived: int, paid: int) -> int:
        """Return the replicas wanted now, where so many requests have arrived and so many replicas are paid for."""
        self.seen.append((now_s, arrived))
        while self.seen[0][0] < now_s - self.window_s - 1e-9:
            self.seen.popleft()
        begin_s, before = self.seen[0]
        need = self.planned((arrived - before) / (now_s - begin_s))
        self.needed.append((now_s, need))
        while self.needed[0][0] < now_s - self.steady_s:
            self.needed.popleft()
        return need if need > paid else min(paid, max(count for _, count in self.needed))


def followed(
    follower: Follower, arrivals_s: Floats, *, start: int, until_s: float
) -> tuple[tuple[float, int], ...]:
    """Return the (time, replicas paid for) of a follower, without serving the requests."""
    looks = np.arange(LOOK_EVERY_S, until_s + 1e-9, LOOK_EVERY_S)
    arrived = np.searchsorted(arrivals_s, looks, side="right")
    paid, found = start, [(0.0, start)]
    for look, count in zip(looks.tolist(), arrived.tolist(), strict=True):
        if (wanted := follower.wanted(look, count, paid)) != paid:
            paid = wanted
            found.append((look, paid))
    return tuple(found)


def renewal(
    rng: np.random.Generator, rate_at: Callable[[Floats], Floats], *, cv: float, until_s: float
) -> Floats:
    """Return arrivals of a gamma renewal process whose time is stretched to follow a rate.

    Args:
        rng: Source of randomness.
        rate_at: Rate at each of some times, in requests per second.
        cv: Coefficient of variation of the times between arrivals, before stretching.
        until_s: End.
    """
    grid = np.linspace(0.0, until_s, 4001)
    rates = rate_at(grid)
    expected = np.concatenate([[0.0], np.cumsum((rates[1:] + rates[:-1]) / 2.0 * np.diff(grid))])
    size = int(expected[-1] + 6.0 * cv * math.sqrt(expected[-1]) + 100.0 * cv**2)
    unit = np.cumsum(rng.gamma(cv**-2, cv**2, size))
    return np.asarray(np.interp(unit[unit < expected[-1]], expected, grid), dtype=float)


def lognormal(rng: np.random.Generator, *, mean: float, cv: float, size: int) -> Floats:
    """Return samples with that mean and coefficient of variation (constant where the cv is 0)."""
    if cv == 0.0:
        return np.full(size, mean)
    variance = np.log1p(cv**2)
    return np.asarray(rng.lognormal(np.log(mean) - variance / 2.0, np.sqrt(variance), size))
