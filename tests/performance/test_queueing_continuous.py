"""Continuous batching under an arrival rate: the closed form against a simulation, and against common sense."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation import ContinuousBatchingSimulation, ServedTokens, arrival_times_s, lognormal

from advisor.performance.continuous_batching import (
    ContinuousBatching,
    ServingLatency,
    StepCurve,
    capacity_requests_per_s,
    continuous_batching,
    rate_of_a_short_run,
)
from advisor.performance.queueing import STATISTICS

ENGINES = {
    "chat": (0.010, 1e-4, 0.020, 200.0, 256.0),
    "admission limited": (0.020, 3e-5, 0.010, 60.0, 24.0),
    "prompt heavy": (0.008, 2e-4, 0.100, 100.0, 1000.0),
}
"""step base s, step per sequence s, prefill s, output tokens, max sequences"""


def replica(name: str, *, output_cv: float = 0.0, prefill_cv: float = 0.0) -> ContinuousBatching:
    base, per_sequence, prefill, tokens, most = ENGINES[name]
    step = StepCurve.affine(base_s=base, per_sequence_s=per_sequence)
    return ContinuousBatching(step, prefill, tokens, most, output_cv, prefill_cv)


def rate_at(engine: ContinuousBatching, utilization: float) -> float:
    return utilization / float(continuous_batching(engine, requests_per_s=1.0).utilization)


def simulated(engine: ContinuousBatching, *, requests_per_s: float, arrival_cv: float) -> ServedTokens:
    rng = np.random.default_rng(1)
    requests = 15_000 if float(engine.max_sequences) < 50 else 3500  # a queue at its limit forgets slowly
    return ContinuousBatchingSimulation(
        step_s=lambda batch: float(engine.step.at(batch)),
        arrivals_s=arrival_times_s(rng, requests_per_s=requests_per_s, cv=arrival_cv, size=requests),
        prefill_s=lognormal(rng, mean=float(engine.prefill_s), cv=float(engine.prefill_cv), size=requests),
        output_tokens=lognormal(
            rng, mean=float(engine.output_tokens), cv=float(engine.output_cv), size=requests
        ),
        max_sequences=float(engine.max_sequences),
    ).run()


def errors(load: ServingLatency, served: ServedTokens, metric: str) -> dict[str, float]:
    samples = getattr(served, f"{metric}_s")
    samples = samples[np.isfinite(samples)]
    truth = dict(zip(STATISTICS, [samples.mean(), *np.percentile(samples, [50, 90, 95, 99])], strict=True))
    return {name: float(getattr(load, metric)[name]) / truth[name] - 1.0 for name in STATISTICS}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("utilization", [0.2, 0.5, 0.8])
@pytest.mark.parametrize(
    ("arrival_cv", "output_cv", "prefill_cv"), [(1.0, 0.0, 0.0), (1.0, 0.7, 0.5), (0.0, 0.0, 0.0)]
)
def test_closed_form_agrees_with_the_simulation(
    engine: str, utilization: float, arrival_cv: float, output_cv: float, prefill_cv: float
) -> None:
    """GIVEN steady or Poisson arrivals THEN means are within 15 % and p99 within 30 % of the simulated ones."""
    served = replica(engine, output_cv=output_cv, prefill_cv=prefill_cv)
    rate = rate_at(served, utilization)
    load = continuous_batching(served, requests_per_s=rate, arrival_cv=arrival_cv)
    measured = simulated(served, requests_per_s=rate, arrival_cv=arrival_cv)
    for metric in ("ttft", "tpot", "e2e"):
        found = errors(load, measured, metric)
        assert abs(found["mean"]) < 0.15, (metric, found)
        assert abs(found["p99"]) < 0.30, (metric, found)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("utilization", [0.3, 0.6])
@pytest.mark.parametrize("arrival_cv", [0.5, 2.0])
def test_closed_form_follows_bursts(engine: str, utilization: float, arrival_cv: float) -> None:
    """GIVEN arrivals more even or more bursty than Poisson THEN means are within 25 % and p99 within 40 %."""
    served = replica(engine, output_cv=0.5, prefill_cv=0.5)
    rate = rate_at(served, utilization)
    load = continuous_batching(served, requests_per_s=rate, arrival_cv=arrival_cv)
    measured = simulated(served, requests_per_s=rate, arrival_cv=arrival_cv)
    for metric in ("ttft", "tpot", "e2e"):
        found = errors(load, measured, metric)
        assert abs(found["mean"]) < 0.25, (metric, found)
        assert abs(found["p99"]) < 0.40, (metric, found)


def test_percentiles_beat_a_prediction_that_knows_only_means() -> None:
    """THEN over engines and loads the p99 error is less than half of the mean's distance from the true p99."""
    ours, naive = [], []
    for engine in ENGINES:
        for utilization in (0.3, 0.7):
            served = replica(engine, output_cv=0.7, prefill_cv=0.5)
            rate = rate_at(served, utilization)
            load = continuous_batching(served, requests_per_s=rate)
            measured = simulated(served, requests_per_s=rate, arrival_cv=1.0)
            for metric in ("ttft", "tpot", "e2e"):
                samples = getattr(measured, f"{metric}_s")
                samples = samples[np.isfinite(samples)]
                ours.append(abs(errors(load, measured, metric)["p99"]))
                naive.append(abs(samples.mean() / np.percentile(samples, 99) - 1.0))
    assert np.median(ours) < 0.5 * np.median(naive)


