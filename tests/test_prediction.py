"""Predictions for rows: recognised by their columns, one for one, with intervals, and a reason where there is none."""

from __future__ import annotations

import csv
import itertools
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from advisor.cli import app
from advisor.errors import FileExists, InputError
from advisor.prediction import OUTPUT_COLUMNS, predict, predict_file, predict_stream
from advisor.prediction.names import backend_id, find_chip, find_network, precision_id
from advisor.prediction.rows import CHUNK_ROWS
from advisor.prediction.sizes import sized_model

SERVING = {
    "row_id": "s1", "model": "meta-llama/Llama-3.1-8B-Instruct", "system": "h100_sxm", "backend": "vllm", "precision": "fp8",
    "isl_tokens": 1024, "osl_tokens": 128, "concurrency": 8, "tp_size": 1,
}  # fmt: skip
LOAD = {
    "row_id": "l1", "model": "Qwen/Qwen3-14B", "hardware": "H100", "tp": 1, "precision": "FP16", "gpu_mem_util": 0.9,
    "max_num_batched_tokens": 2048, "rate_from_docs_req_per_s": 5.0, "input_tokens_from_docs": 566,
    "output_tokens_from_docs": 247,
}  # fmt: skip
IMAGES = {
    "row_id": "i1", "model": "resnet50", "device": "NVIDIA RTX 4090 24GB", "precision": "amp", "memory_layout": "nchw",
    "torch_compile_dynamo": "False", "img_size_px": 224, "batch_size": 256, "params_millions": 25.56,
    "gmacs_per_image": 4.11, "macts_millions_per_image": 11.11,
}  # fmt: skip
ACCURACY = {
    "id": "QU-1", "strategy": "quantization", "variant": "int4-w4a16-awq", "model_family": "decoder", "model": "Qwen2.5-7B",
    "params_b": 7.6, "dataset_or_benchmark": "MMLU", "metric_name": "accuracy (%)", "baseline_metric": 74.2,
}  # fmt: skip
BATCHING = {
    "row_id": "b1", "model": "resnet50", "gpu": "NVIDIA T4", "backend": "ONNX Runtime", "backend_accelerator": "TensorRT",
    "precision": "FP16", "max_batch_size": 64, "dynamic_batching_enabled": "True", "instance_count": 1, "concurrency": 64,
}  # fmt: skip
KINDS: dict[str, dict[str, object]] = {
    "batching": BATCHING,
    "serving": SERVING,
    "load": LOAD,
    "images": IMAGES,
    "accuracy": ACCURACY,
}


def one(row: dict[str, object], **changes: object) -> dict[str, Any]:
    return predict([row | changes])[0]


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class TestRows:
    @pytest.mark.parametrize("kind", KINDS)
    def test_every_predicted_number_lies_inside_its_interval(self, kind: str) -> None:
        found = one(KINDS[kind])
        assert "" == found["reason"]
        names = [
            name
            for name in OUTPUT_COLUMNS[kind]
            if not name.endswith(("_p10", "_p90")) or name[:-4] not in OUTPUT_COLUMNS[kind]
        ]
        assert len(OUTPUT_COLUMNS[kind]) == 3 * len(names)
        for name in names:
            assert 0 < found[f"{name}_p10"] < found[name] < found[f"{name}_p90"], name

    def test_rows_of_all_kinds_may_stand_in_any_order_and_keep_their_columns(self) -> None:
        rows = [IMAGES, SERVING, {"nothing": "known"}, ACCURACY, LOAD, SERVING]
        found = predict(rows)
        assert [list(row) for row in rows] == [
            list(out)[: len(row)] for row, out in zip(rows, found, strict=True)
        ]
        assert [row.get("row_id") for row in rows] == [out.get("row_id") for out in found]
        assert [False, False, True, False, False, False] == [bool(out["reason"]) for out in found]
        assert found[1] == found[5]

    def test_a_prediction_does_not_depend_on_the_rows_beside_it(self) -> None:
        rows: list[dict[str, object]] = [
            kind | {"concurrency": count, "batch_size": count, "rate_from_docs_req_per_s": count / 10}
            if kind is not SERVING
            else kind | {"concurrency": count}
            for kind, count in itertools.product((SERVING, LOAD, IMAGES, ACCURACY), (1, 7, 20))
        ]
        shuffled = sorted(range(len(rows)), key=lambda place: place * 7 % len(rows))
        together = predict([rows[place] for place in shuffled])
        alone = [predict([rows[place]])[0] for place in shuffled]
        assert alone == together

    def test_a_given_column_with_the_name_of_a_predicted_one_is_kept_under_another_name(self) -> None:
        found = one(SERVING, ttft_ms=123.0)
        assert 123.0 == found["ttft_ms_given"]
        assert one(SERVING)["ttft_ms"] == found["ttft_ms"]

    def test_numbers_may_be_texts_and_empty_cells_may_be_nan(self) -> None:
        texts = {name: str(value) for name, value in SERVING.items()}
        assert one(SERVING)["tpot_ms"] == one(texts)["tpot_ms"]
        assert (
            one(SERVING)["tpot_ms"] == one(SERVING, moe_ep_size=math.nan, pp_size=None, mode="agg")["tpot_ms"]
        )

    def test_holds_no_more_rows_than_a_chunk(self) -> None:
        asked = itertools.count()
        stream = predict_stream({"n": number} for number in iter(lambda: next(asked), None))
        next(stream)
        assert CHUNK_ROWS == next(asked)

    def test_twice_the_rows_take_about_twice_the_time(self) -> None:
        def seconds(count: int) -> float:
            rows = [SERVING | {"concurrency": 1 + place % 500} for place in range(count)]
            return min(_timed(rows) for _ in range(3))

        predict([SERVING])
        assert seconds(8000) < 4.0 * 2.0 * seconds(2000) + 0.05


