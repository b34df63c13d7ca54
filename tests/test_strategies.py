"""What the built-in strategies do in the models is what has been published about them."""

from __future__ import annotations

import numpy as np
import pytest

from advisor import Requirements, Workload, cost
from advisor.candidates import compose
from advisor.catalog import Catalog
from advisor.evaluation import Evaluation
from advisor.explanation import chosen_options
from advisor.plans import plans_at
from advisor.registry import installed_strategies
from advisor.terms import Terms
from tests.builders import a_workload, an_llm

CATALOG = Catalog.load()
STRATEGIES = installed_strategies()


def evaluation(workload: Workload, machine: str, *only: str) -> Evaluation:
    here = CATALOG.instance(machine, "aws", "us-east-1")
    return Evaluation(workload, CATALOG, compose(workload, Requirements(only=list(only)), STRATEGIES, [here]))


def engines(found: Evaluation) -> dict[str, int]:
    """Position of each engine, named by its options that are not `none`."""
    plans = plans_at(
        found, Terms(), np.ones((len(found.engines), len(found.arrival_cvs))), np.arange(len(found.engines))
    )
    names = {}
    for position in range(len(plans)):
        chosen = [option.id for _, option in chosen_options(found, plans, position) if option.id != "none"]
        names["+".join(chosen) or "none"] = int(plans.engine[position])
    return names


def tokens_per_s(found: Evaluation, row: int, in_flight: float) -> float:
    """Decoded tokens per second of one replica with so many sequences in flight."""
    queue = found.serving.take(np.array([row])).queue  # type: ignore[attr-defined]
    return in_flight / float(queue.step.at(in_flight)[0])


class TestInt4Weights:
    def test_help_a_single_sequence_and_hurt_many_on_a_hopper_chip(self) -> None:
        found = evaluation(an_llm(), "p5.48xlarge", "quantization=int4-weights")
        rows = engines(found)
        gain = {
            b: tokens_per_s(found, rows["int4-weights"], b) / tokens_per_s(found, rows["none"], b)
            for b in (1.0, 64.0)
        }
        assert gain[1.0] > 1.15
        assert gain[64.0] < 1.0

    def test_gain_less_than_fp8_with_many_in_flight(self) -> None:
        found = evaluation(an_llm(), "p5.48xlarge", "quantization=int4-weights", "quantization=fp8")
        rows = engines(found)
        assert tokens_per_s(found, rows["int4-weights"], 64.0) < tokens_per_s(found, rows["fp8"], 64.0)

    def test_make_a_model_fit_that_did_not(self) -> None:
        workload = an_llm(model="llama-3.1-70b")
        found = evaluation(workload, "g6e.xlarge", "quantization=int4-weights")
        rows = engines(found)
        assert not found.serving.replica.fits[rows["none"]]
        assert found.serving.replica.weight_bytes_per_accelerator[rows["int4-weights"]] < 48e9


class TestSpeculation:
    def test_gains_fade_under_load(self) -> None:
        found = evaluation(an_llm(), "p5.48xlarge", "adaptive_inference=speculative-eagle")
        rows = engines(found)
        gains = [
            tokens_per_s(found, rows["speculative-eagle"], b) / tokens_per_s(found, rows["none"], b)
            for b in (1.0, 8.0, 32.0, 128.0)
        ]
        assert sorted(gains, reverse=True) == gains
        assert gains[0] == pytest.approx(1.79, rel=0.03)  # SP-0017, less the bytes of the head

    def test_does_not_multiply_with_int4_weights(self) -> None:
        found = evaluation(
            an_llm(), "p5.48xlarge", "adaptive_inference=speculative-eagle", "quantization=int4-weights"
        )
        rows = engines(found)
        single = {name: tokens_per_s(found, row, 1.0) for name, row in rows.items()}
        product = single["speculative-eagle"] * single["int4-weights"] / single["none"]
        assert single["speculative-eagle+int4-weights"] == pytest.approx(
            0.81 * product, rel=0.02
        )  # SP-0065 to SP-0067

    def test_costs_no_accuracy(self) -> None:
        found = evaluation(an_llm(), "p5.48xlarge", "adaptive_inference=speculative-eagle")
        row = engines(found)["speculative-eagle"]
        assert 0.0 == found.expected_loss[found.engines.treatment[row]]


def base_s(found: Evaluation, row: int) -> float:
    return float(found.serving.server.batch_base_s[row])  # type: ignore[attr-defined]


class TestPruningOfAConvolutionalNetwork:
    def test_without_structure_saves_no_time_on_a_gpu(self) -> None:
        found = evaluation(a_workload(), "g4dn.xlarge", "pruning=unstructured*")
        rows = engines(found)
        assert base_s(found, rows["none"]) == base_s(found, rows["unstructured-50"])

    def test_of_half_the_arithmetic_saves_less_than_half_the_time(self) -> None:
        found = evaluation(a_workload(), "g4dn.xlarge", "pruning=filters-50")
        rows = engines(found)
        item = found.serving.server.batch_per_item_s  # type: ignore[attr-defined]
        assert 0.5 < item[rows["filters-50"]] / item[rows["none"]] < 0.9


class TestEarlyExit:
    def test_gains_vanish_in_batches(self) -> None:
        gains = []
        for size in (1, 8):
            found = evaluation(
                a_workload(), "g4dn.xlarge", "adaptive_inference=early-exit", f"batching=dynamic-{size}:0ms"
            )
            rows = engines(found)
            batched = f"dynamic-{size}:0ms"
            gains.append(base_s(found, rows[batched]) / base_s(found, rows[f"early-exit+{batched}"]))
        assert gains[0] > 1.3
        assert gains[1] < 1.05


class TestPrefixCaching:
    def test_computes_less_of_each_prompt(self) -> None:
        shared = {**an_llm().requests.model_dump(exclude_unset=True), "prefix_share": 0.5}
        found = evaluation(an_llm(requests=shared), "p5.48xlarge", "batching=continuous-256*")
        rows = engines(found)
        prefill = found.serving.queue.prefill_s  # type: ignore[attr-defined]
        assert prefill[rows["continuous-256+prefix-cache"]] < 0.7 * prefill[rows["continuous-256"]]


class TestSpot:
    def test_realises_less_than_its_list_discount(self) -> None:
        machine = CATALOG.instance("NC24ads_A100_v4", "azure", "eastus")
        price = cost.prices([machine], "spot", horizon_months=12.0)
        assert machine.prices["spot"].usd_per_h < 0.25 * machine.prices["on-demand"].usd_per_h
        assert price.spot[0] == pytest.approx(0.57 * machine.prices["on-demand"].usd_per_h)

    def test_never_breaks_the_reliable_floor(self) -> None:
        machine = CATALOG.instance("NC24ads_A100_v4", "azure", "eastus")
        price = cost.prices([machine], "spot", horizon_months=12.0)
        use = np.arange(1.0, 40.0)[None, :]
        _, spot = cost.purchases(use, np.full(39, 730.0 / 39.0), price)
        assert ((use - spot) >= np.ceil(0.3 * use - 1e-9)).all()
