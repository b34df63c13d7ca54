"""A period as a benchmark run: what `advisor calibrate` learns from an audit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from advisor.auditing.period import requests_per_s_of_a_replica
from advisor.performance.decoder_coefficients import BACKENDS
from advisor.prediction import predict

if TYPE_CHECKING:
    from advisor.recommendation import ServicePlan
    from advisor.switching.again import Again
    from advisor.workload import Workload

_COLUMNS = {
    "ttft_mean": "ttft_mean_ms",
    "ttft_p50": "ttft_p50_ms",
    "tpot_mean": "tpot_mean_ms",
    "tpot_p50": "tpot_p50_ms",
    "latency_mean": "e2e_mean_ms",
}


def benchmark_of(
    own: ServicePlan,
    came: Workload,
    again: Again,
    predicted_s: Mapping[str, float],
    measured_s: Mapping[str, float],
) -> dict[str, Any] | None:
    """Return the period as a row of a language model under a rate, with measured values; `None` where it teaches nothing.

    What was measured over what was predicted for the plan, with all its options, is put on the plain engine at the rate
    that the replica of a mean request saw: options such as speculation are not what is learnt.

    Args:
        own: The plan's service.
        came: The workload with the traffic that came.
        again: The plan evaluated under it.
        predicted_s: Latencies of the period as shipped.
        measured_s: The same as measured.
    """
    names = [name for name in _COLUMNS if name in predicted_s and name in measured_s]
    if not names or came.model.family != "decoder" or again.prepared is None or again.plans is None:
        return None
    evaluation, engine = again.prepared.evaluation, int(again.plans.engine[0])
    columns, requests = evaluation.engines, came.requests
    precision = columns.precisions[int(columns.precision[engine])][0] or came.serving.precision
    row: dict[str, Any] = {
        "model": came.model.name,
        "system": evaluation.candidates.blocks[int(columns.block[engine])].instance_type.accelerator.id,
        "backend": came.serving.runtime if came.serving.runtime in BACKENDS else "vllm",
        "precision": "bf16" if precision in {"fp16", "fp32"} else precision,
        "tp_size": own.accelerators_per_replica,
        "request_rate": requests_per_s_of_a_replica(evaluation, again.plans),
        "isl_tokens": requests.input_tokens.mean,
        "osl_tokens": requests.output_tokens.mean,
        "input_cv": requests.input_tokens.cv,
        "output_cv": requests.output_tokens.cv,
        "arrival_cv": came.traffic.arrival_cv,
    }
    (plain,) = predict([row])
    if plain["reason"]:
        return None
    ratios = {name: measured_s[name] / predicted_s[name] for name in names}
    values = {_COLUMNS[name]: float(str(plain[_COLUMNS[name]])) * ratio for name, ratio in ratios.items()}
    return {**row, **{name: float(f"{value:.6g}") for name, value in values.items()}}