def _timed(rows: list[dict[str, object]]) -> float:
    start = time.process_time()
    predict(rows)
    return time.process_time() - start


BAD = [
    ("serving", {"concurrency": -1}, "concurrency is '-1'"),
    ("serving", {"concurrency": 0}, "concurrency is '0'"),
    ("serving", {"concurrency": ""}, "concurrency is missing"),
    ("serving", {"concurrency": math.nan}, "concurrency is missing"),
    ("serving", {"concurrency": "inf"}, "concurrency is 'inf'"),
    ("serving", {"osl_tokens": "1e300"}, "osl_tokens is '1e300'"),
    ("serving", {"osl_tokens": "a few"}, "osl_tokens is 'a few'"),
    ("serving", {"tp_size": -8}, "tp_size is '-8'"),
    ("serving", {"moe_ep_size": -1}, "moe_ep_size is '-1'"),
    ("serving", {"tp_size": 72}, "larger than any that was measured"),
    ("serving", {"model": "nobody/knows"}, "no size is known for model 'nobody/knows'"),
    ("serving", {"model": ""}, "model is missing"),
    ("serving", {"model": "resnet50"}, "does not generate tokens"),
    ("serving", {"model": "meta-llama/Llama-3.1-405B"}, "do not fit"),
    ("serving", {"system": "abacus"}, "chip 'abacus' is not in the catalogue"),
    ("serving", {"system": "tpu-v5e"}, "not a GPU"),
    ("serving", {"backend": "mine"}, "backend 'mine'"),
    ("serving", {"backend": ""}, "backend is missing"),
    ("serving", {"precision": "posit8"}, "precision 'posit8'"),
    ("serving", {"mode": "disagg"}, "only aggregated serving"),
    ("load", {"rate_from_docs_req_per_s": 1e5}, "cannot keep up"),
    ("load", {"rate_from_docs_req_per_s": -2}, "rate_from_docs_req_per_s is '-2'"),
    ("load", {"rate_from_docs_req_per_s": ""}, "rate_from_docs_req_per_s is missing"),
    ("load", {"input_tokens_from_docs": ""}, "input_tokens_from_docs is missing"),
    ("load", {"hardware": "Cray-1"}, "chip 'Cray-1'"),
    ("images", {"device": "Cray-1"}, "device 'Cray-1'"),
    ("images", {"batch_size": 0}, "batch_size is '0'"),
    ("images", {"gmacs_per_image": -4}, "gmacs_per_image is '-4'"),
    ("images", {"precision": "fp128"}, "fp128"),
    ("images", {"model": ""}, "model is missing"),
    ("accuracy", {"strategy": "prayer"}, "strategy is 'prayer'"),
]  # fmt: skip


