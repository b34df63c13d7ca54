"""The whole way, from workload to recommendation."""

from __future__ import annotations

import json
import pickle

import pytest

from advisor import Requirements, recommend
from advisor.errors import InfeasibleError
from advisor.examples import EXAMPLES
from tests.builders import AStrategy, a_workload, an_llm, an_option

ONE_PERCENT = Requirements(max_accuracy_loss="1%")


@pytest.mark.parametrize("name", EXAMPLES)
class TestEveryExample:
    def test_has_a_proven_plan_that_keeps_its_promises(self, name: str) -> None:
        found = recommend(name, ONE_PERCENT)
        assert "optimal" == found.status == found.solver.status
        assert found.solver.gap_ratio == pytest.approx(0.0, abs=1e-9)
        assert found.plan is not None
        assert found.accuracy_loss is not None
        assert found.accuracy_loss.expected_ratio <= 0.01
        for check in found.plan.services[0].latencies:
            assert check.limit_s is None or (
                check.predicted_s is not None and check.predicted_s <= check.limit_s * (1 + 1e-9)
            )

    def test_says_that_it_is_an_example(self, name: str) -> None:
        assert recommend(name, ONE_PERCENT).example

    def test_adds_up(self, name: str) -> None:
        plan = recommend(name, ONE_PERCENT).require().plan
        assert plan is not None
        parts = plan.machines_usd_per_month + plan.fees_usd_per_month + plan.amortised_usd_per_month
        assert plan.cost_usd_per_month == pytest.approx(parts)
        assert plan.machines_usd_per_month == pytest.approx(
            sum(line.cost_usd_per_month for service in plan.services for line in service.purchases)
        )

    def test_comes_out_the_same_twice(self, name: str) -> None:
        assert (
            recommend(name, ONE_PERCENT).model_dump_json() == recommend(name, ONE_PERCENT).model_dump_json()
        )

    def test_offers_alternatives_that_cost_more(self, name: str) -> None:
        found = recommend(name, ONE_PERCENT)
        extra = [alternative.extra_usd_per_month for alternative in found.alternatives]
        assert 3 == len(extra)
        assert sorted(extra) == extra
        assert extra[0] >= -1e-6

    def test_can_be_pickled_and_read_back_from_json(self, name: str) -> None:
        found = recommend(name, ONE_PERCENT)
        assert found == pickle.loads(pickle.dumps(found))  # noqa: S301 - our own bytes
        assert found == type(found).model_validate_json(found.model_dump_json())


def test_the_json_has_the_promised_names_at_the_top() -> None:
    found = json.loads(recommend("small-cnn", ONE_PERCENT).model_dump_json())
    assert found["baseline"]["cost_usd_per_month"] > found["plan"]["cost_usd_per_month"] > 0
    assert found["savings_ratio"] == pytest.approx(
        1 - found["plan"]["cost_usd_per_month"] / found["baseline"]["cost_usd_per_month"]
    )
    assert {"expected_ratio", "p90_ratio"} <= set(found["accuracy_loss"])
    assert {"strategy", "option"} <= set(found["plan"]["services"][0]["choices"][0])
    assert {"name", "status", "gap_ratio"} <= set(found["solver"])
    assert found["plan"]["services"][0]["instance_type"]
    assert found["conflict"] is None
    assert found["candidates_considered"] > 10_000


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    recommend("small-cnn", ONE_PERCENT)
    assert ("", "") == capfd.readouterr()


def test_every_number_assumed_is_listed() -> None:
    found = recommend(an_llm(), ONE_PERCENT)
    assert {"traffic.arrival_cv", "traffic.growth_per_month"} <= {
        assumption.what for assumption in found.assumptions
    }


def test_a_strategy_with_a_benchmark_alone_is_chosen_when_it_pays() -> None:
    twice = AStrategy("twice", (an_option("on", throughput_ratio=4.0),))
    workload = a_workload(traffic={"requests_per_s": 3000})
    without = recommend(workload, ONE_PERCENT, strategies=[])
    found = recommend(workload, ONE_PERCENT, strategies=[twice])
    assert without.plan is not None
    assert found.plan is not None
    assert found.plan.cost_usd_per_month < without.plan.cost_usd_per_month
    assert [("twice", "on")] == [
        (choice.strategy, choice.option) for choice in found.plan.services[0].choices
    ]


