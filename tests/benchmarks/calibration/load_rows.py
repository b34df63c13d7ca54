"""Measured rows of language models under offered rates, tidied for the fit; latencies in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from advisor.catalog import Catalog
from advisor.models import find_model

MEASUREMENTS = Path(__file__).resolve().parents[4] / "shared" / "measurements"
STATISTICS = ("mean", "p50", "p90", "p95", "p99")
NAMES = tuple(f"{metric}_{statistic}" for metric in ("ttft", "tpot", "e2e") for statistic in STATISTICS)
SHAREGPT_CV = (1.1, 0.9)
"""Assumed spread of ShareGPT prompts and answers, as vLLM's benchmark samples them."""
_CHIPS = {
    "H100": "h100-sxm",
    "A100-80GB": "a100-sxm-80",
    "H100 SXM 80GB": "h100-sxm",
    "H200 SXM 141GB": "h200-sxm",
    "NVIDIA-H100-PCIe": "h100-pcie",
}
_SAME_SHAPE = {
    "RedHatAI/Llama-4-Scout-17B-16E-Instruct-FP8-dynamic": "Llama-4-Scout",
    "LLaMA 3.1 70B": "Llama-3.1-70B",
    "LLaMA 3.1 8B": "Llama-3.1-8B",
    "deepseek-ai/DeepSeek-R1-Distill-Llama-8B": "Llama-3.1-8B",
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B": "Qwen2.5-1.5B",
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B": "Qwen2.5-7B",
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B": "Qwen2.5-32B",
    "Qwen/QwQ-32B-Preview": "Qwen2.5-32B",
    "meta-llama/Meta-Llama-3-70B-Instruct": "Llama-3.1-70B",
    "neuralmagic/Llama-3.1-Nemotron-70B-Instruct-HF-FP8-dynamic": "Llama-3.1-70B",
}


def _milliseconds(row: dict[str, object], columns: dict[str, str]) -> dict[str, float]:
    return {f"{name}_s": float(row[column]) / 1000.0 for name, column in columns.items()}  # type: ignore[arg-type]


def _base(source: str, row: dict[str, object], **fields: object) -> dict[str, object]:
    model = str(row["model"])
    return {"source": source, "model": model, "spec": find_model(_SAME_SHAPE.get(model, model)), **fields}


def _sim2real() -> list[dict[str, object]]:
    """Stages of constant rate; the documents' rates, so stages without one are left out."""
    data = pd.read_csv(MEASUREMENTS / "vllm_serving_groundtruth_sim2real.csv")
    data = data[(data["stage_index"] >= 0) & data["rate_from_docs_req_per_s"].notna()]
    columns = {
        f"{metric}_{statistic}": f"{metric}_{statistic}_ms"
        for metric in ("ttft", "e2e")
        for statistic in ("mean", "p90", "p99")
    } | {"tpot_mean": "tpot_derived_mean_ms"}
    return [
        _base(
            "sim2real",
            row,
            system=row["hardware"],
            backend="vllm",
            precision="fp8" if row["precision"] == "FP8" else "bf16",
            tp_size=row["tp"],
            rate=row["rate_from_docs_req_per_s"],
            arrival_cv=0.0,
            input_tokens=row["input_tokens_from_docs"],
            output_tokens=row["output_tokens_from_docs"],
            tokens_per_step=row["max_num_batched_tokens"],
            **_milliseconds(row, columns),
        )
        for row in data.to_dict("records")
    ]