class TestUnusableRows:
    @pytest.mark.parametrize(("kind", "change", "words"), BAD)
    def test_get_no_number_and_a_reason(self, kind: str, change: dict[str, object], words: str) -> None:
        good, bad = predict([KINDS[kind], KINDS[kind] | change])
        assert words in bad["reason"]
        assert "" == bad["basis"]
        assert [None] * len(OUTPUT_COLUMNS[kind]) == [bad[name] for name in OUTPUT_COLUMNS[kind]]
        assert "" == good["reason"]

    @pytest.mark.parametrize("row", [{}, {"id": 7}, {"model": "gpt"}, {"": "x"}, {"strategy": "pruning"}])
    def test_rows_that_nobody_recognises_say_what_was_expected(self, row: dict[str, object]) -> None:
        assert "expected strategy and variant" in one(row)["reason"]

    def test_long_texts_are_cut_in_reasons(self) -> None:
        assert 200 > len(one(SERVING, model="x" * 100_000)["reason"])

    def test_a_negative_model_size_is_refused_by_name(self) -> None:
        assert (
            "params_b is '-1'; expected a number above 0, or nothing" == one(ACCURACY, params_b=-1)["reason"]
        )

    @settings(max_examples=60, deadline=None)
    @given(data=st.data())
    def test_no_cell_whatever_it_holds_stops_the_others(self, data: st.DataObject) -> None:
        values = st.one_of(
            st.text(max_size=12),
            st.floats(),
            st.integers(),
            st.none(),
            st.sampled_from(["H100", "trtllm", "fp4"]),
        )
        row = dict(data.draw(st.sampled_from(list(KINDS.values()))))
        row |= data.draw(
            st.dictionaries(st.sampled_from([*row, "moe_tp_size", "mode", "params_b"]), values, max_size=4)
        )
        found, good = predict([row, SERVING])
        assert "" == good["reason"]
        numbers = [found[name] for names in OUTPUT_COLUMNS.values() for name in names if name in found]
        assert bool(found["reason"]) == all(number is None for number in numbers)


class TestServing:
    def test_throughput_follows_from_littles_law(self) -> None:
        found = one(SERVING)
        seconds = (found["ttft_ms"] + 127 * found["tpot_ms"]) / 1e3
        assert 8 * 128 / seconds == pytest.approx(found["throughput_tokens_per_s"], rel=1e-5)

    def test_more_requests_in_flight_are_slower_each_and_faster_together(self) -> None:
        found = predict([SERVING | {"concurrency": count} for count in (1, 4, 16, 64, 256)])
        for name, sign in (("tpot_ms", 1), ("ttft_ms", 1), ("throughput_tokens_per_s", 1)):
            values = [row[name] for row in found]
            assert sorted(values) == [sign * value for value in values], name

    def test_a_measured_model_is_calibrated_and_an_unseen_one_is_wider_and_says_so(self) -> None:
        seen, unseen, sized = (
            one(SERVING, model=name) for name in ("Llama-3.1-8B", "Qwen/Qwen3-8B", "nobody/New-8B-Instruct")
        )
        widths = [row["tpot_ms_p90"] / row["tpot_ms_p10"] for row in (seen, unseen, sized)]
        assert sorted(widths) == widths
        assert "calibrated" == seen["basis"]
        assert "extrapolated: Qwen3-8B was not measured" == unseen["basis"]
        assert (
            "extrapolated: the shape of 'nobody/New-8B-Instruct' follows from its size alone"
            == sized["basis"]
        )

    def test_an_unseen_chip_is_wider_and_says_so(self) -> None:
        found = one(SERVING, system="l40s")
        assert "NVIDIA L40S was not measured" in found["basis"]
        known = one(SERVING)
        assert known["tpot_ms_p90"] / known["tpot_ms"] < found["tpot_ms_p90"] / found["tpot_ms"]

    def test_prompts_longer_than_any_measured_are_wider_and_say_so(self) -> None:
        found, known = one(SERVING, isl_tokens=65536), one(SERVING, isl_tokens=8192)
        assert ("calibrated", "extrapolated: prompts longer than 8,192 tokens were not measured") == (
            known["basis"],
            found["basis"],
        )
        assert known["ttft_ms_p90"] / known["ttft_ms"] < found["ttft_ms_p90"] / found["ttft_ms"]

    def test_stated_parameters_stand_in_for_an_unknown_name(self) -> None:
        near = one(SERVING, model="nobody/knows", params_b=8.03)["tpot_ms"]
        assert one(SERVING, model="Qwen/Qwen3-8B")["tpot_ms"] == pytest.approx(near, rel=0.15)

    def test_precision_comes_from_the_name_of_the_checkpoint_where_it_is_not_stated(self) -> None:
        named = one(SERVING, model="RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8", precision="")
        assert one(SERVING)["tpot_ms"] == named["tpot_ms"]


