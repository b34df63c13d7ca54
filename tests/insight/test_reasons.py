"""Every counterfactual is what a recommendation would say if it were asked again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from advisor import Requirements, recommend
from advisor.examples import EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
class TestEveryExample:
    def test_the_cost_without_a_strategy_is_that_of_a_recommendation_without_it(
        self, name: str, found: Callable[[str], Any]
    ) -> None:
        for reason in found(name).reasons:
            again = recommend(name, Requirements(max_accuracy_loss="1%", without=[reason.strategy]))
            expected = None if again.plan is None else again.plan.cost_usd_per_month
            assert expected == pytest.approx(reason.without_usd_per_month)

    def test_nothing_is_cheaper_than_the_plan(self, name: str, found: Callable[[str], Any]) -> None:
        for reason in found(name).reasons:
            assert reason.worth_usd_per_month is None or reason.worth_usd_per_month >= -1e-6
            for other in reason.alternatives:
                assert other.extra_usd_per_month is None or other.extra_usd_per_month >= -1e-6

    def test_every_option_says_why(self, name: str, found: Callable[[str], Any]) -> None:
        for reason in found(name).reasons:
            assert reason.text
            assert all(other.reason for other in reason.alternatives)

    def test_those_that_cannot_be_used_come_last(self, name: str, found: Callable[[str], Any]) -> None:
        for reason in found(name).reasons:
            missing = [other.cost_usd_per_month is None for other in reason.alternatives]
            assert sorted(missing) == missing


def test_another_option_costs_what_a_recommendation_with_it_alone_does(found: Callable[[str], Any]) -> None:
    quantization = next(r for r in found("small-cnn").reasons if r.strategy == "quantization")
    other = next(o for o in quantization.alternatives if o.option == "fp16")
    others = [f"quantization={o.option}" for o in quantization.alternatives if o.option != "fp16"]
    again = recommend(
        "small-cnn",
        Requirements(max_accuracy_loss="1%", without=[*others, f"quantization={quantization.option}"]),
    ).require()
    # Keeping today's format is dearer still, so the best plan left is one with FP16.
    assert again.plan.cost_usd_per_month == pytest.approx(other.cost_usd_per_month)


def test_an_option_that_loses_too_much_says_how_much(found: Callable[[str], Any]) -> None:
    quantization = next(r for r in found("large-llm").reasons if r.strategy == "quantization")
    int4 = next(o for o in quantization.alternatives if o.option == "int4-weights")
    assert int4.cost_usd_per_month is None
    assert "of accuracy on average; the limit is 1%" in int4.reason


def test_a_machine_that_is_too_slow_names_the_latency(found: Callable[[str], Any]) -> None:
    machines = next(r for r in found("medium-transformer").reasons if r.strategy == "accelerators")
    slow = next(o for o in machines.alternatives if o.option.endswith("/t3.large"))
    assert slow.reason.startswith("latency p95 is ")
    assert "even when nearly idle; the limit is 150 ms" in slow.reason
