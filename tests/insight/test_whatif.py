"""What if: every scenario gives what a fresh recommendation under its circumstances gives."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from advisor import Requirements, Scenario, Workload, recommend, what_if
from advisor.catalog import Catalog
from advisor.errors import UnknownName
from advisor.insight.outcomes import ScenarioOutcome, WhatIf
from advisor.variation import Paced
from tests.insight.conftest import Case

ASKED = Requirements(max_accuracy_loss="1%")
SCENARIOS = (
    Scenario(traffic="x2"),
    Scenario(prices={"t4": "x3"}),
    Scenario(losses="x2", limits={"max_accuracy_loss": "2%"}),
    Scenario(limits={"latency": {"latency_p99": "1us"}}),
    Scenario(losses="x1000"),
    Scenario(traffic="x1000"),
)


@cache
def _answer() -> WhatIf:
    return what_if("small-cnn", ASKED, SCENARIOS)


def outcome(number: int) -> ScenarioOutcome:
    return _answer().scenarios[number]


def cost(
    workload: Workload | str, requirements: Requirements = ASKED, catalog: Catalog | None = None
) -> float:
    plan = recommend(workload, requirements, catalog=catalog).require().plan
    assert plan is not None
    return plan.cost_usd_per_month


def scaled(ratio: float) -> Workload:
    workload = Workload.load("small-cnn")
    rates = tuple(rate * ratio for rate, _ in workload.traffic.periods())
    return workload.model_copy(
        update={"traffic": workload.traffic.model_copy(update={"requests_per_s": rates})}
    )


def test_as_stated_is_the_recommendation() -> None:
    stated = _answer().stated
    assert cost("small-cnn") == pytest.approx(stated.best_usd_per_month)
    assert stated.kept_usd_per_month == pytest.approx(stated.best_usd_per_month)
    assert stated.holds_as_sized
    assert not stated.changes_plan


def test_more_traffic_costs_what_a_workload_with_that_traffic_costs() -> None:
    assert cost(scaled(2.0)) == pytest.approx(outcome(0).best_usd_per_month)
    assert (outcome(0).kept_usd_per_month or 0.0) >= (outcome(0).best_usd_per_month or 0.0) - 1e-9


def test_other_prices_cost_what_a_catalogue_with_them_says() -> None:
    catalog = Catalog.load()
    machines = tuple(
        replace(m, prices={way: replace(p, usd_per_h=3.0 * p.usd_per_h) for way, p in m.prices.items()})
        if m.accelerator.id.startswith("t4")
        else m
        for m in catalog.instances
    )
    dearer = cost("small-cnn", catalog=replace(catalog, instances=machines))
    assert dearer == pytest.approx(outcome(1).best_usd_per_month)


def test_twice_the_losses_within_twice_the_limit_change_nothing() -> None:
    assert outcome(2).best_usd_per_month == pytest.approx(_answer().stated.best_usd_per_month)
    assert not outcome(2).changes_plan


def test_where_nothing_fits_the_answer_says_why_and_what_would() -> None:
    found = outcome(3)
    assert (None, None, {}) == (found.best_usd_per_month, found.kept_usd_per_month, dict(found.services))
    assert found.conflict is not None
    assert found.conflict.repairs


def test_where_every_change_loses_too_much_only_lossless_ones_are_left() -> None:
    found = outcome(4)
    assert [0.0] == [plan.loss_expected_ratio for plan in found.services.values()]
    assert (found.change_usd_per_month or 0.0) >= 0.0


def test_the_machines_there_are_do_not_carry_a_thousand_times_the_traffic() -> None:
    assert not outcome(5).holds_as_sized
    assert not outcome(5).today_keeps_limits
    assert outcome(5).today_usd_per_month == pytest.approx(_answer().stated.today_usd_per_month)


def test_a_machine_at_half_speed_is_at_its_limit_at_half_the_rate(case: object) -> None:
    made: Case = case("small-cnn")  # type: ignore[operator]
    model = made.evaluation.serving.take(made.plans.engine[[made.position]])
    slow = Paced(model, 0.5)
    carried = slow.capacity_requests_per_s({("e2e", "p99"): 0.2}, arrival_cv=1.0)
    assert carried * 2.0 == pytest.approx(
        model.capacity_requests_per_s({("e2e", "p99"): 0.1}, arrival_cv=1.0)
    )
    latency = slow.latency(carried, arrival_cv=np.ones(1))["e2e"]["p99"]
    assert [0.2] == pytest.approx(latency.tolist(), rel=0.02)


def test_a_fleet_costs_what_its_services_then_cost_together() -> None:
    names = ["small-cnn", "medium-transformer"]
    found = what_if(
        names, ASKED, [Scenario(prices={"*": "x2"}), Scenario(limits={"latency": {"ttft_p99": "1ms"}})]
    )
    assert {"image-classification", "search"} == set(found.stated.services) or 2 == len(found.stated.services)
    plan = recommend(names, ASKED).require().plan
    assert plan is not None
    assert plan.cost_usd_per_month == pytest.approx(found.stated.best_usd_per_month)
    dearer, tokens = found.scenarios
    assert plan.machines_usd_per_month < (dearer.best_usd_per_month or 0.0) - plan.cost_usd_per_month * 0.5
    assert tokens.best_usd_per_month == pytest.approx(found.stated.best_usd_per_month)


def test_a_pattern_that_fits_no_machine_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="no machine or accelerator 'h1000'"):
        what_if("small-cnn", ASKED, [Scenario(prices={"h1000": "x2"})])
