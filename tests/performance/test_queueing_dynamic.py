"""Dynamic batching: the closed form against a simulation, theory, and measured closed loops."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation import DynamicBatchingSimulation, arrival_times_s

from advisor.performance.dynamic_batching import DynamicBatching, capacity_requests_per_s, dynamic_batching
from advisor.performance.dynamic_clients import SPREAD_CV, closed_loop
from advisor.performance.queueing import STATISTICS

SERVERS = {
    "no batching": DynamicBatching(0.004, 0.0005),
    "four instances": DynamicBatching(0.004, 0.0005, instances=4.0),
    "batches of 8": DynamicBatching(0.004, 0.0005, max_batch=8.0),
    "batches of 32": DynamicBatching(0.004, 0.0005, max_batch=32.0),
    "three instances, batches of 8": DynamicBatching(0.004, 0.0005, max_batch=8.0, instances=3.0),
    "dear items": DynamicBatching(0.001, 0.002, max_batch=16.0),
    "delay of 5 ms": DynamicBatching(0.004, 0.0005, max_batch=32.0, max_queue_delay_s=0.005),
}


def simulation(server: DynamicBatching) -> DynamicBatchingSimulation:
    base, slope = float(server.batch_base_s), float(server.batch_per_item_s)
    return DynamicBatchingSimulation(
        batch_s=lambda batch: base + slope * batch,
        max_batch=int(server.max_batch),
        max_queue_delay_s=float(server.max_queue_delay_s),
        instances=int(server.instances),
    )


def rate_at(server: DynamicBatching, utilization: float) -> float:
    return utilization / float(dynamic_batching(server, requests_per_s=1.0).utilization)


def statistics(samples: np.ndarray) -> dict[str, float]:
    return dict(zip(STATISTICS, [samples.mean(), *np.percentile(samples, [50, 90, 95, 99])], strict=True))


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("utilization", [0.2, 0.5, 0.85])
@pytest.mark.parametrize(
    ("arrival_cv", "on_mean", "on_p99"), [(1.0, 0.12, 0.30), (0.5, 0.15, 0.35), (2.0, 0.25, 0.45)]
)
def test_closed_form_agrees_with_the_simulation(
    name: str, utilization: float, arrival_cv: float, on_mean: float, on_p99: float
) -> None:
    """GIVEN Poisson arrivals THEN the mean is within 12 % and p99 within 30 %; looser for even and bursty ones."""
    server = SERVERS[name]
    rate = rate_at(server, utilization)
    arrivals = arrival_times_s(np.random.default_rng(3), requests_per_s=rate, cv=arrival_cv, size=20_000)
    truth = statistics(simulation(server).run_open_loop(arrivals))
    found = dynamic_batching(server, requests_per_s=rate, arrival_cv=arrival_cv).latency
    assert abs(float(found.mean_s) / truth["mean"] - 1.0) < on_mean
    assert abs(float(found.p99_s) / truth["p99"] - 1.0) < on_p99


def test_percentiles_beat_a_prediction_that_knows_only_means() -> None:
    """THEN the p99 error over all servers is less than half of the mean's distance from the true p99."""
    ours, naive = [], []
    for server in SERVERS.values():
        for utilization in (0.3, 0.7):
            rate = rate_at(server, utilization)
            arrivals = arrival_times_s(np.random.default_rng(4), requests_per_s=rate, cv=1.0, size=8000)
            truth = statistics(simulation(server).run_open_loop(arrivals))
            found = dynamic_batching(server, requests_per_s=rate).latency
            ours.append(abs(float(found.p99_s) / truth["p99"] - 1.0))
            naive.append(abs(truth["mean"] / truth["p99"] - 1.0))
    assert np.median(ours) < 0.5 * np.median(naive)


@pytest.mark.parametrize("utilization", [0.1, 0.5, 0.9])
def test_without_batching_it_is_the_md1_queue(utilization: float) -> None:
    """THEN the mean is S (1 + u / (2 (1 - u))) within 2.5 % (Pollaczek and Khinchine)."""
    found = float(
        dynamic_batching(SERVERS["no batching"], requests_per_s=utilization / 0.0045).latency.mean_s
    )
    assert found == pytest.approx(0.0045 * (1.0 + utilization / (2.0 * (1.0 - utilization))), rel=0.025)


@pytest.mark.parametrize("rate", [50.0, 200.0, 800.0, 1600.0])
def test_unlimited_batches_stay_at_inoue_s_bound(rate: float) -> None:
    """THEN the mean is at most 2 % above and 12 % below the bound of Inoue 2021, which is known to be close."""
    base, slope = 0.004, 0.0005
    load = rate * slope
    light = (slope + base) / (2 * (1 - load)) * (1 + 2 * rate * base + (1 - rate * base) / (1 + load))
    heavy = 1.5 * base / (1 - load) + slope / 2 * (load + 2) / (1 - load**2)
    found = float(
        dynamic_batching(DynamicBatching(base, slope, max_batch=1e6), requests_per_s=rate).latency.mean_s
    )
    assert 0.88 < found / min(light, heavy) < 1.02


