"""Mixed machines for one service: its traffic in parts, the mix that the program finds, and whether it is worth it."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from advisor import InputError, Recommendation, Requirements, recommend
from advisor.catalog import Catalog
from advisor.checking import check
from advisor.cli import app
from advisor.examples import example
from advisor.mixing import Mixer, best_mix, verify_mix
from advisor.mixing.accuracy import loss_of
from advisor.mixing.routing import rule_of
from advisor.preparation import Prepared, prepared
from advisor.registry import installed_strategies
from advisor.sizes import Sizes, part_of, share_of
from advisor.solver import Bucket, Carrier, Mixing, Period, Plan, Pool, SolverSettings, cheapest_mix
from advisor.stored import load_plan, served
from advisor.traffic import Distribution
from advisor.verification import EvaluationDisagreement

ONE_H100_MACHINE = Requirements(max_accuracy_loss="1%", quotas={"p5.48xlarge": 1})
"""The cheapest machine is scarce: alone it cannot carry the traffic of the built-in chat."""


@pytest.fixture(scope="module")
def mixed() -> Recommendation:
    """The built-in chat, mixed, with one H100 machine to be had."""
    return recommend("large-llm", ONE_H100_MACHINE, mix=2)


@pytest.fixture(scope="module")
def service() -> Prepared:
    """The same, evaluated with its best mix."""
    mixer = Mixer(prepared, 2, SolverSettings())
    return mixer(example("large-llm"), ONE_H100_MACHINE, Catalog.load(), installed_strategies())


class TestSizes:
    @given(
        cv=st.floats(0.05, 3.0),
        cuts=st.lists(st.floats(0.01, 0.99), min_size=1, max_size=3, unique=True).map(sorted),
    )
    def test_parts_add_up_to_the_whole(self, cv: float, cuts: list[float]) -> None:
        sizes = Sizes("input_tokens", "input tokens", Distribution(mean=1000, cv=cv))
        edges = [0.0, *cuts, 1.0]
        parts = [(share_of([span]), sizes.within([span])) for span in pairwise(edges)]
        assert sum(share * part.mean for share, part in parts) == pytest.approx(1000)
        square = sum(share * part.mean**2 * (1 + part.cv**2) for share, part in parts)
        assert square == pytest.approx(1000**2 * (1 + cv**2), rel=1e-6)
        assert [part.mean for _, part in parts] == sorted(part.mean for _, part in parts)

    def test_a_part_has_its_share_of_the_rate_and_less_of_the_bursts(self) -> None:
        whole = example("large-llm")
        part = part_of(whole, [(0.0, 0.25)])
        assert part.traffic.peak_requests_per_s == pytest.approx(whole.traffic.peak_requests_per_s / 4)
        assert part.traffic.arrival_cv == pytest.approx((1 + 0.25 * (3.3**2 - 1)) ** 0.5)
        assert part.requests.output_tokens == whole.requests.output_tokens
        assert (
            part.name == "chat: up to 857 input tokens"
        )  # 2048 exp(-0.6745 s - s^2 / 2), s^2 = ln(1 + 0.96^2)

    def test_requests_that_are_all_alike_are_one_bucket(self) -> None:
        sizes = Sizes.of(example("small-cnn"))
        assert sizes.buckets() == ((0.0, 1.0),)
        assert sizes.words([(0.0, 0.4)]) == "40% of requests"


class TestRouting:
    @staticmethod
    def rule(small: tuple[float, ...], large: tuple[float, ...]) -> dict[str, object]:
        """Two machines for 10 requests/s in two buckets, each with the most that it carries of both."""
        rates = {"b0": 5.0, "b1": 5.0}
        carriers = tuple(
            Carrier.serving(name, name, rates, dict(zip(rates, most, strict=True)))
            for name, most in (("v0", small), ("v1", large))
        )
        pools = tuple(Pool(name, (Plan("od", "hourly", usd),)) for name, usd in (("v0", 1.0), ("v1", 3.0)))
        buckets = tuple(Bucket(name, (5.0,)) for name in rates)
        mixing = Mixing(buckets, carriers, (Period("h", 1.0),), pools)
        mix = cheapest_mix(mixing).mix
        assert mix is not None
        return dict(rule_of(mixing, mix, [(0.0, 0.5), (0.5, 1.0)]))

    def test_small_requests_go_where_large_ones_cannot(self) -> None:
        assert self.rule(small=(5.0, 0.0), large=(2.0, 5.0)) == {"v0": ((0.0, 0.5),), "v1": ((0.5, 1.0),)}

    def test_the_threshold_leaves_room_on_both_sides(self) -> None:
        rule = self.rule(small=(6.0, 0.1), large=(0.5, 6.25))  # v0 carries all small ones, v1 all large ones
        ((_, threshold),) = rule["v0"]  # type: ignore[misc]
        assert threshold == pytest.approx(0.5, abs=0.02)


class TestRecommend:
    def test_a_mix_beats_the_best_single_machine_where_machines_are_scarce(
        self, mixed: Recommendation
    ) -> None:
        alone = recommend("large-llm", ONE_H100_MACHINE).require().plan
        plan, (note,) = mixed.require().plan, mixed.mixing
        assert note.chosen
        assert note.alone_usd_per_month == pytest.approx(alone.cost_usd_per_month)
        assert note.saves_usd_per_month == pytest.approx(alone.cost_usd_per_month - plan.cost_usd_per_month)
        assert note.saves_usd_per_month > 1000.0
        assert {service.part_of for service in plan.services} == {"chat"}
        assert sum(part.share_ratio for part in note.parts) == pytest.approx(1.0)

    def test_every_part_keeps_every_limit_and_the_quota(self, mixed: Recommendation) -> None:
        plan = mixed.require().plan
        for service in plan.services:
            checks = [check for check in service.latencies if check.limit_s is not None]
            assert len(checks) == 2
            assert all(check.predicted_s <= check.limit_s for check in checks)
            assert service.accuracy_loss.expected_ratio <= 0.01
        used = [s.instances_peak for s in plan.services if s.instance_type == "p5.48xlarge"]
        assert sum(used) <= 1

    def test_the_bill_is_the_sum_of_its_purchases_and_the_effort_is_in_it(
        self, mixed: Recommendation
    ) -> None:
        plan, (note,) = mixed.require().plan, mixed.mixing
        lines = sum(line.cost_usd_per_month for s in plan.services for line in s.purchases)
        assert plan.machines_usd_per_month == pytest.approx(lines)
        total = plan.machines_usd_per_month + plan.fees_usd_per_month + plan.amortised_usd_per_month
        assert plan.cost_usd_per_month == pytest.approx(total)
        assert note.effort_usd_per_month == pytest.approx(40 * 120 / 12 + 4 * 120)
        assert plan.fees_usd_per_month >= 4 * 120 - 1e-6
        assert plan.unit == mixed.baseline.unit == "million tokens"

    def test_the_first_step_is_the_rule_for_the_router(self, mixed: Recommendation) -> None:
        router = mixed.require().plan.services[0].choices[0]
        assert router.strategy == "mixing"
        assert "input tokens on" in router.steps[0]
        assert router.artefacts["router"].splitlines()[-1].startswith("- {input_tokens: any, pool: ")
        assert any(a.what == "work for one more pool of machines" for a in mixed.assumptions)

    def test_a_mix_that_does_not_pay_for_its_effort_is_left_alone(self) -> None:
        plain = recommend("large-llm", Requirements(max_accuracy_loss="1%"))
        asked = recommend("large-llm", Requirements(max_accuracy_loss="1%"), mix=2)
        assert asked.plan == plain.plan
        assert not asked.mixing[0].chosen
        assert "p5.48xlarge alone" in asked.mixing[0].text

    def test_a_mixed_recommendation_is_written_and_read_back(self, mixed: Recommendation) -> None:
        assert Recommendation.model_validate_json(mixed.model_dump_json()) == mixed
        assert json.loads(mixed.model_dump_json())["inputs"]["mix"] == 2

    def test_in_a_fleet_a_mix_competes_with_single_machines(self) -> None:
        fleet = {"services": [{"base": "large-llm"}, {"base": "small-cnn"}]}
        found = recommend(fleet, ONE_H100_MACHINE, mix=2)
        chat, images = found.mixing
        assert (chat.chosen, images.chosen) == (True, False)
        assert "No mix of machines was found" in images.text
        assert len(found.require().plan.services) == 3

    def test_a_number_of_pools_below_one_is_refused(self) -> None:
        with pytest.raises(InputError, match="1 or more"):
            recommend("small-cnn", mix=0)

    def test_a_plan_in_service_is_not_mixed(self) -> None:
        with pytest.raises(InputError, match="beside a plan in service"):
            recommend("small-cnn", current="plan.json", mix=2)


class TestAccuracy:
    WORKLOAD: ClassVar = {
        "name": "assistant",
        "model": "llama-3.1-8b",
        "requests": {"input_tokens": {"mean": 1500, "cv": 1.5}, "output_tokens": {"mean": 200, "cv": 1.0}},
        "traffic": {"requests_per_s": 100},
        "limits": {"ttft_p99": "3s", "tpot_p99": "60ms"},
        "serving": {"provider": "aws", "region": "us-east-1", "instance_type": "p5.48xlarge"},
    }

    def test_the_limit_holds_on_average_over_all_requests(self) -> None:
        found = recommend(self.WORKLOAD, Requirements(max_accuracy_loss="1%"), mix=2)
        (note,) = found.mixing
        losses = [service.accuracy_loss for service in found.require().plan.services]
        assert note.chosen
        assert len(losses) == 2
        assert losses[0] == losses[1] == found.accuracy_loss  # that over all requests
        assert found.accuracy_loss.expected_ratio <= 0.01
        assert "all together" in note.text
        assert any(text.startswith("Over all requests: ") for text in found.accuracy_loss.notes)

    def test_with_a_confidence_each_part_keeps_it(self) -> None:
        sure = ONE_H100_MACHINE.model_copy(update={"confidence": 0.6})
        mixer = Mixer(prepared, 2, SolverSettings())
        one = mixer(example("large-llm"), sure, Catalog.load(), installed_strategies())
        assert one.mixed is not None
        for each in one.mixed.parts:
            engine = each.service.plans.engine[0]
            treatment = int(each.service.evaluation.engines.treatment[engine])
            assert each.service.evaluation.kept_promise(treatment, 0.01) >= 0.6

    def test_the_loss_of_a_mix_is_weighed_by_requests(self, service: Prepared) -> None:
        assert service.mixed is not None
        weighed = sum(p.share * float(p.service.plans.loss_ratio[0]) for p in service.mixed.parts)
        assert loss_of(service.mixed).expected_ratio == pytest.approx(weighed)
        assert service.mixed.loss_ratio == pytest.approx(weighed)


class TestVerification:
    def test_the_parts_are_evaluated_once_more(self, service: Prepared) -> None:
        verify_mix(service)
        assert service.mixed is not None
        first, *others = service.mixed.parts
        plans = replace(first.service.plans, machine_usd_per_month=np.array([1.0]))
        wrong = replace(first, service=replace(first.service, plans=plans))
        changed = replace(service, mixed=replace(service.mixed, parts=(wrong, *others)))
        with pytest.raises(EvaluationDisagreement, match="the cost"):
            verify_mix(changed)

    def test_a_part_that_is_missing_is_noticed(self, service: Prepared) -> None:
        assert service.mixed is not None
        less = replace(service, mixed=replace(service.mixed, parts=service.mixed.parts[:1]))
        with pytest.raises(EvaluationDisagreement, match="share of requests"):
            verify_mix(less)

    def test_costs_of_changes_that_both_parts_share_count_once(self, service: Prepared) -> None:
        assert service.mixed is not None
        each = [float(part.service.plans.one_time_usd[0]) for part in service.mixed.parts]
        assert max(each) < service.mixed.one_time_usd < sum(each) + 40 * 120

    def test_a_service_without_plans_has_no_mix(self, service: Prepared) -> None:
        none = replace(service, plans=service.plans.take(np.array([], dtype=np.int64)))
        assert best_mix(none, SolverSettings(), most=2) is None


def test_a_plan_is_found_where_the_cheapest_candidates_are_all_beyond_a_quota() -> None:
    """The program is handed the cheapest candidates; those beyond a quota must not crowd out the others."""
    plan = recommend("large-llm", ONE_H100_MACHINE).require().plan
    assert plan.services[0].instance_type == "p4d.24xlarge"


def test_the_command_says_what_mixing_saves() -> None:
    result = CliRunner().invoke(app, ["recommend", "--example", "small-cnn", "--mix"])
    assert result.exit_code == 0
    assert "Mixed machines" in result.stdout
    assert "No mix of machines was found" in " ".join(result.stdout.split())


def test_a_stored_mix_is_refused_by_check_in_words(mixed: Recommendation) -> None:
    with pytest.raises(InputError, match="several pools of machines"):
        check(mixed)


def test_each_part_of_a_stored_mix_is_exported_with_its_own_rate(mixed: Recommendation) -> None:
    whole = example("large-llm")
    parts = served(load_plan(mixed))
    assert [plan.name for plan, _ in parts] == [part.name for part in mixed.mixing[0].parts]
    rates = [workload.traffic.peak_requests_per_s for _, workload in parts]
    assert sum(rates) == pytest.approx(whole.traffic.peak_requests_per_s)
    assert parts[0][1].requests.input_tokens.mean < whole.requests.input_tokens.mean
