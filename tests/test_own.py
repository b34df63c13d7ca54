"""The user's own measurement wins over published evidence, and is not believed further than its samples reach."""

from __future__ import annotations

from typing import Any

import pytest

from advisor import Recommendation, Requirements, recommend
from advisor.errors import InputError, UnknownName
from advisor.recommendation import AccuracyLoss
from tests.builders import AStrategy, a_workload, an_llm, an_option

FP8 = {
    "option": "quantization=fp8",
    "metric": "MMLU",
    "baseline": "80%",
    "optimized": "79.6%",
    "samples": 100_000,
}
ONLY_FP8 = ("quantization=fp8",)
"""Nothing else to choose, so that each test sees the option that it is about."""


def found(
    *measurements: dict[str, Any], only: tuple[str, ...] = ONLY_FP8, limit: str = "2%", **limits: Any
) -> Recommendation:
    workload = an_llm(measurements=list(measurements), traffic={"requests_per_s": 2000}, task="knowledge")
    return recommend(workload, Requirements(max_accuracy_loss=limit, only=only, **limits)).require()


def loss(result: Recommendation) -> AccuracyLoss:
    assert result.accuracy_loss is not None
    return result.accuracy_loss


def chosen(result: Recommendation) -> set[str]:
    assert result.plan is not None
    return {
        f"{choice.strategy}={choice.option}" for choice in result.plan.services[0].choices if choice.changed
    }


def test_a_measurement_replaces_what_is_published() -> None:
    published, measured = loss(found()), loss(found(FP8))
    assert ("fitted", "measured") == (published.basis, measured.basis)
    assert measured.expected_ratio == pytest.approx(1 - 79.6 / 80, rel=0.02)
    assert measured.p90_ratio < published.p90_ratio
    assert "quantization=fp8: measured by you, MMLU 80 % before, 79.6 % after, n = 100,000" in measured.notes


def test_a_treatment_may_be_named_instead_of_an_option() -> None:
    line = {key: value for key, value in FP8.items() if key != "option"} | {"treatment": "fp8-w8a8"}
    assert loss(found(line)).expected_ratio == loss(found(FP8)).expected_ratio


def test_a_bad_measurement_drops_an_option_that_is_published_as_good() -> None:
    assert "quantization=fp8" in chosen(found())
    assert "quantization=fp8" not in chosen(found(FP8 | {"optimized": "76%"}))


def test_a_good_measurement_admits_an_option_that_is_published_as_bad() -> None:
    only = ("quantization=fp8+kv-fp8",)
    both = FP8 | {"option": "quantization=fp8+kv-fp8"}
    assert not chosen(found(only=only, limit="1%"))
    assert set(only) == chosen(found(both, only=only, limit="1%"))


def test_it_says_that_enough_samples_settle_the_limit() -> None:
    (text,) = [note for note in loss(found(FP8)).notes if "limit" in note]
    assert text == "n = 100,000 settles it: the loss is at most 0.87 %, the limit 2 % is kept."


def test_it_says_how_many_samples_are_needed_where_there_are_too_few() -> None:
    few = loss(found(FP8 | {"baseline": "95%", "optimized": "94.8%", "samples": 250}, limit="1%"))
    (text,) = [note for note in few.notes if "resolve" in note]
    assert text.startswith("n = 250 cannot resolve a loss of 1 %: you need about 6,500 samples")


def test_a_small_sample_moves_the_published_estimate_and_does_not_replace_it() -> None:
    published, few = loss(found()), loss(found(FP8 | {"samples": 200}))
    assert "measured" == few.basis
    assert few.expected_ratio == pytest.approx(published.expected_ratio, rel=0.25)
    assert any("moves that estimate instead of replacing it" in note for note in few.notes)


def test_counted_disagreements_sharpen_a_measurement() -> None:
    plain, paired = (
        loss(found(FP8 | {"samples": 10_000})),
        loss(found(FP8 | {"samples": 10_000, "discordant": [140, 100]})),
    )
    assert paired.p90_ratio - paired.p10_ratio < plain.p90_ratio - plain.p10_ratio


def test_the_rest_of_a_composite_option_keeps_its_published_loss() -> None:
    only, good = ("quantization=fp8+kv-fp8",), FP8 | {"optimized": "80%", "discordant": [200, 200]}
    published, part = loss(found(only=only, limit="5%")), loss(found(good, only=only, limit="5%"))
    assert 0.0 < part.expected_ratio < published.expected_ratio
    assert "fitted" == part.basis
    assert not any("settles" in note for note in part.notes)


def test_what_was_measured_together_stands_for_both_parts() -> None:
    only, both = ("quantization=fp8+kv-fp8",), FP8 | {"option": "quantization=fp8+kv-fp8"}
    one, two = loss(found(both, only=only)), loss(found(both, FP8 | {"optimized": "70%"}, only=only))
    assert "measured" == one.basis
    assert one.expected_ratio == two.expected_ratio == pytest.approx(0.005, rel=0.02)


def test_a_measurement_on_another_class_of_tasks_does_not_speak_for_this_one() -> None:
    other = loss(found(FP8 | {"task": "maths-code", "optimized": "79%"}))
    assert loss(found()).expected_ratio == other.expected_ratio
    assert "quantization=fp8: what you measured on maths-code does not speak for knowledge" in other.notes


