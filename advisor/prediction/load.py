"""Rows of language models under an offered rate: mean and percentiles of TTFT, TPOT and end-to-end latency."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from advisor.performance.continuous_batching import ServingLatency, continuous_batching, rate_of_a_short_run
from advisor.performance.decoder import sequences_admitted
from advisor.performance.decoder_load import LoadCoefficients, decoder_queue, fitted_load, load_coefficients
from advisor.prediction.deployments import Deployment, Deployments, has_measured_chip, size_log_sigma
from advisor.prediction.inputs import Inputs, Row, cell
from advisor.prediction.outcome import (
    Z_90_PERCENT,
    Array,
    Outcome,
    basis_of,
    columns_with_interval,
    with_interval,
)

METRICS = ("ttft", "tpot", "e2e")
STATISTICS = ("mean", "p50", "p90", "p95", "p99")
OUTPUTS = columns_with_interval(
    *(f"{metric}_{statistic}_ms" for metric in METRICS for statistic in STATISTICS)
)
RATE = (
    "offered_rate_req_per_s",
    "rate_from_docs_req_per_s",
    "requested_rate_req_per_s",
    "requests_per_s",
    "request_rate",
    "offered_qps",
    "qps",
)
INPUT_TOKENS = (
    "input_tokens_from_docs",
    "isl_tokens_mean",
    "prompt_len_mean_tokens",
    "isl_tokens",
    "isl",
    "input_tokens",
)
OUTPUT_TOKENS = (
    "output_tokens_from_docs",
    "osl_tokens_mean",
    "output_len_mean_tokens",
    "osl_tokens",
    "osl",
    "output_tokens",
)
SHAREGPT_CV = (1.1, 0.9)
"""Spread of prompts and answers of ShareGPT, as vLLM's benchmark samples them; assumed."""
CONCURRENCY = ("concurrency", "max_concurrency")
_DEFAULT_BACKEND = "vllm"
_DEFAULT_STEP_TOKENS = {"vllm": 2048.0, "trtllm": 8192.0, "sglang": 8192.0}
_DEFAULT_SEQUENCES = 256.0
_USUAL_MEMORY_SHARE = 0.9
OTHER_BACKEND_LOG_SIGMA = 0.2
"""Further standard deviation for a backend that nobody measured under an offered rate; assumed."""
OTHER_CHIP_LOG_SIGMA = 0.15
"""Further standard deviation where chip, backend and precision were not measured together; assumed."""


def recognises(row: Row) -> bool:
    """Return whether a row states a rate at which requests come; 'inf' beside a concurrency is none."""
    rate = cell(row, *RATE)
    return bool(rate) and not (rate.lower().startswith("inf") and cell(row, *CONCURRENCY))


def predict(rows: Sequence[Row]) -> Outcome:
    """Return mean and percentiles of TTFT, TPOT and end-to-end latency in milliseconds, each with its interval.

    Args:
        rows: Mappings with `model`, a chip (`hardware`, `system` or `gpu`), a rate, prompt and answer lengths
            (means), and where known `backend, precision, tp, max_num_batched_tokens, max_num_seqs, gpu_mem_util,
            num_prompts, arrival_cv` (or `burstiness`, `load_type`), `input_cv, output_cv`.

    Assumes:
        vLLM where no backend is stated. Arrivals are Poisson unless stated; rows with `rate_from_docs_req_per_s`
        are evenly paced, as that benchmark sends. Lengths do not vary unless stated, or the data set is ShareGPT.
    """
    inputs = Inputs.of(rows)
    columns = _columns(inputs)
    deployments = Deployments.of(inputs, backend=_DEFAULT_BACKEND)
    usable = deployments.usable
    values = {name: np.full(len(rows), np.nan) for name in OUTPUTS}
    basis = [""] * len(rows)
    if usable.size:
        for name, found in _predicted(deployments, columns, usable).items():
            values[name][usable] = found
        for place in usable.tolist():
            basis[place] = _basis(deployments.distinct[deployments.index[place]], inputs.reasons[place])
    return _outcome(deployments, values, basis)


