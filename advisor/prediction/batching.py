"""Rows of models of one pass behind a server that batches, such as Triton: latency of requests and items per second."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from advisor.calibration import Calibration
from advisor.performance.dynamic_batching import DynamicBatching, dynamic_batching
from advisor.performance.dynamic_clients import closed_loop
from advisor.prediction import serving
from advisor.prediction.images import BatchTimes, Passes, batch_times, outcome_of, passes_of
from advisor.prediction.inputs import Inputs, Row, cell, is_true
from advisor.prediction.item_sizes import SIDE, TOKENS, KnownSizes
from advisor.prediction.outcome import Z_90_PERCENT, Array, Outcome, columns_with_interval, with_interval

STATISTICS = {
    "mean": "latency_avg_ms",
    **{name: f"latency_{name}_ms" for name in ("p50", "p90", "p95", "p99")},
}
"""Predicted column of each statistic."""
OUTPUTS = columns_with_interval("throughput_infer_per_s", *STATISTICS.values())
CONCURRENCY = ("concurrency",)
RATE = ("request_rate_per_s", "requests_per_s", "request_rate")
SERVER = (
    "client_batch_size", "instance_count", "model_instances", "dynamic_batching_enabled", "max_queue_delay_ms",
    "max_queue_delay_us", "max_queue_delay",
)  # fmt: skip
"""Columns that only tables of such servers have."""
REQUEST_S = 0.3e-3
"""Time of a request outside queue and model, in seconds: the median of 522 rows of NVIDIA DeepLearningExamples' Triton
tables in which one client at a time asks (scenario offline)."""
PATH_BYTES_PER_S = 2.4e9
"""What the path into the server carries, in bytes per second: the same tables, where ResNet-50 with FP32 pixels (602 kB)
levels off at 3,500 to 4,400 images per second on A40, V100 and A100 alike, while the T4 is busy at 2,100."""
SHARED_RATIO = 0.5
"""Share of what a batch costs beside its items that copies of the model on one device cannot overlap, dimensionless: from
396 rows of Triton Model Analyzer (ResNet-50 on a TITAN RTX), where two copies serve 1.37 times as much as one, five 1.5."""
LOG_SIGMA = 0.2
"""Further standard deviation of the logarithm of a measured over a predicted latency, beside that of a batch's time: from
159 rows of NVIDIA's tables (ResNet-50, BERT, DistilBERT; V100, T4, A40, A100) and 506 of Model Analyzer's."""
USUAL_BATCH = 64.0
"""Items that a server batches at most where a row does not say; assumed."""
_RUNTIMES = (
    (re.compile(r"tensorflow|savedmodel|graphdef"), "tensorflow"),
    (re.compile(r"tensorrt|trt|plan"), "tensorrt"),
    (re.compile(r"onnx"), "onnxruntime"),
    (re.compile(r"torch"), "torchscript"),
    (re.compile(r"openvino"), "openvino"),
)
_ENDING = re.compile(
    r"[_-](?:libtorch|onnx|plan|tensorrt|trt|tf|savedmodel|graphdef|openvino|pytorch)$", re.IGNORECASE
)


def recognises(row: Row) -> bool:
    """Return whether a row is about requests to a server that batches: clients or a rate, and a server's settings."""
    if not any(name in row for name in SERVER) or any(name in row for name in serving.INPUT_TOKENS):
        return False
    return bool(cell(row, *CONCURRENCY, *RATE))


def predict(
    rows: Sequence[Row], sizes: KnownSizes | None = None, calibration: Calibration | None = None
) -> Outcome:
    """Return mean and percentiles of the latency of requests in milliseconds, and items per second, with intervals.

    Args:
        rows: Mappings with what `images.predict` reads, and: `concurrency` (clients that each wait for an answer) or
            `request_rate_per_s` (with `arrival_cv`, 1 where not given); `max_batch_size`; `instance_count` (or
            `model_instances`) copies of the model on the device; `dynamic_batching_enabled`, taken for on where not
            given; `client_batch_size` items in a request; `max_queue_delay_ms`.
        sizes: What other rows state of the same models.
        calibration: What the user measured; rows to which it applies move and are surer.

    Assumes:
        Copies on one device share it, see `SHARED_RATIO`. All requests share one path into the server. Requests of several
        items are not split.
    """
    asked = passes_of([_plain(row) for row in rows], sizes, batch=("client_batch_size",))
    setting = _settings(asked.inputs)
    times = batch_times(asked, calibration)
    wire_s = _item_bytes(asked.inputs) * asked.batch / PATH_BYTES_PER_S
    latency, items = _served(asked.inputs, _server(asked, times, setting), setting, wire_s)
    factor = np.exp(Z_90_PERCENT * np.hypot(times.log_sigma, LOG_SIGMA))
    narrow = np.where(np.isnan(setting["rate"]), factor, 1.0)  # what comes is served, whatever it takes
    items = items * asked.batch
    values = with_interval("throughput_infer_per_s", items, items / narrow, items * narrow)
    for name, column in STATISTICS.items():
        values |= with_interval(column, *(1e3 * latency[name] * end for end in (1.0, 1.0 / factor, factor)))
    return outcome_of(asked, values, calibration)


