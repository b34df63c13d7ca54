"""Latency under offered rates against measurements of vLLM, and the shipped error tables against their targets."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from advisor.catalog import Catalog
from advisor.models import find_model
from advisor.performance.continuous_batching import ServingLatency, continuous_batching
from advisor.performance.decoder import sequences_admitted
from advisor.performance.decoder_load import decoder_queue, fitted_load, load_coefficients
from advisor.performance.decoder_rows import ServingRow, engine_of_rows
from advisor.performance.queueing import STATISTICS

TARGETS = {"e2e_mean": 0.15, "e2e_p99": 0.18, "ttft_mean": 0.30, "ttft_p99": 0.45}
"""Median absolute percentage errors to reach on vLLM under an offered rate."""
CHIPS = {"H100": "h100-sxm", "A100-80GB": "a100-sxm-80"}
SCOUT = "RedHatAI/Llama-4-Scout-17B-16E-Instruct-FP8-dynamic"


def stages(measurements: Path) -> Iterator[dict[str, str]]:
    with (measurements / "vllm_serving_groundtruth_sim2real.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if int(row["stage_index"]) >= 0 and row["rate_from_docs_req_per_s"]:
                yield row


def column(rows: list[dict[str, str]], name: str) -> np.ndarray:
    return np.array([float(row[name]) for row in rows])


def predicted(rows: list[dict[str, str]]) -> ServingLatency:
    chips = Catalog.load()
    engine = engine_of_rows(
        [
            ServingRow(
                find_model("Llama-4-Scout" if row["model"] == SCOUT else row["model"]),
                chips.accelerator(CHIPS[row["hardware"]]),
                "vllm",
                "fp8" if row["precision"] == "FP8" else "bf16",
                tp_size=float(row["tp"]),
            )
            for row in rows
        ]
    )
    prompts, answers = column(rows, "input_tokens_from_docs"), column(rows, "output_tokens_from_docs")
    held = sequences_admitted(engine, input_tokens=prompts, output_tokens=answers)
    queue = decoder_queue(
        engine,
        fit=load_coefficients("vllm"),
        input_tokens=prompts,
        output_tokens=answers,
        max_sequences=np.minimum(held, 256.0),
        tokens_per_step=column(rows, "max_num_batched_tokens"),
    )
    return continuous_batching(queue, requests_per_s=column(rows, "rate_from_docs_req_per_s"), arrival_cv=0.0)


def test_vllm_under_offered_rates_is_predicted_within_the_targets(measurements: Path) -> None:
    """GIVEN 25 measured stages of nine models THEN median errors of mean and p99 are within the targets."""
    rows = list(stages(measurements))
    load = predicted(rows)
    for name, target in TARGETS.items():
        metric, statistic = name.split("_")
        measured_s = column(rows, f"{name}_ms") / 1000.0
        assert np.median(np.abs(getattr(load, metric)[statistic] / measured_s - 1.0)) < target, name


@pytest.mark.parametrize(("name", "target"), TARGETS.items())
def test_models_left_out_of_the_fit_are_predicted_within_the_targets(name: str, target: float) -> None:
    """THEN the shipped leave-one-model-out error of vLLM is within its target."""
    assert fitted_load()["backends"]["vllm"]["leave_one_model_out_error"][name]["median_ape"] < target


@pytest.mark.parametrize("backend", ["vllm", "trtllm"])
def test_every_statistic_has_a_width(backend: str) -> None:
    """THEN each of the 15 statistics has a positive log sigma below 1, and the source is named."""
    fit = load_coefficients(backend)
    wanted = {f"{metric}_{statistic}" for metric in ("ttft", "tpot", "e2e") for statistic in STATISTICS}
    assert wanted == set(fit.log_sigma)
    assert all(0.0 < sigma < 1.0 for sigma in fit.log_sigma.values())
    assert ".csv" in fit.source


def test_a_backend_that_nobody_measured_borrows_and_says_so() -> None:
    """GIVEN sglang THEN the numbers are those of vLLM, called extrapolated."""
    assert load_coefficients("sglang").basis == "extrapolated"
    assert load_coefficients("vllm").first_token_s == load_coefficients("sglang").first_token_s