def _open_loop() -> list[dict[str, object]]:
    """Stages of constant rate; overloaded stages and the one experiment that the other file has too are left out.

    TPOT is end to end less TTFT over the tokens after the first: the reported one counts pairs of chunks.
    """
    data = pd.read_csv(MEASUREMENTS / "vllm_h100_open_loop_latency_percentiles.csv")
    repeated = "20260217-203421-llama-2-70b-hf-tp4-codegen"
    data = data[(data["stage_index"] >= 0) & ~data["overloaded"] & (data["experiment"] != repeated)]
    named = {"mean": "mean", "p50": "median", "p90": "p90", "p95": "p95", "p99": "p99"}
    columns = {f"{m}_{s}": f"{m}_{name}_ms" for m in ("ttft", "e2e") for s, name in named.items()}
    columns["tpot_mean"] = "tpot_derived_mean_ms"
    return [
        _base(
            "open_loop",
            row,
            system="H100",
            backend="vllm",
            precision="bf16",
            tp_size=row["tp"],
            rate=row["requested_rate_req_per_s"],
            arrival_cv=0.0,
            input_tokens=row["prompt_len_mean_tokens"],
            output_tokens=row["output_len_mean_tokens"],
            tokens_per_step=row["max_num_batched_tokens"],
            max_num_seqs=row["max_num_seqs"],
            **_milliseconds(row, columns),
        )
        for row in data.to_dict("records")
    ]


def _trtllm() -> list[dict[str, object]]:
    """Rates of which at least 85 % were served: the others measure the length of the run."""
    data = pd.read_csv(MEASUREMENTS / "trtllm_online_serving_vs_qps.csv")
    data = data[np.isfinite(data["offered_qps"]) & (data["achieved_req_per_s"] >= 0.85 * data["offered_qps"])]
    data = data[data["mean_ttft_ms"] < 1000.0]
    columns = {"ttft_mean": "mean_ttft_ms", "tpot_mean": "mean_itl_ms"}
    return [
        _base(
            "trtllm",
            row,
            system=row["gpu"],
            backend="trtllm",
            precision="bf16",
            tp_size=row["tp"],
            rate=row["offered_qps"],
            arrival_cv=1.0,
            input_tokens=row["isl_tokens_mean"],
            output_tokens=row["osl_tokens_mean"],
            tokens_per_step=8192.0,
            requests=row["num_requests"],
            **_milliseconds(row, columns),
        )
        for row in data.to_dict("records")
    ]


def _ionet() -> list[dict[str, object]]:
    """Poisson arrivals on H100 PCIe up to 16 requests/s; several consumer GPUs time kernels at start-up, left out."""
    data = pd.read_csv(MEASUREMENTS / "ionet_vllm_poisson_qps_percentiles.csv")
    data = data[(data["gpu"] == "NVIDIA-H100-PCIe") & (data["offered_rate_req_per_s"] <= 16.0)]
    named = {"mean": "mean", "p50": "median", "p90": "p90", "p95": "p95", "p99": "p99"}
    columns = {f"{m}_{s}": f"{m}_{name}_ms" for m in ("ttft", "tpot") for s, name in named.items()}
    return [
        _base(
            "ionet",
            row,
            system=row["gpu"],
            backend="vllm",
            precision="fp8" if row["precision"] == "FP8" else "bf16",
            tp_size=row["gpu_count"],
            rate=row["offered_rate_req_per_s"],
            arrival_cv=1.0,
            input_tokens=row["total_input_tokens"] / row["completed"],
            output_tokens=row["total_output_tokens"] / row["completed"],
            input_cv=SHAREGPT_CV[0],
            output_cv=SHAREGPT_CV[1],
            requests=row["num_prompts"],
            **_milliseconds(row, columns),
        )
        for row in data.to_dict("records")
    ]


def offered_rates() -> pd.DataFrame:
    """Return one row for each measured stage."""
    rows = pd.DataFrame(_sim2real() + _open_loop() + _trtllm() + _ionet())
    defaults = {
        "max_num_seqs": 256.0,
        "tokens_per_step": 2048.0,
        "requests": np.inf,
        "input_cv": 0.0,
        "output_cv": 0.0,
    }
    for name, value in defaults.items():
        rows[name] = rows[name].fillna(value).astype(float)
    rows["name"] = [spec.name for spec in rows["spec"]]
    chips = Catalog.load()
    rows["chip"] = [chips.accelerator(_CHIPS[system]) for system in rows["system"]]
    return rows
