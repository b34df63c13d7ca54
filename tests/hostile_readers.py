"""Every reader of a file from outside, by what it reads; also run in processes of their own, under a limit of memory."""

from __future__ import annotations

import resource
from collections.abc import Callable
from io import StringIO
from pathlib import Path

from advisor.errors import AdvisorError


def plan(path: Path) -> object:
    """A stored plan."""
    from advisor.stored import load_plan

    return load_plan(path)


def workload(path: Path) -> object:
    """A workload, or a fleet of several."""
    from advisor.fleet import Fleet

    return Fleet.load([path])


def requirements(path: Path) -> object:
    """Limits."""
    from advisor.requirements import Requirements

    return Requirements.load(path)


def model(path: Path) -> object:
    """The configuration of a model."""
    from advisor.model_configs import read_config

    return read_config(path)


def metrics(path: Path) -> object:
    """What an engine's /metrics answered."""
    from advisor.observing import observe_dumps

    return observe_dumps([path])


def prices(path: Path) -> object:
    """Machines and prices of somebody's own."""
    from advisor.catalog import Catalog

    return Catalog.load().with_overrides(path)


def trace(path: Path) -> object:
    """Requests."""
    from advisor.traces import read_trace, summarize

    return summarize(read_trace(path))


def benchmark(path: Path) -> object:
    """Results of a load test."""
    from advisor.calibrating.reading import read_results

    return read_results(path)


def points(path: Path) -> object:
    """Rows to predict."""
    from advisor.prediction.files import write_predictions

    return write_predictions(path, StringIO())


def bill(path: Path) -> object:
    """A provider's bill."""
    from advisor.billing.focus import read_focus

    return read_focus(path)


READERS: dict[str, Callable[[Path], object]] = {
    "plan.json": plan,
    "workload.yaml": workload,
    "workload.json": workload,
    "requirements.yaml": requirements,
    "config.json": model,
    "metrics.txt": metrics,
    "prices.csv": prices,
    "trace.csv": trace,
    "trace.jsonl": trace,
    "benchmark.json": benchmark,
    "points.csv": points,
    "bill.csv": bill,
}


def bounded(path: Path, reader: str, memory_bytes: int) -> None:
    """Read a file within a limit of memory; ends with 0 for an answer or a refusal in words, 9 for too much memory."""
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    try:
        READERS[reader](path)
    except AdvisorError:
        raise SystemExit(0) from None
    except MemoryError:
        raise SystemExit(9) from None
