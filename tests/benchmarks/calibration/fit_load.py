"""Fit how serving engines behave under offered rates, and write `advisor/data/load_coefficients.json`.

Run from the repository root after the decoder's own fit: `python tests/benchmarks/calibration/fit_load.py`.
Five numbers for each backend on top of the decoder model, each held near its prior by a ridge. Errors and interval
widths are those of models left out of the fit (leave-one-model-out). The form of the model and the ridge were
chosen among a dozen by the same errors, so these are slightly optimistic.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from load_rows import NAMES, STATISTICS, offered_rates
from scipy.optimize import least_squares

from advisor.performance.continuous_batching import ServingLatency, continuous_batching, rate_of_a_short_run
from advisor.performance.decoder import sequences_admitted
from advisor.performance.decoder_load import LoadCoefficients, decoder_queue
from advisor.performance.decoder_rows import ServingRow, engine_of_rows

OUTPUT = Path(__file__).resolve().parents[3] / "advisor" / "data" / "load_coefficients.json"
DATE = "2026-11-24"
PRIOR = np.array([0.0, 0.0, 0.0, 0.0, 0.6])
DEVIATION = np.array([0.25, 0.4, 0.35, 0.35, 0.4])
RIDGE = 1.0
WEIGHTS = {
    "ttft_mean": 1.0,
    "tpot_mean": 1.0,
    "ttft_p90": 0.5,
    "ttft_p99": 0.5,
    "tpot_p99": 0.5,
    "e2e_p99": 0.5,
}
FITTED = {"vllm": ("sim2real", "open_loop"), "trtllm": ("trtllm",)}
SOURCES = {
    "vllm": "vllm_serving_groundtruth_sim2real.csv and vllm_h100_open_loop_latency_percentiles.csv (inference-sim)",
    "trtllm": "trtllm_online_serving_vs_qps.csv (NVIDIA TensorRT-LLM 0.14 docs)",
}


def coefficients_of(theta: np.ndarray) -> LoadCoefficients:
    step, sequence, prefill, stall = np.exp(theta[:4])
    return LoadCoefficients(
        step_ratio=float(step),
        sequence_ratio=float(sequence),
        prefill_ratio=float(prefill),
        stall_ratio=float(stall),
        first_token_s=float(0.01 * max(theta[4], 0.0)),
    )


def predictions(rows: pd.DataFrame, fit: LoadCoefficients) -> ServingLatency:
    engine = engine_of_rows(
        [
            ServingRow(row.spec, row.chip, row.backend, row.precision, tp_size=float(row.tp_size))
            for row in rows.itertuples()
        ]
    )
    columns = {
        name: rows[name].to_numpy(dtype=float)
        for name in (
            "input_tokens",
            "output_tokens",
            "input_cv",
            "output_cv",
            "tokens_per_step",
            "max_num_seqs",
        )
    }
    held = sequences_admitted(
        engine, input_tokens=columns["input_tokens"], output_tokens=columns["output_tokens"]
    )
    queue = decoder_queue(
        engine,
        fit=fit,
        input_tokens=columns["input_tokens"],
        output_tokens=columns["output_tokens"],
        input_cv=columns["input_cv"],
        output_cv=columns["output_cv"],
        tokens_per_step=columns["tokens_per_step"],
        max_sequences=np.minimum(held, columns["max_num_seqs"]),
    )
    rate, cv = rows["rate"].to_numpy(dtype=float), rows["arrival_cv"].to_numpy(dtype=float)
    steady = rate_of_a_short_run(
        queue, requests_per_s=rate, requests=rows["requests"].to_numpy(dtype=float), arrival_cv=cv
    )
    return continuous_batching(queue, requests_per_s=steady, arrival_cv=cv)


def log_errors(rows: pd.DataFrame, load: ServingLatency) -> pd.DataFrame:
    errors = {}
    for name in NAMES:
        metric, statistic = name.split("_")
        measured = (
            rows[f"{name}_s"].to_numpy(dtype=float) if f"{name}_s" in rows else np.full(len(rows), np.nan)
        )
        errors[name] = np.log(getattr(load, metric)[statistic] / measured)
    return pd.DataFrame(errors, index=rows.index)


def residuals(theta: np.ndarray, rows: pd.DataFrame) -> np.ndarray:
    load = predictions(rows, coefficients_of(theta))
    errors = log_errors(rows, load)
    overloaded = np.clip(3.0 * load.utilization - 2.0, 1.0, 5.0)  # a slope, where the latency is infinite
    parts = [RIDGE * (theta - PRIOR) / DEVIATION]
    for name, weight in WEIGHTS.items():
        parts.append(
            weight * np.nan_to_num(np.where(np.isposinf(errors[name]), overloaded, errors[name]), nan=0.0)
        )
    return np.concatenate(parts)


def fitted(rows: pd.DataFrame) -> np.ndarray:
    return least_squares(residuals, PRIOR, args=(rows,), loss="soft_l1", f_scale=0.2, max_nfev=40).x


def left_out_errors(rows: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for model in rows["name"].unique():
        fit = coefficients_of(fitted(rows[rows["name"] != model]))
        tested = rows[rows["name"] == model]
        parts.append(log_errors(tested, predictions(tested, fit)))
    return pd.concat(parts)


def table(errors: pd.DataFrame) -> dict[str, dict[str, float | None]]:
    """Return count, errors and the interval's width for each statistic that was measured.

    A row that was served and is predicted to be overloaded counts as an infinite error in median, p90 and width.
    """
    found = {}
    for name in NAMES:
        values = errors[name].dropna().to_numpy()
        if not values.size:
            continue
        share, finite = np.abs(np.expm1(values)), values[np.isfinite(values)]
        numbers = {
            "median_ape": np.median(share),
            "mean_ape_of_finite": np.mean(np.abs(np.expm1(finite))),
            "p90_ape": np.quantile(share, 0.9, method="higher"),
            "bias": np.expm1(np.median(values)),
            "log_sigma": np.quantile(np.abs(values), 0.8, method="higher") / 1.2816,
        }
        found[name] = {"count": int(values.size), "predicted_overloaded": int(values.size - finite.size)} | {
            key: round(float(number), 4) if np.isfinite(number) else None for key, number in numbers.items()
        }
    return found


def print_table(title: str, found: dict[str, dict[str, float | None]]) -> None:
    print(title)
    for name, row in found.items():
        print(f"  {name:10s} " + "  ".join(f"{key} {value}" for key, value in row.items()))


def filled(sigmas: dict[str, float]) -> dict[str, float]:
    """Return a width for every statistic: an unmeasured one gets the nearest measured of its metric, else 0.35."""
    out = {}
    for name in NAMES:
        metric = name.split("_")[0]
        near = sorted(
            (key for key in sigmas if key.startswith(metric)),
            key=lambda key: abs(STATISTICS.index(key.split("_")[1]) - STATISTICS.index(name.split("_")[1])),
        )
        out[name] = sigmas.get(name, sigmas[near[0]] if near else 0.35)
    return out


def main() -> None:
    rows = offered_rates()
    backends = {}
    for backend, sources in FITTED.items():
        own = rows[rows["source"].isin(sources)]
        fit = coefficients_of(fitted(own))
        inside, outside = table(log_errors(own, predictions(own, fit))), table(left_out_errors(own))
        print(backend, len(own), "rows", own["name"].nunique(), "models", fit)
        print_table(" in the fit", inside)
        print_table(" model left out", outside)
        sigmas = {name: row["log_sigma"] for name, row in outside.items() if row["log_sigma"] is not None}
        values = {
            name: round(float(getattr(fit, name)), 5)
            for name in ("step_ratio", "sequence_ratio", "prefill_ratio", "stall_ratio", "first_token_s")
        }
        backends[backend] = {
            "coefficients": values,
            "log_sigma": filled(sigmas),
            "source": SOURCES[backend],
            "rows": len(own),
            "models": int(own["name"].nunique()),
            "fit_error": inside,
            "leave_one_model_out_error": outside,
        }
        if backend == "vllm":
            backends[backend]["transfer_error"] = transfer(rows, fit)
    OUTPUT.write_text(json.dumps({"date": DATE, "backends": backends}, indent=1) + "\n", encoding="utf-8")
    print("wrote", OUTPUT)


def transfer(rows: pd.DataFrame, fit: LoadCoefficients) -> dict[str, dict[str, float | None]]:
    """Return the errors on rows of another laboratory that had no part in the fit."""
    other = rows[rows["source"] == "ionet"]
    found = table(log_errors(other, predictions(other, fit)))
    print_table(" other laboratory (vLLM, H100 PCIe, ShareGPT, 200 requests a run)", found)
    return found


if __name__ == "__main__":
    main()
