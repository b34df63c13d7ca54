"""Own benchmark files become a calibration: every format, what a few points teach, and what no file may break."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from advisor import Calibration, InputError, Requirements, Stated, Workload, calibrate, recommend
from advisor.calibrating import as_yaml, fitting, read_results, summary
from advisor.calibration import DecoderFactors
from advisor.checking import check
from advisor.cli import app
from advisor.performance.continuous_state import ContinuousBatching, StepCurve
from advisor.prediction import predict

H100 = Stated(accelerator="h100-sxm", runtime="vllm", precision="bf16")
ROW = {
    "model": "meta-llama/Llama-3.1-8B-Instruct",
    "system": "h100-sxm",
    "backend": "vllm",
    "precision": "bf16",
    "isl_tokens": 1000,
    "osl_tokens": 300,
}
CNN = {
    "model": "resnet50",
    "device": "t4",
    "precision": "fp16",
    "runtime": "tensorrt",
}


def shipped(concurrency: float, **changes: Any) -> tuple[float, float]:
    """TTFT and TPOT in ms as predicted without a calibration."""
    (found,) = predict([ROW | {"concurrency": concurrency} | changes])
    return float(str(found["ttft_ms"])), float(str(found["tpot_ms"]))


def vllm(concurrency: int, ttft_ms: float, tpot_ms: float, **changes: Any) -> dict[str, Any]:
    """One object of `vllm bench serve --save-result`."""
    whole_s = (ttft_ms + 299 * tpot_ms) / 1e3
    requests = 40 * concurrency
    return {
        "date": "20261120-101112",
        "endpoint_type": "openai-chat",
        "backend": "openai-chat",
        "model_id": ROW["model"],
        "num_prompts": requests,
        "request_rate": "inf",
        "burstiness": 1.0,
        "max_concurrency": concurrency,
        "duration": requests * whole_s / concurrency,
        "completed": requests,
        "failed": 0,
        "total_input_tokens": 1000 * requests,
        "total_output_tokens": 300 * requests,
        "request_throughput": concurrency / whole_s,
        "mean_ttft_ms": ttft_ms,
        "mean_tpot_ms": tpot_ms,
        **changes,
    }


def slower(concurrency: int, ratio: float = 1.3, **changes: Any) -> dict[str, Any]:
    """A run that takes so many times what is predicted."""
    ttft, tpot = shipped(concurrency)
    return vllm(concurrency, ratio * ttft, ratio * tpot, **changes)


def written(folder: Path, *objects: dict[str, Any]) -> list[Path]:
    paths = [folder / f"run{number}.json" for number in range(len(objects))]
    for path, found in zip(paths, objects, strict=True):
        path.write_text(json.dumps(found))
    return paths


def ratios(calibration: Calibration) -> dict[str, float]:
    (engine,) = calibration.engines
    return {name: factor.ratio for name, factor in engine.factors.items()}


def spreads(calibration: Calibration) -> dict[str, float]:
    (engine,) = calibration.engines
    return {name: factor.log_sigma / factor.prior_log_sigma for name, factor in engine.factors.items()}


class TestFormats:
    def one(self, path: Path) -> tuple[str, dict[str, Any]]:
        found = read_results(path)
        (run,) = found.runs
        assert not run.refused
        return found.format, {name: value for name, value in run.row.items() if value not in {None, ""}}

    def test_vllm_says_lengths_concurrency_and_times(self, tmp_path: Path) -> None:
        (path,) = written(tmp_path, vllm(8, 90.0, 9.5))
        name, row = self.one(path)
        assert name == "vllm bench serve"
        assert (1000.0, 300.0, 90.0, 9.5) == tuple(
            row[key] for key in ("isl_tokens", "osl_tokens", "ttft_ms", "tpot_ms")
        )
        assert row["concurrency"] == pytest.approx(8.0)

    def test_vllm_appended_results_are_runs_of_their_own(self, tmp_path: Path) -> None:
        path = tmp_path / "both.json"
        path.write_text("\n".join(json.dumps(slower(number)) for number in (4, 64)))
        assert len(read_results(path).runs) == 2

    def test_vllm_at_a_rate_is_a_run_under_a_rate(self, tmp_path: Path) -> None:
        (path,) = written(
            tmp_path, vllm(8, 50.0, 9.0, request_rate=2.0, max_concurrency=None, request_throughput=1.96)
        )
        _, row = self.one(path)
        assert (2.0, 50.0, 9.0) == (row["request_rate"], row["ttft_mean_ms"], row["tpot_mean_ms"])

    def test_vllm_metadata_of_the_user_says_the_chip(self, tmp_path: Path) -> None:
        (path,) = written(tmp_path, slower(8, gpu="H100", precision="bf16", tp=1, backend="vllm"))
        assert calibrate(path).engines[0].accelerator == "h100-sxm"

    def test_guidellm_is_read_strategy_by_strategy(self, tmp_path: Path) -> None:
        def of(**means: float) -> dict[str, Any]:
            return {name: {"successful": {"mean": value}} for name, value in means.items()}

        def benchmark(strategy: dict[str, Any]) -> dict[str, Any]:
            metrics = of(
                time_to_first_token_ms=80.0,
                inter_token_latency_ms=9.0,
                request_latency=2.771,
                prompt_token_count=1000.0,
                output_token_count=300.0,
                requests_per_second=3.0,
            )
            metrics["request_totals"] = {"successful": 400, "errored": 0}
            backend = {"model": ROW["model"]}
            return {
                "config": {"strategy": strategy, "backend": backend},
                "metrics": metrics,
                "start_time": 1763600000.0,
            }

        report = {
            "metadata": {"version": 2, "guidellm_version": "0.8.1"},
            "benchmarks": [
                benchmark({"type_": "concurrent", "streams": 8}),
                benchmark({"type_": "constant", "rate": 3.0}),
                benchmark({"type_": "throughput"}),
            ],
        }
        (path,) = written(tmp_path, report)
        found = read_results(path)
        at_once = found.runs[2]
        assert found.format == "guidellm"
        assert found.runs[0].row["concurrency"] == pytest.approx(8.0)
        assert found.runs[0].day == "2025-11-20"
        assert found.runs[1].row["request_rate"] == 3.0
        assert found.runs[1].row["load_type"] == "constant"
        assert "at once" in at_once.refused

    def test_aiperf_units_are_those_the_file_states(self, tmp_path: Path) -> None:
        summary_of = {
            "schema_version": "1.4",
            "aiperf_version": "0.13.0",
            "time_to_first_token": {"unit": "s", "avg": 0.09},
            "inter_token_latency": {"unit": "ms", "avg": 9.5},
            "request_latency": {"unit": "ms", "avg": 2930.5},
            "input_sequence_length": {"unit": "tokens", "avg": 1000},
            "output_sequence_length": {"unit": "tokens", "avg": 300},
            "request_throughput": {"unit": "requests/sec", "avg": 2.73},
            "request_count": {"unit": "requests", "avg": 400},
            "start_time": "2026-11-20T08:00:00",
            "input_config": {"endpoint": {"model_names": [ROW["model"]]}, "loadgen": {"concurrency": 8}},
        }
        (path,) = written(tmp_path, summary_of)
        name, row = self.one(path)
        assert name == "aiperf"
        assert (90.0, ROW["model"]) == (row["ttft_ms"], row["model"])
        assert row["concurrency"] == pytest.approx(8.0)

    def test_genai_perf_hides_its_load_deeper(self, tmp_path: Path) -> None:
        found = {
            "time_to_first_token": {"unit": "ms", "avg": 90.0},
            "inter_token_latency": {"unit": "ms", "avg": 9.5},
            "request_latency": {"unit": "ms", "avg": 2930.5},
            "input_sequence_length": {"avg": 1000},
            "output_sequence_length": {"avg": 300},
            "input_config": {"model": [ROW["model"]], "perf_analyzer": {"stimulus": {"concurrency": 4}}},
        }
        (path,) = written(tmp_path, found)
        name, row = self.one(path)
        assert (name, row["concurrency"], row["model"]) == ("genai-perf", 4.0, ROW["model"])

    def test_the_csv_of_aiperf_states_no_load_so_littles_law_does(self, tmp_path: Path) -> None:
        path = tmp_path / "profile_export_aiperf.csv"
        path.write_text(
            "Metric,avg,min,max,p99,std\n"
            "Time to First Token (ms),90.0,80,120,110,5\n"
            "Inter Token Latency (ms),9.5,9,11,10.5,0.2\n"
            'Request Latency (ms),"2,930.5",2800,3100,3050,40\n'
            "Input Sequence Length (tokens),1000,1000,1000,1000,0\n"
            "Output Sequence Length (tokens),300,300,300,300,0\n"
            "\nMetric,Value\nRequest Throughput (requests/sec),2.0\nRequest Count,400\n"
        )
        name, row = self.one(path)
        assert name == "aiperf CSV"
        assert row["concurrency"] == pytest.approx(2.0 * 2.9305)

    @pytest.mark.parametrize("version", ["0.1", "0.2"])
    def test_a_report_of_llm_d_says_chip_and_parallelism(self, tmp_path: Path, version: str) -> None:
        latency = {
            "time_to_first_token": {"units": "ms", "mean": 90.0},
            "time_per_output_token": {"units": "ms/token", "mean": 9.5},
            "request_latency": {"units": "s", "mean": 2.9305},
        }
        counts = {
            "total": 100,
            "failures": 0,
            "input_length": {"units": "count", "mean": 1000.0},
            "output_length": {"units": "count", "mean": 300.0},
        }
        accelerator = {"model": "H100", "count": 2, "parallelism": {"tp": 2}}
        first = {
            "version": "0.1",
            "scenario": {
                "model": {"name": ROW["model"], "quantization": "fp16"},
                "host": {"type": ["replica"], "accelerator": [accelerator]},
                "platform": {"engine": [{"name": "vllm"}]},
                "load": {"name": "vllm-benchmark", "args": {"max_concurrency": 8}},
            },
            "metrics": {
                "time": {"duration": 60.0, "start": 1763600000.0},
                "requests": counts,
                "latency": latency,
                "throughput": {"requests_per_sec": 2.73},
            },
        }
        second = {
            "version": "0.2",
            "run": {"uid": "u", "time": {"start": "2025-11-20T08:00:00Z"}},
            "scenario": {
                "stack": [
                    {"standardized": {"kind": "router", "tool": "epp"}},
                    {
                        "standardized": {
                            "kind": "inference_engine",
                            "tool": "vllm",
                            "role": "replica",
                            "model": {"name": ROW["model"], "quantization": "fp16"},
                            "accelerator": accelerator,
                        }
                    },
                ],
                "load": {"standardized": {"concurrency": 8}},
            },
            "results": {
                "request_performance": {
                    "aggregate": {
                        "latency": latency,
                        "requests": counts,
                        "throughput": {"request_rate": {"mean": 2.73}},
                    }
                }
            },
        }
        path = tmp_path / "report.yaml"
        path.write_text(yaml.safe_dump(first if version == "0.1" else second))
        name, row = self.one(path)
        assert name == f"llm-d-benchmark report {version}"
        assert ("H100", "2", "vllm", "fp16") == tuple(
            row[key] for key in ("system", "tp_size", "backend", "precision")
        )
        assert row["concurrency"] == pytest.approx(8.0)
        assert calibrate(path).engines[0].accelerators_per_replica == (2,)

    def test_perf_analyzer_says_how_many_items_were_computed_together(self, tmp_path: Path) -> None:
        path = tmp_path / "perf.csv"
        path.write_text(
            "Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute Input,"
            "Server Compute Infer,Server Compute Output,Client Recv,p50 latency,p90 latency,p95 latency,p99 latency\n"
            "1,500,68,291,30,50,1600,50,7,2212,2289,2328,2407\n"
            "32,2000,68,291,3000,100,7850,50,7,8212,8289,8328,8407\n"
        )
        found = calibrate(path, stated=Stated("resnet50", "t4", "tensorrt", "fp16"))
        (engine,) = found.engines
        assert ("pass", "t4", "tensorrt", "fp16", 2) == (
            engine.kind,
            engine.accelerator,
            engine.runtime,
            engine.precision,
            engine.runs,
        )
        moved, asked = (
            predict([CNN | {"batch_size": 16}], one)[0]["throughput_images_per_s"] for one in (found, None)
        )
        measured = 2000.0  # 16 items = 2000/s x 8 ms
        assert abs(math.log(float(str(moved)) / measured)) < abs(math.log(float(str(asked)) / measured))

    def test_model_analyzer_needs_compute_times_beyond_one_client(self, tmp_path: Path) -> None:
        path = tmp_path / "metrics-model-inference.csv"
        path.write_text(
            "Model,Batch,Concurrency,Model Config Path,Instance Group,Satisfies Constraints,"
            "Throughput (infer/sec),p99 Latency (ms)\n"
            "resnet50,1,2,resnet50_config_0,1:GPU,Yes,700.0,11.0\n"
            "resnet50,1,1,resnet50_config_0,1:GPU,Yes,520.0,8.1\n"
        )
        found = calibrate(path, stated=Stated("", "t4", "tensorrt", "fp16"))
        assert found.engines[0].runs == 1
        assert "took together" in found.set_aside[0].reason

    def test_an_mlperf_summary_counts_when_it_is_valid(self, tmp_path: Path) -> None:
        text = (
            "================================================\nMLPerf Results Summary\n"
            "================================================\nSUT name : PySUT\nScenario : Offline\n"
            "Mode     : PerformanceOnly\nSamples per second: 3600.5\nResult is : VALID\n"
            "  Min duration satisfied : Yes\n\nAdditional Stats\nMean latency (ns) : 16325180169\n"
        )
        path = tmp_path / "mlperf_log_summary.txt"
        path.write_text(text)
        stated = Stated("resnet50", "t4", "tensorrt", "fp16", batch_size=32)
        assert calibrate(path, stated=stated).engines[0].errors["throughput_images_per_s"].runs == 1
        path.write_text(text.replace("VALID", "INVALID"))
        with pytest.raises(InputError, match="invalid"):
            calibrate(path, stated=stated)

    def test_rows_of_predict_with_measured_columns_count_too(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.csv"
        row = ROW | {"concurrency": 8, "ttft_ms": 70.0, "tpot_ms": 7.5}
        path.write_text(",".join(row) + "\n" + ",".join(map(str, row.values())) + "\n")
        assert calibrate(path).sources[0].format == "rows of advisor"


class TestHostileFiles:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "no tool"),
            ("{", "not JSON"),
            ("[" * 100_000, "not JSON"),
            ('{"a": 1}', "no tool"),
            ("a,b\n1,2\n", "no tool"),
            ("just words", "no tool"),
            ('{"request_throughput": "x", "mean_ttft_ms": [], "max_concurrency": {}}', "neither"),
            ('{"benchmarks": [{"metrics": 7}]}', "neither"),
            ('{"request_latency": {"avg": 1e400, "unit": "parsecs"}}', "neither"),
            ("Concurrency,Inferences/Second\n1,-5\n", "inferences per second"),
        ],
    )
    def test_is_refused_in_words(self, tmp_path: Path, text: str, words: str) -> None:
        path = tmp_path / "hostile.json"
        path.write_text(text)
        with pytest.raises(InputError, match=words):
            calibrate(path, stated=H100)

    def test_is_not_read_when_it_is_huge(self, tmp_path: Path) -> None:
        path = tmp_path / "huge.json"
        with path.open("wb") as file:
            file.truncate(33_000_000)
        with pytest.raises(InputError, match="larger than"):
            calibrate(path)

    def test_that_is_no_text_or_not_there_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
        for path in (tmp_path / "binary", tmp_path / "missing.json", tmp_path):
            with pytest.raises(InputError):
                calibrate(path)

    @given(st.recursive(st.none() | st.floats() | st.text(max_size=8) | st.integers(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["metrics", "mean", "successful", "config", "avg", "unit", "strategy"]), inner, max_size=3), max_leaves=12))  # fmt: skip
    @settings(max_examples=25, deadline=None)
    def test_ends_in_words_whatever_lies_in_the_fields(
        self, tmp_path_factory: pytest.TempPathFactory, junk: Any
    ) -> None:
        path = tmp_path_factory.mktemp("junk") / "results.json"
        for found in (
            slower(4) | {"mean_tpot_ms": junk, "max_concurrency": junk, "date": junk},
            {"benchmarks": [{"metrics": junk, "config": junk}]},
            {"request_latency": {"avg": junk, "unit": junk}, "input_config": junk},
            {"version": junk, "scenario": junk, "metrics": junk},
        ):
            path.write_text(json.dumps(found))
            with contextlib.suppress(InputError):
                calibrate(path, stated=H100)


class TestWhatRunsTeach:
    def test_two_runs_that_take_longer_move_predictions_towards_them(self, tmp_path: Path) -> None:
        found = calibrate(written(tmp_path, slower(4), slower(64)), stated=H100)
        before, after = shipped(16), predict([ROW | {"concurrency": 16}], found)[0]
        assert before[1] * 1.07 < float(str(after["tpot_ms"])) < before[1] * 1.35
        assert float(str(after["ttft_ms"])) > before[0] * 1.05

    def test_two_runs_that_agree_outweigh_the_shipped_fit_and_one_alone_does_not(
        self, tmp_path: Path
    ) -> None:
        """Everything takes 1.6 times as long: two runs are believed, and one moves the prediction in their direction."""
        one, two = (
            ratios(calibrate(written(tmp_path, *runs), stated=H100))["step"]
            for runs in ([slower(4, 1.6)], [slower(4, 1.6), slower(64, 1.6)])
        )
        assert 1.0 < one <= two
        assert two == pytest.approx(1.6, rel=0.12)

    def test_two_runs_fit_step_time_against_batch(self, tmp_path: Path) -> None:
        """The constant is as predicted, each further sequence costs half as much again."""
        alone, (ttft, tpot) = shipped(1)[1], shipped(128)
        steep = vllm(128, ttft, alone + 1.5 * (tpot - alone))
        found = ratios(calibrate(written(tmp_path, vllm(1, *shipped(1)), steep), stated=H100))
        assert found["step"] == pytest.approx(1.0, abs=0.06)
        assert found["sequence"] > 1.03

    def test_a_run_that_is_as_predicted_changes_nothing_and_narrows(self, tmp_path: Path) -> None:
        found = calibrate(written(tmp_path, vllm(16, *shipped(16))), stated=H100)
        assert all(ratio == pytest.approx(1.0, abs=2e-3) for ratio in ratios(found).values())
        assert spreads(found)["step"] < 0.9
        before, after = (predict([ROW | {"concurrency": 16}], one)[0] for one in (None, found))
        widths = [float(str(row["tpot_ms_p90"])) / float(str(row["tpot_ms_p10"])) for row in (before, after)]
        assert widths[1] < widths[0]

    def test_the_order_of_files_does_not_matter_nor_a_file_given_twice(self, tmp_path: Path) -> None:
        paths = written(tmp_path, slower(4), slower(64, 1.1), slower(16, 1.2))
        found = calibrate(paths, stated=H100)
        assert calibrate([*reversed(paths), paths[0]], stated=H100) == found

    def test_one_absurd_file_is_set_aside_and_moves_nothing(self, tmp_path: Path) -> None:
        good, absurd = [slower(4), slower(64)], slower(16, 1000.0)
        with_it = calibrate(written(tmp_path, *good, absurd), stated=H100)
        assert ratios(with_it) == ratios(calibrate(written(tmp_path, *good), stated=H100))
        assert "1,000 times above" in with_it.set_aside[0].reason

    def test_one_contradictory_file_hardly_moves_what_others_say(self, tmp_path: Path) -> None:
        good = [slower(number, 1.0) for number in (2, 8, 32)]
        alone = calibrate(written(tmp_path, *good), stated=H100)
        against = calibrate(written(tmp_path, *good, slower(9, 2.5)), stated=H100)
        for name, ratio in ratios(alone).items():
            assert ratios(against)[name] == pytest.approx(ratio, rel=0.05)

    @given(st.lists(st.tuples(st.sampled_from([1, 4, 16, 64]), st.floats(0.3, 3.5)), min_size=1, max_size=4))
    @settings(max_examples=6, deadline=None)
    def test_no_files_can_make_it_less_sure_than_before_or_run_away(
        self, tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[int, float]]
    ) -> None:
        folder = tmp_path_factory.mktemp("runs")
        try:
            found = calibrate(written(folder, *(slower(*run) for run in runs)), stated=H100)
        except InputError:
            return
        assert all(0.25 < ratio < 4.0 for ratio in ratios(found).values())
        assert all(spread <= 1.0 + 1e-3 for spread in spreads(found).values())
        for concurrency in (1, 200):
            before, after = (predict([ROW | {"concurrency": concurrency}], one)[0] for one in (None, found))
            low, high = ("ttft_ms_p10", "ttft_ms_p90")
            assert float(str(after[high])) / float(str(after[low])) <= 1.001 * float(
                str(before[high])
            ) / float(str(before[low]))

    def test_a_rate_beyond_what_was_thought_possible_teaches_the_time_per_token(self, tmp_path: Path) -> None:
        """A machine that carries what is predicted to overload it is faster than predicted."""
        fast = vllm(
            256,
            200.0,
            20.0,
            request_rate=60.0,
            max_concurrency=None,
            request_throughput=59.0,
            total_output_tokens=40 * 256 * 300,
        )
        found = calibrate(written(tmp_path, fast), stated=H100)
        assert tuple(found.engines[0].errors) == ("tpot_ms",)


class TestDocument:
    def test_is_yaml_that_loads_to_the_same(self, tmp_path: Path) -> None:
        found = calibrate(written(tmp_path, slower(4), slower(64)), stated=H100)
        path = tmp_path / "calibration.yaml"
        path.write_text(as_yaml(found))
        assert Calibration.load(path) == found
        assert found.engines[0].dates == ("2026-11-20",)
        assert [source.file for source in found.sources] == ["run0.json", "run1.json"]

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            ("      ratio: ", "      ratio: 1e9 # ", "less than 50"),
            ("prefill:", "prefil:", "expected step, sequence, prefill, first_token"),
            ("kind: decoder", "kind: pass", "expected fixed, item"),
            ("- [1.0,", "- [0.9,", "diagonal"),
            ("model: ", "modell: ", "modell"),
        ],
    )
    def test_refuses_what_cannot_be_in_words(self, tmp_path: Path, old: str, new: str, words: str) -> None:
        path = tmp_path / "calibration.yaml"
        text = as_yaml(calibrate(written(tmp_path, slower(4)), stated=H100))
        path.write_text(text.replace(old, new, 1))
        with pytest.raises(InputError, match=words):
            Calibration.load(path)

    def test_says_in_a_few_lines_what_was_learnt(self, tmp_path: Path) -> None:
        lines = list(summary(calibrate(written(tmp_path, slower(4), slower(64, failed=9e9)), stated=H100)))
        assert lines[0] == "run0.json: vllm bench serve, 1 of 1 runs used"
        assert any("a decode step: 1." in line for line in lines)
        assert "requests failed" in lines[-1]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Calibration:
    rows = [
        {
            "model": "Llama-3.1-70B",
            "concurrency": number,
            "tp_size": 4,
            "isl_tokens": 1000,
            "osl_tokens": 300,
        }
        for number in (4, 64)
    ]
    found = predict([ROW | row for row in rows])
    runs = [
        vllm(
            number,
            1.25 * float(str(row["ttft_ms"])),
            1.25 * float(str(row["tpot_ms"])),
            model_id="/models/our-llama",
        )
        for number, row in zip((4, 64), found, strict=True)
    ]
    return calibrate(written(tmp_path_factory.mktemp("runs"), *runs), workload="large-llm")


class TestRecommendation:
    """The built-in large model on H100 at bf16 with vLLM is what serves today."""

    LIMITS = Requirements(max_accuracy_loss="1%", only=("batching", "accelerators"))

    def test_a_slower_machine_makes_the_plan_slower_or_dearer_and_the_report_names_the_runs(
        self, measured: Calibration
    ) -> None:
        before = recommend("large-llm", self.LIMITS)
        after = recommend("large-llm", self.LIMITS, calibration=measured)
        assert before.plan is not None
        assert after.baseline.services[0].calibration.startswith(
            "calibrated on 2 runs of yours of 2026-11-20"
        )
        slow, slower_now = (
            next(
                check_.predicted_s
                for check_ in one.baseline.services[0].latencies
                if check_.metric == "tpot_p50"
            )
            for one in (before, after)
        )
        assert (slow or 0.0) * 1.03 < (slower_now or 0.0)
        (note,) = after.calibrations
        assert "Llama-3.1-70B, vllm, h100-sxm, bf16" in note.text
        if after.plan is not None:
            from advisor.report import render_markdown, write_html

            assert note.applies_to == "plan"
            assert after.plan.cost_usd_per_month >= before.plan.cost_usd_per_month - 1e-6
            assert "2 runs of yours" in render_markdown(after)
            assert callable(write_html)

    def test_what_does_not_apply_changes_nothing_and_says_so(self, measured: Calibration) -> None:
        own = Requirements(max_accuracy_loss="1%")
        before = recommend("medium-transformer", own)
        after = recommend("medium-transformer", own, calibration=measured)
        assert (before.plan, before.baseline) == (after.plan, after.baseline)
        assert "changes nothing here" in after.calibrations[0].text

    def test_another_precision_is_predicted_as_shipped(self, measured: Calibration) -> None:
        row = ROW | {"model": "Llama-3.1-70B", "concurrency": 16, "tp_size": 4, "precision": "fp8"}
        assert predict([row]) == predict([row], measured)

    def test_a_stored_plan_is_checked_with_the_calibration_of_today(self, measured: Calibration) -> None:
        plan = recommend("large-llm", self.LIMITS, calibration=measured)
        if plan.plan is None:
            pytest.skip("the slower machine keeps no limit")
        assert check(plan, calibration=measured).status == "best"
        assert any("--calibration" in note for note in check(plan).notes)

    def test_the_workload_answers_for_a_model_that_is_called_by_its_path(self, measured: Calibration) -> None:
        assert measured.engines[0].model == Workload.load("large-llm").model.name


class TestCommandLine:
    def test_two_files_become_a_calibration_that_moves_predictions(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        written(tmp_path, slower(4), slower(64))
        options = ["--accelerator", "h100", "--runtime", "vllm", "--precision", "bf16", "-o", "c.yaml"]
        done = CliRunner().invoke(app, ["calibrate", "run0.json", "run1.json", *options])
        assert done.exit_code == 0
        assert "1 of 1 runs used" in done.stderr
        (tmp_path / "points.csv").write_text(
            ",".join(map(str, ROW)) + ",concurrency\n" + ",".join(map(str, ROW.values())) + ",16\n"
        )
        moved, before = (
            CliRunner().invoke(app, ["predict", "points.csv", *more]).stdout
            for more in (["--calibration", "c.yaml"], [])
        )
        assert moved != before
        assert "calibrated on 2 runs of yours of 2026-11-20" in moved

    def test_an_existing_file_stays_and_an_unknown_chip_is_named(self, tmp_path: Path) -> None:
        (path,) = written(tmp_path, slower(4))
        kept = tmp_path / "c.yaml"
        kept.write_text("mine")
        for options, words in (
            (["--accelerator", "h100", "-o", str(kept)], "already exists"),
            (["--accelerator", "abacus"], "no accelerator 'abacus'"),
        ):
            done = CliRunner().invoke(app, ["calibrate", str(path), *options])
            assert words in str(done.exception)
        assert kept.read_text() == "mine"

    def test_the_schema_says_what_a_calibration_may_hold(self) -> None:
        done = CliRunner().invoke(app, ["schema", "calibration"])
        assert {"engines", "sources", "set_aside"} <= set(json.loads(done.stdout)["properties"])


def test_the_factors_scale_the_parts_of_a_queue() -> None:
    """One sequence 10 ms, eleven 20 ms; the step 1.2 times, what sequences add twice: 12 ms, 1.2 x (10 + 2 x 10) ms."""
    queue = ContinuousBatching(
        StepCurve((1.0, 11.0), (0.010, 0.020)), prefill_s=0.1, output_tokens=10.0, first_token_s=0.005
    )
    found = DecoderFactors(step=1.2, sequence=2.0, prefill=1.5, first_token=3.0).on_queue(queue)
    assert found.step.step_s == pytest.approx((0.012, 0.036))
    assert (found.prefill_s, found.first_token_s) == pytest.approx((0.15, 0.015))


def test_prior_and_measurements_meet_where_their_precisions_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """With normal errors, 1 against three measurements of 1.2 as sure as the prior: 1.2 ** (3 / 4), deviation 0.1 / 2."""
    monkeypatch.setattr(fitting, "FREEDOM", 1e12)
    found = fitting.posterior(
        lambda theta: np.repeat(theta, 3, axis=1),
        np.log(np.full(3, 1.2)),
        log_sigma=np.full(3, 0.1),
        prior_log_sigma=np.array([0.1]),
    )
    assert math.exp(found.log_factors[0]) == pytest.approx(1.2**0.75)
    assert math.sqrt(found.covariance[0, 0]) == pytest.approx(0.05)


def test_no_measurements_are_the_prior() -> None:
    found = fitting.posterior(
        lambda theta: np.zeros((len(theta), 0)),
        np.zeros(0),
        log_sigma=np.zeros(0),
        prior_log_sigma=np.array([0.1, 0.3]),
    )
    assert found.log_factors.tolist() == [0.0, 0.0]
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx([0.1, 0.3])
