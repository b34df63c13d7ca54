"""The decoder model: formulas by hand, behaviour in every direction, and measurements it must stay near."""

from __future__ import annotations

import csv
import dataclasses
import json
import time
from pathlib import Path

import numpy as np
import pytest

from advisor.catalog import Catalog
from advisor.models import builtin_models, find_model
from advisor.performance.decoder import (
    Coefficients,
    DecoderEngine,
    closed_loop,
    coefficients,
    compute_dtype,
    decode_step_s,
    first_token_s,
    interval_factor,
    prefill_s,
    sequences_admitted,
)
from advisor.performance.decoder_coefficients import (
    BACKENDS,
    NUMERIC_FIELDS,
    PRECISIONS,
    fitted_table,
    is_measured_model,
)
from advisor.performance.decoder_rows import (
    ServingRow,
    accelerator_id,
    engine_of_rows,
    parallel_layout,
    served_precision,
    unsupported_reason,
)

MEASUREMENTS = Path(__file__).resolve().parents[3] / "shared" / "measurements" / "llm_e2e_serving_silicon.csv"
IDEAL = Coefficients(
    **{
        **dict.fromkeys(NUMERIC_FIELDS, 1.0),
        **dict.fromkeys(
            (
                "layer_overhead_s",
                "prefill_layer_overhead_s",
                "host_s_per_sequence",
                "allreduce_latency_s",
                "ttft_constant_s",
                "ttft_layer_s",
                "ttft_steps",
                "queue_slope",
                "dequantization_bytes_per_param",
                "expert_overhead_exponent",
                "prefill_mixing_ratio",
            ),
            0.0,
        ),
    }
)


def an_engine(**changes: object) -> DecoderEngine:
    """Return a 10-billion-parameter model on one chip of 100 TFLOP/s and 1 TB/s, ideal but for `changes`."""
    fields = {
        "dense_params": 10e9,
        "expert_params": 0.0,
        "experts": 0.0,
        "experts_per_token": 0.0,
        "layers": 10.0,
        "hidden_size": 1000.0,
        "kv_bytes_per_token": 1e5,
        "attention_flops_per_token_squared": 0.0,
        "weight_bytes_per_param": 2.0,
        "peak_flops": 1e14,
        "attention_peak_flops": 5e13,
        "memory_bandwidth_bytes_per_s": 1e12,
        "interconnect_bytes_per_s": 1e12,
        "tensor_parallel": 1.0,
        "data_parallel": 1.0,
        "pipeline_parallel": 1.0,
        "coefficients": IDEAL,
    }
    return DecoderEngine(**{**fields, **changes})


def a_row(model: str, chip: str, backend: str = "vllm", precision: str = "fp8", **sizes: float) -> ServingRow:
    return ServingRow(find_model(model), Catalog.load().accelerators[chip], backend, precision, **sizes)


def test_a_step_of_few_sequences_takes_the_time_to_read_the_weights_and_the_cache() -> None:
    # 20 GB of weights at 1 TB/s, and 2 sequences x 1000 tokens x 100 kB: 20 ms + 0.2 ms; compute is 0.4 ms
    assert decode_step_s(an_engine(), batch=2.0, context_tokens=1000.0) == pytest.approx(0.0202, rel=1e-6)


def test_a_step_of_many_sequences_takes_the_time_of_its_arithmetic() -> None:
    # 2 x 10e9 x 2000 operations at 100 TFLOP/s = 400 ms; reading 20 ms vanishes in the smooth maximum
    assert decode_step_s(an_engine(), batch=2000.0, context_tokens=0.0) == pytest.approx(0.4, rel=1e-5)


def test_overheads_of_layers_and_sequences_add_up() -> None:
    fit = dataclasses.replace(IDEAL, layer_overhead_s=1e-4, host_s_per_sequence=5e-5)
    # 20 ms + 10 layers x 100 us + 4 sequences x 50 us
    assert decode_step_s(an_engine(coefficients=fit), batch=4.0, context_tokens=0.0) == pytest.approx(
        0.0212, rel=1e-5
    )


def test_a_batch_reads_the_experts_it_wakes() -> None:
    engine = an_engine(dense_params=0.0, expert_params=10e9, experts=4.0, experts_per_token=1.0)
    # two tokens wake 4 (1 - (3/4)^2) = 1.75 of 4 experts: 20 GB x 0.4375 = 8.75 ms
    assert decode_step_s(engine, batch=2.0, context_tokens=0.0) == pytest.approx(0.00875, rel=1e-4)


