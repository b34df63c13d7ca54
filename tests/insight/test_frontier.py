"""Frontiers fall as limits loosen, go through the recommendation, and agree with solving everything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from advisor import Requirements, recommend
from advisor.conflict import cheapest
from advisor.examples import EXAMPLES
from advisor.insight import frontier
from advisor.insight.grid import grid


@pytest.mark.parametrize("name", EXAMPLES)
class TestEveryExample:
    def test_looser_never_costs_more(self, name: str, found: Callable[[str], Any]) -> None:
        for curve in found(name).frontiers:
            costs = [float("inf") if p.plan is None else p.plan.cost_usd_per_month for p in curve.points]
            assert sorted(costs, reverse=True) == costs

    def test_your_limit_gives_the_recommendation(
        self, name: str, case: Callable[[str], Any], found: Callable[[str], Any]
    ) -> None:
        for curve in found(name).frontiers:
            mine = [point.plan for point in curve.points if point.is_yours]
            assert ([] if curve.requirement == "confidence" else [found(name).plan]) == mine
        assert case(name).cost == pytest.approx(found(name).plan.cost_usd_per_month)

    def test_every_point_keeps_its_limit(self, name: str, found: Callable[[str], Any]) -> None:
        for curve in found(name).frontiers:
            for point in curve.points:
                if point.plan is None or curve.unit == "probability":
                    continue
                reached = (
                    point.plan.loss_expected_ratio
                    if curve.unit == "ratio"
                    else point.plan.latency_s[curve.requirement]
                )
                assert reached <= point.limit * (1 + 1e-6) + 1e-12

    def test_bounds_find_what_solving_everything_finds(
        self, name: str, case: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(frontier, "FIRST_BATCH", 1)  # so that the bounds decide when to stop
        solver, terms = case(name).solver, case(name).terms
        for latency, factor in [(latency, factor) for latency in terms.latency_s for factor in (0.6, 1.5)]:
            moved = terms.with_latency(latency, terms.latency_s[latency] * factor)
            best = solver.cheapest(moved)
            everything = cheapest(case(name).evaluation, moved)
            assert (everything is None) == (best is None)
            assert everything is None or everything.cost_usd_per_month == pytest.approx(
                best.cost_usd_per_month[0]
            )

    def test_the_grid_agrees_with_the_curves_and_falls_both_ways(
        self, name: str, case: Callable[[str], Any], found: Callable[[str], Any]
    ) -> None:
        table = grid(case(name).solver, factors=(0.7, 1.0, 1.5))
        costs = [
            [float("inf") if at is None else table.plans[at].cost_usd_per_month for at in row]
            for row in table.cells
        ]
        for row in costs:
            assert sorted(row, reverse=True) == row
        for column in zip(*costs, strict=True):
            assert sorted(column, reverse=True) == list(column)
        curve = {p.limit: p.plan for p in found(name).frontiers[0].points}
        for loss, row in zip(table.loss_ratios, costs, strict=True):
            plan = curve[loss]
            assert (float("inf") if plan is None else plan.cost_usd_per_month) == pytest.approx(row[1])


def test_a_point_is_what_a_recommendation_under_that_limit_says(found: Callable[[str], Any]) -> None:
    accuracy = next(c for c in found("small-cnn").frontiers if c.requirement == "max_accuracy_loss")
    for point in accuracy.points[:6:2]:
        again = recommend("small-cnn", Requirements(max_accuracy_loss=f"{100 * point.limit:.6f}%")).require()
        assert again.plan.cost_usd_per_month == pytest.approx(point.plan.cost_usd_per_month)


def test_a_limit_that_nothing_keeps_has_no_plan(
    found: Callable[[str], Any], case: Callable[[str], Any]
) -> None:
    solver, terms = case("large-llm").solver, case("large-llm").terms
    assert solver.cheapest(terms.with_latency("tpot_p99", 1e-4)) is None
