"""Everything uncertain at once: probabilities that agree with what is known exactly, the same at every call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from advisor import Requirements
from advisor.examples import EXAMPLES
from advisor.insight.contenders import contenders
from advisor.insight.draws import COUNT, Draws, draws, sobol
from advisor.insight.robustness import _robust, robust_choice, robustness
from advisor.insight.trials import trials
from tests.builders import a_workload


def nothing_uncertain() -> Draws:
    """One draw in which everything is as predicted, and the accuracy in its middle."""
    return Draws(np.array([0.5]), np.array([0.0]), np.array([1.0]), np.array([1.0]))


@pytest.mark.parametrize("name", EXAMPLES)
class TestEveryExample:
    def test_probabilities_are_probabilities(self, name: str, found: Callable[[str], Any]) -> None:
        result = found(name).robustness
        values = [limit.probability for limit in result.limits]
        values += [p for plan in result.plans for p in (plan.all_limits_probability, plan.saving_probability)]
        assert all(0.0 <= value <= 1.0 for value in values)
        assert result.all_limits_probability <= min(limit.probability for limit in result.limits)

    def test_the_accuracy_holds_as_often_as_its_distribution_says(
        self, name: str, found: Callable[[str], Any]
    ) -> None:
        result = found(name)
        accuracy = next(x for x in result.robustness.limits if x.requirement == "max_accuracy_loss")
        assert result.plan.probability_kept == pytest.approx(accuracy.probability, abs=1.0 / COUNT)

    def test_it_comes_out_the_same_twice(self, name: str, case: Callable[[str], Any]) -> None:
        one = case(name)
        first, second = (robustness(one.space, one.before) for _ in range(2))
        assert first == second

    def test_nobody_beats_knowing_the_truth(self, name: str, case: Callable[[str], Any]) -> None:
        one = case(name)
        tried = trials(one.space, contenders(one.space, confidence=0.9), draws(), one.before)
        assert (tried.usd_per_month >= tried.informed_usd_per_month - 1e-6).all()

    def test_with_nothing_uncertain_it_is_the_plan_as_recommended(
        self, name: str, case: Callable[[str], Any]
    ) -> None:
        one = case(name)
        tried = trials(one.space, contenders(one.space, confidence=0.9), nothing_uncertain(), one.before)
        assert one.cost == pytest.approx(tried.usd_per_month[0, 0], rel=1e-6)
        assert one.baseline == pytest.approx(tried.today_usd_per_month[0], rel=1e-6)
        assert tried.all_hold[0, 0]

    def test_one_plan_is_recommended_and_one_is_robust(
        self, name: str, case: Callable[[str], Any], found: Callable[[str], Any]
    ) -> None:
        result = found(name).robustness
        assert [True] == [plan.is_recommended for plan in result.plans if plan.is_recommended]
        (robust,) = [plan for plan in result.plans if plan.is_robust]
        alone, why = robust_choice(case(name).space, case(name).before)
        assert robust.plan.cost_usd_per_month == pytest.approx(alone.cost_usd_per_month[0])
        assert robust.all_limits_probability == pytest.approx(why.all_limits_probability)
        assert result.all_limits_probability == pytest.approx(why.cheapest_all_limits_probability)

    def test_the_verdict_follows_its_rule(self, name: str, found: Callable[[str], Any]) -> None:
        result = found(name).robustness
        sure = min(result.saving_probability, result.all_limits_probability) >= result.confidence
        hold = result.expected_saving_usd_per_month <= 0 or result.saving_probability < 0.5
        assert ("hold" if hold else "act" if sure else "measure first") == result.verdict


def test_a_slower_engine_than_predicted_breaks_latencies_and_a_faster_one_does_not(
    case: Callable[[str], Any],
) -> None:
    one = case("large-llm")
    some = contenders(one.space, confidence=0.9)
    slow, fast = (
        trials(one.space, some, replace(nothing_uncertain(), slowness=np.array([z])), one.before)
        for z in (2.5, -2.5)
    )
    assert not slow.holds["ttft_p99"][0, 0]
    assert fast.holds["ttft_p99"][0, 0]
    assert slow.usd_per_month[0, 0] > fast.usd_per_month[0, 0]


def test_room_makes_the_latencies_likelier(found: Callable[[str], Any]) -> None:
    plans = found("large-llm").robustness.plans
    mine = plans[0]
    roomy = [p for p in plans if p.plan.choices == mine.plan.choices and (p.sized_for or 0.0) >= 0.9]
    assert roomy
    assert all(plan.all_limits_probability > mine.all_limits_probability for plan in roomy)


def test_a_plan_that_saves_nothing_is_held(make: Callable[..., Any]) -> None:
    serving = {**a_workload().serving.model_dump(exclude_unset=True), "instances": 1}
    kept = make(
        a_workload(serving=serving, traffic={"requests_per_s": 50}),
        Requirements(max_accuracy_loss="1%", without=["*"]),
    )
    assert kept.baseline == pytest.approx(kept.cost)
    assert "hold" == robustness(kept.space, kept.before).verdict


def test_a_deployment_that_breaks_its_limits_is_no_reason_to_hold(make: Callable[..., Any]) -> None:
    overloaded = make(a_workload(traffic={"requests_per_s": 30000}))
    assert not overloaded.before.keeps_limits
    result = robustness(overloaded.space, overloaded.before)
    assert result.expected_saving_usd_per_month < 0.0
    assert "hold" != result.verdict


def test_the_cheapest_of_those_that_are_sure_is_robust_else_the_surest() -> None:
    expected = np.array([10.0, 30.0, 20.0])
    assert 2 == _robust(np.array([0.5, 0.99, 0.95]), expected, 0.9)
    assert 1 == _robust(np.array([0.5, 0.8, 0.7]), expected, 0.9)


def test_draws_are_the_sobol_sequence() -> None:
    # The first eight points and the last of 256, as scipy.stats.qmc.Sobol gives them.
    eighths = [
        [0, 0, 0, 0],
        [4, 4, 4, 4],
        [6, 2, 2, 2],
        [2, 6, 6, 6],
        [3, 3, 5, 7],
        [7, 7, 1, 3],
        [5, 1, 7, 5],
        [1, 5, 3, 1],
    ]
    points = sobol(COUNT, dimensions=4)
    assert eighths == (8 * points[:8]).tolist()
    assert [0.00390625, 0.99609375, 0.76953125, 0.57421875] == points[-1].tolist()


def test_every_dimension_alone_is_even() -> None:
    for column in sobol(COUNT, dimensions=4).T:
        assert [at / COUNT for at in range(COUNT)] == sorted(column.tolist())


def test_one_draw_in_ten_has_a_third_more_traffic() -> None:
    assert np.mean(draws().traffic_ratio > 1.30) == pytest.approx(0.1, abs=1.0 / COUNT)
    assert np.median(draws().price_ratio) == pytest.approx(1.0, abs=0.01)
