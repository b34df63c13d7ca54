"""Benchmark reports of llm-d-benchmark, versions 0.1 and 0.2, as YAML or JSON.

Field names: llm-d-benchmark, `workload/report/README.md` (0.1) and `docs/analysis/README.md` (0.2).
"""

from __future__ import annotations

from collections.abc import Mapping

from advisor.calibrating.clients import day_of
from advisor.calibrating.language_runs import language_run, positive
from advisor.calibrating.results import Results, Run, first_text, inside, milliseconds, number

Object = Mapping[str, object]
_TIMES = {
    "ttft_ms": "time_to_first_token",
    "tpot_ms": "time_per_output_token",
    "e2e_ms": "request_latency",
}
_DISAGGREGATED = "it serves prompts and answers on different machines, which advisor does not model"


def is_llmd(found: Object) -> bool:
    """Return whether an object is a benchmark report of llm-d-benchmark."""
    return "scenario" in found and (
        "metrics" in found or inside(found, "results", "request_performance") is not None
    )


def llmd_results(found: Object) -> Results:
    """Return the run of a benchmark report."""
    run = _second(found) if "results" in found else _first(found)
    return Results(f"llm-d-benchmark report {first_text(found.get('version')) or '0.1'}", (run,))


def _first(found: Object) -> Run:
    scenario, metrics = found.get("scenario"), found.get("metrics")
    accelerator, engine = (
        inside(scenario, "host", "accelerator", 0),
        inside(scenario, "platform", "engine", 0),
    )
    load = inside(scenario, "load", "args")
    row = {
        "model": first_text(inside(scenario, "model", "name")),
        "precision": first_text(inside(scenario, "model", "quantization")),
        "system": first_text(inside(accelerator, "model")),
        "tp_size": first_text(inside(accelerator, "parallelism", "tp"), inside(accelerator, "count")),
        "backend": first_text(inside(engine, "name")),
    }
    roles = inside(scenario, "host", "type")
    if isinstance(roles, list) and "prefill" in roles:
        return Run(row, refused=_DISAGGREGATED)
    return language_run(
        row,
        {**_measured(metrics), "requests_per_s": number(inside(metrics, "throughput", "requests_per_sec"))},
        rate=positive(inside(load, "qps_values")) or positive(inside(load, "request_rate")),
        concurrency=positive(inside(load, "max_concurrency")) or positive(inside(load, "concurrency")),
        day=day_of(inside(metrics, "time", "start")),
        by_littles_law=True,
    )


def _second(found: Object) -> Run:
    aggregate = inside(found, "results", "request_performance", "aggregate")
    stack = inside(found, "scenario", "stack")
    engines = [
        standard
        for part in (stack if isinstance(stack, list) else [])
        if inside(standard := inside(part, "standardized"), "accelerator") is not None
    ]
    engine = engines[0] if engines else {}
    load = inside(found, "scenario", "load", "standardized")
    row = {
        "model": first_text(inside(engine, "model", "name")),
        "precision": first_text(inside(engine, "model", "quantization")),
        "system": first_text(inside(engine, "accelerator", "model")),
        "tp_size": first_text(
            inside(engine, "accelerator", "parallelism", "tp"), inside(engine, "accelerator", "count")
        ),
        "backend": first_text(inside(engine, "tool")),
    }
    if any(first_text(inside(one, "role")) == "prefill" for one in engines):
        return Run(row, refused=_DISAGGREGATED)
    measured = _measured(aggregate)
    lengths = {
        name: measured[name] or number(inside(load, key, "value"))
        for name, key in (("input_tokens", "input_seq_len"), ("output_tokens", "output_seq_len"))
    }
    return language_run(
        row,
        {
            **measured,
            **lengths,
            "requests_per_s": number(inside(aggregate, "throughput", "request_rate", "mean")),
        },
        rate=positive(inside(load, "rate_qps")),
        concurrency=positive(inside(load, "concurrency")),
        day=day_of(inside(found, "run", "time", "start") or inside(found, "run", "start_time")),
        by_littles_law=True,
    )


def _measured(found: object) -> dict[str, float | None]:
    times = {
        name: milliseconds(
            inside(found, "latency", metric, "mean"), inside(found, "latency", metric, "units")
        )
        for name, metric in _TIMES.items()
    }
    return {
        **times,
        "input_tokens": number(inside(found, "requests", "input_length", "mean")),
        "output_tokens": number(inside(found, "requests", "output_length", "mean")),
        "requests": positive(inside(found, "requests", "total")),
        "failed": number(inside(found, "requests", "failures")),
    }
