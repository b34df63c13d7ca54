"""Recommended plans replayed request by request: stated percentiles are met, and replica-hours match the bill."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from advisor.api import decided
from advisor.evaluating import Workers
from advisor.evaluation import Evaluation
from advisor.examples import example_text
from advisor.following import machines_paid
from advisor.recommendation import Recommendation, ServicePlan
from advisor.requirements import Requirements
from advisor.terms import Terms
from advisor.traces import Trace, read_trace, summarize
from advisor.workload import Workload

sys.path.insert(0, str(Path(__file__).parent))
from replay import (
    Engine,
    Fleet,
    Floats,
    Follower,
    Served,
    followed,
    lognormal,
    paid_hours,
    renewal,
)

BILL_TOLERANCE = 0.02


@dataclass(frozen=True, eq=False)
class Case:
    recommendation: Recommendation
    workload: Workload
    evaluation: Evaluation
    terms: Terms
    engine: Engine

    @property
    def plan(self) -> ServicePlan:
        assert self.recommendation.plan is not None
        return self.recommendation.plan.services[0]

    @property
    def rates(self) -> Floats:
        return self.evaluation.periods.requests_per_s

    @property
    def cv(self) -> float:
        return self.workload.traffic.arrival_cv

    def fleet(self, arrivals_s: Floats, *, seed: int) -> Fleet:
        """Return replicas with answers and prompts as the workload says."""
        rng, engine = np.random.default_rng(seed), self.engine
        return Fleet(
            engine,
            arrivals_s,
            tokens=lognormal(rng, mean=engine.output_tokens, cv=engine.output_cv, size=arrivals_s.size),
            prefills_s=lognormal(rng, mean=engine.prefill_s, cv=engine.prefill_cv, size=arrivals_s.size),
        )


def case_of(source: str | Mapping[str, Any], *, without: tuple[str, ...] = ()) -> Case:
    found = decided(
        source,
        Requirements(max_accuracy_loss="1%", without=without),
        catalog=None,
        strategies=None,
        solver=None,
        workers=Workers(),
        today_date="",
    )
    (ready,) = found.services
    assert found.recommendation.plan is not None
    engine = Engine.of(ready.evaluation, ready.terms, found.recommendation.plan.services[0])
    return Case(found.recommendation, ready.evaluation.workload, ready.evaluation, ready.terms, engine)


@cache
def chat() -> Case:
    """The built-in example as it is recommended."""
    return case_of("large-llm")


@cache
def following() -> Case:
    """The built-in example where an autoscaler follows the load."""
    found = case_of("large-llm", without=("autoscaling=scheduled*", "autoscaling=static*"))
    assert "reactive" == found.plan.scaling
    return found


def late_shares(served: Served, terms: Terms) -> dict[str, float]:
    """Return the share of requests beyond each limited 99th percentile."""
    values = {"ttft": served.ttft_s, "tpot": served.tpot_s}
    return {
        f"{metric}_{statistic}": float((values[metric] > limit_s).mean())
        for (metric, statistic), limit_s in terms.latency_limits.items()
        if statistic == "p99"
    }


def pooled(runs: list[Served]) -> Served:
    columns = [
        np.concatenate([getattr(run, name) for run in runs]) for name in ("arrival_s", "ttft_s", "tpot_s")
    ]
    return Served(*columns, paid=(), until_s=0.0)


def stated(plan: ServicePlan, metric: str) -> tuple[float, float, float]:
    """Return 10th percentile, prediction and 90th percentile of a stated latency."""
    check = next(check for check in plan.latencies if check.metric == metric)
    assert check.p10_s is not None
    assert check.predicted_s is not None
    assert check.p90_s is not None
    return check.p10_s, check.predicted_s, check.p90_s


def steady(case: Case, hour: int, *, seconds: float, seeds: range) -> Served:
    """Return one hour of the day as the plan states it: its rate and its replicas, whatever the policy."""
    rate, count, runs = float(case.rates[hour]), case.plan.replicas_by_period[hour], []
    for seed in seeds:
        arrivals = renewal(
            np.random.default_rng(seed), lambda t: np.full(t.shape, rate), cv=case.cv, until_s=seconds
        )
        fleet = case.fleet(arrivals, seed=seed)
        fleet.change(count)
        runs.append(fleet.run(seconds).from_time(120.0))
    return pooled(runs)


def slowest_hour(case: Case) -> int:
    return int(np.argmax(case.rates / np.array(case.plan.replicas_by_period)))


class TestChat:
    def test_the_slowest_hour_keeps_the_limits_and_the_stated_percentiles(self) -> None:
        """GIVEN the hour with most requests for each replica THEN at most 1 % are late, and p99 is not above its range."""
        case = chat()
        served = steady(case, slowest_hour(case), seconds=1200.0, seeds=range(6))
        for metric, share in late_shares(served, case.terms).items():
            assert share <= 0.01, metric
        for metric, values in (("ttft", served.ttft_s), ("tpot", served.tpot_s)):
            low, predicted, high = stated(case.plan, f"{metric}_p99")
            reached = float(np.quantile(values, 0.99))
            assert reached <= high, f"{metric}: {predicted} [{low}, {high}]"

    @pytest.mark.parametrize("hour", [3, 15])
    def test_a_quiet_and_a_busy_hour_keep_the_limits(self, hour: int) -> None:
        served = steady(chat(), hour, seconds=600.0, seeds=range(2))
        assert max(late_shares(served, chat().terms).values()) <= 0.01

    def test_the_policy_keeps_the_limits_where_it_needs_another_replica(self) -> None:
        """GIVEN rates that rise beyond what is running WHEN the policy starts a replica THEN at most 1 % are late."""
        case = following()
        counts = np.array(case.plan.replicas_by_period)
        rising = np.flatnonzero(np.roll(counts, -1) > counts)
        for hour in rising.tolist() or [6]:
            runs = [policy(case, (hour + 0.25) * 3600.0, seconds=4500.0, seed=seed) for seed in range(2)]
            assert max(late_shares(pooled(runs), case.terms).values()) <= 0.01, hour

    @pytest.mark.parametrize("each", [1, 2])
    def test_a_follower_pays_for_what_the_closed_form_says(self, each: int) -> None:
        """THEN machine-hours of a day agree within 1 %, bursts and ramps included, however many replicas a machine holds."""
        case = following()
        counts = machines_paid(
            case.evaluation.periods,
            capacity_requests_per_s=np.array([case.engine.capacities]),
            per_instance=np.array([float(each)]),
            at_least=np.array([1.0]),
            dispersion=case.cv**2,
        )
        hours = [paid_hours(day, 86_400.0, each) for day in followed_days(case)]
        assert float(counts.mean()) * 24.0 == pytest.approx(float(np.mean(hours)), rel=0.01)

    @pytest.mark.parametrize("plan", [chat, following])
    def test_machine_hours_match_the_bill(self, plan: Callable[[], Case]) -> None:
        """THEN days under the policy take the machine-hours of the bill, and with machines filled its replica-hours."""
        case = plan()
        assert _covers(case)
        billed = sum(line.instance_hours_per_month for line in case.plan.purchases) * 24.0 / 730.0
        each = case.engine.per_instance
        used = float(np.mean([paid_hours(day, 86_400.0, each) for day in paid_days(case)]))
        assert used == pytest.approx(billed, rel=BILL_TOLERANCE)


def _covers(case: Case) -> bool:
    """Return whether reserved machines are in use all the time, so that their hours are hours in use."""
    reserved = sum(line.instances_peak for line in case.plan.purchases if line.plan.startswith("reserved"))
    return reserved <= min(case.plan.instances_by_period)


def rate_of_day(case: Case, time_s: Floats) -> Floats:
    """Return the rate at a time of the day: the hour's in its middle, straight lines between."""
    rates = case.rates
    around = np.concatenate([[rates[-1]], rates, [rates[0]]])
    return np.asarray(np.interp(time_s / 3600.0 % 24.0, np.arange(-0.5, 25.0), around), dtype=float)


