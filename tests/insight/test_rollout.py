"""The way there: every step a real candidate, the last one the plan."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any

import pytest

from advisor import Requirements, recommend
from advisor.examples import EXAMPLES
from advisor.insight.moves import COMMITMENT, moves
from advisor.insight.rollout import net_present_value_usd, rollout
from tests.builders import a_workload, an_llm


@pytest.mark.parametrize("name", EXAMPLES)
class TestEveryExample:
    def test_it_ends_at_the_plan(
        self, name: str, case: Callable[[str], Any], found: Callable[[str], Any]
    ) -> None:
        last = found(name).rollout.steps[-1]
        assert case(name).cost == pytest.approx(last.cost_usd_per_month, abs=1e-6)
        assert case(name).baseline - case(name).cost == pytest.approx(last.cumulative_saving_usd_per_month)

    def test_the_savings_of_the_steps_add_up(self, name: str, found: Callable[[str], Any]) -> None:
        total = 0.0
        for number, step in enumerate(found(name).rollout.steps, start=1):
            total += step.saving_usd_per_month
            assert number == step.number
            assert total == pytest.approx(step.cumulative_saving_usd_per_month)

    def test_the_work_of_the_steps_is_that_of_the_plan(self, name: str, found: Callable[[str], Any]) -> None:
        way = found(name).rollout
        assert way.one_time_usd == pytest.approx(sum(step.one_time_usd for step in way.steps))
        assert found(name).plan.one_time_usd == pytest.approx(way.one_time_usd)

    def test_what_cannot_be_undone_comes_last(
        self, name: str, case: Callable[[str], Any], found: Callable[[str], Any]
    ) -> None:
        committed = [move.change for move in moves(case(name).space) if move.kind == COMMITMENT]
        assert committed == list(found(name).rollout.steps[-1].changes)

    def test_every_step_is_what_a_recommendation_of_those_options_alone_says(
        self, name: str, case: Callable[[str], Any], found: Callable[[str], Any]
    ) -> None:
        home = case(name).space.home.rpartition("/")[2]
        chosen: dict[str, str] = {}
        for step in found(name).rollout.steps:
            chosen |= {change.strategy: change.option for change in step.changes}
            if step.instance_type != home:
                continue
            only = [f"{strategy}={option}" for strategy, option in chosen.items()]
            again = recommend(
                name, Requirements(max_accuracy_loss="1%", only=only or ["*=none"], allow_instances=[home])
            )
            assert again.require().plan.cost_usd_per_month <= step.cost_usd_per_month + 1e-6

    def test_commands_are_words_of_a_shell(self, name: str, found: Callable[[str], Any]) -> None:
        for step in found(name).rollout.steps:
            assert step.verification
            assert step.rollback_trigger
            assert step.prerequisite
            assert all(len(shlex.split(command)) > 1 for command in step.verification)

    def test_it_pays_back_in_its_one_time_cost_over_the_running_saving(
        self, name: str, case: Callable[[str], Any], found: Callable[[str], Any]
    ) -> None:
        result = found(name)
        saved = case(name).baseline - result.plan.running_usd_per_month
        assert result.plan.one_time_usd / saved == pytest.approx(result.rollout.payback_months)


def test_names_cannot_break_out_of_a_command(make: Callable[..., Any]) -> None:
    evil = make(an_llm(name="x; rm -rf $(HOME) </script>"))
    for step in rollout(evil.space, evil.before).steps:
        for command in step.verification:
            assert ";" not in command
            assert "$" not in command
            assert "<" not in command


def test_a_budget_holds_for_the_plan_and_not_for_the_way_to_it(
    make: Callable[..., Any], found: Callable[[str], Any]
) -> None:
    tight = make("large-llm", Requirements(max_accuracy_loss="1%", budget="$50000/month")).insights()
    free = found("large-llm")
    assert free.plan == tight.plan
    assert free.rollout == tight.rollout
    assert free.attribution == tight.attribution


def test_nothing_to_do_has_no_steps(make: Callable[..., Any]) -> None:
    serving = {**a_workload().serving.model_dump(exclude_unset=True), "instances": 1}
    kept = make(
        a_workload(serving=serving, traffic={"requests_per_s": 50}),
        Requirements(max_accuracy_loss="1%", without=["*"]),
    )
    way = rollout(kept.space, kept.before)
    assert () == way.steps
    assert "Nothing changes." == way.text
    assert 0.0 == way.npv_usd


def test_a_month_is_discounted_by_a_twelfth_of_a_year() -> None:
    expected = 100.0 / 1.08 ** (1 / 12) + 50.0 / 1.08 ** (1.5 / 12) - 20.0
    found = net_present_value_usd(100.0, one_time_usd=20.0, months=1.5, discount_ratio_per_year=0.08)
    assert expected == pytest.approx(found)


def test_insights_are_plain_json_and_come_back(found: Callable[[str], Any]) -> None:
    result = found("large-llm")
    assert result == type(result).model_validate_json(result.model_dump_json())
    assert "NaN" not in json.dumps(json.loads(result.model_dump_json()))


def test_insights_come_out_the_same_twice(case: Callable[[str], Any], found: Callable[[str], Any]) -> None:
    assert found("small-cnn") == case("small-cnn").insights()