def test_routing_among_more_than_128_experts_raises_the_overhead_of_a_layer() -> None:
    fit = dataclasses.replace(IDEAL, layer_overhead_s=1e-4, expert_overhead_exponent=0.5)
    few, many = (
        decode_step_s(
            an_engine(coefficients=fit, experts=experts, experts_per_token=1.0), batch=1.0, context_tokens=0.0
        )
        for experts in (8.0, 512.0)
    )
    # 10 layers x 100 us; with 512 experts x (512 / 128)^0.5 = 2
    assert many - few == pytest.approx(0.001, rel=1e-6)


def test_an_all_reduce_moves_twice_the_activations_twice_a_layer() -> None:
    engine = an_engine(dense_params=0.0, tensor_parallel=2.0, interconnect_bytes_per_s=1e9)
    # 2 a layer x 10 layers x 8 tokens x 1000 x 2 bytes x (2 x 1/2) / 1 GB/s = 0.32 ms
    assert decode_step_s(engine, batch=8.0, context_tokens=0.0) == pytest.approx(0.00032, rel=1e-5)


def test_a_prefill_counts_weights_and_half_of_the_attention_square() -> None:
    engine = an_engine(attention_flops_per_token_squared=2e5)
    # 2 x 10e9 x 10000 / 1e14 = 2 s; attention in 16 bits: 2e5 x 1e8 / 2 / 5e13 = 0.2 s
    assert prefill_s(engine, tokens=10000.0) == pytest.approx(2.2, rel=1e-5)


def test_output_tokens_wait_for_the_prefills_of_the_others() -> None:
    fit = dataclasses.replace(IDEAL, prefill_mixing_ratio=1.0, queue_slope=1.0)
    ttft, tpot = closed_loop(
        an_engine(coefficients=fit), concurrency=3.0, input_tokens=10000.0, output_tokens=100.0
    )
    # step 20 ms + 3 x 10050 tokens x 100 kB = 23.015 ms; prefill 2 s; 2 others: + 2 x 2 s / 100 tokens
    assert tpot == pytest.approx(0.023015 + 0.04, rel=1e-3)
    assert ttft == pytest.approx(2.0 * (1.0 + 1.0), rel=1e-3)


def test_requests_that_the_memory_cannot_hold_wait_for_their_turn() -> None:
    engine = an_engine(memory_bytes=22e9)
    # 2 GB free / (100 kB x 2000 tokens) = 10 sequences
    assert sequences_admitted(engine, input_tokens=1000.0, output_tokens=1000.0) == pytest.approx(10.0)
    few, _ = closed_loop(engine, concurrency=10.0, input_tokens=1000.0, output_tokens=1000.0)
    many, tpot = closed_loop(engine, concurrency=20.0, input_tokens=1000.0, output_tokens=1000.0)
    assert many == pytest.approx(few + (few + 1000.0 * tpot), rel=1e-6)  # one residence time outside


def test_latent_attention_keeps_a_copy_of_the_cache_on_every_chip() -> None:
    split = decode_step_s(an_engine(tensor_parallel=4.0, kv_heads=8.0), batch=100.0, context_tokens=1e4)
    copied = decode_step_s(an_engine(tensor_parallel=4.0, kv_heads=1.0), batch=100.0, context_tokens=1e4)
    assert copied - split == pytest.approx(0.075, rel=1e-3)  # 100 GB at 1 TB/s, or a quarter of it


def test_weight_only_quantization_helps_one_sequence_and_not_a_batch() -> None:
    # TensorRT-LLM on H200, Llama-3.1-8B: 1.33x at batch 1, 0.75x at batch 8, 0.83x at batch 64
    engines = [
        engine_of_rows([a_row("Llama-3.1-8B", "h200-sxm", "trtllm", name)]) for name in ("bf16", "int4")
    ]
    ratio = {
        batch: np.divide(*(decode_step_s(engine, batch=batch, context_tokens=2100.0) for engine in engines))[
            0
        ]
        for batch in (1.0, 8.0)
    }
    assert ratio[1.0] > 1.2
    assert ratio[8.0] < 1.0


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("model", "chip"), [("Llama-3.1-70B", "h100-sxm"), ("DeepSeek-R1", "b200"), ("Qwen3-8B", "l4")]
)
def test_more_load_never_shortens_a_latency(backend: str, model: str, chip: str) -> None:
    engine = engine_of_rows([a_row(model, chip, backend, tp_size=4.0)])
    load = np.array([1.0, 2.0, 4.0, 16.0, 64.0, 256.0, 1024.0])
    for latency in closed_loop(engine, concurrency=load, input_tokens=1000.0, output_tokens=500.0):
        assert np.all(np.diff(latency) >= 0.0)
        assert np.all(np.isfinite(latency))
    prompts = closed_loop(engine, concurrency=16.0, input_tokens=load * 100.0, output_tokens=500.0)
    assert all(np.all(np.diff(latency) >= 0.0) for latency in prompts)


