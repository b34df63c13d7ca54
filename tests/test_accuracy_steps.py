"""What a looser accuracy limit buys: the plan changes in few, understandable steps, and each costs less than the one before.

Every step says which option touches the model; batching, scaling and speculative decoding change no answer and are left
out of the tables. Below its first step a plan is exactly lossless, whatever the limit.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import pytest

from advisor import Recommendation, Requirements, recommend

LIMITS = ("0.1%", "0.3%", "0.5%", "1%", "2%", "3%", "5%")
NOTHING = "nothing"

STEPS = {
    # 70 B chat, judged on instructions: FP8 weights lose 0.7 % on average, with an FP8 cache 1.7 %.
    "large-llm": {
        "0.1%": NOTHING, "0.3%": NOTHING, "0.5%": NOTHING,
        "1%": "fp8",
        "2%": "fp8+kv-fp8", "3%": "fp8+kv-fp8", "5%": "fp8+kv-fp8",
    },
    # 0.6 B encoder for retrieval, served in FP16: INT8 after training loses 0.6 %.
    "medium-transformer": {
        "0.1%": NOTHING, "0.3%": NOTHING, "0.5%": NOTHING,
        "1%": "int8", "2%": "int8", "3%": "int8", "5%": "int8",
    },
    # ResNet-18, served in FP32: 16 bits lose nothing, INT8 after training 0.2 %.
    "small-cnn": {
        "0.1%": NOTHING,
        "0.3%": "int8", "0.5%": "int8", "1%": "int8", "2%": "int8", "3%": "int8", "5%": "int8",
    },
}  # fmt: skip
"""What touches the model's answers at each limit on the average loss."""

CONFIDENT_STEPS = {
    "large-llm": {
        "0.1%": NOTHING, "0.3%": NOTHING, "0.5%": NOTHING, "1%": NOTHING,
        "2%": "fp8", "3%": "fp8",
        "5%": "fp8+kv-fp8",
    },
    "medium-transformer": {
        "0.1%": NOTHING, "0.3%": NOTHING, "0.5%": NOTHING, "1%": NOTHING,
        "2%": "int8", "3%": "int8", "5%": "int8",
    },
    "small-cnn": {
        "0.1%": NOTHING, "0.3%": NOTHING, "0.5%": NOTHING,
        "1%": "int8", "2%": "int8", "3%": "int8", "5%": "int8",
    },
}  # fmt: skip
"""The same where the limit must hold with a probability of 90 %: every step comes later."""


@cache
def at(name: str, limit: str, confidence: str | None = None) -> Recommendation:
    return recommend(name, Requirements(max_accuracy_loss=limit, confidence=confidence)).require()


def cost(result: Recommendation) -> float:
    assert result.plan is not None
    return result.plan.cost_usd_per_month


def touches_the_model(result: Recommendation) -> str:
    """The options of a plan that may change an answer."""
    assert result.plan is not None
    assert result.accuracy_loss is not None
    if result.accuracy_loss.basis == "lossless":
        return NOTHING
    lossless = {"accelerators", "autoscaling", "batching", "adaptive_inference"}
    changed = [choice for choice in result.plan.services[0].choices if choice.changed]
    return " and ".join(choice.option for choice in changed if choice.strategy not in lossless)


@pytest.mark.parametrize("name", STEPS)
class TestALooserLimit:
    def test_moves_the_plan_through_these_steps(self, name: str) -> None:
        assert STEPS[name] == {limit: touches_the_model(at(name, limit)) for limit in LIMITS}

    def test_never_costs_more(self, name: str) -> None:
        costs = [cost(at(name, limit)) for limit in LIMITS]
        assert sorted(costs, reverse=True) == costs

    def test_pays_for_every_step(self, name: str) -> None:
        for tight, loose in pairwise(LIMITS):
            if STEPS[name][tight] != STEPS[name][loose]:
                assert cost(at(name, loose)) < cost(at(name, tight))

    def test_is_kept_on_average(self, name: str) -> None:
        for limit in LIMITS:
            loss = at(name, limit).accuracy_loss
            assert loss is not None
            assert loss.expected_ratio <= float(limit.rstrip("%")) / 100

    def test_is_kept_more_surely_while_the_plan_stays_the_same(self, name: str) -> None:
        for tight, loose in pairwise(LIMITS):
            if STEPS[name][tight] == STEPS[name][loose]:
                assert _kept(at(name, tight)) <= _kept(at(name, loose))

    def test_starts_exactly_lossless(self, name: str) -> None:
        loss = at(name, "0.1%").accuracy_loss
        assert loss is not None
        assert (0.0, 0.0, 1.0) == (loss.expected_ratio, loss.p90_ratio, loss.probability_kept)


@pytest.mark.parametrize("name", CONFIDENT_STEPS)
class TestAtNinetyPercentConfidence:
    def test_every_step_comes_later(self, name: str) -> None:
        found = {limit: touches_the_model(at(name, limit, "90%")) for limit in LIMITS}
        assert CONFIDENT_STEPS[name] == found
        order = list(dict.fromkeys(STEPS[name].values()))
        assert all(order.index(found[limit]) <= order.index(STEPS[name][limit]) for limit in LIMITS)

    def test_the_promise_is_kept_with_that_probability(self, name: str) -> None:
        for limit in LIMITS:
            assert _kept(at(name, limit, "90%")) >= 0.9

    def test_certainty_never_costs_less(self, name: str) -> None:
        for limit in LIMITS:
            assert cost(at(name, limit)) <= cost(at(name, limit, "90%")) + 1e-6

    def test_without_it_the_probability_is_said_anyway(self, name: str) -> None:
        for limit in LIMITS:
            assert 0.5 <= _kept(at(name, limit)) <= 1.0


def _kept(result: Recommendation) -> float:
    assert result.accuracy_loss is not None
    assert result.accuracy_loss.probability_kept is not None
    return result.accuracy_loss.probability_kept