def test_a_measurement_of_the_metric_that_the_workload_names_speaks_for_it() -> None:
    workload = an_llm(
        measurements=[FP8 | {"task": "maths-code"}],
        traffic={"requests_per_s": 2000},
        accuracy={"metric": "mmlu", "baseline": "80%"},
    )
    result = recommend(workload, Requirements(max_accuracy_loss="2%", only=ONLY_FP8)).require()
    assert "measured" == loss(result).basis


def test_several_metrics_of_one_option_are_averaged() -> None:
    lines = [FP8 | {"metric": "a", "optimized": "79.6%"}, FP8 | {"metric": "b", "optimized": "79.2%"}]
    assert loss(found(*lines)).expected_ratio == pytest.approx((0.005 + 0.01) / 2, rel=0.02)


def test_a_loss_that_the_author_of_a_strategy_states_can_be_measured_too() -> None:
    from advisor.strategy import LossEstimate

    fast = AStrategy(
        "fast", (an_option("on", throughput_ratio=8.0, loss=LossEstimate(0.03, 0.02, 0.04, "assumed")),)
    )
    line = {"option": "fast=on", "baseline": "80%", "optimized": "80%", "samples": 100_000}
    found_with = [
        recommend(
            a_workload(traffic={"requests_per_s": 3000}, measurements=lines),
            Requirements(max_accuracy_loss="1%"),
            strategies=[fast],
        )
        for lines in ([], [line])
    ]
    assert [set(), {"fast=on"}] == [chosen(one) for one in found_with]


def test_a_measurement_whose_option_is_left_out_is_answered_too() -> None:
    result = found(FP8 | {"optimized": "76%"})
    assert "quantization=fp8" not in chosen(result)
    (text,) = result.measured
    assert text.startswith("quantization=fp8: MMLU 80 % before, 76 % after, n = 100,000.")
    assert text.endswith("the limit 2 % is broken.")


def test_order_of_the_lines_is_irrelevant() -> None:
    lines = [FP8, FP8 | {"option": "quantization=fp8+kv-fp8", "optimized": "79.5%"}]
    one, two = (found(*order, only=("quantization=fp8*",)) for order in (lines, lines[::-1]))
    assert loss(one) == loss(two)


class TestMistakes:
    def test_an_option_nobody_offers_is_answered_with_the_nearest(self) -> None:
        with pytest.raises(UnknownName, match="no option of quantization 'fp9'"):
            found(FP8 | {"option": "quantization=fp9"})

    def test_a_strategy_nobody_installed_is_answered_with_the_nearest(self) -> None:
        with pytest.raises(UnknownName, match=r"no strategy 'quantisation'.*did you mean 'quantization'"):
            found(FP8 | {"option": "quantisation=fp8"})

    @pytest.mark.parametrize("option", ["adaptive_inference=speculative-eagle", "batching=continuous-256"])
    def test_an_option_that_changes_no_output_has_nothing_to_measure(self, option: str) -> None:
        with pytest.raises(InputError, match="leaves the model's outputs as they are"):
            found(FP8 | {"option": option})


class TestSlices:
    def test_each_limited_class_of_tasks_has_its_loss_and_probability(self) -> None:
        result = loss(found(slices={"tool-use": "5%", "maths-code": "5%"}))
        assert {"tool-use", "maths-code"} == set(result.slices)
        for part in result.slices.values():
            assert 0.05 == part.limit_ratio
            assert part.probability_kept is not None
            assert part.expected_ratio <= 0.05

    def test_the_worst_slice_comes_first(self) -> None:
        result = loss(found(slices={"tool-use": "4%", "maths-code": "6%", "multilingual": "10%"}))
        kept = [part.probability_kept or 0.0 for part in result.slices.values()]
        assert sorted(kept) == kept
        assert result.worst_slice is not None
        assert kept[0] == result.worst_slice[1].probability_kept

    def test_a_limit_on_a_slice_alone_is_kept_and_shown(self) -> None:
        workload = an_llm(traffic={"requests_per_s": 2000})
        result = recommend(workload, Requirements(slices={"tool-use": "3%"})).require()
        assert loss(result).limit_ratio is None
        assert loss(result).slices["tool-use"].expected_ratio <= 0.03
        assert (
            "accuracy loss on tool-use" in {row.requirement for row in result.binding}
            or "lossless" == loss(result).basis
        )

    def test_a_tighter_slice_never_costs_less(self) -> None:
        plans = [
            found(only=("quantization",), slices={"tool-use": limit}).plan for limit in ("5%", "2%", "0.1%")
        ]
        costs = [plan.cost_usd_per_month for plan in plans if plan is not None]
        assert sorted(costs) == costs

    def test_a_measurement_of_the_slice_replaces_what_is_published_for_it_alone(self) -> None:
        line = FP8 | {"task": "tool-use", "optimized": "80%"}
        before, after = (loss(found(*lines, slices={"tool-use": "6%"})) for lines in ([], [line]))
        assert before.expected_ratio == after.expected_ratio
        assert "measured" == after.slices["tool-use"].basis

    def test_no_slice_is_shown_where_none_is_limited(self) -> None:
        assert loss(found()).worst_slice is None


def test_lossless_options_stay_exactly_lossless() -> None:
    result = loss(found(only=("adaptive_inference=speculative*", "batching"), limit="0%"))
    assert ("lossless", 0.0, 0.0, 1.0) == (
        result.basis,
        result.expected_ratio,
        result.p90_ratio,
        result.probability_kept,
    )