def test_a_better_chip_is_never_slower() -> None:
    plain, better = an_engine(), an_engine(peak_flops=2e14, memory_bandwidth_bytes_per_s=2e12)
    arguments = {"concurrency": np.array([1.0, 30.0, 900.0]), "input_tokens": 700.0, "output_tokens": 90.0}
    for slow, fast in zip(closed_loop(plain, **arguments), closed_loop(better, **arguments), strict=True):
        assert np.all(fast < slow)


def test_rows_predict_the_same_alone_and_together() -> None:
    rows = [
        a_row("Llama-3.1-70B", "h100-sxm", tp_size=4.0),
        a_row("DeepSeek-R1", "b200", "trtllm", tp_size=64.0, moe_tp_size=8.0, moe_ep_size=8.0),
        a_row("gpt-oss-120b", "h200-sxm", "sglang", "fp4", moe_tp_size=2.0, attention_dp_size=2.0),
    ]
    arguments = {"concurrency": 64.0, "input_tokens": 1000.0, "output_tokens": 1000.0}
    together = closed_loop(engine_of_rows(rows), **arguments)
    alone = [closed_loop(engine_of_rows([row]), **arguments) for row in rows]
    assert np.allclose(together, np.array(alone)[:, :, 0].T, rtol=1e-12)


def test_three_hundred_thousand_rows_take_less_than_a_second() -> None:
    columns = {
        field.name: np.full(300_000, float(getattr(an_engine(), field.name)))
        for field in dataclasses.fields(DecoderEngine)
        if field.name != "coefficients"
    }
    engine = DecoderEngine(**columns, coefficients=coefficients("vllm", "h100-sxm", "fp8"))
    start = time.perf_counter()
    closed_loop(engine, concurrency=16.0, input_tokens=1000.0, output_tokens=500.0)
    assert time.perf_counter() - start < 1.0  # 0.15 s on an idle core


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_backend_and_precision_has_coefficients_on_every_gpu(backend: str, precision: str) -> None:
    for chip in Catalog.load().accelerators.values():
        if chip.kind != "gpu":
            continue
        for is_mixture in (False, True):
            found = coefficients(backend, chip.id, precision, mixture_of_experts=is_mixture)
            assert 0.0 < found.bandwidth_efficiency < 1.3
            assert 0.0 < found.compute_efficiency < 1.1
            assert 0.02 < found.log_sigma_tpot < 1.5
            assert chip.peak_flops[compute_dtype(precision, tuple(chip.peak_flops))] > 0.0


def test_only_measured_combinations_are_called_calibrated() -> None:
    assert coefficients("vllm", "h100-sxm", "fp8").basis == "calibrated"
    for backend, chip, precision in (
        ("sglang", "l4", "fp8"),
        ("vllm", "h100-sxm", "int4"),
        ("vllm", "mi300x", "bf16"),
    ):
        found = coefficients(backend, chip, precision)
        assert found.basis == "extrapolated"
        assert found.source


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown serving backend 'tgi'; expected one of vllm"):
        coefficients("tgi", "h100-sxm", "fp8")
    with pytest.raises(ValueError, match="unknown precision 'fp6'"):
        coefficients("vllm", "h100-sxm", "fp6")
    with pytest.raises(KeyError, match="no peak rate for 'bf16'"):
        compute_dtype("bf16", ["int8"])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("target", ["ttft", "tpot"])
def test_intervals_hold_the_prediction_and_are_wider_for_an_unseen_model(backend: str, target: str) -> None:
    for is_mixture in (False, True):
        seen = interval_factor(target, backend=backend, mixture_of_experts=is_mixture, seen_model=True)
        unseen = interval_factor(target, backend=backend, mixture_of_experts=is_mixture)
        assert seen[0] < 1.0 < seen[1]
        assert unseen[0] < unseen[1]
        assert np.log(unseen[1] / unseen[0]) >= 0.9 * np.log(seen[1] / seen[0])


def test_gathered_coefficients_are_those_of_each_candidate() -> None:
    table = [coefficients("vllm", "h100-sxm", "fp8"), coefficients("trtllm", "b200", "fp4")]
    found = Coefficients.gather(table, np.array([1, 0, 1]))
    assert list(found.queue_slope) == [table[1].queue_slope, table[0].queue_slope, table[1].queue_slope]
    assert found.basis == "calibrated"


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({"tp_size": 4.0, "moe_tp_size": 4.0}, (4, 1, 1)),
        ({"tp_size": 16.0, "moe_tp_size": 4.0, "moe_ep_size": 4.0}, (4, 1, 4)),
        ({"tp_size": 1.0, "moe_ep_size": 8.0, "attention_dp_size": 8.0}, (1, 8, 8)),
        ({"tp_size": 4.0, "moe_ep_size": 16.0, "attention_dp_size": 4.0}, (1, 4, 4)),
        ({"tp_size": 1.0, "moe_tp_size": 2.0}, (2, 1, 1)),
        ({"tp_size": 2.0, "moe_tp_size": 0.0, "moe_ep_size": float("nan")}, (2, 1, 1)),
    ],
)
def test_columns_of_public_tables_become_one_replica(
    sizes: dict[str, float], expected: tuple[int, int, int]
) -> None:
    assert expected == parallel_layout(**sizes)


