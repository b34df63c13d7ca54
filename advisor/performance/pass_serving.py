"""From candidates to replicas of models of one pass (CNNs, encoders): deltas become a batch server, the server a queue."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from advisor.performance.architectures import architecture_class, default_layers
from advisor.performance.dynamic_batching import DynamicBatching, capacity_requests_per_s, dynamic_batching
from advisor.performance.memory import USABLE_RATIO
from advisor.performance.pass_coefficients import PassCoefficients, coefficients
from advisor.performance.passes import PassEngine, fixed_s, item_s
from advisor.performance.queueing import STATISTICS, Latency
from advisor.performance.serving import Array, Limits, Replica, cells, chosen, taken

if TYPE_CHECKING:
    from advisor.candidates import Candidates
    from advisor.catalog import Accelerator
    from advisor.columns import EngineColumns
    from advisor.workload import Workload

BYTES = {
    "fp32": 4.0,
    "tf32": 4.0,
    "fp16": 2.0,
    "bf16": 2.0,
    "fp8": 1.0,
    "int8": 1.0,
    "int4": 0.52,
    "fp4": 0.56,
}
LIBRARIES_BYTES = 1.0 * 2**30
"""Assumed: memory of runtime and libraries beside the model, in bytes."""
DEFAULT_BATCH = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class PassServing:
    """Replicas of a one-pass model with dynamic batching; see `advisor.performance.serving.ServingModel`."""

    replica: Replica
    server: DynamicBatching
    latency_ratio: Array
    throughput_ratio: Array
    metrics: tuple[str, ...] = ("e2e",)

    def take(self, keep: npt.NDArray[Any]) -> PassServing:
        """Return the engines at those positions, or where a mask is true."""
        return taken(self, keep, len(self.latency_ratio))

    def capacity_requests_per_s(self, limits: Limits, *, arrival_cv: float | Array) -> Array:
        """Return the highest rate of one replica at which every limit holds, in requests per second."""
        own = {statistic: limit / self.latency_ratio for (_, statistic), limit in limits.items()}
        found = (
            capacity_requests_per_s(self.server, limits=own, arrival_cv=arrival_cv) * self.throughput_ratio
        )
        return np.where(self.replica.fits, found, 0.0)

    def latency(self, requests_per_s: Array, *, arrival_cv: Array) -> Mapping[str, Latency]:
        """Return the latency of one replica at an arrival rate."""
        rate = requests_per_s / self.throughput_ratio
        load = dynamic_batching(self.server, requests_per_s=rate, arrival_cv=arrival_cv)
        return {"e2e": load.latency.scaled(self.latency_ratio)}


def pass_serving(workload: Workload, candidates: Candidates, columns: EngineColumns) -> PassServing:
    """Return the serving model of every engine in `columns`.

    Args:
        workload: Model, requests and what serves them today.
        candidates: Gives the machine of each block.
        columns: Deltas of the engines.
    """
    delta, today = columns.values, workload.serving
    chips = [block.instance_type.accelerator for block in candidates.blocks]
    count = np.array([block.instance_type.accelerator_count for block in candidates.blocks], dtype=float)[
        columns.block
    ]
    engine = _engine(workload, chips, columns)
    max_batch = chosen(delta["max_batch"], float(today.max_batch or DEFAULT_BATCH))
    delay = chosen(delta["max_queue_delay_s"], today.max_queue_delay_s)
    weights = workload.model.parameters * np.asarray(engine.weight_bytes_per_param, dtype=float)
    needed = (
        weights
        + max_batch * np.asarray(engine.activations_per_item * engine.activation_bytes)
        + LIBRARIES_BYTES
    )
    memory = np.array([chip.memory_bytes for chip in chips])[columns.block]
    fit = engine.coefficients
    replica = Replica(
        accelerators=np.ones(len(columns)),
        per_instance=count,
        weight_bytes_per_accelerator=weights,
        memory_bytes=needed,
        fits=needed <= USABLE_RATIO * memory,
        log_sigma={("e2e", statistic): np.asarray(fit.log_sigma, dtype=float) for statistic in STATISTICS},
        calibrated=_calibrated(workload, chips, columns),
    )
    return PassServing(replica, _server(workload, engine, delta, max_batch, delay), *_direct(delta))


def _direct(delta: Mapping[str, Array]) -> tuple[Array, Array]:
    """Return the ratios on latency and throughput: an author's own, and those of a cascade, whose first model sees everybody."""
    first = delta["first_stage_ratio"]
    return delta["latency_ratio"] * (1.0 + first), delta["throughput_ratio"] / (
        delta["escalation_share"] + first
    )


