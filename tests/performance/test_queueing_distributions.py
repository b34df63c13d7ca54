"""Distributions behind the latencies: percentiles from moments, waits, and the search for a rate."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.performance.latency_shapes import (
    Moments,
    gamma_statistics,
    lognormal_statistics,
    normal_quantile,
    seen_by_some,
    two_part_statistics,
)
from advisor.performance.queueing import (
    STATISTICS,
    Latency,
    Wait,
    delay_probability,
    highest_rate,
    normal_cdf,
    point_memory,
    windowed_memory,
)


def erlang_c(*, offered: float, servers: int) -> float:
    blocked = 1.0  # Erlang B, server by server
    for count in range(1, servers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    return blocked / (1.0 - offered / servers * (1.0 - blocked))


def test_gamma_percentiles_of_an_exponential_are_its_own() -> None:
    """GIVEN the cumulants of an exponential of mean 1 s THEN p90, p95 and p99 are ln 10, ln 20 and ln 100."""
    latency = Latency.of(gamma_statistics(Moments(mean=1.0, variance=1.0, third=2.0), floor=0.0))
    expected = [math.log(10), math.log(20), math.log(100)]
    assert expected == pytest.approx([float(latency[name]) for name in ("p90", "p95", "p99")], rel=0.02)


def test_gamma_percentiles_of_a_uniform_end_where_it_ends() -> None:
    """GIVEN the cumulants of a uniform between 0 and 1 s THEN p90 is 0.9 s and p99 at most 14 % above 1 s."""
    moments = Moments(mean=0.5, variance=1.0 / 12.0, third=0.0, fourth=-1.0 / 120.0)
    latency = Latency.of(gamma_statistics(moments, floor=0.0))
    assert float(latency.p90_s) == pytest.approx(0.9, rel=0.02)
    assert float(latency.p99_s) < 1.14


def test_lognormal_percentiles_are_exact() -> None:
    """GIVEN mean 1 and variance 1 THEN p99 = exp(2.3263 sqrt(ln 2) - ln 2 / 2) = 4.905."""
    statistic_s = lognormal_statistics(Moments(mean=1.0, variance=1.0))
    assert pytest.approx(statistic_s("p99"), abs=0.002) == 4.905


def test_rare_slow_requests_show_only_in_the_high_percentiles() -> None:
    """GIVEN 5 % of requests at 9 s, the rest at 1 s THEN p90 is 1 s, p99 is 9 s and the mean 1.4 s."""
    slow, fast = Moments(mean=9.0, variance=1e-9), Moments(mean=1.0, variance=1e-9)
    latency = Latency.of(two_part_statistics(0.05, slow, fast, floor=0.0))
    assert [1.4, 1.0, 1.0, 9.0] == pytest.approx(
        [float(value) for value in (latency.mean_s, latency.p50_s, latency.p90_s, latency.p99_s)], rel=0.01
    )


def test_moments_of_a_mixture_are_those_of_its_samples() -> None:
    """GIVEN 30 % at 2 s and 70 % at 1 s THEN mean 1.3, variance 0.21 and third cumulant 0.084."""
    mixed = seen_by_some(0.3, Moments(2.0, 0.0), Moments(1.0, 0.0))
    assert [1.3, 0.21, 0.084] == pytest.approx([mixed.mean, mixed.variance, mixed.third])


def test_a_wait_that_few_see_leaves_the_median_alone() -> None:
    """GIVEN 10 % wait 1 s on average THEN p50 is 0 and p99 is ln 10."""
    wait = Wait(probability=0.1, conditional_mean_s=1.0)
    assert wait.quantile_s("p50") == 0.0
    assert pytest.approx(float(wait.quantile_s("p99"))) == math.log(10)


@pytest.mark.parametrize(("offered", "servers"), [(8.0, 10), (56.0, 64), (60.0, 64), (230.0, 256)])
def test_share_that_waits_is_erlang_c_where_that_is_exact(offered: float, servers: int) -> None:
    """GIVEN Poisson arrivals and unlimited mean = variance THEN the share is Erlang's within 0.05."""
    found = delay_probability(
        servers=float(servers), mean=offered, variance=offered, drain_ratio=1.0 - offered / servers
    )
    assert erlang_c(offered=offered, servers=servers) == pytest.approx(float(found), abs=0.05)


def test_normal_distribution_and_its_inverse_agree() -> None:
    """THEN the quantile of each distribution value is the value itself, within 0.03."""
    z = np.linspace(-2.5, 2.5, 21)
    assert z == pytest.approx(normal_quantile(normal_cdf(z)), abs=0.03)


@pytest.mark.parametrize("memory", [point_memory, windowed_memory])
def test_burstiness_shows_more_in_longer_windows(memory: object) -> None:
    """THEN memory rises from near 0 to 1 with the length of the window."""
    seen = memory(np.geomspace(1e-3, 1e4, 30), arrival_cv=2.0)  # type: ignore[operator]
    assert np.all(np.diff(seen) > 0)
    assert 0.15 > seen[0]
    assert 0.98 < seen[-1] <= 1.0


def test_an_unknown_statistic_names_the_known_ones() -> None:
    """GIVEN p42 THEN the error lists mean, p50, p90, p95, p99."""
    with pytest.raises(KeyError, match=r"p42.*mean, p50, p90, p95, p99"):
        _ = Latency.of(lognormal_statistics(Moments(1.0, 1.0)))["p42"]


def test_search_never_returns_a_rate_that_breaks_the_limit() -> None:
    """GIVEN limits at 3 per second THEN the found rate is 3 or a little less, in every block of rows."""
    ceiling = np.linspace(3.5, 40.0, 20_000)
    found = highest_rate(lambda rate, _: rate <= 3.0, ceiling_requests_per_s=ceiling)
    assert found.max() <= 3.0
    assert np.all(3.0 - found <= 2.0**-13 * ceiling)


@given(
    mean=st.floats(0.01, 100.0),
    variation=st.floats(0.0, 3.0),
    skewness=st.floats(0.0, 6.0),
    share=st.floats(0.0, 1.0),
    waited=st.floats(0.0, 10.0),
)
def test_percentiles_are_ordered(
    mean: float, variation: float, skewness: float, share: float, waited: float
) -> None:
    """THEN p50 <= p90 <= p95 <= p99, all finite and not below the floor."""
    deviation = mean * variation
    moments = Moments(mean, deviation**2, skewness * deviation**3)
    latency = Latency.of(gamma_statistics(moments, floor=0.0, wait=Wait(share, waited)))
    ordered = [float(latency[name]) for name in STATISTICS[1:]]
    assert sorted(ordered) == pytest.approx(ordered)
    assert all(0.0 <= value < math.inf for value in ordered)