def test_providers_and_machines_stay_as_today_unless_asked() -> None:
    here = recommend("small-cnn", ONE_PERCENT).require()
    anywhere = recommend("small-cnn", Requirements(max_accuracy_loss="1%", providers=["*"])).require()
    assert here.plan is not None
    assert anywhere.plan is not None
    assert "aws" == here.plan.services[0].provider
    assert anywhere.plan.cost_usd_per_month <= here.plan.cost_usd_per_month + 1e-6


def test_without_accelerators_the_machine_stays_as_it_is() -> None:
    found = recommend(
        "medium-transformer", Requirements(max_accuracy_loss="1%", without=["accelerators"])
    ).require()
    assert found.plan is not None
    assert "g5.xlarge" == found.plan.services[0].instance_type


def test_a_machine_with_a_price_of_ones_own_is_billed_at_it() -> None:
    serving = a_workload().serving.model_dump(exclude_unset=True)
    found = recommend(a_workload(serving={**serving, "price_usd_per_h": 0.25}), ONE_PERCENT)
    assert found.baseline.cost_usd_per_month == pytest.approx(2 * 0.25 * 730)


class TestWhatCannotBeMet:
    IMPOSSIBLE = Requirements(max_accuracy_loss="1%", latency={"tpot_p99": "1ms"})

    def test_comes_back_as_an_answer(self) -> None:
        found = recommend(an_llm(), self.IMPOSSIBLE)
        assert "infeasible" == found.status
        assert found.plan is None
        assert found.savings_ratio is None
        assert found.conflict is not None
        assert any("TPOT p99" in text for text in found.conflict.requirements)

    def test_names_the_nearest_value_and_it_works(self) -> None:
        found = recommend(an_llm(), self.IMPOSSIBLE)
        assert found.conflict is not None
        repair = next(r for r in found.conflict.repairs if r.requirement == "tpot_p99")
        again = recommend(
            an_llm(),
            Requirements(max_accuracy_loss="1%", latency={"tpot_p99": repair.nearest.replace(" ", "")}),
        )
        assert again.plan is not None
        assert again.plan.cost_usd_per_month == pytest.approx(repair.cost_usd_per_month)

    def test_a_budget_that_is_too_small_is_repaired_with_the_least_that_works(self) -> None:
        free = recommend(a_workload(), ONE_PERCENT)
        assert free.plan is not None
        found = recommend(a_workload(), Requirements(max_accuracy_loss="1%", budget="$1/month"))
        assert found.conflict is not None
        repair = next(r for r in found.conflict.repairs if r.requirement == "cost")
        assert repair.cost_usd_per_month == pytest.approx(free.plan.cost_usd_per_month)

    def test_raises_for_pipelines_that_ask(self) -> None:
        with pytest.raises(InfeasibleError, match="TPOT p99") as caught:
            recommend(an_llm(), self.IMPOSSIBLE).require()
        assert 3 == caught.value.exit_code


def test_growth_is_planned_for() -> None:
    costs = []
    for growth in ("0%", "8%"):
        found = recommend(
            a_workload(traffic={"requests_per_s": 4000, "growth_per_month": growth}), ONE_PERCENT
        ).require()
        assert found.plan is not None
        costs.append(found.plan.cost_usd_per_month)
    assert costs[0] < costs[1]


def test_electricity_is_billed_on_machines_one_owns() -> None:
    rented, owned = (
        recommend(a_workload(**extra), ONE_PERCENT).baseline for extra in ({}, {"energy_usd_per_kwh": 0.5})
    )
    assert owned.cost_usd_per_month == pytest.approx(
        rented.cost_usd_per_month + 0.5 * owned.energy_kwh_per_month
    )


def test_a_target_utilization_of_todays_scaling_needs_more_machines() -> None:
    serving = {**a_workload().serving.model_dump(exclude_unset=True), "scaling": "reactive"}
    serving.pop("instances")
    traffic = {"requests_per_s": [500 + 200 * hour for hour in range(24)]}
    free = recommend(a_workload(serving=serving, traffic=traffic), ONE_PERCENT).baseline
    aimed = recommend(
        a_workload(serving={**serving, "target_utilization": "40%"}, traffic=traffic), ONE_PERCENT
    ).baseline
    assert free.cost_usd_per_month < aimed.cost_usd_per_month
