"""Results of load generators for language models: `vllm bench serve`, guidellm, aiperf and genai-perf.

Field names: vLLM `benchmarks/serve.py`, guidellm `benchmarks.json` (0.3 to 0.8), aiperf `profile_export_aiperf.json`
and `.csv` (0.1 to 0.13), genai-perf `profile_export_genai_perf.json` and `.csv`.
"""

from __future__ import annotations

import csv
import datetime
import re
from collections.abc import Iterable, Iterator, Mapping

from advisor.calibrating.language_runs import language_run, positive
from advisor.calibrating.results import Results, Run, first_text, inside, milliseconds, named, number
from advisor.prediction.deployments import CHIP, PRECISION, TENSOR
from advisor.prediction.inputs import Row, cell

Object = Mapping[str, object]
_AIPERF = {
    "ttft_ms": "time_to_first_token",
    "tpot_ms": "inter_token_latency",
    "e2e_ms": "request_latency",
}
_COUNTS = {
    "input_tokens": "input_sequence_length",
    "output_tokens": "output_sequence_length",
    "requests": "request_count",
    "failed": "error_request_count",
    "requests_per_s": "request_throughput",
}
_METRIC = re.compile(r"^(?P<name>[^()]+?)\s*(?:\((?P<unit>[^()]*)\))?$")


def is_vllm(found: Object) -> bool:
    """Return whether an object is one result of `vllm bench serve`."""
    return "request_throughput" in found and ("mean_ttft_ms" in found or "mean_tpot_ms" in found)


def vllm_results(objects: Iterable[Object]) -> Results:
    """Return the runs of `vllm bench serve --save-result`, one for each object (`--append-result` writes several)."""
    return Results("vllm bench serve", tuple(_vllm(found) for found in objects))


def _vllm(found: Object) -> Run:
    completed = positive(found.get("completed")) or positive(found.get("num_prompts"))
    tokens = {
        f"{kind}_tokens": total / completed if total and completed else None
        for kind in ("input", "output")
        if (total := positive(found.get(f"total_{kind}_tokens"))) is not None
    }
    measured = {
        **tokens,
        **{f"{name}_ms": positive(found.get(f"mean_{name}_ms")) for name in ("ttft", "tpot")},
        "e2e_ms": positive(found.get("mean_e2el_ms")) or positive(found.get("mean_e2e_latency_ms")),
        "requests": completed,
        "failed": number(found.get("failed")),
        "requests_per_s": positive(found.get("request_throughput")),
    }
    row = {
        "model": first_text(found.get("model_id"), found.get("model")),
        "backend": _engine(first_text(found.get("backend"))),
        "burstiness": positive(found.get("burstiness")),
        **_metadata(found),
    }
    limit = positive(found.get("max_concurrency"))
    return language_run(
        row,
        measured,
        rate=positive(found.get("request_rate")),
        concurrency=limit,
        day=day_of(found.get("date")),
    )


def _metadata(found: Object) -> Row:
    """Return what the user wrote with `--metadata`: chip, number format, tensor parallelism."""
    names = {"system": CHIP, "precision": PRECISION, "tp_size": TENSOR}
    return {name: cell(found, *columns) for name, columns in names.items()}


def _engine(backend: str) -> str:
    """Return the serving engine behind a client's backend; '' for a protocol such as 'openai-chat'."""
    known = {"vllm": "vllm", "sglang": "sglang", "tensorrt-llm": "trtllm", "trtllm": "trtllm"}
    return known.get(backend.lower().removesuffix("-chat"), "")


def is_guidellm(found: Object) -> bool:
    """Return whether an object is a report of guidellm."""
    return isinstance(found.get("benchmarks"), list) and inside(found, "benchmarks", 0, "metrics") is not None


def guidellm_results(found: Object) -> Results:
    """Return the runs of a guidellm report, one for each strategy that was tried."""
    benchmarks = found.get("benchmarks")
    assert isinstance(benchmarks, list)  # noqa: S101 - `is_guidellm` saw it
    return Results("guidellm", tuple(_guidellm(one, found) for one in benchmarks if isinstance(one, Mapping)))