def test_a_lone_request_waits_for_the_delay_and_its_own_batch() -> None:
    """GIVEN 5 ms delay and a batch of one in 4.5 ms THEN it takes 9.5 ms."""
    found = dynamic_batching(SERVERS["delay of 5 ms"], requests_per_s=1e-6).latency
    assert pytest.approx(float(found.mean_s), rel=1e-3) == 0.0095


def test_mean_batch_is_what_arrives_while_a_batch_runs() -> None:
    """GIVEN 1000 requests/s, 4 ms + 0.5 ms an item THEN b = x + exp(-x), x = 1000 (0.004 + 0.0005 b): b = 8.0."""
    batch = float(dynamic_batching(SERVERS["batches of 32"], requests_per_s=1000.0).mean_batch)
    assert pytest.approx(batch, abs=0.01) == 8.0


def test_overload_is_infinite_and_never_undefined() -> None:
    """THEN above the highest rate latencies are infinite, and nowhere undefined."""
    rates = np.linspace(0.0, 1.3, 27)
    for server in SERVERS.values():
        load = dynamic_batching(server, requests_per_s=rates * rate_at(server, 1.0 - 1e-9))
        values = np.array([load.latency[name] for name in STATISTICS])
        assert not np.any(np.isnan(values))
        assert np.all(np.isinf(values[:, ~load.stable]))
        assert np.all(np.isfinite(values[:, load.stable]))


@settings(max_examples=60, deadline=None)
@given(
    base=st.floats(1e-4, 0.1),
    share=st.floats(1e-4, 3.0),
    most=st.sampled_from([1.0, 2.0, 8.0, 64.0]),
    instances=st.sampled_from([1.0, 2.0, 4.0]),
    arrival_cv=st.sampled_from([1.0, 1.5]),
)
def test_more_requests_are_never_served_faster(
    base: float, share: float, most: float, instances: float, arrival_cv: float
) -> None:
    """GIVEN no queue delay THEN the mean does not fall with the rate (by over 2 %), nor p99 (by over 12 %)."""
    server = DynamicBatching(base, base * share, most, 0.0, instances)
    rates = np.linspace(0.01, 0.99, 60) * rate_at(server, 1.0)
    load = dynamic_batching(server, requests_per_s=rates, arrival_cv=arrival_cv)
    for name, kept in (("mean", 0.98), ("p99", 0.88)):
        values = load.latency[name]
        assert np.all(values[1:] >= kept * np.maximum.accumulate(values)[:-1])


def test_capacity_is_where_the_limit_breaks() -> None:
    """THEN the limit holds at the found rate and breaks 1 % above it, for every server without delay."""
    for name in ("no batching", "batches of 8", "three instances, batches of 8"):
        server = SERVERS[name]
        rate = float(capacity_requests_per_s(server, limits={"p99": 0.012}))
        at, above = (
            float(dynamic_batching(server, requests_per_s=rate * by).latency.p99_s) for by in (1.0, 1.01)
        )
        assert at <= 0.012 < above


def test_larger_batches_never_lower_capacity() -> None:
    """GIVEN a loose limit THEN the highest rate rises with the largest batch."""
    server = DynamicBatching(0.004, 0.0005, max_batch=np.array([1.0, 2.0, 4.0, 8.0, 32.0]))
    assert np.all(np.diff(capacity_requests_per_s(server, limits={"p99": 0.5})) > 0)


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("clients", [1, 2, 4, 8, 16, 64])
def test_closed_loop_agrees_with_the_simulation(name: str, clients: int) -> None:
    """THEN the mean latency with a fixed number of clients is within 12 % of the simulated one."""
    server = SERVERS[name]
    truth = simulation(server).run_closed_loop(concurrency=clients, requests=6000).mean()
    assert abs(float(closed_loop(server, concurrency=clients).latency.mean_s) / truth - 1.0) < 0.12


def test_time_outside_the_server_hides_part_of_the_queue() -> None:
    """GIVEN 4 clients, one instance, S = 4.5 ms and 4.5 ms outside THEN the answer takes 18 ms, as without."""
    server = DynamicBatching(0.004, 0.0005, overhead_s=0.0045)
    assert pytest.approx(float(closed_loop(server, concurrency=4.0).latency.mean_s), rel=0.05) == 0.018


def test_measured_closed_loops_spread_as_stated(measurements: Path) -> None:
    """GIVEN NVIDIA's Triton tables THEN percentiles from the measured mean halve the error of the mean alone."""
    rows = online_rows(measurements)
    sigma = np.sqrt(np.log1p(SPREAD_CV**2))
    for name, z in (("latency_p95_ms", 1.645), ("latency_p99_ms", 2.326)):
        true = rows[name]
        mean = rows["latency_avg_ms"]
        ours = np.abs(mean * np.exp(sigma * z - sigma**2 / 2) / true - 1.0)
        naive = np.abs(mean / true - 1.0)
        assert np.median(ours) < 0.6 * np.median(naive)


def online_rows(measurements: Path) -> dict[str, np.ndarray]:
    with (measurements / "nvidia_triton_latency_vs_concurrency.csv").open(encoding="utf-8") as file:
        found = [
            row
            for row in csv.DictReader(file)
            if row["scenario"] == "online" and float(row["concurrency"]) > 2
        ]
    names = ("latency_p95_ms", "latency_p99_ms", "latency_avg_ms")
    return {name: np.array([float(row[name]) for row in found]) for name in names}