class TestLoad:
    def test_end_to_end_is_about_the_first_token_and_the_others(self) -> None:
        found = one(LOAD)
        whole = found["ttft_mean_ms"] + 246 * found["tpot_mean_ms"]
        assert whole == pytest.approx(found["e2e_mean_ms"], rel=0.02)

    def test_percentiles_are_in_order(self) -> None:
        found = one(LOAD, arrival_cv=1.0)
        for metric in ("ttft", "tpot", "e2e"):
            tail = [found[f"{metric}_{name}_ms"] for name in ("p50", "p90", "p95", "p99")]
            assert sorted(tail) == tail

    def test_a_higher_rate_is_slower(self) -> None:
        rows = predict([LOAD | {"rate_from_docs_req_per_s": rate} for rate in (1, 4, 8, 12)])
        values = [row["e2e_mean_ms"] for row in rows]
        assert sorted(values) == values

    def test_rows_without_a_backend_are_taken_as_vllm(self) -> None:
        assert one(LOAD)["e2e_p99_ms"] == one(LOAD, backend="vLLM")["e2e_p99_ms"]

    def test_evenly_paced_requests_wait_less_than_poisson_ones(self) -> None:
        paced, poisson = one(LOAD), one(LOAD, burstiness=1.0)
        assert paced["ttft_p99_ms"] < poisson["ttft_p99_ms"]

    def test_a_short_run_of_an_overload_is_refused_too(self) -> None:
        found = one(LOAD, rate_from_docs_req_per_s=500, num_prompts=200)
        assert "cannot keep up" in found["reason"]

    def test_lengths_may_be_totals_of_a_run(self) -> None:
        totals: dict[str, object] = {
            "input_tokens_from_docs": "", "output_tokens_from_docs": "", "total_input_tokens": 56600,
            "total_output_tokens": 24700, "completed": 100,
        }  # fmt: skip
        assert one(LOAD)["e2e_mean_ms"] == one(LOAD, **totals)["e2e_mean_ms"]


class TestDeployments:
    @pytest.mark.parametrize("kind", ["serving", "load"])
    @pytest.mark.parametrize("column", ["mode", "disagg_prefill_decode"])
    def test_prompts_and_answers_on_different_replicas_are_refused(self, kind: str, column: str) -> None:
        assert "only aggregated serving" in one(KINDS[kind], **{column: "1p1d"})["reason"]
        assert not one(KINDS[kind], **{column: "False" if column != "mode" else "agg"})["reason"]

    def test_a_precision_nobody_states_is_that_of_the_published_weights_and_said(self) -> None:
        row = SERVING | {"model": "openai/gpt-oss-120b", "system": "h200_sxm", "tp_size": 8}
        found, stated = one(row, precision=""), one(row, precision="fp4")
        assert (found["tpot_ms"], found["basis"]) == (
            stated["tpot_ms"],
            "extrapolated: no precision stated, fp4 taken",
        )
        assert one(SERVING, precision="", model="Qwen/Qwen3-32B-FP8")["basis"] == "calibrated"


