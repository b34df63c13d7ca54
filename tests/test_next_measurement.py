"""The one measurement that is named before deciding is worth what it says, and its command can be run."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np
import pytest
import yaml

from advisor import Recommendation, Requirements, Workload, recommend
from advisor.accuracy import needed_samples
from advisor.candidates import compose
from advisor.catalog import Catalog
from advisor.evaluation import Evaluation
from advisor.examples import EXAMPLES
from advisor.explanation import P90_Z
from advisor.plans import feasible_plans
from advisor.recommendation import NextMeasurement
from advisor.registry import installed_strategies
from advisor.terms import resolve
from advisor.worth import Decision, accuracy_worth, speed_worth
from tests.builders import a_workload, an_llm

LOSSY = ("quantization", "pruning", "adaptive_inference")
"""Without these no loss is in doubt, and speed is what is left to measure."""


def cost(result: Recommendation) -> float:
    assert result.plan is not None
    return result.plan.cost_usd_per_month


def proposed(result: Recommendation) -> NextMeasurement:
    assert result.next_measurement is not None
    return result.next_measurement


def a_decision(workload: Workload, **requirements: Any) -> Decision:
    """The cheapest plan among all candidates of a workload."""
    wanted, catalog = Requirements(**requirements), Catalog.load()
    machines = catalog.select(providers=("aws",), regions=("us-east-1",))
    evaluation = Evaluation(workload, catalog, compose(workload, wanted, installed_strategies(), machines))
    terms = resolve(workload, wanted)
    plans = feasible_plans(evaluation, terms)
    return Decision(evaluation, terms, plans, int(np.argmin(plans.cost_usd_per_month)))


@pytest.fixture(scope="module")
def chat() -> Recommendation:
    return recommend("large-llm", Requirements(max_accuracy_loss="1%"))


class TestAccuracy:
    def test_an_option_left_out_is_worth_its_chance_times_what_it_would_save(
        self, chat: Recommendation
    ) -> None:
        measurement = proposed(chat)
        assert ("accuracy", "quantization=fp8+kv-fp8") == (measurement.kind, measurement.subject)
        looser = recommend("large-llm", Requirements(max_accuracy_loss="2%"))
        assert "fp8+kv-fp8" in {choice.option for choice in looser.plan.services[0].choices}  # type: ignore[union-attr]
        saved = cost(chat) - cost(looser)
        assert measurement.value_usd_per_month == pytest.approx(
            measurement.probability_changes_plan * saved, rel=1e-3
        )

    def test_measured_to_be_fine_it_leads_to_the_plan_that_was_promised(self, chat: Recommendation) -> None:
        measurement = proposed(chat)
        document = Workload.load("large-llm").model_dump(exclude_unset=True)
        line = {
            "option": measurement.subject,
            "baseline": "83.6%",
            "optimized": "83.5%",
            "samples": 50_000,
            "discordant": [500, 450],
        }
        after = recommend({**document, "measurements": [line]}, Requirements(max_accuracy_loss="1%"))
        saved = cost(chat) - cost(after)
        assert measurement.value_usd_per_month == pytest.approx(
            measurement.probability_changes_plan * saved, rel=1e-3
        )
        assert (
            "accuracy" != getattr(after.next_measurement, "kind", None)
            or measurement.subject != proposed(after).subject
        )

    def test_a_chosen_option_is_worth_its_risk_times_what_the_best_plan_without_it_costs_more(self) -> None:
        limit = Requirements(max_accuracy_loss="0.5%")
        risky, without = (
            recommend("small-cnn", limit),
            recommend("small-cnn", limit.model_copy(update={"without": ("quantization=int8*",)})),
        )
        measurement = proposed(risky)
        assert risky.accuracy_loss is not None
        broken = 1.0 - (risky.accuracy_loss.probability_kept or 0.0)
        assert ("accuracy", "quantization=int8") == (measurement.kind, measurement.subject)
        assert broken == pytest.approx(measurement.probability_changes_plan)
        assert measurement.value_usd_per_month == pytest.approx(
            broken * (cost(without) - cost(risky)), rel=1e-3
        )

    def test_the_samples_settle_the_limit_by_the_paired_test(self, chat: Recommendation) -> None:
        expected = needed_samples(0.836, limit_ratio=0.01, discordant_share=0.08)
        assert expected == proposed(chat).samples == 7077  # (1.6449 + 0.8416)^2 x 0.08 / (0.01 x 0.836)^2

    def test_a_benchmark_that_is_too_small_is_said_to_be(self, chat: Recommendation) -> None:
        assert any("ifeval has only 541 questions" in note for note in proposed(chat).notes)

    def test_a_limit_that_no_test_can_settle_is_not_put_to_one(self) -> None:
        assert not accuracy_worth(
            a_decision(an_llm(traffic={"requests_per_s": 300}), max_accuracy_loss="0.05%")
        )
        assert not accuracy_worth(a_decision(an_llm(traffic={"requests_per_s": 300}), max_accuracy_loss="0%"))

    def test_the_hardest_slice_is_the_one_to_measure(self) -> None:
        decision = Requirements(max_accuracy_loss="5%", slices={"tool-use": "1.5%"})
        measurement = proposed(recommend("large-llm", decision))
        assert "accuracy" == measurement.kind
        assert "on tool-use" in measurement.why


class TestSpeed:
    def test_it_is_worth_how_far_the_bill_moves_at_the_ends_of_the_interval(self) -> None:
        decision = a_decision(Workload.load("large-llm"), max_accuracy_loss="2%")
        chosen = speed_worth(decision)[0]
        assert chosen.position == decision.position
        fast, slow = chosen.usd_per_month
        second = min(worth.plans.cost_usd_per_month[worth.position] for worth in speed_worth(decision)[1:])
        expected = 0.3 * abs(min(fast, second) - decision.cost) + 0.3 * abs(min(slow, second) - decision.cost)
        assert chosen.value_usd_per_month == pytest.approx(expected)
        assert fast <= decision.cost <= slow

    def test_slower_engines_need_more_money(self) -> None:
        decision = a_decision(a_workload(traffic={"requests_per_s": 9000}), max_accuracy_loss="1%")
        for worth in speed_worth(decision):
            assert worth.usd_per_month[0] <= worth.usd_per_month[1]

    def test_the_interval_in_the_text_is_that_of_the_prediction(self) -> None:
        decision = a_decision(Workload.load("large-llm"), max_accuracy_loss="2%", without=LOSSY)
        row = int(decision.plans.engine[decision.position])
        sigma = decision.evaluation.serving.replica.log_sigma
        widest = max(float(sigma[key][row]) for key in decision.terms.latency_limits)
        measurement = proposed(recommend("large-llm", Requirements(max_accuracy_loss="2%", without=LOSSY)))
        assert "speed" == measurement.kind
        assert f"a factor of {np.exp(P90_Z * widest):.2f} in 8 of 10 cases" in measurement.why

    def test_the_result_of_a_plain_engine_is_for_calibrate_and_that_of_speculation_is_not(self) -> None:
        plain, speculating = (
            recommend("large-llm", Requirements(max_accuracy_loss="2%", without=without)).next_measurement
            for without in ((*LOSSY, "batching"), ())
        )
        assert speculating is not None
        assert "advisor calibrate" not in speculating.record
        assert plain is not None
        assert "--accelerator h100-sxm --precision bf16 --tensor-parallel" in plain.record


class TestCommands:
    def test_an_evaluation_runs_both_models_on_the_same_tasks_and_keeps_the_answers(
        self, chat: Recommendation
    ) -> None:
        before, after = map(shlex.split, proposed(chat).command.splitlines())
        assert ["lm_eval", "lm_eval"] == [before[0], after[0]]
        flags = [dict(zip(run[1::2], run[2::2], strict=False)) for run in (before, after)]
        assert "vllm" == flags[0]["--model"]
        assert "pretrained=meta-llama/Llama-3.1-70B-Instruct,tensor_parallel_size=4" in before
        assert "kv_cache_dtype=fp8" in " ".join(after)
        assert before[before.index("--tasks") + 1] == after[after.index("--tasks") + 1]
        assert "--log_samples" in before
        assert "--log_samples" in after

    def test_the_lines_to_record_the_result_are_read_by_the_workload(self, chat: Recommendation) -> None:
        record = yaml.safe_load(proposed(chat).record)
        (entry,) = record["measurements"]
        assert {"option", "task", "lm_eval"} == set(entry)
        assert entry["lm_eval"]["baseline"] in proposed(chat).command
        assert entry["lm_eval"]["optimized"] in proposed(chat).command

    def test_a_benchmark_starts_the_engine_and_loads_it_as_in_the_busiest_hour(self) -> None:
        measurement = proposed(recommend("large-llm", Requirements(max_accuracy_loss="2%", without=LOSSY)))
        server, load = map(shlex.split, measurement.command.splitlines())
        assert ["vllm", "serve"] == server[:2]
        assert ["vllm", "bench", "serve"] == load[:3]
        given = dict(zip(load[3::2], load[4::2], strict=False))
        assert (1536, 512, 250) == tuple(
            int(given[f"--random-{part}-len"]) for part in ("input", "prefix", "output")
        )
        assert 0.0 < float(given["--request-rate"]) <= 40.0
        assert float(given["--burstiness"]) <= 1.0

    @pytest.mark.parametrize("runtime", ["vllm", "sglang", "trtllm"])
    def test_each_engine_has_its_own_server(self, runtime: str) -> None:
        from advisor.measuring import speed_command

        serving = {**an_llm().serving.model_dump(exclude_unset=True), "runtime": runtime}
        text = speed_command(an_llm(serving=serving), (), requests_per_s=2.0, arrival_cv=2.0, accelerators=2)
        assert {"vllm": "vllm serve", "sglang": "sglang.launch_server", "trtllm": "trtllm-serve"}[
            runtime
        ] in text
        assert "--burstiness 0.25" in text  # 1 / 2^2


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_has_something_worth_measuring_at_half_a_percent(name: str) -> None:
    measurement = proposed(recommend(name, Requirements(max_accuracy_loss="0.5%")))
    assert measurement.value_usd_per_month > 1.0
    assert 0.0 < measurement.probability_changes_plan <= 1.0
    assert measurement.why.endswith(".")


def test_nothing_is_named_where_money_is_not_what_counts() -> None:
    result = recommend("small-cnn", Requirements(max_accuracy_loss="0.5%", objective=["carbon"]))
    assert result.next_measurement is None


def test_nothing_is_named_where_nothing_fits() -> None:
    result = recommend("small-cnn", Requirements(max_accuracy_loss="0.5%", latency={"latency_p99": "0.1ms"}))
    assert result.next_measurement is None