def _plain(row: Row) -> Row:
    """Return a row with one item in a request where it states none, its runtime, and the model without its file format."""
    backend = " ".join(cell(row, name) for name in ("backend", "backend_accelerator", "model_format")).lower()
    runtime = next((name for pattern, name in _RUNTIMES if pattern.search(backend)), "")
    return {
        **row,
        "model": _ENDING.sub("", cell(row, "model")),
        "client_batch_size": cell(row, "client_batch_size") or "1",
        "runtime": cell(row, "runtime", "framework") or runtime,
    }


def _settings(inputs: Inputs) -> dict[str, Array]:
    rate = inputs.numbers(*RATE, least=1e-6, most=1e9, default=np.nan)
    concurrency = inputs.numbers(*CONCURRENCY, least=1.0, most=1e6, default=np.nan)
    for place in np.flatnonzero(np.isnan(rate) & np.isnan(concurrency)).tolist():
        inputs.refuse(place, "concurrency is missing; expected a number of clients, or request_rate_per_s")
    stated = inputs.texts("dynamic_batching_enabled")
    delays = {
        name: inputs.numbers(name, least=0.0, most=1e7, default=0.0) * unit
        for name, unit in (("max_queue_delay_ms", 1e-3), ("max_queue_delay_us", 1e-6))
    }
    return {
        "rate": rate,
        "concurrency": np.where(np.isnan(concurrency), 1.0, concurrency),
        "arrival_cv": inputs.numbers("arrival_cv", least=0.0, most=100.0, default=1.0),
        "max_batch": inputs.numbers("max_batch_size", least=0.0, most=1e6, default=USUAL_BATCH),
        "instances": inputs.numbers("instance_count", "model_instances", least=1.0, most=1e3, default=1.0),
        "batching": np.array([float(not text or is_true(text)) for text in stated]),
        "delay_s": np.sum(list(delays.values()), axis=0),
    }


def _item_bytes(inputs: Inputs) -> Array:
    """Return the bytes of one item on the wire: FP32 pixels of an image, or three integers for each token."""
    sides = inputs.numbers(*SIDE, least=1.0, most=1e5, default=224.0)
    tokens = inputs.numbers(*TOKENS, least=1.0, most=1e6, default=np.nan)
    return np.where(np.isnan(tokens), 3.0 * 4.0 * sides * sides, 3.0 * 8.0 * tokens)


def _server(asked: Passes, times: BatchTimes, setting: Mapping[str, Array]) -> DynamicBatching:
    together = np.where(setting["batching"] > 0.0, setting["max_batch"] // asked.batch, 1.0)
    return DynamicBatching(
        batch_base_s=times.fixed_s * (1.0 + SHARED_RATIO * (setting["instances"] - 1.0)),
        batch_per_item_s=times.item_s * asked.batch * setting["instances"],
        max_batch=np.maximum(together, 1.0),
        max_queue_delay_s=setting["delay_s"],
        instances=setting["instances"],
        overhead_s=np.full(len(asked.batch), REQUEST_S),
    )


def _served(
    inputs: Inputs, server: DynamicBatching, setting: Mapping[str, Array], wire_s: Array
) -> tuple[dict[str, Array], Array]:
    """Return the statistics of latency in seconds and the requests served in a second; an overload is refused."""
    closed = np.isnan(setting["rate"])
    clients, rate = setting["concurrency"], np.where(closed, 1.0, setting["rate"])
    loops = closed_loop(server, concurrency=clients).latency
    slowest = np.maximum((loops.mean_s + wire_s) / loops.mean_s, clients * wire_s / loops.mean_s)
    opened = dynamic_batching(server, requests_per_s=rate, arrival_cv=setting["arrival_cv"])
    load = np.maximum(opened.utilization, rate * wire_s)
    for place in np.flatnonzero(~closed & (load >= 1.0)).tolist():
        inputs.refuse(
            place,
            f"the server cannot keep up with {rate[place]:g} requests/s ({load[place]:.2f} times what it sustains): "
            "its queue grows without bound",
        )
    path_s = wire_s / np.maximum(1.0 - rate * wire_s, 1e-9)
    latency = {
        name: np.where(closed, loops[name] * slowest, opened.latency[name] + path_s) for name in STATISTICS
    }
    return latency, np.where(closed, clients / latency["mean"], rate)