@cache
def followed_days(case: Case) -> tuple[tuple[tuple[float, int], ...], ...]:
    """Return what a follower of the rate pays for on four days."""
    before = float(rate_of_day(case, np.zeros(1))[0])
    days = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        arrivals = renewal(rng, lambda t: rate_of_day(case, t), cv=case.cv, until_s=86_400.0)
        follower = Follower(case.engine.replicas, before_requests_per_s=before)
        start = case.plan.replicas_by_period[0]
        days.append(followed(follower, arrivals, start=start, until_s=86_400.0))
    return tuple(days)


def paid_days(case: Case) -> tuple[tuple[tuple[float, int], ...], ...]:
    """Return what the plan's policy pays for on some days."""
    if case.plan.scaling == "reactive":
        return followed_days(case)
    return (tuple((hour * 3600.0, count) for hour, count in enumerate(case.plan.replicas_by_period)),)


def policy(case: Case, begin_s: float, *, seconds: float, seed: int) -> Served:
    """Return what is served from a time of the day on under the plan's policy."""
    arrivals = renewal(
        np.random.default_rng(seed), lambda t: rate_of_day(case, t + begin_s), cv=case.cv, until_s=seconds
    )
    fleet, before = case.fleet(arrivals, seed=seed), float(rate_of_day(case, np.array([begin_s]))[0])
    hour = int(begin_s // 3600.0)
    fleet.change(case.plan.replicas_by_period[hour])
    if case.plan.scaling == "reactive":
        follower = Follower(case.engine.replicas, before_requests_per_s=before)
        fleet.env.process(fleet.follow(follower))
    else:
        later = [
            ((hour + ahead) * 3600.0 - begin_s, case.plan.replicas_by_period[(hour + ahead) % 24])
            for ahead in range(1, math.ceil(seconds / 3600.0) + 1)
        ]
        fleet.env.process(fleet.keep(later))
    return fleet.run(seconds).from_time(120.0)


@pytest.fixture(scope="module")
def code_trace(measurements: Path) -> Trace:
    return read_trace(measurements / "trace_azure_llm_2023.csv")


@pytest.fixture(scope="module")
def code_case(code_trace: Trace) -> Case:
    document = yaml.safe_load(example_text("large-llm"))
    return case_of(document | summarize(code_trace).workload_fields())


@pytest.fixture(scope="module")
def code_served(code_case: Case, code_trace: Trace) -> Served:
    assert code_trace.input_tokens is not None
    assert code_trace.output_tokens is not None
    prefills = code_trace.input_tokens * code_case.engine.prefill_s / float(code_trace.input_tokens.mean())
    fleet = Fleet(
        code_case.engine, code_trace.arrival_s, tokens=code_trace.output_tokens, prefills_s=prefills
    )
    fleet.change(
        code_case.plan.replicas_by_period[0]
        if code_case.plan.scaling == "reactive"
        else code_case.plan.replicas_peak
    )
    if code_case.plan.scaling == "reactive":
        fleet.env.process(fleet.follow(Follower(code_case.engine.replicas)))
    return fleet.run(code_trace.duration_s + 120.0)


class TestAzureCodeTrace:
    def test_the_hour_as_recorded_keeps_the_limits(self, code_case: Case, code_served: Served) -> None:
        """GIVEN the recorded arrivals and lengths THEN at most 1 % of the requests are late."""
        for metric, share in late_shares(code_served, code_case.terms).items():
            assert share <= 0.01, metric

    def test_the_stated_percentiles_are_met(self, code_case: Case, code_served: Served) -> None:
        """THEN the 99th percentiles of the busiest minutes are not above their stated range."""
        for metric, values in (("ttft", code_served.ttft_s), ("tpot", code_served.tpot_s)):
            low, predicted, high = stated(code_case.plan, f"{metric}_p99")
            assert float(np.quantile(values, 0.99)) <= high, f"{metric}: {predicted} [{low}, {high}]"

    def test_replica_hours_match_the_bill(self, code_case: Case, code_served: Served) -> None:
        hours = code_case.evaluation.periods.hours_per_month
        billed = sum(line.instance_hours_per_month for line in code_case.plan.purchases) / hours.sum()
        assert billed * code_case.engine.per_instance == pytest.approx(
            code_served.replica_hours * 3600.0 / code_served.until_s, rel=BILL_TOLERANCE
        )


class TestOracle:
    """The simulation itself, where the answer is known."""

    def test_a_lone_request_takes_its_prefill_and_its_steps(self) -> None:
        """GIVEN 5 ms before, a prompt of 20 ms and steps of 10 ms THEN 35 ms to the first token, and 10 ms a token."""
        fleet = Fleet(_engine(), np.array([1.0]), tokens=np.array([11.0]), prefills_s=np.array([0.020]))
        fleet.change(1)
        served = fleet.run(5.0)
        assert 0.035 == pytest.approx(float(served.ttft_s[0]))
        assert 0.010 == pytest.approx(float(served.tpot_s[0]))

    def test_a_replica_is_paid_from_its_order_and_serves_after_its_lag(self) -> None:
        """GIVEN a second replica ordered at once with a lag of 60 s THEN an hour of both costs two replica-hours."""
        arrivals = np.arange(0.5, 3600.0, 1.0)
        fleet = Fleet(_engine(), arrivals, tokens=np.ones(3600), prefills_s=np.full(3600, 0.02))
        fleet.change(1)
        fleet.change(1, lag_s=60.0)
        assert 2.0 == pytest.approx(fleet.run(3600.0).replica_hours)
        assert len(fleet.active) == 2

    def test_a_follower_sees_the_rate_of_its_window(self) -> None:
        """GIVEN 10 requests a second, then 30, and a replica for each 10 THEN three are wanted when the window holds 25."""
        arrivals = np.concatenate([np.arange(0.0, 600.0, 0.1), np.arange(600.0, 1200.0, 1 / 30)])
        follower = Follower(
            lambda rate: math.ceil(rate / 10.0 - 0.01), window_s=60.0, before_requests_per_s=10.0
        )
        path = followed(follower, arrivals, start=1, until_s=1200.0)
        assert (645.0, 3) == path[-1]


def _engine() -> Engine:
    return Engine(
        step_s=(0.010,) * 9,
        prefill_s=0.020,
        stall_s=0.020,
        prefill_cv=0.0,
        first_token_s=0.005,
        max_sequences=8.0,
        prompts_per_step=2.0,
        output_tokens=10.0,
        output_cv=0.0,
        start_s=120.0,
        capacities=(10.0,),
        per_instance=1,
    )
