"""Results for models of one pass: Triton's perf_analyzer and Model Analyzer, and summaries of MLPerf's LoadGen.

Field names: perf_analyzer `docs/measurements_metrics.md` (times in microseconds), Model Analyzer `docs/report.md`, LoadGen
`mlperf_log_summary.txt`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping

from advisor.calibrating.language_runs import language_run, positive
from advisor.calibrating.results import Results, Run, number

_COMPUTE = ("Server Compute Input", "Server Compute Infer", "Server Compute Output")
_LINE = re.compile(r"^\s*(?P<name>[^:]{1,80}?)\s*:\s*(?P<value>\S[^\n]{0,200})$")
_RATE = ("Samples per second", "Completed samples per second", "Scheduled samples per second")
_NO_BATCH = (
    "it does not say how many items the server took together; Model Analyzer measures Server Compute Infer, and at "
    "a concurrency of 1 a batch is the client's"
)


def is_triton(lines: list[str]) -> bool:
    """Return whether the lines of a CSV file are of perf_analyzer or Model Analyzer."""
    return "Inferences/Second" in lines[0] or "Throughput (infer/sec)" in lines[0]


def triton_results(lines: list[str]) -> Results:
    """Return the runs of a perf_analyzer or Model Analyzer CSV, one for each line.

    The items that the server computed together follow from Little's law: rate x compute time of a busy instance.
    """
    analyzer = "Throughput (infer/sec)" in lines[0]
    runs = [
        _triton(row, _analyzer(row) if analyzer else _perf(row))
        for row in csv.DictReader(_until_blank(lines), restval="")
    ]
    return Results("Triton Model Analyzer" if analyzer else "perf_analyzer", tuple(runs))


def _until_blank(lines: list[str]) -> list[str]:
    """Return the first table of a file that may hold several."""
    end = next((place for place, line in enumerate(lines) if not line.strip()), len(lines))
    return lines[:end]


def _perf(row: Mapping[str, str]) -> dict[str, float | None]:
    parts = [number(row.get(name)) for name in _COMPUTE]
    return {
        "rate": positive(row.get("Inferences/Second")),
        "concurrency": positive(row.get("Concurrency")),
        "compute_s": 1e-6 * sum(part or 0.0 for part in parts) if parts[1] else None,
        "batch": None,
        "instances": 1.0,
    }


def _analyzer(row: Mapping[str, str]) -> dict[str, float | None]:
    times = {name.lower(): value for name, value in row.items() if name}
    compute = next(
        (positive(value) for name, value in times.items() if "server compute infer" in name and "ms" in name),
        None,
    )
    return {
        "rate": positive(row.get("Throughput (infer/sec)")),
        "concurrency": positive(row.get("Concurrency")),
        "compute_s": compute and 1e-3 * compute,
        "batch": positive(row.get("Batch")) or positive(row.get("Client Batch Size")),
        "instances": positive(re.sub(r"[:/].*", "", str(row.get("Instance Group") or ""))) or 1.0,
    }


def _triton(row: Mapping[str, str], found: Mapping[str, float | None]) -> Run:
    rate, clients, instances = found["rate"], found["concurrency"], found["instances"] or 1.0
    inputs = {"model": row.get("Model") or row.get("Model Config Path"), "client_batch": found["batch"]}
    if not rate:
        return Run(inputs, refused="it states no inferences per second")
    return Run(
        {
            **inputs,
            "infer_per_s": rate,
            "clients": clients,
            "compute_s": found["compute_s"],
            "instances": instances,
        }
    )


def one_pass_row(row: Mapping[str, object]) -> tuple[dict[str, object], str]:
    """Return the row of a Triton run as `advisor predict` takes it, and why it cannot be used; '' where it can.

    Args:
        row: As from `triton_results`, completed with what the file does not say (`batch_size`: of the client).
    """
    rate, clients, compute = (number(row.get(name)) for name in ("infer_per_s", "clients", "compute_s"))
    instances = number(row.get("instances")) or 1.0
    sent = number(row.get("client_batch")) or number(row.get("batch_size")) or 1.0
    kept = {name: value for name, value in row.items() if name not in _OWN_COLUMNS}
    if not rate:
        return kept, "it states no inferences per second"
    if compute:
        together = min(max(rate * compute / instances, sent), sent * (clients or 1.0) if clients else 1e6)
        return {**kept, "batch_size": together, "throughput_images_per_s": together / compute}, ""
    if clients == 1.0:
        return {**kept, "batch_size": sent, "throughput_images_per_s": rate}, ""
    return kept, _NO_BATCH


_OWN_COLUMNS = frozenset({"infer_per_s", "clients", "compute_s", "instances", "client_batch"})


def is_mlperf(text: str) -> bool:
    """Return whether a text is a summary of LoadGen."""
    return "MLPerf Results Summary" in text


def mlperf_results(text: str) -> Results:
    """Return the run of an `mlperf_log_summary.txt`; an invalid one is refused, as MLPerf does."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        if match := _LINE.match(line):
            found.setdefault(match["name"].strip(), match["value"].strip())
    return Results("MLPerf summary", (_mlperf(found),))


def _mlperf(found: Mapping[str, str]) -> Run:
    scenario = found.get("Scenario", "").replace(" ", "").lower()
    if not found.get("Result is", "").upper().startswith("VALID"):
        return Run({}, refused="MLPerf calls the result invalid")
    if "accuracy" in found.get("Mode", "").lower():
        return Run({}, refused="it measured accuracy, not speed")
    rate = next((value for name in _RATE if (value := positive(found.get(name)))), None)
    mean_s = _ns(found, "Mean latency (ns)") or _ns(found, "50.00 percentile latency (ns)")
    ttft_s, tpot_s = (
        _ns(found, "Mean First Token latency (ns)"),
        _ns(found, "Mean Time per Output Token (ns)"),
    )
    if ttft_s or tpot_s:
        tokens = positive(found.get("Completed tokens per second")) or positive(
            found.get("Tokens per second")
        )
        measured = {
            "ttft_ms": ttft_s and 1e3 * ttft_s,
            "tpot_ms": tpot_s and 1e3 * tpot_s,
            "e2e_ms": mean_s and 1e3 * mean_s,
            "output_tokens": tokens / rate if tokens and rate else None,
            "requests_per_s": rate,
        }
        return language_run(
            {}, measured, rate=rate if scenario == "server" else None, concurrency=None, by_littles_law=True
        )
    if scenario == "singlestream" and mean_s:
        return Run({"batch_size": 1.0, "throughput_images_per_s": 1.0 / mean_s})
    if scenario == "offline" and rate:
        return Run({"throughput_images_per_s": rate})
    return Run(
        {}, refused=f"its scenario '{found.get('Scenario', '')[:40]}' says nothing about the time of a batch"
    )


def _ns(found: Mapping[str, str], name: str) -> float | None:
    value = positive(found.get(name))
    return value and 1e-9 * value
