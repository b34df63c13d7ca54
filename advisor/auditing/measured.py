"""Latencies that were measured over a period: from a page of metrics, from benchmark results, or stated."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from advisor.calibrating import read_results
from advisor.documents import read_document
from advisor.errors import InputError
from advisor.inputs import Input, validated
from advisor.latency import LATENCY_KEYS, LatencyLimits
from advisor.observing import observe_dumps
from advisor.prediction.inputs import cell
from advisor.validation.comparison import MEASURED

_EXPECTED = (
    "a page of metrics, benchmark results, or YAML with latencies such as 'latencies: {ttft_p99: 900ms}'"
)


class Stated(Input):
    """Latencies of a period as somebody wrote them down."""

    latencies: LatencyLimits
    """Such as {ttft_p50: 300ms, ttft_p99: 900ms, tpot_p99: 60ms, latency_p99: 12s}."""


def measured_latencies(path: Path | str) -> dict[str, float]:
    """Return what a file says about latencies, in seconds, by name such as `ttft_p99`.

    Args:
        path: A page of `/metrics` (since the engine started), results that `advisor calibrate` reads (all runs
            together), or YAML or JSON with `latencies`.

    Raises:
        InputError: The file is none of these, or says nothing about latency.
    """
    path = Path(path)
    found = _stated(path) or _benchmarked(path) or _observed(path)
    if not found:
        raise InputError(f"'{path.name}' says nothing about latency; expected {_EXPECTED}")
    return found


def _stated(path: Path) -> dict[str, float]:
    try:
        document = read_document(path)
    except InputError:
        if not path.is_file():
            raise
        return {}
    if "latencies" not in document.data:
        return {}
    return {str(name): value for name, value in validated(Stated, document).latencies.items()}


def _benchmarked(path: Path) -> dict[str, float]:
    """Return the geometric mean over the runs of a file, of each statistic that all of them state."""
    try:
        runs = [run.row for run in read_results(path).runs if not run.refused]
    except InputError:
        return {}
    found = {}
    for key in LATENCY_KEYS:
        column = f"{key.replace('latency', 'e2e')}_ms"
        closed = f"{key.partition('_')[0]}_ms" if key.endswith("_mean") else column
        values = [_positive(row, column, closed) for row in runs]
        if values and all(value is not None for value in values):
            logs = [math.log(value) for value in values if value]
            found[key] = 1e-3 * math.exp(sum(logs) / len(logs))
    return found


def _positive(row: Mapping[str, object], *columns: str) -> float | None:
    names = [name for column in columns for name in MEASURED.get(column, (column,))]
    try:
        value = float(cell(row, *names))
    except ValueError:
        return None
    return value if 0.0 < value < math.inf else None


def _observed(path: Path) -> dict[str, float]:
    try:
        return dict(observe_dumps([path]).latencies_s or {})
    except InputError:
        return {}
