"""The saving is divided completely, and in no order."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor import Requirements
from advisor.examples import EXAMPLES
from advisor.insight.attribution import RIGHT_SIZING, attribution, shapley_values
from tests.builders import a_workload


@pytest.mark.parametrize("name", EXAMPLES)
class TestEveryExample:
    def test_parts_add_up_to_the_saving(
        self, name: str, case: Callable[[str], Any], found: Callable[[str], Any]
    ) -> None:
        parts = found(name).attribution
        saved = case(name).baseline - case(name).cost
        assert saved == pytest.approx(sum(part.usd_per_month for part in parts.parts), abs=1e-6)
        assert saved == pytest.approx(parts.savings_usd_per_month, abs=1e-9)

    def test_every_change_has_a_part_and_nothing_else_but_right_sizing(
        self, name: str, case: Callable[[str], Any], found: Callable[[str], Any]
    ) -> None:
        named = {part.strategy for part in found(name).attribution.parts}
        assert set(case(name).space.changed) == named - {RIGHT_SIZING}

    def test_the_largest_part_comes_first(self, name: str, found: Callable[[str], Any]) -> None:
        usd = [part.usd_per_month for part in found(name).attribution.parts]
        assert sorted(usd, reverse=True) == usd


def test_right_sizing_is_todays_machine_and_settings_with_another_count(case: Callable[[str], Any]) -> None:
    # small-cnn pays for 24 machines; 13 carry its busiest hour: 13 x $0.526/h x 730 h.
    small = case("small-cnn")
    parts = attribution(small.space, baseline_usd_per_month=small.baseline).parts
    right_sized = next(part.usd_per_month for part in parts if part.strategy == RIGHT_SIZING)
    assert small.baseline - 13 * 0.526 * 730 == pytest.approx(right_sized)


def test_a_plan_that_changes_nothing_is_all_right_sizing(make: Callable[..., Any]) -> None:
    kept = make(a_workload(), Requirements(max_accuracy_loss="1%", without=["*"]))
    parts = attribution(kept.space, baseline_usd_per_month=kept.baseline).parts
    assert [RIGHT_SIZING] == [part.strategy for part in parts]
    assert kept.baseline - kept.cost == pytest.approx(parts[0].usd_per_month)


@given(st.lists(st.floats(-100.0, 100.0), min_size=8, max_size=8))
def test_shapley_values_are_the_mean_over_all_orders(worths: list[float]) -> None:
    def value(some: frozenset[str]) -> float:
        return worths[sum(1 << "abc".index(player) for player in some)]

    expected = dict.fromkeys("abc", 0.0)
    for order in permutations("abc"):
        for at, player in enumerate(order):
            expected[player] += (value(frozenset(order[: at + 1])) - value(frozenset(order[:at]))) / 6
    assert expected == pytest.approx(shapley_values("abc", value), abs=1e-9)


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_order_of_the_strategies_does_not_matter(order: list[str]) -> None:
    def value(some: frozenset[str]) -> float:
        return float(len(some) ** 2 + 3 * ("a" in some) - 2 * ({"b", "c"} <= some))

    expected = shapley_values(["a", "b", "c", "d"], value)
    assert expected == pytest.approx(shapley_values(order, value))