class TestImages:
    def test_the_time_of_a_batch_grows_by_the_same_for_each_image(self) -> None:
        rows = predict([IMAGES | {"batch_size": batch} for batch in (10, 20, 30)])
        times = [
            batch / row["throughput_images_per_s"] for batch, row in zip((10, 20, 30), rows, strict=True)
        ]
        assert times[1] - times[0] == pytest.approx(times[2] - times[1], rel=1e-3)

    def test_sizes_come_from_another_row_of_the_same_model(self) -> None:
        cpu: dict[str, object] = {
            name: value
            for name, value in IMAGES.items()
            if name not in {"gmacs_per_image", "macts_millions_per_image"}
        }
        cpu |= {
            "model": "someones_resnet",
            "device": "Intel Core i9-10940X",
            "precision": "fp32",
            "batch_size": 1,
        }
        other = IMAGES | {"model": "someones_resnet"}
        whole = cpu | {"gmacs_per_image": 4.11, "macts_millions_per_image": 11.11}
        assert "gmacs_per_image is missing" in one(cpu)["reason"]
        assert one(whole)["throughput_images_per_s"] == predict([cpu, other])[0]["throughput_images_per_s"]

    def test_a_built_in_model_needs_no_sizes(self) -> None:
        bare = {name: IMAGES[name] for name in ("model", "device", "precision", "batch_size")}
        found = one(bare | {"torch_compile_dynamo": "False", "memory_layout": "nchw"})
        assert one(IMAGES)["throughput_images_per_s"] == pytest.approx(
            found["throughput_images_per_s"], rel=0.05
        )

    def test_an_encoder_needs_the_length_of_its_texts_and_nothing_else(self) -> None:
        row: dict[str, object] = {"model": "bert-base", "gpu": "T4", "precision": "fp16", "batch_size": 8}
        short, long = (one(row, sequence_length=tokens) for tokens in (128, 384))
        assert long["step_time_ms"] > 2.0 * short["step_time_ms"]
        assert short["throughput_images_per_s"] == pytest.approx(8e3 / short["step_time_ms"], rel=1e-4)
        assert "sequence_length is missing" in one(row)["reason"]
        assert "sequence_length is '-3'" in one(row, sequence_length=-3)["reason"]

    def test_rows_written_like_pytorch_s_table_of_a_cpu_are_taken_for_pytorch(self) -> None:
        cpu = {
            name: value
            for name, value in IMAGES.items()
            if name not in {"memory_layout", "torch_compile_dynamo"}
        }
        cpu |= {"device": "Intel Core i9-10940X", "precision": "fp32", "batch_size": 1}
        found, stated = one(cpu), one(cpu, runtime="pytorch-compile")
        assert found["throughput_images_per_s"] == stated["throughput_images_per_s"]
        assert found["throughput_images_per_s_p10"] < stated["throughput_images_per_s_p10"]
        assert "extrapolated: no runtime stated, pytorch-compile taken" == found["basis"]

    def test_an_unseen_gpu_is_wider_and_says_so(self) -> None:
        found, known = one(IMAGES, device="NVIDIA H100 80GB HBM3"), one(IMAGES)
        assert "extrapolated: not measured: h100-sxm" == found["basis"]
        width = [
            row["throughput_images_per_s_p90"] / row["throughput_images_per_s"] for row in (known, found)
        ]
        assert sorted(width) == width


class TestBatching:
    def test_clients_wait_for_as_long_as_their_number_over_what_is_served(self) -> None:
        found = one(BATCHING)
        assert found["latency_avg_ms"] == pytest.approx(64e3 / found["throughput_infer_per_s"], rel=1e-4)
        assert (
            found["latency_p50_ms"]
            <= found["latency_p90_ms"]
            <= found["latency_p95_ms"]
            <= found["latency_p99_ms"]
        )

    def test_without_batching_requests_queue_for_a_batch_of_one_each(self) -> None:
        alone = one(BATCHING, dynamic_batching_enabled="False", concurrency=1)
        many = one(BATCHING, dynamic_batching_enabled="False", concurrency=10)
        outside = 0.3 + 3 * 4 * 224**2 / 2.4e6  # ms: what the server takes beside its queue, and the pixels
        assert many["latency_avg_ms"] == pytest.approx(10.0 * (alone["latency_avg_ms"] - outside), rel=0.03)
        assert one(BATCHING, concurrency=10)["latency_avg_ms"] < many["latency_avg_ms"]

    def test_a_rate_is_served_as_it_comes_or_refused(self) -> None:
        open_loop = BATCHING | {"concurrency": "", "request_rate_per_s": 500}
        assert (
            500.0 == one(open_loop)["throughput_infer_per_s"] == one(open_loop)["throughput_infer_per_s_p10"]
        )
        bursty, calm = (one(open_loop, arrival_cv=cv)["latency_p99_ms"] for cv in (3, 1))
        assert bursty > calm
        assert "cannot keep up with 9000 requests/s" in one(open_loop, request_rate_per_s=9000)["reason"]

    def test_the_path_into_the_server_is_shared_by_all_pixels(self) -> None:
        fast = one(BATCHING, gpu="H100", concurrency=256)
        assert fast["throughput_infer_per_s"] == pytest.approx(2.4e9 / (3 * 4 * 224**2), rel=0.01)

    @pytest.mark.parametrize(
        ("name", "kept", "most"),
        [
            ("nvidia_triton_latency_vs_concurrency.csv", {"ConvNets/triton": ("resnet50", 0), "BERT/triton/large": ("bert-large", 384)}, 0.15),
            ("triton_model_analyzer_sweeps.csv", {"resnet50_libtorch": ("resnet50_libtorch", 0)}, 0.2),
        ],
    )  # fmt: skip
    def test_public_tables_are_predicted_without_a_fit_to_them(
        self, measurements: Path, name: str, kept: dict[str, tuple[str, int]], most: float
    ) -> None:
        rows = [
            row | {"model": model, "sequence_length": tokens or ""}
            for row in read(measurements / name)
            for key, (model, tokens) in kept.items()
            if key in row.get("readme", "") + row.get("run_key_models", "") and row["concurrency"]
        ]
        found = [(row, out) for row, out in zip(rows, predict(rows), strict=True) if not out["reason"]]
        assert len(found) > 100
        for column in ("latency_avg_ms", "latency_p99_ms"):
            values = np.array(
                [[float(row[column]), *(out[f"{column}{end}"] for end in ("", "_p10", "_p90"))] for row, out in found if row[column]]
            )  # fmt: skip
            assert np.median(np.abs(values[:, 1] / values[:, 0] - 1.0)) < most + 0.05 * (
                column != "latency_avg_ms"
            )
            assert ((values[:, 2] <= values[:, 0]) & (values[:, 0] <= values[:, 3])).mean() > 0.75


