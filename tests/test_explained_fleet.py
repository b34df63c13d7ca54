"""Explaining a fleet: what each service saves, what buying together adds, and one way for all."""

from __future__ import annotations

import pytest
import yaml

from advisor import Requirements, explain
from advisor.examples import example_text
from advisor.insight.outcomes import Explanation
from advisor.report import render_answer, render_answer_markdown

NASTY = "<b>image\x1b[31m"


@pytest.fixture(scope="module")
def found() -> Explanation:
    small = yaml.safe_load(example_text("small-cnn"))
    return explain(
        [small | {"name": "images"}, small | {"name": "thumbs"}], Requirements(max_accuracy_loss="1%")
    )


def test_savings_of_services_and_of_buying_together_add_up(found: Explanation) -> None:
    assert found.fleet is not None
    parts = [part.usd_per_month for one in found.fleet.services for part in one.insights.attribution.parts]
    total = sum(parts) + found.fleet.together_usd_per_month
    assert total == pytest.approx(found.recommendation.savings_usd_per_month, abs=0.01)
    today = sum(one.insights.attribution.baseline_usd_per_month for one in found.fleet.services)
    assert today == pytest.approx(found.recommendation.baseline.cost_usd_per_month, abs=0.01)


def test_buying_together_never_costs_more(found: Explanation) -> None:
    assert found.fleet is not None
    assert found.fleet.together_usd_per_month >= -0.01


def test_the_way_holds_every_step_once_and_each_service_in_its_order(found: Explanation) -> None:
    assert found.fleet is not None
    for one in found.fleet.services:
        numbers = [step.step for step in found.fleet.steps if step.service == one.name]
        assert numbers == [step.number for step in one.insights.rollout.steps] != []
    apart = sum(one.insights.attribution.savings_usd_per_month for one in found.fleet.services)
    assert found.fleet.steps[-1].cumulative_saving_usd_per_month == pytest.approx(apart, abs=0.01)


def test_names_from_outside_are_escaped(found: Explanation) -> None:
    assert found.fleet is not None
    first = found.fleet.services[0].model_copy(update={"name": NASTY})
    steps = tuple(step.model_copy(update={"service": NASTY}) for step in found.fleet.steps)
    fleet = found.fleet.model_copy(update={"services": (first, *found.fleet.services[1:]), "steps": steps})
    hostile = found.model_copy(update={"fleet": fleet})
    assert "\x1b[31m" not in render_answer(hostile)
    assert "<b>" not in render_answer_markdown(hostile)


def test_a_page_in_a_narrow_terminal_names_services_and_the_sum(found: Explanation) -> None:
    page = render_answer(found, width=80)
    assert max(map(len, page.splitlines())) <= 80
    assert "images" in page
    assert "Machines bought together" in page


def test_a_service_that_a_shared_quota_keeps_from_its_cheapest_plan_says_so() -> None:
    large = yaml.safe_load(example_text("large-llm"))
    fleet = [large | {"name": "first"}, large | {"name": "second"}]
    free = explain(fleet, Requirements(max_accuracy_loss="1%"))
    assert free.fleet is not None
    assert [one.beyond_cheapest_usd_per_month for one in free.fleet.services] == pytest.approx([0.0, 0.0])
    plan = free.recommendation.plan
    assert plan is not None
    machine = plan.services[0]
    short = explain(
        fleet,
        Requirements(max_accuracy_loss="1%", quotas={machine.instance_type: machine.instances_peak}),
    )
    assert short.fleet is not None
    assert max(one.beyond_cheapest_usd_per_month for one in short.fleet.services) > 100.0
    assert "Not its cheapest plan alone" in render_answer_markdown(short)