def _server(
    workload: Workload, engine: PassEngine, delta: Mapping[str, Array], max_batch: Array, delay_s: Array
) -> DynamicBatching:
    r"""Return the batch server: `a + c b`, where an early exit saves only when every item of the batch leaves.

    A batch of b items runs to the exit alone with probability $s^b$; with the depth e of the exit the mean time is
    $1 - (1 - e) s^b$ of the whole. The saving is taken at the largest batch, so it is never overstated.
    """
    items = float(workload.requests.items)
    saved = (1.0 - (1.0 - delta["exit_depth_ratio"]) * delta["exit_share"] ** (max_batch * items)) / delta[
        "interaction_ratio"
    ]
    base = np.asarray(fixed_s(engine), dtype=float) * saved
    per_item = np.asarray(item_s(engine), dtype=float) * saved * items
    return DynamicBatching(base, per_item, max_batch=max_batch, max_queue_delay_s=delay_s)


def _fits(
    workload: Workload, chips: list[Accelerator], columns: EngineColumns
) -> tuple[list[PassCoefficients], npt.NDArray[np.int64]]:
    distinct, index = cells(columns, workload.serving.precision)
    model = workload.model
    found = [
        coefficients(
            model.family,
            chips[block].id,
            precision,
            _runtime(workload),
            model=model.name,
            kind=chips[block].kind,
        )
        for block, precision, _ in distinct
    ]
    return found, index


def _runtime(workload: Workload) -> str:
    return "" if workload.serving.runtime in {"triton", "other"} else workload.serving.runtime


def _calibrated(
    workload: Workload, chips: list[Accelerator], columns: EngineColumns
) -> npt.NDArray[np.bool_]:
    found, index = _fits(workload, chips, columns)
    return np.array([fit.basis == "calibrated" for fit in found])[index]


def _read_parameters(workload: Workload) -> float:
    """Return the weights that one pass reads: all but the table of embeddings, which is looked up."""
    model = workload.model
    return model.parameters - float((model.vocab_size or 0) * (model.hidden_size or 0))


def _item_size(workload: Workload) -> float:
    """Return the side of an image in px, or the tokens of a text."""
    requests = workload.requests
    return requests.image_size_px.mean if workload.model.family == "cnn" else requests.input_tokens.mean


def peak_flops(chip: Accelerator, dtype: str) -> float:
    """Return the chip's rate at a number format, or at the nearest one that it computes in instead, in operations per second."""
    instead = {"fp16": ("fp16", "bf16", "fp32"), "bf16": ("bf16", "fp16", "fp32"), "fp32": ("tf32", "fp32")}
    for name in instead.get(dtype, (dtype, "fp16", "bf16", "fp32")):
        if name in chip.peak_flops:
            return chip.peak_flops[name]
    return max(chip.peak_flops.values())


def _engine(workload: Workload, chips: list[Accelerator], columns: EngineColumns) -> PassEngine:
    model, delta, size = workload.model, columns.values, _item_size(workload)
    distinct, index = cells(columns, workload.serving.precision)
    found, _ = _fits(workload, chips, columns)
    peaks = np.array([peak_flops(chips[block], dtype) for block, _, dtype in distinct])[index]
    bandwidth = np.array([chip.memory_bandwidth_bytes_per_s for chip in chips])[columns.block]
    today = BYTES[workload.serving.precision]
    return PassEngine(
        parameters=_read_parameters(workload),
        flops_per_item=model.flops(size=size) * delta["compute_ratio"],
        activations_per_item=model.activations(size=size),
        layers=float(model.layers or default_layers(architecture_class(model.name))) * delta["layers_ratio"],
        weight_bytes_per_param=today * delta["weight_bytes_ratio"],
        activation_bytes=today * delta["activation_bytes_ratio"],
        peak_flops=peaks * delta["compute_efficiency_ratio"],
        memory_bandwidth_bytes_per_s=bandwidth * delta["bandwidth_efficiency_ratio"],
        coefficients=PassCoefficients.gather(found, index),
    )
