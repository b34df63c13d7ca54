"""A plan in service: what a switch costs, when it pays, and that the advice does not flap."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from advisor import Catalog, InputError, Recommendation, Requirements, Workload, recommend
from advisor.cli import app
from advisor.report import render_html, render_markdown, render_terminal
from advisor.strategy import Strategy
from advisor.switching import Current
from advisor.switching.paid import paid
from tests.builders import AStrategy, a_workload, an_option

ONE_PERCENT = Requirements(max_accuracy_loss="1%")
HERE = Requirements(allow_instances=("g4dn.xlarge", "g5.xlarge"))
BUSY = a_workload(traffic={"requests_per_s": 12000})


def strategies(hours: float = 0.0, *, faster: float = 1.6) -> list[Strategy]:
    """A faster engine and a year's reservation, both with some hours of work."""
    return [
        AStrategy("faster", (an_option("on", throughput_ratio=faster, engineer_hours=hours),)),
        AStrategy("buying", (an_option("year", purchase="reserved-1y", engineer_hours=hours),)),
    ]


def plan_of(found: Recommendation) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Machine and choices of each service."""
    assert found.plan is not None
    return tuple(
        (service.instance_type, tuple((c.strategy, c.option) for c in service.choices))
        for service in found.plan.services
    )


def a_fleet(*rates: float) -> list[Workload]:
    return [
        a_workload(name=f"s{number}", traffic={"requests_per_s": rate}) for number, rate in enumerate(rates)
    ]


@cache
def in_service() -> Recommendation:
    return recommend("small-cnn", ONE_PERCENT)


class TestStable:
    @pytest.mark.parametrize("example", ["small-cnn", "large-llm"])
    def test_asking_again_with_the_answer_in_service_changes_nothing(self, example: str) -> None:
        first = recommend(example, ONE_PERCENT)
        second = recommend(example, ONE_PERCENT, current=first)
        third = recommend(example, ONE_PERCENT, current=second)
        assert plan_of(first) == plan_of(second) == plan_of(third)
        assert second.switch is not None
        assert third.switch is not None
        assert ("keep", "keep") == (second.switch.action, third.switch.action)
        assert () == second.switch.services[0].differences
        assert second.plan is not None
        assert 0.0 == second.plan.one_time_usd
        assert second.savings_usd_per_month == pytest.approx(0.0)

    @settings(max_examples=6, deadline=None)
    @given(
        rates=st.lists(st.floats(50, 4000), min_size=1, max_size=3),
        later=st.floats(0.3, 3.0),
        hours=st.floats(0, 60),
        tolerance=st.sampled_from([0.0, 0.02, 0.1]),
    )
    def test_whatever_is_advised_is_kept_when_asked_again(
        self, rates: list[float], later: float, hours: float, tolerance: float
    ) -> None:
        """GIVEN a fleet whose traffic changed THEN the advice, once in service, is kept."""
        offered = strategies(hours)
        first = recommend(a_fleet(*rates), HERE, strategies=offered)
        fleet = a_fleet(*(rate * later for rate in rates))
        second = recommend(fleet, HERE, strategies=offered, current=Current(first, tolerance))
        third = recommend(fleet, HERE, strategies=offered, current=Current(second, tolerance))
        assert plan_of(second) == plan_of(third)
        assert third.switch is not None
        assert "keep" == third.switch.action

    def test_small_changes_of_traffic_and_prices_do_not_make_it_flap(self) -> None:
        """GIVEN a plan and traffic and prices that wander by some percent THEN every answer keeps it."""
        rates = Workload.load("small-cnn").traffic.requests_per_s
        assert isinstance(rates, tuple)
        found, seen = in_service(), []
        for factor, price in ((1.04, 0.96), (0.96, 1.04)):
            workload = Workload.load("small-cnn").model_dump(mode="json", exclude_unset=True)
            workload["traffic"] = {**workload["traffic"], "requests_per_s": [rate * factor for rate in rates]}
            catalog = Catalog.load()
            for name, ratio in (("g4dn.xlarge", price), ("g6.xlarge", 2.0 - price)):
                usd = catalog.instance(name, "aws", "us-east-1").prices["on-demand"].usd_per_h
                catalog = catalog.with_price(
                    name, usd * ratio, purchase="on-demand", provider="aws", region="us-east-1"
                )
            found = recommend(workload, ONE_PERCENT, current=found, catalog=catalog)
            seen.append(found)
        assert all(plan_of(a) == plan_of(b) for a, b in pairwise([in_service(), *seen]))
        assert ["keep"] * 2 == [one.switch.action for one in seen if one.switch]


class TestCost:
    @settings(max_examples=6, deadline=None)
    @given(
        rates=st.lists(st.floats(50, 4000), min_size=1, max_size=3),
        before=st.floats(0.3, 3.0),
        faster=st.floats(1.1, 3.0),
    )
    def test_free_switches_without_hysteresis_give_the_plan_without_a_past(
        self, rates: list[float], before: float, faster: float
    ) -> None:
        """GIVEN no one-time work, no tolerance and savings that count on average THEN the past does not matter."""
        free = strategies(faster=faster)
        old = recommend(a_fleet(*(rate * before for rate in rates)), HERE, strategies=free)
        indifferent = Current(old, tolerance_ratio=0.0, sure_ratio=0.5)
        again = recommend(a_fleet(*rates), HERE, strategies=free, current=indifferent)
        fresh = recommend(a_fleet(*rates), HERE, strategies=free)
        assert again.plan is not None
        assert fresh.plan is not None
        assert again.plan.cost_usd_per_month == pytest.approx(fresh.plan.cost_usd_per_month, rel=1e-9)

    def test_only_what_changes_costs_and_it_is_spread_over_the_horizon(self) -> None:
        # 10 hours at 120 USD for the engine; the reservation is there already, and costs nothing once more.
        old = recommend(BUSY, HERE.model_copy(update={"without": ("faster",)}), strategies=strategies(10.0))
        found = recommend(BUSY, HERE, strategies=strategies(10.0, faster=3.0), current=old)
        assert found.plan is not None
        assert found.switch is not None
        assert dict(plan_of(old)[0][1])["buying"] == "year"
        assert ("change", 1200.0) == (found.switch.action, found.switch.switching_usd)
        assert 1200.0 == found.plan.one_time_usd
        assert 100.0 == found.plan.amortised_usd_per_month
        (service,) = found.switch.services
        assert ["faster"] == [d.what for d in service.differences if d.what not in {"machines", "purchase"}]
        marked = {choice.strategy: choice.in_service for choice in found.plan.services[0].choices}
        assert marked == {"faster": False, "buying": True}

    def test_an_option_in_service_is_paid_and_the_others_are_not(self) -> None:
        offered = [AStrategy("a", (an_option("x", engineer_hours=5.0), an_option("y", gpu_hours=7.0)))]
        (one,) = paid(offered, {"a": "x"})
        hours = [(o.id, o.deltas.engineer_hours, o.deltas.gpu_hours) for o in one.options(BUSY, None)]  # type: ignore[arg-type]
        assert hours == [("none", 0.0, 0.0), ("x", 0.0, 0.0), ("y", 0.0, 7.0)]

    def test_months_left_keep_a_reservation_that_a_switch_would_leave_idle(self) -> None:
        """GIVEN reserved machines and a slightly cheaper type THEN it is advised where nothing is left to pay, and not else."""
        offered = strategies()[1:]
        old = recommend(BUSY, Requirements(allow_instances=("g4dn.xlarge",)), strategies=offered)
        keen = Current(old, tolerance_ratio=0.0, sure_ratio=0.5)
        free = recommend(BUSY, HERE, strategies=offered, current=keen)
        bound = recommend(BUSY, HERE, strategies=offered, current=Current(old, 0.0, 0.5, months_left=12.0))
        assert free.switch is not None
        assert bound.switch is not None
        assert ("change", "keep") == (free.switch.action, bound.switch.action)
        (line,) = old.plan.services[0].purchases if old.plan else ()
        left = line.instances_peak * line.usd_per_h * 730.0 * 12.0
        assert bound.switch.switching_usd == pytest.approx(left)


class TestAdvice:
    def test_a_saving_below_the_margin_is_shown_and_not_advised(self) -> None:
        """GIVEN a faster engine and much to lose WHEN more is asked than it saves THEN the answer says both amounts."""
        old = recommend(BUSY, HERE.model_copy(update={"without": ("faster",)}), strategies=strategies(10.0))
        eager = recommend(BUSY, HERE, strategies=strategies(10.0), current=Current(old, 0.0, 0.5))
        calm = recommend(BUSY, HERE, strategies=strategies(10.0), current=Current(old, 0.9, 0.5))
        assert eager.switch is not None
        assert calm.switch is not None
        assert ("change", "keep") == (eager.switch.action, calm.switch.action)
        assert plan_of(old) == plan_of(calm)
        assert calm.switch.saving_usd_per_month == pytest.approx(eager.switch.saving_usd_per_month)
        assert 0.0 < calm.switch.saving_usd_per_month < calm.switch.needed_usd_per_month
        assert any(found.what == "faster" for found in calm.switch.services[0].instead)
        assert calm.savings_usd_per_month == pytest.approx(0.0)

    def test_an_uncertain_saving_needs_more_than_one_that_is_sure(self) -> None:
        """GIVEN an engine that may be slower than predicted, and a purchase that cannot THEN only the first has a margin."""
        engine = HERE.model_copy(update={"only": ("faster",), "allow_instances": ("g4dn.xlarge",)})
        purchase = HERE.model_copy(update={"only": ("buying",), "allow_instances": ("g4dn.xlarge",)})
        margins = []
        for asked in (engine, purchase):
            start = recommend(
                BUSY, asked.model_copy(update={"only": (), "without": ("*",)}), strategies=strategies()
            )
            found = recommend(BUSY, asked, strategies=strategies(), current=Current(start, 0.0, 0.9))
            assert found.switch is not None
            margins.append(found.switch.services[0].margin_usd_per_month)
        assert margins[0] > 0.0 == margins[1]

    def test_what_breaks_a_limit_is_replaced_whatever_it_saves(self) -> None:
        old = recommend(BUSY, HERE, strategies=strategies())
        tight = HERE.model_copy(update={"without": ("faster",)})
        found = recommend(BUSY, tight, strategies=strategies(), current=Current(old, 0.99))
        assert found.switch is not None
        (service,) = found.switch.services
        assert ("change", "replace") == (found.switch.action, service.action)
        assert "does not meet the requirements" in service.why

    def test_a_budget_that_forces_a_change_is_kept(self) -> None:
        """GIVEN a budget between the cheapest plan and the margin THEN the cheapest plan is advised."""
        old = recommend(BUSY, HERE.model_copy(update={"without": ("*",)}), strategies=strategies())
        best = recommend(BUSY, HERE, strategies=strategies())
        assert best.plan is not None
        budget = HERE.model_copy(update={"budget_usd_per_month": best.plan.cost_usd_per_month * 1.001})
        found = recommend(BUSY, budget, strategies=strategies(), current=Current(old, 0.5))
        assert found.plan is not None
        assert found.plan.cost_usd_per_month == pytest.approx(best.plan.cost_usd_per_month)

    def test_a_fleet_changes_service_by_service(self) -> None:
        """GIVEN one service that grew tenfold, one that did not, and a new one THEN each has its own answer."""
        work = strategies(20.0, faster=3.0)
        old = recommend(a_fleet(300.0, 300.0), HERE, strategies=work)
        found = recommend(a_fleet(30000.0, 300.0, 500.0), HERE, strategies=work, current=old)
        assert found.switch is not None
        assert {"s0": "change", "s1": "keep", "s2": "new"} == {
            one.name: one.action for one in found.switch.services
        }

    def test_workers_elsewhere_give_the_same_answer(self) -> None:
        """GIVEN a fleet with a plan in service WHEN it is evaluated by another process THEN nothing is different."""
        old = recommend(a_fleet(300.0, 900.0), HERE)
        fleet = a_fleet(30000.0, 900.0)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as workers:
            there = recommend(fleet, HERE, current=old, executor=workers)
        assert there == recommend(fleet, HERE, current=old)

    def test_a_service_that_is_gone_is_named(self) -> None:
        old = recommend(a_fleet(300.0, 300.0), HERE, strategies=strategies())
        found = recommend(a_fleet(300.0), HERE, strategies=strategies(), current=old)
        assert found.switch is not None
        assert any(note.startswith("s1 is in service") for note in found.switch.notes)

    @pytest.mark.parametrize("wrong", [{"tolerance_ratio": 1.0}, {"sure_ratio": 0.2}, {"months_left": -1.0}])
    def test_values_out_of_range_are_refused(self, wrong: dict[str, float]) -> None:
        with pytest.raises(InputError, match="expected"):
            Current("plan.json", **wrong)


class TestPages:
    def test_every_form_says_keep_and_what_it_would_take(self) -> None:
        old = recommend(BUSY, HERE.model_copy(update={"without": ("faster",)}), strategies=strategies(10.0))
        calm = recommend(BUSY, HERE, strategies=strategies(10.0), current=Current(old, 0.9, 0.5))
        for text in (render_terminal(calm), render_markdown(calm), render_html(calm)):
            assert "Keep the plan in service" in text
            assert "Not worth it" in text
            assert "needed" in text

    def test_the_command_reads_a_stored_plan(self, tmp_path: Path) -> None:
        (tmp_path / "plan.json").write_text(in_service().model_dump_json())
        arguments = ["recommend", "--example", "small-cnn", "--max-accuracy-loss", "1%", "--format", "json"]
        done = CliRunner().invoke(app, [*arguments, "--current", str(tmp_path / "plan.json")])
        assert 0 == done.exit_code
        assert "keep" == json.loads(done.stdout)["switch"]["action"]
        missing = CliRunner().invoke(app, [*arguments, "--current", str(tmp_path / "none.json")])
        assert missing.exit_code != 0
