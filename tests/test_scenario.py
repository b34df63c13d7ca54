"""Scenarios as people write them."""

from __future__ import annotations

import pytest

from advisor import Requirements, Scenario
from advisor.errors import InputError
from advisor.scenario import factor


@pytest.mark.parametrize(
    ("written", "ratio"),
    [("x2", 2.0), ("2x", 2.0), ("×1.5", 1.5), ("+30%", 1.3), ("- 30 %", 0.7), (0.5, 0.5)],
)
def test_a_factor_is_read_as_it_is_said(written: object, ratio: float) -> None:
    assert ratio == pytest.approx(factor(written))


@pytest.mark.parametrize(
    "written", ["", "30%", "x", "x0", "-100%", "x-2", "nan", "xnan", True, "x1e9", "x1001", "a" * 999]
)
def test_what_is_no_factor_is_refused_with_examples(written: object) -> None:
    with pytest.raises(InputError, match=r"such as x2, \+30% or -30%") as refused:
        factor(written)
    assert len(str(refused.value)) < 200


def test_each_change_stands_alone_and_says_what_it_is() -> None:
    whole = Scenario.load(
        {
            "traffic": "x2",
            "prices": {"h100": "-30%", "*": "+10%"},
            "losses": "+50%",
            "speed": "-20%",
            "limits": {"max_accuracy_loss": "2%", "latency": {"ttft_p99": "1s", "tpot_p99": "50ms"}},
        }
    )
    names = ["traffic ×2", "h100 -30%", "all prices +10%", "losses +50%", "speed -20%"]
    names += ["max accuracy loss 2%", "ttft_p99 1s", "tpot_p99 50ms"]
    assert names == [one.name for one in whole.each()]
    assert ", ".join(names) == whole.text
    assert ("as stated",) == tuple(one.name for one in Scenario().each())


def test_other_limits_come_over_the_stated_ones_one_by_one() -> None:
    asked = Requirements(max_accuracy_loss="1%", quotas={"a": 1, "b": 2}, latency={"ttft_p99": "1s"})
    changed = Scenario(limits={"quotas": {"a": 4}, "budget": "$5k/month"}).changed(asked)
    assert {"a": 4, "b": 2} == changed.quotas
    assert 5000.0 == changed.budget_usd_per_month
    assert {"ttft_p99": 1.0} == changed.latency
    assert asked == Scenario(traffic=2.0).changed(asked)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"limits": {"regions": ["us-east-1"]}}, "changes limits"),
        ({"limits": {"max_accuracy_loss": "lots"}}, "lots"),
        ({"trafic": "x2"}, "trafic"),
        ({"prices": {"h100": "cheap"}}, "such as x2"),
    ],
)
def test_a_scenario_that_cannot_be_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Scenario.load(given)
