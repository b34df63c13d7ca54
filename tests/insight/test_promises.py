"""The price of a promise is the difference of two solved plans, and nothing changes before its breakpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from advisor import Requirements, recommend
from advisor.examples import EXAMPLES
from advisor.insight.promises import _monotone


@pytest.mark.parametrize("name", EXAMPLES)
class TestEveryExample:
    def test_tighter_costs_and_looser_saves(self, name: str, found: Callable[[str], Any]) -> None:
        for promise in found(name).promises:
            assert promise.tighter_usd_per_month is None or promise.tighter_usd_per_month >= -1e-6
            assert promise.looser_usd_per_month <= 1e-6

    def test_points_fall_from_tight_to_loose(self, name: str, found: Callable[[str], Any]) -> None:
        for promise in found(name).promises:
            costs = [
                float("inf") if p.cost_usd_per_month is None else p.cost_usd_per_month for p in promise.points
            ]
            assert sorted(costs, reverse=True) == costs

    def test_nothing_changes_just_inside_a_latency_breakpoint(
        self, name: str, case: Callable[[str], Any], found: Callable[[str], Any]
    ) -> None:
        solver, terms = case(name).solver, case(name).terms
        for promise in found(name).promises:
            if promise.unit != "s" or promise.next_tighter is None:
                continue
            inside = promise.next_tighter.value * 1.02
            best = solver.cheapest(terms.with_latency(promise.requirement, min(inside, promise.value)))
            assert case(name).cost == pytest.approx(best.cost_usd_per_month[0])

    def test_carbon_is_priced_by_the_ton_of_a_plan_that_exists(
        self, name: str, case: Callable[[str], Any], found: Callable[[str], Any]
    ) -> None:
        carbon = next(p for p in found(name).promises if p.requirement == "carbon")
        if carbon.next_tighter is None or carbon.next_tighter.cost_usd_per_month is None:
            pytest.skip("no plan within the limits emits less")
        assert carbon.is_priced == (carbon.value >= 100.0)
        if not carbon.is_priced:
            tons = f"{carbon.value * 12.0 / 1000.0:.2g} t of CO2e a year"
            assert (None, f"Not worth pricing: the service emits {tons}.") == (
                carbon.tighter_usd_per_month,
                carbon.text,
            )
            return
        saved_kg = carbon.value - carbon.next_tighter.value
        expected = (carbon.next_tighter.cost_usd_per_month - case(name).cost) / saved_kg * 1000.0
        assert expected == pytest.approx(carbon.tighter_usd_per_month)


def test_a_tenth_of_a_percent_of_accuracy_costs_what_two_recommendations_differ(
    found: Callable[[str], Any],
) -> None:
    promise = next(p for p in found("small-cnn").promises if p.requirement == "max_accuracy_loss")
    here, tighter = (
        recommend("small-cnn", Requirements(max_accuracy_loss=limit)).require().plan
        for limit in ("1%", "0.9%")
    )
    expected = tighter.cost_usd_per_month - here.cost_usd_per_month
    assert expected == pytest.approx(promise.tighter_usd_per_month, abs=1e-6)


def test_headroom_costs_what_that_much_more_traffic_does(
    found: Callable[[str], Any], case: Callable[[str], Any]
) -> None:
    workload = case("small-cnn").evaluation.workload
    rates = tuple(1.5 * rate for rate in workload.traffic.requests_per_s)
    busier = workload.model_copy(
        update={"traffic": workload.traffic.model_copy(update={"requests_per_s": rates})}
    )
    promise = next(p for p in found("small-cnn").promises if p.requirement == "headroom")
    point = next(p for p in promise.points if p.value == pytest.approx(0.5))
    again = recommend(busier, Requirements(max_accuracy_loss="1%")).require()
    assert again.plan.cost_usd_per_month == pytest.approx(point.cost_usd_per_month)


def test_costs_are_made_to_fall() -> None:
    assert [None, 5.0, 5.0, 4.0, 4.0] == _monotone([None, 5.0, 6.0, 4.0, None])


def test_a_cap_on_carbon_that_binds_is_kept_by_every_plan_of_the_space(make: Callable[..., Any]) -> None:
    free = make("large-llm")
    least = float(free.space.plans.carbon_kg_per_month.min()) * 1.05
    capped = replace(free, terms=free.terms.with_total("carbon", least))
    best = capped.solver.cheapest(capped.terms)
    assert best is not None
    assert best.carbon_kg_per_month[0] <= least * (1 + 1e-9)
    assert best.cost_usd_per_month[0] >= free.cost - 1e-6