def _columns(inputs: Inputs) -> dict[str, Array]:
    shares = {"least": 0.0, "most": 20.0}
    spread_in, spread_out = _spread(inputs)
    totals = [_per_request(inputs, f"total_{kind}_tokens") for kind in ("input", "output")]
    lengths = [
        np.where(np.isnan(total), _length(inputs, names, total), total)
        for names, total in zip((INPUT_TOKENS, OUTPUT_TOKENS), totals, strict=True)
    ]
    return {
        "rate": inputs.numbers(*RATE, least=1e-6, most=1e6),
        "input_tokens": lengths[0],
        "output_tokens": lengths[1],
        "input_cv": _or(inputs.numbers("input_cv", **shares, default=np.nan), spread_in),
        "output_cv": _or(inputs.numbers("output_cv", **shares, default=np.nan), spread_out),
        "arrival_cv": _arrival_cv(inputs),
        "tokens_per_step": inputs.numbers("max_num_batched_tokens", least=1.0, most=1e7, default=np.nan),
        "max_num_seqs": inputs.numbers("max_num_seqs", least=1.0, most=1e6, default=_DEFAULT_SEQUENCES),
        "requests": inputs.numbers("num_prompts", "num_requests", least=1.0, most=1e12, default=np.inf),
        "memory_share": inputs.numbers("gpu_mem_util", least=0.1, most=1.0, default=_USUAL_MEMORY_SHARE),
    }


def _or(stated: Array, otherwise: Array) -> Array:
    return np.where(np.isnan(stated), otherwise, stated)


def _per_request(inputs: Inputs, name: str) -> Array:
    """Return tokens of a whole run over its requests, where a row states both."""
    pairs = zip(inputs.texts(name), inputs.texts("completed", "num_prompts"), strict=True)
    found = np.full(len(inputs.rows), np.nan)
    for place, (tokens, requests) in enumerate(pairs):
        try:
            ratio = float(tokens) / float(requests)
        except (ValueError, ZeroDivisionError):
            continue
        if 1.0 <= ratio <= 2e6:
            found[place] = ratio
    return found


def _length(inputs: Inputs, names: tuple[str, ...], instead: Array) -> Array:
    """Return the stated lengths; a row that states none and has nothing `instead` is refused."""
    known = ~np.isnan(instead)
    reader = Inputs.of(inputs.rows)
    found = reader.numbers(*names, least=1.0, most=2e6)
    for place in np.flatnonzero(~known).tolist():
        if reader.reasons[place]:
            inputs.refuse(place, reader.reasons[place])
    return found


def _spread(inputs: Inputs) -> tuple[Array, Array]:
    chats = np.array(["sharegpt" in name.lower() for name in inputs.texts("dataset", "dataset_name")])
    return np.where(chats, SHAREGPT_CV[0], 0.0), np.where(chats, SHAREGPT_CV[1], 0.0)


def _arrival_cv(inputs: Inputs) -> Array:
    """Return the coefficient of variation of the times between arrivals; 1 (Poisson) where nothing is stated."""
    stated = inputs.numbers("arrival_cv", least=0.0, most=100.0, default=np.nan)
    burstiness = inputs.numbers("burstiness", least=1e-4, most=np.inf, default=np.nan)
    kinds = inputs.texts("load_type")
    paced = np.array(
        [
            kind.lower() == "constant" or (not kind and bool(cell(row, "rate_from_docs_req_per_s")))
            for kind, row in zip(kinds, inputs.rows, strict=True)
        ]
    )
    return _or(stated, _or(1.0 / np.sqrt(burstiness), np.where(paced, 0.0, 1.0)))


def _fit(deployments: Deployments, rows: npt.NDArray[np.int64]) -> LoadCoefficients:
    fits = [
        load_coefficients(found.row.backend if found.row else _DEFAULT_BACKEND)
        for found in deployments.distinct
    ]
    names = ("step_ratio", "sequence_ratio", "prefill_ratio", "stall_ratio", "first_token_s")
    columns: dict[str, Any] = {
        name: deployments.column([float(getattr(fit, name)) for fit in fits], rows) for name in names
    }
    return LoadCoefficients(**columns)


def _latency(
    deployments: Deployments, columns: Mapping[str, Array], rows: npt.NDArray[np.int64]
) -> tuple[ServingLatency, Array]:
    """Return the latencies, and the utilization at the offered rate: a short run cannot make an overload bearable."""
    engine = deployments.engine(rows)
    share = engine.coefficients.memory_share * columns["memory_share"] / _USUAL_MEMORY_SHARE
    fitted = dataclasses.replace(engine.coefficients, memory_share=np.minimum(share, 0.98))
    engine = dataclasses.replace(engine, coefficients=fitted)
    prompt, answer = columns["input_tokens"], columns["output_tokens"]
    admitted = sequences_admitted(engine, input_tokens=prompt, output_tokens=answer)
    usual = [
        _DEFAULT_STEP_TOKENS.get(found.row.backend if found.row else "", 2048.0)
        for found in deployments.distinct
    ]
    queue = decoder_queue(
        engine,
        fit=_fit(deployments, rows),
        input_tokens=prompt,
        output_tokens=answer,
        input_cv=columns["input_cv"],
        output_cv=columns["output_cv"],
        tokens_per_step=_or(columns["tokens_per_step"], deployments.column(usual, rows)),
        max_sequences=np.minimum(admitted, columns["max_num_seqs"]),
    )
    cv = columns["arrival_cv"]
    offered = continuous_batching(queue, requests_per_s=columns["rate"], arrival_cv=cv).utilization
    steady = rate_of_a_short_run(
        queue, requests_per_s=columns["rate"], requests=columns["requests"], arrival_cv=cv
    )
    return continuous_batching(queue, requests_per_s=steady, arrival_cv=cv), np.asarray(offered)


