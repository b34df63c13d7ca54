"""A loss distribution is 512 numbers, and every summary is arithmetic on them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.accuracy import SAMPLES, from_normal, from_quantiles, lossless, relative_limit
from advisor.errors import InputError


def test_summaries_of_a_uniform_loss_from_0_to_10_percent() -> None:
    uniform = from_quantiles([0, 1], [0.0, 0.10])
    assert pytest.approx(0.05, abs=1e-12) == uniform.expected_ratio
    assert pytest.approx((0.01, 0.05, 0.09), abs=1e-9) == (
        uniform.p10_ratio,
        uniform.p50_ratio,
        uniform.p90_ratio,
    )
    assert pytest.approx(0.3, abs=1 / SAMPLES) == uniform.probability_at_most(0.03)


def test_a_limit_that_every_sample_keeps_is_certain() -> None:
    assert from_quantiles([0, 1], [0.0, 0.10]).probability_at_most(0.10) == 1.0


def test_a_gain_counts_as_no_loss() -> None:
    gain = from_quantiles([0, 1], [-0.04, -0.01])
    assert (0.0, 1.0) == (gain.expected_ratio, gain.probability_at_most(0.0))


def test_a_normal_loss_has_its_textbook_ninetieth_percentile() -> None:
    assert pytest.approx(0.02 + 1.2816 * 0.005, abs=1e-5) == from_normal(0.02, 0.005).p90_ratio


def test_scaling_a_loss_scales_its_mean_and_stops_at_total_loss() -> None:
    uniform = from_quantiles([0, 1], [0.0, 0.10])
    assert pytest.approx(0.10) == uniform.scaled(2.0).expected_ratio
    assert uniform.scaled(100.0).samples.max() == 1.0


def test_equal_distributions_are_equal_and_hash_alike() -> None:
    assert lossless("none") == lossless("none")
    assert hash(lossless("none")) == hash(lossless("none"))
    assert lossless("none") != from_quantiles([0, 1], [0.0, 0.1])


def test_one_point_of_eighty_percent_is_one_and_a_quarter_percent() -> None:
    assert relative_limit(1.0, baseline=80) == relative_limit(1.0, baseline=0.8) == 0.0125


def test_a_limit_in_points_needs_a_baseline() -> None:
    with pytest.raises(InputError, match="needs the metric of the unchanged model"):
        relative_limit(1.0, baseline=0)


@given(st.lists(st.floats(-0.5, 1.5), min_size=2, max_size=6))
def test_any_distribution_is_sorted_between_no_and_total_loss(losses: list[float]) -> None:
    samples = from_quantiles(np.linspace(0, 1, len(losses)), losses).samples
    assert samples.shape == (SAMPLES,)
    assert samples.min() >= 0
    assert samples.max() <= 1
    assert (np.diff(samples) >= 0).all()
