"""From candidates to language-model replicas: deltas become an engine, the engine a queue."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from advisor.performance.continuous_batching import capacity_requests_per_s, continuous_batching
from advisor.performance.continuous_state import ContinuousBatching
from advisor.performance.decoder import DecoderEngine
from advisor.performance.decoder_coefficients import BACKENDS, Coefficients, coefficients, compute_dtype
from advisor.performance.decoder_load import STEP_BATCHES, decoder_queue, load_coefficients
from advisor.performance.decoder_rows import has_tied_tables
from advisor.performance.memory import kv_cache_bytes, reserve_bytes, sequences_that_fit
from advisor.performance.queueing import STATISTICS, Latency
from advisor.performance.serving import Array, Limits, Replica, cells, chosen, taken

if TYPE_CHECKING:
    from advisor.candidates import Candidates
    from advisor.catalog import Accelerator
    from advisor.columns import EngineColumns
    from advisor.workload import Workload

BYTES = {
    "fp32": 4.0,
    "fp16": 2.0,
    "bf16": 2.0,
    "fp8": 1.0,
    "int8": 1.0,
    "int4": 0.53125,
    "w4a8": 0.53125,
    "fp4": 0.5625,
}
"""Bytes of a weight in each format, scales included."""
CACHE_BYTES = {"bf16": 2.0, "fp8": 1.0, "int8": 1.0}
DEFAULT_SEQUENCES = 256.0
"""Sequences in flight of an engine that nobody configured: the default of vLLM."""
DEFAULT_LINK_BYTES_PER_S = 31e9
"""PCIe 4.0 x16 in one direction, where the catalogue knows no link."""


@dataclasses.dataclass(frozen=True, slots=True)
class DecoderServing:
    """Replicas of a language model with continuous batching; see `advisor.performance.serving.ServingModel`."""

    replica: Replica
    queue: ContinuousBatching
    latency_ratio: Array
    throughput_ratio: Array
    metrics: tuple[str, ...] = ("ttft", "tpot", "e2e")

    def take(self, keep: npt.NDArray[Any]) -> DecoderServing:
        """Return the engines at those positions, or where a mask is true."""
        return taken(self, keep, len(self.latency_ratio))

    def capacity_requests_per_s(self, limits: Limits, *, arrival_cv: float | Array) -> Array:
        """Return the highest rate of one replica at which every limit holds, in requests per second."""
        own = {key: limit / self.latency_ratio for key, limit in limits.items()}
        found = capacity_requests_per_s(self.queue, limits=own, arrival_cv=arrival_cv) * self.throughput_ratio
        return np.where(self.replica.fits, found, 0.0)

    def latency(self, requests_per_s: Array, *, arrival_cv: Array) -> Mapping[str, Latency]:
        """Return TTFT, TPOT and end-to-end latency of one replica at an arrival rate."""
        rate = requests_per_s / self.throughput_ratio
        load = continuous_batching(self.queue, requests_per_s=rate, arrival_cv=arrival_cv)
        return {name: getattr(load, name).scaled(self.latency_ratio) for name in self.metrics}


def decoder_serving(workload: Workload, candidates: Candidates, columns: EngineColumns) -> DecoderServing:
    """Return the serving model of every engine in `columns`.

    Args:
        workload: Model, requests and what serves them today.
        candidates: Gives the machine of each block.
        columns: Deltas of the engines.
    """
    delta, requests = columns.values, workload.requests
    machine_chips = np.array(
        [block.instance_type.accelerator_count for block in candidates.blocks], dtype=float
    )[columns.block]
    chips = [block.instance_type.accelerator for block in candidates.blocks]
    today = np.minimum(float(workload.serving.accelerators_per_replica), machine_chips)
    accelerators = np.where(
        np.isnan(delta["accelerators_per_replica"]), today, delta["accelerators_per_replica"]
    )
    engine = _engine(workload, chips, columns, accelerators)
    weights = np.asarray(engine.weight_bytes_per_accelerator, dtype=float) * (
        1.0 + delta["first_stage_ratio"]
    )
    cache = np.asarray(engine.kv_bytes_per_token_and_accelerator, dtype=float)
    tokens = requests.input_tokens.mean + requests.output_tokens.mean
    memory = np.asarray(engine.memory_bytes, dtype=float)
    room = kv_cache_bytes(memory_bytes=memory, weight_bytes=weights, accelerators=np.ones(()))
    held = sequences_that_fit(cache_bytes=room, kv_bytes_per_token=cache, tokens=tokens)
    limit = chosen(delta["max_batch"], float(workload.serving.max_batch or DEFAULT_SEQUENCES))
    replica = Replica(
        accelerators=accelerators,
        per_instance=np.floor(machine_chips / accelerators),
        weight_bytes_per_accelerator=weights,
        memory_bytes=accelerators * (weights + reserve_bytes(memory) + cache * tokens),
        fits=(held >= 1.0) & (accelerators <= machine_chips),
        log_sigma=_log_sigma(workload, engine, len(columns)),
        calibrated=_calibrated(workload, chips, columns),
    )
    queue = decoder_queue(
        engine,
        fit=load_coefficients(workload.serving.runtime),
        input_tokens=requests.input_tokens.mean,
        output_tokens=requests.output_tokens.mean,
        input_cv=requests.input_tokens.cv,
        output_cv=requests.output_tokens.cv,
        max_sequences=np.maximum(np.minimum(limit, held), 1.0),
        prefill_ratio=delta["prefill_ratio"],
        step_ratios=[_decoding_ratio(delta, batch) for batch in STEP_BATCHES],
    )
    work = delta["escalation_share"] + delta["first_stage_ratio"]
    slower = delta["latency_ratio"] * (1.0 + delta["first_stage_ratio"])
    return DecoderServing(replica, queue, slower, delta["throughput_ratio"] / work)


def _backend(workload: Workload) -> str:
    return workload.serving.runtime if workload.serving.runtime in BACKENDS else "vllm"


def _served(precision: str) -> str:
    """Return the precision under which the calibration knows a format: 16 bits are 16 bits."""
    return "bf16" if precision in {"fp16", "fp32", "bf16"} else precision


def _fits(
    workload: Workload, chips: list[Accelerator], columns: EngineColumns
) -> tuple[list[Coefficients], npt.NDArray[np.int64]]:
    """Return the coefficients of each distinct chip and precision, and each engine's index into them."""
    distinct, index = cells(columns, workload.serving.precision)
    found = [
        coefficients(
            _backend(workload),
            chips[block].id,
            _served(precision),
            mixture_of_experts=workload.model.is_moe,
            model=workload.model.name,
        )
        for block, precision, _ in distinct
    ]
    return found, index