def _predicted(
    deployments: Deployments, columns: Mapping[str, Array], rows: npt.NDArray[np.int64]
) -> dict[str, Array]:
    own = {name: values[rows] for name, values in columns.items()}
    load, offered = _latency(deployments, own, rows)
    stable = (offered < 1.0) & np.isfinite(load.e2e.mean_s) & np.isfinite(load.ttft["p99"])
    for place in np.flatnonzero(~stable).tolist():
        deployments.inputs.refuse(
            int(rows[place]),
            f"one replica cannot keep up with {own['rate'][place]:g} requests/s "
            f"({offered[place]:.2f} times what it sustains): its queue grows without bound",
        )
    varied = (own["input_cv"] > 0.0) | (own["arrival_cv"] > 0.0)
    found: dict[str, Array] = {}
    for metric in METRICS:
        for statistic in STATISTICS:
            middle = np.where(stable, 1e3 * getattr(load, metric)[statistic], np.nan)
            factor = np.exp(Z_90_PERCENT * _log_sigma(deployments, f"{metric}_{statistic}", varied, rows))
            found |= with_interval(f"{metric}_{statistic}_ms", middle, middle / factor, middle * factor)
    return found


def _log_sigma(
    deployments: Deployments, name: str, varied: npt.NDArray[np.bool_], rows: npt.NDArray[np.int64]
) -> Array:
    """Return the standard deviation of the logarithm of measured / predicted, dimensionless.

    Where arrivals or lengths vary and the fit saw none that did, the error on rows of another laboratory counts.
    """
    sigmas = [_sigmas(found, name) for found in deployments.distinct]
    paced, random = ([pair[side] for pair in sigmas] for side in (0, 1))
    return np.where(varied, deployments.column(random, rows), deployments.column(paced, rows))


def _sigmas(found: Deployment, name: str) -> tuple[float, float]:
    if found.row is None or found.reason:
        return 0.0, 0.0
    fit = load_coefficients(found.row.backend)
    known = fitted_load()["backends"]
    transfer = known.get(found.row.backend, known[_DEFAULT_BACKEND]).get("transfer_error", {})
    metric = name.partition("_")[0]
    elsewhere = transfer.get(name) or transfer.get(f"ttft_{name.partition('_')[2]}", {})
    extra = (
        size_log_sigma(found, "ttft" if metric == "ttft" else "tpot"),
        0.0 if fit.basis == "calibrated" else OTHER_BACKEND_LOG_SIGMA,
        0.0 if has_measured_chip(found.row) else OTHER_CHIP_LOG_SIGMA,
    )
    own = float(fit.log_sigma[name])
    wider = max(own, float(elsewhere.get("log_sigma") or 0.0))
    return float(np.hypot.reduce((own, *extra))), float(np.hypot.reduce((wider, *extra)))


def _basis(found: Deployment, reason: str) -> str:
    if reason or found.row is None:
        return ""
    measured = load_coefficients(found.row.backend).basis == "calibrated"
    under_rate = "" if measured else f"{found.row.backend} was not measured under an offered rate"
    chip = "" if has_measured_chip(found.row) else f"{found.row.accelerator.name} was not measured with it"
    shape = "" if not found.sized else f"the shape of '{found.row.model.name}' follows from its size alone"
    return basis_of(", ".join(filter(None, (shape, under_rate, chip))))


def _outcome(deployments: Deployments, values: dict[str, Array], basis: list[str]) -> Outcome:
    of_row = [deployments.distinct[number] for number in deployments.index.tolist()]
    reasons = tuple(deployments.inputs.reasons)
    return Outcome(
        values,
        tuple("" if reason else words for words, reason in zip(basis, reasons, strict=True)),
        reasons,
        family=tuple(found.family for found in of_row),
        backend=tuple(found.row.backend if found.row else "" for found in of_row),
        chip=tuple(found.row.accelerator.id if found.row else "" for found in of_row),
    )
