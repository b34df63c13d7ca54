"""The user's own measurement: what it proves, and how many samples it would take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.accuracy import Measurement, loss, needed_samples, resolve
from advisor.errors import InputError


def test_relative_loss_of_a_point_and_a_quarter() -> None:
    assert pytest.approx(0.0125) == Measurement("acc", 0.80, 0.79).loss_ratio


def test_lower_is_better_turns_the_ratio_round() -> None:
    assert pytest.approx(0.05) == Measurement("perplexity", 10.0, 10.5, higher_is_better=False).loss_ratio


def test_standard_error_of_two_separate_runs_by_hand() -> None:
    # sqrt(0.8 x 0.2 / 1000) = 0.012649 for each; x sqrt(2) / 0.8
    assert (
        pytest.approx(0.012649 * 2**0.5 / 0.8, rel=1e-4)
        == Measurement("acc", 0.8, 0.8, samples=1000).standard_error_ratio
    )


def test_standard_error_of_paired_answers_by_hand() -> None:
    # 30 and 20 discordant of 1000: sqrt(50 - 100 / 1000) / 1000 / 0.8
    paired = Measurement("acc", 0.8, 0.79, samples=1000, discordant=(30, 20))
    assert pytest.approx(49.9**0.5 / 1000 / 0.8) == paired.standard_error_ratio


def test_sample_size_of_the_textbook_formula() -> None:
    # (1.64485 + 0.84162)^2 = 6.18256; x 2 x 0.75 x 0.25 / (0.02 x 0.75)^2 = 10304.3
    assert needed_samples(0.75, limit_ratio=0.02) == 10305


def test_250_samples_cannot_resolve_one_percent_and_the_answer_says_how_many_can() -> None:
    found = resolve(Measurement("acc", 0.80, 0.80, samples=250), limit_ratio=0.01)
    assert (found.verdict, found.samples_needed) == ("unresolved", 30913)
    assert found.sentence.startswith("n = 250 cannot resolve a loss of 1 %: you need about 31,000 samples")


def test_the_samples_it_asks_for_do_resolve_it() -> None:
    needed = needed_samples(0.8, limit_ratio=0.01)
    assert resolve(Measurement("acc", 0.8, 0.8, samples=needed), limit_ratio=0.01).verdict == "kept"


def test_a_loss_far_above_the_limit_is_broken_even_with_few_samples() -> None:
    found = resolve(Measurement("acc", 0.80, 0.60, samples=500), limit_ratio=0.01)
    assert (found.verdict, found.probability < 1e-3) == ("broken", True)


def test_a_measurement_without_n_is_refused() -> None:
    with pytest.raises(InputError, match="give n"):
        Measurement("acc", 0.8, 0.79).loss()
    with pytest.raises(InputError, match="give n"):
        resolve(Measurement("acc", 0.8, 0.79), limit_ratio=0.01)


def test_a_limit_of_zero_cannot_be_tested() -> None:
    with pytest.raises(InputError, match="above 0"):
        resolve(Measurement("acc", 0.8, 0.79, samples=100), limit_ratio=0.0)


def test_a_measurement_replaces_the_prior() -> None:
    measured = Measurement("acc", 0.80, 0.76, samples=50_000).loss("fp8-w8a8")
    assert (measured.basis, measured.treatments) == ("measured", ("fp8-w8a8",))
    assert pytest.approx(0.05, abs=1e-3) == measured.expected_ratio


def test_a_small_measurement_may_update_the_prior_instead() -> None:
    before = loss("fp8-w8a8", family="decoder", parameters=8e9)
    updated = Measurement("acc", 0.80, 0.80, samples=250).loss(prior=before)
    alone = Measurement("acc", 0.80, 0.80, samples=250).loss()
    assert updated.p90_ratio < alone.p90_ratio


def test_percent_and_share_are_the_same_measurement() -> None:
    as_percent = Measurement.parse({"metric": "acc", "baseline": 80.0, "optimized": 79.0, "n": 100})
    assert as_percent == Measurement.parse({"metric": "acc", "baseline": 0.80, "optimized": 0.79, "n": 100})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"baseline": 0.8, "optimised": 0.79}, "unknown key 'optimised'"),
        ({"baseline": 0.8}, "optimized is None; expected a number"),
        ({"baseline": 0, "optimized": 0.5}, "baseline 0.0"),
        ({"baseline": 0.8, "optimized": 0.5, "n": 0}, "n is 0"),
        ({"baseline": 0.8, "optimized": 0.5, "discordant": 3}, "expected two counts"),
    ],
)
def test_a_line_that_cannot_be_read_says_what_was_expected(line: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Measurement.parse(line)


@given(st.floats(0.3, 0.95), st.floats(0.002, 0.2), st.floats(1.1, 4.0))
def test_a_tighter_claim_never_needs_fewer_samples(baseline: float, limit: float, factor: float) -> None:
    assert needed_samples(baseline, limit_ratio=limit) >= needed_samples(baseline, limit_ratio=limit * factor)


@given(st.floats(0.3, 0.95), st.floats(0.3, 0.95), st.integers(20, 5000))
def test_more_samples_never_widen_the_interval(baseline: float, optimized: float, samples: int) -> None:
    few, many = (
        Measurement("acc", baseline, optimized, samples=n).standard_error_ratio
        for n in (samples, 2 * samples)
    )
    assert few is not None
    assert many is not None
    assert many <= few
