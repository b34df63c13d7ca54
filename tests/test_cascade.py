"""Cascades on machines of their own: what each model gets, what handing on loses and takes, and the proof of the cheapest pair."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from math import inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor import InputError, Recommendation, Requirements, recommend
from advisor.catalog import Catalog
from advisor.formulation import pool_of
from advisor.mixing import Mixer, best_mix, verify_mix
from advisor.mixing.accuracy import loss_of
from advisor.mixing.cascade import cheapest_pair, evaluated, handings, refusal
from advisor.mixing.latency import keeps_latency, whole_latency_s
from advisor.performance.consecutive import consecutive
from advisor.performance.queueing import Latency
from advisor.plans import feasible_plans
from advisor.preparation import Prepared, prepared
from advisor.registry import installed_strategies
from advisor.report import render_html, render_markdown, render_terminal
from advisor.solver import Pool, SolverSettings
from advisor.stages import stage_of, stage_terms, stages_of
from advisor.stored import load_plan, served
from advisor.verification import EvaluationDisagreement
from advisor.workload import Workload
from tests.oracles import cheapest_cover

CHAT = {
    "name": "chat",
    "model": "llama-3.1-70b",
    "cascade": {"model": "llama-3.1-8b"},
    "task": "instruction",
    "requests": {"input_tokens": {"mean": 2048, "cv": 0.96}, "output_tokens": {"mean": 250, "cv": 1.0}},
    "traffic": {"requests_per_s": 40, "arrival_cv": 3.3},
    "limits": {"ttft_p99": "5s", "tpot_p99": "80ms"},
    "serving": {"provider": "aws", "region": "us-east-1", "instance_type": "p5.48xlarge", "instances": 3},
}
LOSSY = Requirements(max_accuracy_loss="6%", without=["pruning", "quantization=int4*", "quantization=fp4*"])
PHOTOS: dict[str, Any] = {
    "name": "photos",
    "model": "vit_base",
    "cascade": {"model": "vit_small", "escalated": "10%"},
    "traffic": {"requests_per_s": 200000},
    "limits": {"latency_p99": "100ms"},
    "serving": {"provider": "aws", "region": "us-east-1", "instance_type": "g6.xlarge", "precision": "fp16", "runtime": "tensorrt"},
    "measurements": [
        {"option": "adaptive_inference=cascade", "metric": "top-1", "baseline": "80%", "optimized": "79.8%", "samples": 50000}
    ],
}  # fmt: skip
FEW = Requirements(
    max_accuracy_loss="2%",
    only=["quantization=fp16", "quantization=int8*", "batching", "adaptive_inference", "autoscaling=static*"],
    allow_instances=["g6.xlarge", "g5.xlarge", "g4dn.xlarge"],
)


@cache
def photos() -> Recommendation:
    """Images answered by a small model first, on a few kinds of machines."""
    return recommend(PHOTOS, FEW, mix=2)


@cache
def chat() -> Recommendation:
    """A chat whose easy requests a router gives to a small model."""
    return recommend(CHAT, LOSSY, mix=2)


@cache
def evaluated_photos() -> Prepared:
    """The images, evaluated with their best mix."""
    mixer = Mixer(prepared, 2, SolverSettings())
    return mixer(Workload.load(PHOTOS), FEW, Catalog.load(), installed_strategies())


class TestWorkload:
    def test_the_first_model_must_do_less_of_the_same_work(self) -> None:
        for model in ("vit_large", "bert-base"):
            with pytest.raises(InputError, match="cascade starts with a cnn of less work than 'vit_base'"):
                Workload.load({**PHOTOS, "cascade": {"model": model}})

    def test_a_router_divides_the_traffic_and_a_cascade_sends_some_of_it_twice(self) -> None:
        workload = Workload.load(PHOTOS)
        for ahead, rates in ((True, (180000.0, 20000.0)), (False, (200000.0, 20000.0))):
            stages = stages_of(escalated_ratio=0.1, routed_ahead=ahead, first_latency_ratio=0.4)
            parts = [stage_of(workload, stage) for stage in stages]
            assert [one.traffic.peak_requests_per_s for one in parts] == pytest.approx(rates)
            assert [one.model.name for one in parts] == ["vit_small", "vit_base"]
            assert sum(stage.answered_ratio for stage in stages) == pytest.approx(1.0)

    def test_both_may_together_take_as_long_as_the_limit(self) -> None:
        terms = evaluated_photos().terms
        stages = stages_of(escalated_ratio=0.1, routed_ahead=False, first_latency_ratio=0.4)
        assert [stage_terms(terms, one).latency_s["latency_p99"] for one in stages] == pytest.approx(
            [0.04, 0.06]
        )


class TestLatency:
    @pytest.mark.parametrize("share", [0.1, 0.35, 0.8])
    def test_percentiles_are_those_of_drawn_requests_and_never_understated(self, share: float) -> None:
        draw = np.random.default_rng(1)
        pairs = (
            (draw.gamma(4.0, 1.0, 200_000), draw.gamma(9.0, 0.5, 200_000)),
            (draw.lognormal(0.0, 0.8, 200_000), draw.lognormal(0.5, 0.3, 200_000)),
        )
        for first, second in pairs:
            drawn = first + second * (draw.random(200_000) < share)
            found = consecutive(_latency(first), _latency(second), share=share)
            assert float(found.mean_s[0]) == pytest.approx(drawn.mean(), rel=0.01)
            for name, level in (("p90", 0.9), ("p95", 0.95), ("p99", 0.99)):
                ratio = float(found[name][0]) / float(np.quantile(drawn, level))
                assert 0.99 < ratio < 1.06, name


def _latency(values: np.ndarray) -> Latency:
    return Latency(*(np.array([v]) for v in (values.mean(), *np.quantile(values, [0.5, 0.9, 0.95, 0.99]))))


class TestChoice:
    def test_two_pools_beat_one_where_the_small_model_answers_most(self) -> None:
        alone = recommend({**PHOTOS, "cascade": None}, FEW).require().plan
        plan, (note,) = photos().require().plan, photos().mixing
        assert note.chosen
        assert plan.cost_usd_per_month < alone.cost_usd_per_month
        assert note.saves_usd_per_month == pytest.approx(alone.cost_usd_per_month - plan.cost_usd_per_month)
        assert [part.model for part in note.parts] == ["vit_small", "vit_base"]
        assert [part.share_ratio for part in note.parts] == pytest.approx([0.9, 0.1])
        assert [part.traffic_ratio for part in note.parts] == pytest.approx([1.0, 0.1])
        assert all(service.instances_peak == int(service.instances_peak) for service in plan.services)

    def test_the_whole_keeps_the_limit_though_some_take_both(self) -> None:
        (note,) = photos().mixing
        (check,) = (one for one in note.latencies if one.limit_s is not None)
        parts = [next(c for c in s.latencies if c.limit_s) for s in photos().require().plan.services]
        assert check.predicted_s is not None
        assert max(one.predicted_s or inf for one in parts) < check.predicted_s <= 0.1
        assert sum(one.limit_s or 0.0 for one in parts) == pytest.approx(0.1)

    def test_the_loss_is_that_of_handing_on_and_of_each_model_by_what_it_answers(self) -> None:
        one = evaluated_photos()
        assert one.mixed is not None
        assert one.mixed.handing is not None
        own = [float(part.service.plans.loss_ratio[0]) for part in one.mixed.parts]
        handed = one.mixed.handing.losses[None].expected_ratio
        assert handed == pytest.approx(0.0025, rel=0.2)  # 0.2 of 80 points, measured
        assert loss_of(one.mixed).expected_ratio == pytest.approx(handed + 0.9 * own[0] + 0.1 * own[1])
        assert photos().accuracy_loss is not None
        assert photos().accuracy_loss.expected_ratio == pytest.approx(one.mixed.loss_ratio)

    def test_a_routed_request_takes_one_model_and_each_keeps_every_limit(self) -> None:
        plan, (note,) = chat().require().plan, chat().mixing
        assert note.chosen
        assert note.latencies == ()
        assert [part.traffic_ratio for part in note.parts] == pytest.approx([0.62, 0.38])
        for service in plan.services:
            limited = [check for check in service.latencies if check.limit_s]
            assert all((check.predicted_s or inf) <= (check.limit_s or 0.0) for check in limited)
        assert plan.services[0].accuracy_loss.expected_ratio <= 0.06

    def test_published_losses_leave_no_room_under_a_tight_limit(self) -> None:
        tight = LOSSY.model_copy(
            update={"max_accuracy_loss": Requirements(max_accuracy_loss="1%").max_accuracy_loss}
        )
        (note,) = recommend(CHAT, tight, mix=2).mixing
        assert not any(part.model for part in note.parts)


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"cascade": {"model": "vit_tiny"}, "measurements": []}, "does 7.17% of the main model's work"),
            ({"measurements": []}, "what that loses is published for about 35%"),
        ],
    )
    def test_what_nobody_published_is_not_guessed(self, changes: dict[str, Any], said: str) -> None:
        found = recommend({**PHOTOS, **changes}, FEW, mix=2)
        assert said in found.mixing[0].text
        assert not any(part.model for part in found.mixing[0].parts)

    def test_forbidding_the_option_forbids_the_cascade(self) -> None:
        without = FEW.model_copy(update={"without": ("adaptive_inference=cascade",)})
        one = prepared(Workload.load(PHOTOS), without, Catalog.load(), installed_strategies())
        assert handings(one) == ()
        assert "or none was allowed" in refusal(one)


class TestProof:
    @settings(max_examples=10, deadline=None)
    @given(seed=st.integers(0, 10**6))
    def test_the_pair_is_the_cheapest_of_all_pairs(self, seed: int) -> None:
        draw = random.Random(seed)  # noqa: S311  (no secret)
        one = evaluated_photos()
        limit = draw.choice([0.004, 0.006, 0.01, 0.02])
        quota = draw.choice([{}, {"g6.xlarge": draw.randint(5, 90)}, {"g6.xlarge": 20, "g5.xlarge": 90}])
        one = replace(one, terms=replace(one.terms, quotas=quota).with_loss(None, limit))
        (handing,) = handings(one)
        stages = stages_of(
            escalated_ratio=0.1, routed_ahead=False, first_latency_ratio=draw.choice([0.2, 0.5, 0.65])
        )
        pairs = [(stage, evaluated(one, handing, stage)) for stage in stages]
        found = cheapest_pair(one, handing, pairs, SolverSettings())
        best = _cheapest_by_trying(one, handing.losses[None].expected_ratio, pairs)
        assert (found is None) == (best == inf)
        if found is not None:
            cost = found.as_extra()
            bought = sum(
                cheapest_cover(pool, list(cost.column.demand[pool.name]), _hours(one)) for pool in cost.pools
            )
            own = sum(float(part.service.plans.own_usd_per_month[0]) for part in found.parts)
            assert bought + own == pytest.approx(best)

    def test_a_mix_never_costs_more_than_one_pool_and_looser_limits_never_more(self) -> None:
        costs = []
        for loss in ("1%", "2%", "4%"):
            given_ = FEW.model_copy(
                update={"max_accuracy_loss": Requirements(max_accuracy_loss=loss).max_accuracy_loss}
            )
            mixed, alone = recommend(PHOTOS, given_, mix=2), recommend(PHOTOS, given_)
            assert mixed.require().plan.cost_usd_per_month <= alone.require().plan.cost_usd_per_month + 1e-6
            costs.append(mixed.require().plan.cost_usd_per_month)
        assert costs == sorted(costs, reverse=True)

    def test_it_is_evaluated_once_more(self) -> None:
        one = evaluated_photos()
        verify_mix(one)
        assert one.mixed is not None
        first, second = one.mixed.parts
        assert second.stage is not None
        fewer = replace(second, stage=replace(second.stage, answered_ratio=0.05))
        with pytest.raises(EvaluationDisagreement, match="share of requests"):
            verify_mix(replace(one, mixed=replace(one.mixed, parts=(first, fewer))))
        tight = replace(one.terms, latency_s={"latency_p99": 0.001})
        assert not keeps_latency(one.mixed, tight)
        assert whole_latency_s(one.mixed)["latency_p99"] > whole_latency_s(one.mixed)["latency_p50"]

    def test_both_pools_share_a_quota(self) -> None:
        one = evaluated_photos()
        free = best_mix(one, SolverSettings(), most=2)
        assert free is not None
        most = int(max(sum(p.service.plans.instances.max() for p in free.parts) - 1, 1))
        for name in {part.service.evaluation.candidates.blocks[0].instance_type.name for part in free.parts}:
            short = replace(one, terms=one.terms.with_quota(name, most))
            found = best_mix(short, SolverSettings(), most=2)
            assert found is None or found.within_quotas(short.terms)


def _hours(one: Prepared) -> list[float]:
    return [float(hour) for hour in one.evaluation.periods.hours_per_month]


def _cheapest_by_trying(one: Prepared, handed: float, stages: list[Any]) -> float:
    """Return the least cost of both pools over all pairs of candidates, purchases tried one by one."""
    offers = []
    for stage, evaluation in stages:
        plans = feasible_plans(evaluation, stage_terms(one.terms, stage))
        offers.append(
            [
                (pool_of(evaluation, plans, at), plans.instances[at], float(plans.own_usd_per_month[at]),
                 stage.answered_ratio * float(plans.loss_ratio[at]))
                for at in range(len(plans))
            ]
        )  # fmt: skip
    best = inf
    for pool, use, own, loss in offers[0]:
        for pool2, use2, own2, loss2 in offers[1]:
            if handed + loss + loss2 > one.terms.loss_ratio[None] + 1e-12:
                continue
            shared = [(pool, use + use2)] if pool == pool2 else [(pool, use), (pool2, use2)]
            if _within(one, [(pool, use), (pool2, use2)]):
                best = min(best, own + own2 + sum(_cover(p, tuple(u), tuple(_hours(one))) for p, u in shared))
    return best


@cache
def _cover(pool: Pool, use: tuple[float, ...], hours: tuple[float, ...]) -> float:
    return cheapest_cover(pool, list(use), list(hours))


def _within(one: Prepared, uses: list[tuple[Pool, np.ndarray]]) -> bool:
    for name, most in one.terms.quotas.items():
        mine = [use for pool, use in uses if pool.name.partition("|")[0].rpartition("/")[2] == name]
        if mine and float(np.sum(mine, axis=0).max()) > most:
            return False
    return True


class TestPages:
    @pytest.mark.parametrize("render", [render_terminal, render_markdown, render_html])
    def test_both_pools_stand_on_every_page(self, render: Any) -> None:
        page = " ".join(render(photos()).replace("\\", "").split())
        for text in (
            "vit_small",
            "10% handed on to vit_base",
            "those handed on take the time of both models",
        ):
            assert text in page
        assert "share that vit_small hands on" in page or render is render_terminal

    def test_a_stored_cascade_says_what_each_pool_serves(self) -> None:
        again = Recommendation.model_validate_json(photos().model_dump_json())
        assert again == photos()
        (_, first), (_, second) = served(load_plan(again))
        assert (first.model.name, second.model.name) == ("vit_small", "vit_base")
        assert second.traffic.peak_requests_per_s == pytest.approx(20000)