def test_names_of_public_tables_are_understood() -> None:
    assert accelerator_id("gb200") == "gb200"
    assert served_precision("nvidia/DeepSeek-R1-NVFP4", None) == "fp4"
    assert served_precision("openai/gpt-oss-120b", "mxfp4") == "fp4"
    assert is_measured_model("DeepSeek-V3.1", mixture_of_experts=True)
    assert not is_measured_model("Mixtral-8x7B", mixture_of_experts=True)


def test_rows_beyond_the_measurements_get_a_reason_instead_of_a_guess() -> None:
    assert unsupported_reason(a_row("Llama-3.1-70B", "h100-sxm", tp_size=4.0)) == ""
    assert (
        unsupported_reason(
            a_row("DeepSeek-R1", "b200", "trtllm", tp_size=64.0, moe_tp_size=8.0, moe_ep_size=8.0)
        )
        == ""
    )
    assert "backend 'tgi'" in unsupported_reason(a_row("Llama-3.1-70B", "h100-sxm", "tgi"))
    assert "precision 'fp6'" in unsupported_reason(a_row("Llama-3.1-70B", "h100-sxm", precision="fp6"))
    assert "72 accelerators" in unsupported_reason(a_row("DeepSeek-R1", "gb200", tp_size=72.0))
    assert "do not fit 1 x NVIDIA L4" in unsupported_reason(a_row("Llama-3.1-70B", "l4"))
    assert "only GPUs" in unsupported_reason(a_row("Llama-3.1-8B", "tpu-v5e"))


def test_every_decoder_in_the_table_of_models_adds_up() -> None:
    for model in builtin_models():
        if model.family != "decoder":
            continue
        assert model.kv_elements_per_token > 0.0
        assert 0.0 <= (model.expert_parameters or 0.0) < model.parameters
        engine = engine_of_rows(
            [ServingRow(model, Catalog.load().accelerators["b300"], "vllm", "fp8", tp_size=8.0)]
        )
        assert 0.0 < first_token_s(engine)[0] < 1.0
        assert engine.dense_params > engine.embedding_params


def test_the_shipped_table_states_date_source_and_errors() -> None:
    table = fitted_table()
    assert table["date"]
    assert table["rows"] > 1500
    assert json.dumps(table)
    limits = {
        ("dense", "left_out_models"): (0.09, 0.14, 0.25, 0.38),
        ("moe", "left_out_models"): (0.13, 0.19, 0.27, 0.38),
        ("dense", "held_out_configurations"): (0.03, 0.05, 0.10, 0.18),
        ("moe", "held_out_configurations"): (0.05, 0.10, 0.12, 0.20),
    }
    for (kind, case), (tpot_median, tpot_mean, ttft_median, ttft_mean) in limits.items():
        errors = table["kinds"][kind]["errors"][case]["all"]
        assert errors["tpot"]["median_ape"] <= tpot_median
        assert errors["tpot"]["mean_ape"] <= tpot_mean
        assert errors["ttft"]["median_ape"] <= ttft_median
        assert errors["ttft"]["mean_ape"] <= ttft_mean


@pytest.mark.skipif(not MEASUREMENTS.exists(), reason="needs the shared measurement files, absent here")
def test_measured_rows_lie_where_the_model_says() -> None:
    with MEASUREMENTS.open() as file:
        rows = [row for row in csv.DictReader(file) if row["system"] == "h200_sxm" and row["mode"] == "agg"]
    rows = [row for row in rows if row["model"] == "meta-llama/Llama-3.1-70B" and row["backend"] == "vllm"]
    engine = engine_of_rows(
        [
            a_row("Llama-3.1-70B", "h200-sxm", "vllm", row["precision"], tp_size=float(row["tp_size"]))
            for row in rows
        ]
    )
    numbers = {
        key: np.array([float(row[key]) for row in rows])
        for key in ("concurrency", "isl_tokens", "osl_tokens")
    }
    ttft, tpot = closed_loop(
        engine,
        concurrency=numbers["concurrency"],
        input_tokens=numbers["isl_tokens"],
        output_tokens=numbers["osl_tokens"],
    )
    for predicted, key, limit in ((tpot, "tpot_ms", 0.06), (ttft, "ttft_ms", 0.20)):
        measured = np.array([float(row[key]) / 1e3 for row in rows])
        assert np.median(np.abs(predicted / measured - 1.0)) < limit