class TestNames:
    @pytest.mark.parametrize(
        ("name", "chip"),
        [
            ("h100_sxm", "h100-sxm"), ("b200_sxm", "b200"), ("gb200", "gb200"), ("NVIDIA A10G", "a10g"), ("L40S", "l40s"),
            ("8xMI300X", "mi300x"), ("NVIDIA H100 80GB HBM3", "h100-sxm"), ("NVIDIA A100-SXM4-40GB", "a100-sxm-40"),
            ("Tesla T4", "t4"), ("H200 SXM 141GB", "h200-sxm"), ("NVIDIA-GeForce-RTX-4090", "rtx-4090"),
        ],
    )  # fmt: skip
    def test_chips(self, name: str, chip: str) -> None:
        found = find_chip(name)
        assert found is not None
        assert chip == found.id

    def test_backends_and_precisions(self) -> None:
        assert ["trtllm"] * 3 == [backend_id(name) for name in ("trtllm", "TensorRT-LLM", "tensorrt_llm")]
        assert ["fp4", "fp8", "int4", "bf16"] == [
            precision_id(n) for n in ("NVFP4", "fp8_block", "AWQ", "bfloat16")
        ]

    @pytest.mark.parametrize(
        ("name", "network"),
        [
            ("neuralmagic/Llama-3.1-Nemotron-70B-Instruct-HF-FP8-dynamic", "Llama-3.1-70B"),
            ("RedHatAI/Llama-4-Scout-17B-16E-Instruct-FP8-dynamic", "Llama-4-Scout"),
            ("deepseek-ai/DeepSeek-R1-Distill-Qwen-32B", "Qwen2.5-32B"),
            ("casperhansen/llama-3-8b-instruct-awq", "Llama-3.1-8B"),
            ("Qwen/QwQ-32B-Preview", "Qwen2.5-32B"),
        ],
    )
    def test_checkpoints_of_a_known_network(self, name: str, network: str) -> None:
        found = find_network(name)
        assert found is not None
        assert network == found.name

    def test_a_mixture_by_its_size_splits_its_weights(self) -> None:
        found = sized_model("New-30B-A3B", parameters=30e9, active_parameters=3e9)
        assert found is not None
        used = found.experts_per_token / found.experts
        assert 3e9 == pytest.approx(found.dense_parameters + used * found.expert_parameters, rel=1e-6)

    def test_no_size_is_guessed_where_none_is_stated(self) -> None:
        assert sized_model("x", parameters=0.0) is None
        assert sized_model("x", parameters=1e15) is None