def test_a_lone_request_costs_its_prefill_its_step_and_nothing_else() -> None:
    """GIVEN almost no load, 20 ms prefill, 10.1 ms step, 200 tokens THEN TTFT is 30.1 ms, end to end 2.04 s."""
    load = continuous_batching(replica("chat"), requests_per_s=1e-9)
    assert pytest.approx(float(load.ttft.mean_s), rel=1e-4) == 0.0301
    assert pytest.approx(float(load.tpot.mean_s), rel=1e-4) == 0.0101
    assert pytest.approx(float(load.e2e.mean_s), rel=1e-4) == 0.0301 + 199 * 0.0101


def test_sequences_in_flight_follow_processor_sharing() -> None:
    """GIVEN no prefill, 10 requests/s, 200 tokens, 10 ms + 0.1 ms a sequence THEN a step lasts 12.625 ms.

    Seen by a request: (1 + 10 x 200 x 0.01) / (1 - 10 x 200 x 0.0001) = 26.25 sequences with its own.
    """
    engine = replace(replica("chat"), prefill_s=0.0)
    load = continuous_batching(engine, requests_per_s=10.0)
    assert pytest.approx(float(load.tpot.mean_s)) == 0.01 + 0.0001 * 26.25
    assert pytest.approx(float(load.in_flight), rel=0.01) == 25.25 + 10 * 0.0063


def test_little_s_law_holds() -> None:
    """THEN sequences in flight = arrival rate x mean end-to-end latency."""
    load = continuous_batching(replica("chat"), requests_per_s=7.0)
    assert float(load.in_flight) == pytest.approx(7.0 * float(load.e2e.mean_s))


def test_overload_is_infinite_and_never_undefined() -> None:
    """GIVEN a rate above the highest THEN the row is unstable, its latencies are infinite, the other row is not."""
    engine = replica("chat")
    load = continuous_batching(engine, requests_per_s=np.array([1.0, 1.01]) * rate_at(engine, 1.0 - 1e-3))
    assert load.stable.tolist() == [True, False]
    for metric in (load.ttft, load.tpot, load.e2e):
        values = np.array([metric[name] for name in STATISTICS])
        assert np.all(np.isfinite(values[:, 0]))
        assert np.all(np.isinf(values[:, 1]))


def test_arrays_give_what_single_candidates_give() -> None:
    """THEN a candidate's latency does not depend on its neighbours."""
    bases = np.array([0.005, 0.010, 0.020])
    rates = np.array([20.0, 10.0, 5.0])
    step = StepCurve.affine(base_s=bases, per_sequence_s=1e-4)
    together = continuous_batching(ContinuousBatching(step, 0.01, 150.0, 64.0), requests_per_s=rates)
    for row in range(3):
        own = StepCurve.affine(base_s=float(bases[row]), per_sequence_s=1e-4)
        alone = continuous_batching(
            ContinuousBatching(own, 0.01, 150.0, 64.0), requests_per_s=float(rates[row])
        )
        assert float(alone.ttft.p99_s) == pytest.approx(together.ttft.p99_s[row], rel=1e-12)


def test_a_curve_through_a_straight_line_is_the_line() -> None:
    """GIVEN five points on a line THEN latencies are those of the line."""
    batches = (1.0, 8.0, 32.0, 128.0, 512.0)
    curve = StepCurve(batches, tuple(0.01 + 1e-4 * batch for batch in batches))
    bent = continuous_batching(replace(replica("chat"), step=curve), requests_per_s=8.0)
    line = continuous_batching(replica("chat"), requests_per_s=8.0)
    assert float(line.e2e.p99_s) == pytest.approx(float(bent.e2e.p99_s))


def test_a_kinked_curve_is_followed_on_both_sides() -> None:
    """GIVEN steps that grow only beyond 32 sequences THEN the fixed point lies on the right line, as simulated."""
    curve = StepCurve((1.0, 32.0, 256.0), (0.010, 0.010, 0.040))
    engine = ContinuousBatching(curve, 0.002, 150.0, 512.0)
    for rate in (8.0, 30.0):
        load = continuous_batching(engine, requests_per_s=rate)
        measured = simulated(engine, requests_per_s=rate, arrival_cv=1.0)
        assert abs(errors(load, measured, "tpot")["mean"]) < 0.05