def _calibrated(
    workload: Workload, chips: list[Accelerator], columns: EngineColumns
) -> npt.NDArray[np.bool_]:
    found, index = _fits(workload, chips, columns)
    return np.array([fit.basis == "calibrated" for fit in found])[index]


def _engine(
    workload: Workload, chips: list[Accelerator], columns: EngineColumns, accelerators: Array
) -> DecoderEngine:
    model, delta = workload.model, columns.values
    distinct, _ = cells(columns, workload.serving.precision)
    found, index = _fits(workload, chips, columns)
    peaks = [
        chips[b].peak_flops[compute_dtype(_served(p), tuple(chips[b].peak_flops))] for b, p, _ in distinct
    ]
    attention_peaks = [chip.peak_flops[compute_dtype("bf16", tuple(chip.peak_flops))] for chip in chips]
    by_chip = {
        name: np.array([getattr(chip, name) or 0.0 for chip in chips])[columns.block] for name in _CHIP_FIELDS
    }
    link = by_chip["interconnect_bytes_per_s"]
    compute, layers = delta["compute_ratio"], delta["layers_ratio"]
    table = float((model.vocab_size or 0) * (model.hidden_size or 0))
    tables = table if has_tied_tables(model) else 2.0 * table
    return DecoderEngine(
        dense_params=tables + (model.dense_parameters - tables) * compute,
        expert_params=model.expert_parameters * compute,
        experts=float(model.experts),
        experts_per_token=float(model.experts_per_token),
        layers=float(model.layers or 32) * layers,
        hidden_size=float(model.hidden_size or 4096),
        kv_bytes_per_token=model.kv_elements_per_token
        * CACHE_BYTES[workload.serving.kv_precision]
        * delta["kv_bytes_ratio"],
        attention_flops_per_token_squared=_attention_flops(workload) * layers,
        weight_bytes_per_param=BYTES[workload.serving.precision] * delta["weight_bytes_ratio"] / compute,
        peak_flops=np.array(peaks)[index] * delta["compute_efficiency_ratio"],
        attention_peak_flops=np.array(attention_peaks)[columns.block] * delta["compute_efficiency_ratio"],
        memory_bandwidth_bytes_per_s=by_chip["memory_bandwidth_bytes_per_s"]
        * delta["bandwidth_efficiency_ratio"],
        interconnect_bytes_per_s=np.where(link > 0.0, link, DEFAULT_LINK_BYTES_PER_S),
        tensor_parallel=accelerators,
        data_parallel=1.0,
        pipeline_parallel=1.0,
        coefficients=Coefficients.gather(found, index),
        embedding_params=tables,
        head_params=table,
        kv_heads=float(model.kv_heads or 1),
        memory_bytes=by_chip["memory_bytes"],
    )


_CHIP_FIELDS = ("memory_bytes", "memory_bandwidth_bytes_per_s", "interconnect_bytes_per_s")


def _attention_flops(workload: Workload) -> float:
    model = workload.model
    layers = float(model.full_attention_layers or model.layers or 32)
    return 4.0 * layers * float(model.attention_heads or 32) * float(model.head_dim or 128)


def _log_sigma(workload: Workload, engine: DecoderEngine, count: int) -> dict[tuple[str, str], Array]:
    """Return the spread of each statistic: that under load on models left out, or that of the chip where it is wider."""
    measured = load_coefficients(workload.serving.runtime).log_sigma
    first, token = engine.coefficients.log_sigma_ttft, engine.coefficients.log_sigma_tpot
    chip = {"ttft": first, "tpot": token, "e2e": token}
    return {
        (metric, statistic): np.maximum(measured[f"{metric}_{statistic}"], chip[metric]) * np.ones(count)
        for metric in chip
        for statistic in STATISTICS
    }


def _decoding_ratio(delta: Mapping[str, Array], batch: float) -> Array:
    r"""Return the time of decoding a token against plain decoding, with `batch` sequences in flight.

    Speculation takes $1 / (1 + (1 / r - 1) B^{-d})$ of the time, with the ratio r at one sequence and the decay d; an
    early exit saves only when every sequence leaves: $1 - (1 - e) s^B$ with the depth e and the share s. Declared
    interactions with other treatments divide what is saved.
    """
    speculative = 1.0 / (
        1.0 + (1.0 / delta["decode_steps_ratio"] - 1.0) * batch ** -delta["decode_steps_decay"]
    )
    exits = 1.0 - (1.0 - delta["exit_depth_ratio"]) * delta["exit_share"] ** batch
    return np.minimum(speculative * exits / delta["interaction_ratio"], np.maximum(speculative * exits, 1.0))