class TestFiles:
    def test_a_file_says_what_the_library_says(self, tmp_path: Path) -> None:
        rows = [IMAGES, SERVING, ACCURACY, {"row_id": "u"}, LOAD]
        count = predict_file(write(tmp_path / "points.csv", rows), tmp_path / "out.csv")
        written = read(tmp_path / "out.csv")
        assert (5, 4) == (count.rows, count.predicted)
        assert [str(row.get("row_id", "")) for row in rows] == [row["row_id"] for row in written]
        for expected, actual in zip(predict(rows), written, strict=True):
            for name, value in expected.items():
                assert ("" if value is None else str(value)) == actual[name], name

    def test_an_index_column_without_a_name_and_a_byte_order_mark_pass_through(self, tmp_path: Path) -> None:
        text = "\ufeff,strategy,variant,model_family\r\n0,pruning,structured-2of4,decoder\r\n"
        (tmp_path / "points.csv").write_text(text, encoding="utf-8", newline="")
        predict_file(tmp_path / "points.csv", tmp_path / "out.csv")
        assert "0" == read(tmp_path / "out.csv")[0][""]

    def test_cells_too_many_or_too_few_stop_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "p.csv").write_text("model,isl_tokens\nx\nx,1,2,3\n\n", encoding="utf-8")
        predict_file(tmp_path / "p.csv", tmp_path / "out.csv")
        assert 2 == len(read(tmp_path / "out.csv"))

    def test_nothing_is_overwritten_unless_forced(self, tmp_path: Path) -> None:
        points = write(tmp_path / "points.csv", [SERVING])
        predict_file(points, tmp_path / "out.csv")
        first = (tmp_path / "out.csv").read_bytes()
        with pytest.raises(FileExists, match="--force"):
            predict_file(points, tmp_path / "out.csv")
        predict_file(points, tmp_path / "out.csv", force=True)
        assert first == (tmp_path / "out.csv").read_bytes()
        predict_file(points, points, force=True)
        assert "tpot_ms" in read(points)[0]

    @pytest.mark.parametrize("content", [b"", b"\n", b"a,a\n1,2\n", b"model\n\xff\xfe\n"])
    def test_what_is_no_table_is_refused_and_leaves_nothing_behind(
        self, tmp_path: Path, content: bytes
    ) -> None:
        (tmp_path / "p.csv").write_bytes(content)
        with pytest.raises(InputError):
            predict_file(tmp_path / "p.csv", tmp_path / "out.csv")
        assert ["p.csv"] == [path.name for path in tmp_path.iterdir()]

    def test_the_command_writes_the_file_and_says_how_many(self, tmp_path: Path) -> None:
        points = write(tmp_path / "points.csv", [SERVING, SERVING | {"system": "abacus"}])
        done = CliRunner().invoke(app, ["predict", str(points), "-o", str(tmp_path / "out.csv")])
        assert 0 == done.exit_code, done.output
        assert "1 of 2 rows predicted" in done.stderr
        assert "abacus" in done.stderr
        printed = CliRunner().invoke(app, ["predict", str(points)])
        assert (tmp_path / "out.csv").read_text(encoding="utf-8") == printed.stdout

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="nowhere"):
            predict_file(tmp_path / "nowhere.csv", tmp_path / "out.csv")


MEASURED = [
    ("vllm_serving_groundtruth_sim2real.csv", "e2e_mean_ms", "e2e_mean_ms", 0.12),
    ("vllm_serving_groundtruth_sim2real.csv", "e2e_p99_ms", "e2e_p99_ms", 0.18),
    ("vllm_serving_groundtruth_sim2real.csv", "ttft_mean_ms", "ttft_mean_ms", 0.25),
    ("trtllm_online_serving_vs_qps.csv", "mean_ttft_ms", "ttft_mean_ms", 0.2),
    ("timm_inference_benchmarks.csv", "throughput_images_per_s", "throughput_images_per_s", 0.1),
]


@pytest.mark.parametrize(("name", "measured", "column", "most"), MEASURED)
def test_rows_of_public_tables_are_predicted_as_they_are(
    measurements: Path, name: str, measured: str, column: str, most: float
) -> None:
    rows = read(measurements / name)[:: 7 if name.startswith("timm") else 1]
    found = [
        (float(row[measured]), out) for row, out in zip(rows, predict(rows), strict=True) if not out["reason"]
    ]
    assert len(found) >= 20
    values = np.array(
        [[value, out[column], out[f"{column}_p10"], out[f"{column}_p90"]] for value, out in found],
        dtype=float,
    )
    assert np.median(np.abs(values[:, 1] / values[:, 0] - 1.0)) <= most
    inside = (values[:, 0] >= values[:, 2]) & (values[:, 0] <= values[:, 3])
    assert 0.72 <= inside.mean()