def _guidellm(one: Object, report: Object) -> Run:
    metrics = one.get("metrics")
    mean = {
        name: number(inside(metrics, name, "successful", "mean"))
        for name in (
            "time_to_first_token_ms", "time_per_output_token_ms", "inter_token_latency_ms", "request_latency",
            "prompt_token_count", "output_token_count", "requests_per_second",
        )
    }  # fmt: skip
    whole_s = mean["request_latency"]
    measured = {
        "ttft_ms": mean["time_to_first_token_ms"],
        "tpot_ms": mean["inter_token_latency_ms"],
        "e2e_ms": whole_s and whole_s * 1e3,
        "input_tokens": mean["prompt_token_count"],
        "output_tokens": mean["output_token_count"],
        "requests_per_s": mean["requests_per_second"],
        "requests": positive(inside(metrics, "request_totals", "successful")),
        "failed": number(inside(metrics, "request_totals", "errored")),
    }
    strategy = inside(one, "config", "strategy") or inside(one, "args", "strategy") or {}
    kind = first_text(inside(strategy, "type_"), inside(strategy, "type"))
    streams = {"synchronous": 1.0}.get(kind) or positive(inside(strategy, "streams"))
    limit = streams or positive(inside(strategy, "max_concurrency"))
    rate = positive(inside(strategy, "rate")) if kind in {"constant", "poisson", "async"} else None
    row = {
        "model": first_text(
            inside(one, "config", "backend", "model"), inside(report, "args", "model"), *named(one, "model")
        ),
        "load_type": "constant" if kind == "constant" else "",
    }
    return language_run(row, measured, rate=rate, concurrency=limit, day=day_of(one.get("start_time")))


def is_aiperf(found: Object) -> bool:
    """Return whether an object is a summary of aiperf or genai-perf."""
    return (
        inside(found, "request_latency", "avg") is not None
        or inside(found, "time_to_first_token", "avg") is not None
    )


def aiperf_results(found: Object) -> Results:
    """Return the run of an aiperf or genai-perf summary."""
    times = {
        name: milliseconds(inside(found, metric, "avg"), inside(found, metric, "unit"))
        for name, metric in _AIPERF.items()
    }
    counts = {name: number(inside(found, metric, "avg")) for name, metric in _COUNTS.items()}
    config = found.get("input_config")
    row = {
        "model": first_text(*named(config, "model_names"), *named(config, "model")),
        "load_type": first_text(*named(config, "arrival_pattern"), *named(config, "request_rate_mode")),
    }
    rates, limits = (
        [positive(one) for one in named(config, name)] for name in ("request_rate", "concurrency")
    )
    run = language_run(
        row,
        {**times, **counts},
        rate=next(filter(None, rates), None),
        concurrency=next(filter(None, limits), None),
        day=day_of(found.get("start_time")),
        by_littles_law=True,
    )
    return Results(
        "aiperf" if "aiperf_version" in found or "schema_version" in found else "genai-perf", (run,)
    )


def is_aiperf_table(lines: list[str]) -> bool:
    """Return whether the lines of a CSV file are a summary of aiperf or genai-perf."""
    return lines[0].lower().startswith("metric,") and any("request latency" in line.lower() for line in lines)


def aiperf_table_results(lines: list[str]) -> Results:
    """Return the run of an aiperf or genai-perf CSV; its load follows from rate x latency, which it does not state."""
    found = dict(_metrics(lines))
    times = {
        name: milliseconds(*found.get(metric.replace("_", " "), (None, None)))
        for name, metric in _AIPERF.items()
    }
    counts = {
        name: number(found.get(metric.replace("_", " "), (None, None))[0]) for name, metric in _COUNTS.items()
    }
    return Results(
        "aiperf CSV",
        (language_run({}, {**times, **counts}, rate=None, concurrency=None, by_littles_law=True),),
    )


def _metrics(lines: list[str]) -> Iterator[tuple[str, tuple[str, str | None]]]:
    """Yield the name of each metric, its average or only value, and its unit."""
    for row in csv.reader(lines):
        if len(row) > 1 and (match := _METRIC.match(row[0].strip())):
            yield match["name"].strip().lower(), (row[1], match["unit"])


def day_of(value: object) -> str:
    """Return the day of a time that a file states: ISO 8601, `YYYYMMDD-HHMMSS`, or seconds since 1970 in UTC."""
    seconds = number(value) if not isinstance(value, str) else None
    try:
        if seconds is not None:
            return datetime.datetime.fromtimestamp(seconds, datetime.UTC).date().isoformat()
        digits = re.sub(r"\D", "", str(value or ""))[:8]
        return datetime.date.fromisoformat(f"{digits[:4]}-{digits[4:6]}-{digits[6:]}").isoformat()
    except (ValueError, OverflowError, OSError):
        return ""
