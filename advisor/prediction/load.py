"""Rows of language models under an offered rate: mean and percentiles of TTFT, TPOT and end-to-end latency."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from advisor.calibration import Calibration, DecoderFactors
from advisor.calibration.applied import Applied
from advisor.calibration.factors import narrowed
from advisor.performance.continuous_batching import ServingLatency, continuous_batching, rate_of_a_short_run
from advisor.performance.continuous_state import ContinuousBatching
from advisor.performance.decoder import sequences_admitted
from advisor.performance.decoder_load import LoadCoefficients, decoder_queue, fitted_load, load_coefficients
from advisor.prediction.deployments import Deployment, Deployments, has_measured_chip, size_log_sigma
from advisor.prediction.inputs import Inputs, Row
from advisor.prediction.load_columns import USUAL_MEMORY_SHARE, columns_of, stated_or
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
LATENCY_COLUMNS = {
    f"{metric}_{statistic}_ms": (metric, statistic) for metric in METRICS for statistic in STATISTICS
}
"""Metric and statistic of each predicted column."""
OUTPUTS = columns_with_interval(*LATENCY_COLUMNS)
DEFAULT_BACKEND = "vllm"
_DEFAULT_STEP_TOKENS = {"vllm": 2048.0, "trtllm": 8192.0, "sglang": 8192.0}
OTHER_BACKEND_LOG_SIGMA = 0.2
"""Further standard deviation for a backend that nobody measured under an offered rate; assumed."""
OTHER_CHIP_LOG_SIGMA = 0.15
"""Further standard deviation where chip, backend and precision were not measured together; assumed."""


def predict(rows: Sequence[Row], calibration: Calibration | None = None) -> Outcome:
    """Return mean and percentiles of TTFT, TPOT and end-to-end latency in milliseconds, each with its interval.

    Args:
        rows: Mappings with `model`, a chip (`hardware`, `system` or `gpu`), a rate, prompt and answer lengths
            (means), and where known `backend, precision, tp, max_num_batched_tokens, max_num_seqs, gpu_mem_util,
            num_prompts, arrival_cv` (or `burstiness`, `load_type`), `input_cv, output_cv`.
        calibration: What the user measured; rows to which it applies move and are surer.

    Assumes:
        vLLM where no backend is stated. Arrivals are Poisson unless stated; rows with `rate_from_docs_req_per_s`
        are evenly paced, as that benchmark sends. Lengths do not vary unless stated, or the data set is ShareGPT.
    """
    inputs = Inputs.of(rows)
    columns = columns_of(inputs)
    deployments = Deployments.of(inputs, backend=DEFAULT_BACKEND)
    usable = deployments.usable
    values = {name: np.full(len(rows), np.nan) for name in OUTPUTS}
    basis = [""] * len(rows)
    if usable.size:
        for name, found in _predicted(deployments, columns, usable, calibration).items():
            values[name][usable] = found
        for place in usable.tolist():
            basis[place] = deployments.own_basis(place, calibration) or _basis(
                deployments.distinct[deployments.index[place]], inputs.reasons[place]
            )
    return _outcome(deployments, values, basis)


def _fit(deployments: Deployments, rows: npt.NDArray[np.int64]) -> LoadCoefficients:
    fits = [
        load_coefficients(found.row.backend if found.row else DEFAULT_BACKEND)
        for found in deployments.distinct
    ]
    names = ("step_ratio", "sequence_ratio", "prefill_ratio", "stall_ratio", "first_token_s")
    columns: dict[str, Any] = {
        name: deployments.column([float(getattr(fit, name)) for fit in fits], rows) for name in names
    }
    return LoadCoefficients(**columns)


@dataclasses.dataclass(frozen=True, slots=True)
class Loaded:
    """Latencies of usable rows, and of which parts they consist."""

    latency: ServingLatency
    offered: Array
    """Utilization at the offered rate: a short run cannot make an overload bearable."""
    prompt_share: Array
    """Share of the time before the first token that is prompt, without queues."""
    sequences_share: Array
    """Share of a step that sequences beyond the first add."""

    @property
    def stable(self) -> npt.NDArray[np.bool_]:
        """Whether a replica keeps up."""
        found = self.latency
        return np.asarray(
            (self.offered < 1.0) & np.isfinite(found.e2e.mean_s) & np.isfinite(found.ttft["p99"])
        )


def loaded(
    deployments: Deployments,
    columns: Mapping[str, Array],
    rows: npt.NDArray[np.int64],
    factors: DecoderFactors | None = None,
) -> Loaded:
    """Return the latencies of usable rows under their rate.

    Args:
        deployments: What the rows serve.
        columns: Of all rows, see `columns_of`.
        rows: Usable rows, by position.
        factors: Own factors, one entry for each of `rows`.
    """
    own = {name: values[rows] for name, values in columns.items()}
    queue = _queue(deployments, own, rows)
    queue = queue if factors is None else factors.on_queue(queue)
    cv = own["arrival_cv"]
    offered = continuous_batching(queue, requests_per_s=own["rate"], arrival_cv=cv).utilization
    steady = rate_of_a_short_run(queue, requests_per_s=own["rate"], requests=own["requests"], arrival_cv=cv)
    found = continuous_batching(queue, requests_per_s=steady, arrival_cv=cv)
    prompt = queue.prefill_s / (queue.prefill_s + queue.first_token_s)
    seen = np.clip(own["rate"] * found.e2e.mean_s, 1.0, queue.max_sequences)
    sequences = 1.0 - queue.step.at(1.0) / queue.step.at(seen)
    return Loaded(found, np.asarray(offered), np.asarray(prompt), np.asarray(sequences))


def _queue(
    deployments: Deployments, columns: Mapping[str, Array], rows: npt.NDArray[np.int64]
) -> ContinuousBatching:
    engine = deployments.engine(rows)
    share = engine.coefficients.memory_share * columns["memory_share"] / USUAL_MEMORY_SHARE
    fitted = dataclasses.replace(engine.coefficients, memory_share=np.minimum(share, 0.98))
    engine = dataclasses.replace(engine, coefficients=fitted)
    prompt, answer = columns["input_tokens"], columns["output_tokens"]
    admitted = sequences_admitted(engine, input_tokens=prompt, output_tokens=answer)
    usual = [
        _DEFAULT_STEP_TOKENS.get(found.row.backend if found.row else "", 2048.0)
        for found in deployments.distinct
    ]
    return decoder_queue(
        engine,
        fit=_fit(deployments, rows),
        input_tokens=prompt,
        output_tokens=answer,
        input_cv=columns["input_cv"],
        output_cv=columns["output_cv"],
        tokens_per_step=stated_or(columns["tokens_per_step"], deployments.column(usual, rows)),
        max_sequences=np.minimum(admitted, columns["max_num_seqs"]),
    )


def _predicted(
    deployments: Deployments,
    columns: Mapping[str, Array],
    rows: npt.NDArray[np.int64],
    calibration: Calibration | None,
) -> dict[str, Array]:
    own = {name: values[rows] for name, values in columns.items()}
    applied = deployments.applied(calibration, rows)
    load = loaded(deployments, columns, rows, DecoderFactors.gather(applied.engines, applied.index))
    for place in np.flatnonzero(~load.stable).tolist():
        deployments.inputs.refuse(
            int(rows[place]),
            f"one replica cannot keep up with {own['rate'][place]:g} requests/s "
            f"({load.offered[place]:.2f} times what it sustains): its queue grows without bound",
        )
    varied = (own["input_cv"] > 0.0) | (own["arrival_cv"] > 0.0)
    learnt = _learnt(deployments, applied, load, rows)
    found: dict[str, Array] = {}
    for metric in METRICS:
        for statistic in STATISTICS:
            middle = np.where(load.stable, 1e3 * getattr(load.latency, metric)[statistic], np.nan)
            shipped = _log_sigma(deployments, f"{metric}_{statistic}", varied, rows)
            factor = np.exp(Z_90_PERCENT * narrowed(shipped, *learnt[metric]))
            found |= with_interval(f"{metric}_{statistic}_ms", middle, middle / factor, middle * factor)
    return found


def _learnt(
    deployments: Deployments, applied: Applied, load: Loaded, rows: npt.NDArray[np.int64]
) -> dict[str, tuple[Array, Array]]:
    """Return what the user's runs taught about each metric: variance before, and the part of it that is gone."""
    size, prompt = deployments.accelerators(rows), load.prompt_share
    first = applied.learnt(0.0, 0.0, prompt, 1.0 - prompt, accelerators=size)
    token = applied.learnt(1.0, load.sequences_share, 0.0, 0.0, accelerators=size)
    share = np.square(np.nan_to_num(load.latency.ttft.mean_s / load.latency.e2e.mean_s, nan=1.0))
    whole = tuple(share * first[side] + (1.0 - share) * token[side] for side in (0, 1))
    return {"ttft": first, "tpot": token, "e2e": (whole[0], whole[1])}


def _log_sigma(
    deployments: Deployments, name: str, varied: npt.NDArray[np.bool_], rows: npt.NDArray[np.int64]
) -> Array:
    """Return the standard deviation of the logarithm of measured / predicted, dimensionless.

    Where arrivals or lengths vary and the fit saw none that did, the error on rows of another laboratory counts.
    """
    sigmas = [log_sigmas(found, name) for found in deployments.distinct]
    paced, random = ([pair[side] for pair in sigmas] for side in (0, 1))
    return np.where(varied, deployments.column(random, rows), deployments.column(paced, rows))


def log_sigmas(found: Deployment, name: str) -> tuple[float, float]:
    """Return the deviation of a statistic such as `ttft_p99` for evenly paced requests and lengths, and for varied ones."""
    if found.row is None or found.reason:
        return 0.0, 0.0
    fit = load_coefficients(found.row.backend)
    known = fitted_load()["backends"]
    transfer = known.get(found.row.backend, known[DEFAULT_BACKEND]).get("transfer_error", {})
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