@settings(max_examples=60, deadline=None)
@given(
    base=st.floats(0.002, 0.05),
    slope_share=st.floats(1e-4, 0.05),
    prefill=st.floats(0.0005, 0.3),
    tokens=st.floats(8.0, 2000.0),
    most=st.sampled_from([8.0, 64.0, 256.0, math.inf]),
    arrival_cv=st.sampled_from([1.0, 1.5]),
)
def test_more_requests_are_never_served_faster(
    base: float, slope_share: float, prefill: float, tokens: float, most: float, arrival_cv: float
) -> None:
    """THEN mean and p99 of every latency do not fall with the rate (by more than 2 %), nor become undefined."""
    step = StepCurve.affine(base_s=base, per_sequence_s=base * slope_share)
    engine = ContinuousBatching(step, prefill, tokens, most, 0.7, 0.5)
    rates = np.linspace(0.01, 1.1, 60) * rate_at(engine, 1.0)
    load = continuous_batching(engine, requests_per_s=rates, arrival_cv=arrival_cv)
    for metric in (load.ttft, load.tpot, load.e2e):
        for name in ("mean", "p99"):
            values = metric[name]
            assert not np.any(np.isnan(values))
            finite = values[np.isfinite(values)]
            assert np.all(finite[1:] >= 0.98 * np.maximum.accumulate(finite)[:-1])


def test_burstier_arrivals_are_served_slower() -> None:
    """THEN p99 of every latency rises with the coefficient of variation of the arrivals."""
    load = continuous_batching(
        replica("chat"), requests_per_s=12.0, arrival_cv=np.array([0.0, 0.5, 1.0, 2.0, 3.0])
    )
    for metric in (load.ttft, load.tpot, load.e2e):
        assert np.all(np.diff(metric.p99_s) > 0)


def test_capacity_is_where_the_first_limit_breaks() -> None:
    """THEN every limit holds at the found rate and one of them breaks 1 % above it."""
    engine = replica("chat", output_cv=0.5)
    limits = {("ttft", "p99"): 0.2, ("tpot", "p99"): 0.02, ("e2e", "mean"): 10.0}
    rate = float(capacity_requests_per_s(engine, limits=limits))
    at, above = (continuous_batching(engine, requests_per_s=rate * factor) for factor in (1.0, 1.01))
    assert all(float(getattr(at, metric)[name]) <= limit for (metric, name), limit in limits.items())
    assert any(float(getattr(above, metric)[name]) > limit for (metric, name), limit in limits.items())


def test_looser_limits_never_lower_capacity() -> None:
    """THEN capacity rises with the limit, and is 0 where even a lone request breaks it."""
    engine = replica("chat")
    limits = np.array([0.001, 0.05, 0.1, 0.2, 0.5, 5.0])
    found = [float(capacity_requests_per_s(engine, limits={("ttft", "p99"): limit})) for limit in limits]
    assert found[0] == 0.0
    assert sorted(found) == found


def test_capacity_without_limits_is_the_highest_stable_rate() -> None:
    """GIVEN 256 sequences, 35.6 ms steps, 200 tokens, 20 ms prefills THEN 1 / (0.0356 x 200 / 256 + 0.02) = 20.9."""
    found = float(capacity_requests_per_s(replica("chat"), limits={}))
    assert pytest.approx(found, rel=1e-3) == 1.0 / (0.0356 * 200.0 / 256.0 + 0.020)


def test_more_sequences_in_flight_never_lower_the_highest_rate() -> None:
    """THEN the utilization at a given rate falls with `max_sequences`."""
    engine = replace(replica("chat"), max_sequences=np.array([8.0, 32.0, 128.0, 512.0, math.inf]))
    assert np.all(np.diff(continuous_batching(engine, requests_per_s=1.0).utilization) < 0)


def test_a_prompt_longer_than_the_token_budget_takes_several_steps() -> None:
    """GIVEN half a prompt a step THEN a lone request waits one more step of 10.1 ms for its first token."""
    whole, half = (replace(replica("chat"), prompts_per_step=prompts) for prompts in (math.inf, 0.5))
    waits = [float(continuous_batching(engine, requests_per_s=1e-9).ttft.mean_s) for engine in (whole, half)]
    assert pytest.approx(waits[1] - waits[0], rel=1e-3) == 0.0101


def test_a_short_run_never_reaches_the_steady_number_in_flight() -> None:
    """GIVEN a run as long as a residence time THEN requests see two thirds, and all of it in an endless run."""
    engine = ContinuousBatching(StepCurve.affine(base_s=0.01, per_sequence_s=0.0), 0.0, 100.0)
    seconds = float(continuous_batching(engine, requests_per_s=10.0).e2e.mean_s)
    runs = rate_of_a_short_run(engine, requests_per_s=10.0, requests=np.array([10.0 * seconds, math.inf]))
    assert [10.0 * 2.0 / 3.0, 10.0] == pytest.approx(runs.tolist(), rel=1e-3)


def test_a_higher_rate_of_a_short_run_never_looks_like_a_lower_one() -> None:
    """GIVEN 200 requests at rates up to saturation, where a steady queue has no end, THEN each rate counts for more."""
    engine = replica("admission limited")
    rates = rate_at(engine, 1.0) * np.linspace(0.5, 1.5, 21)
    runs = rate_of_a_short_run(engine, requests_per_s=rates, requests=200.0)
    assert (np.diff(runs) > 0.0).all()
    assert (runs < rates).all()
