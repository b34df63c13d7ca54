"""Reads what a workload needs to know from one dump of metrics, or from the difference of two."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from advisor.errors import InputError
from advisor.observing import metrics
from advisor.observing.exposition import Sample, read_dump
from advisor.observing.histograms import Histogram
from advisor.observing.metrics import Found, Names
from advisor.observing.observation import Gpus, Observation, Rhythm
from advisor.observing.querying import edge_of, several_models
from advisor.observing.selectors import Matcher, read_selector
from advisor.observing.words import digits, plain

_STARTED = "process_start_time_seconds"
_Key = tuple[str, tuple[tuple[str, str], ...]]


def observe_dumps(
    paths: Sequence[Path],
    *,
    selector: str | None = None,
    engine: str | None = None,
    between_s: float | None = None,
) -> Observation:
    """Return what dumps of one engine's metrics say: since it started, or between an earlier and a later one.

    Args:
        paths: One file, or the earlier and the later one.
        selector: Conditions on labels, such as `model_name="x"`.
        engine: Which one, where several are in the dump.
        between_s: Time between two dumps, in seconds; that between the changes of the files where not given.

    Raises:
        InputError: A dump cannot be read, nothing fits, several models do, or two dumps do not follow each other.
    """
    if len(paths) not in {1, 2}:
        raise InputError(f"--dump: got {len(paths)} dumps; expected one, or an earlier and a later one")
    matchers = read_selector(selector)
    dumps = [read_dump(path) for path in paths]
    lasted_s = _between(paths, between_s) if len(paths) == 2 else _running(paths[0], dumps[0])
    found = metrics.engine_of({sample.name for sample in dumps[-1]}, engine)
    grown = _Growth(
        _by_series(dumps[0], matchers) if len(dumps) == 2 else {}, _by_series(dumps[-1], matchers)
    )
    label = found.engine.model_label
    models = sorted({value for key in grown.after for name, value in key[1] if name == label and value})
    if len(models) > 1:
        raise InputError(several_models(label, models))
    source = f"{' and '.join(plain(path.name) for path in paths)}, over {_lasting(lasted_s)}"
    return _observation(found, grown, lasted_s, source, models[0] if models else None)


@dataclass(frozen=True, slots=True)
class _Growth:
    """Two readings of all series; a counter that fell was reset and counts from 0, as in Prometheus."""

    before: Mapping[_Key, float]
    after: Mapping[_Key, float]

    def total(self, names: Sequence[str]) -> float | None:
        """Return how much the series of these names grew together."""
        parts = [self._grown(key) for key in self.after if key[0] in names]
        return sum(parts) if parts else None

    def by_edge(self, names: Sequence[str]) -> dict[float, float]:
        """Return how much the buckets grew, by upper edge."""
        found: dict[float, float] = {}
        for key in self.after:
            if key[0] in names:
                edge = edge_of(dict(key[1]).get("le", ""))
                found[edge] = found.get(edge, 0.0) + self._grown(key)
        return found

    def now(self, names: Sequence[str]) -> list[float]:
        """Return the present values of the series of these names."""
        return [value for key, value in self.after.items() if key[0] in names]

    @property
    def was_reset(self) -> bool:
        """Whether any counter fell."""
        return any(
            key[0].endswith(("_total", "_count", "_bucket")) and value < self.before.get(key, 0.0)
            for key, value in self.after.items()
        )

    def _grown(self, key: _Key) -> float:
        now, then = self.after[key], self.before.get(key, 0.0)
        return now - then if now >= then else now


def _observation(
    found: Found, grown: _Growth, lasted_s: float | None, source: str, model: str | None
) -> Observation:
    engine = found.engine
    requests = grown.total(found.spellings(engine.requests, counter=True)) or 0.0
    running, waiting = (grown.now(found.spellings(names)) for names in (engine.running, engine.waiting))
    cache = grown.now(found.spellings(engine.cache_ratio))
    rate = digits(requests / lasted_s) if lasted_s else None
    notes = ["one number stands for every hour; `advisor observe --prometheus` gives the hours"]
    return Observation(
        source=source,
        engine=engine,
        model=model,
        rhythm=None if rate is None else Rhythm(rate, rate, notes=tuple(notes)),
        input_tokens=_lengths(found, grown, engine.input_tokens, engine.input_total, requests),
        output_tokens=_lengths(found, grown, engine.output_tokens, engine.output_total, requests),
        latencies_s=_latencies(found, grown, requests),
        running=sum(running) if running else None,
        most_running=None,
        most_waiting=sum(waiting) if waiting else None,
        cache_ratio=sum(cache) / len(cache) if cache else None,
        prefix_ratio=_prefix_ratio(found, grown),
        gpus=_gpus(grown),
        notes=("a counter fell between the dumps: the engine restarted",)
        if grown.before and grown.was_reset
        else (),
    )


def _lengths(
    found: Found, grown: _Growth, names: Names, totals: Names, requests: float
) -> dict[str, float] | None:
    histogram = _histogram(found, grown, names)
    if histogram is not None:
        return histogram.lengths()
    tokens = grown.total(found.spellings(totals, counter=True))
    return {"mean": digits(tokens / requests)} if tokens and requests else None


def _histogram(found: Found, grown: _Growth, names: Names) -> Histogram | None:
    buckets = grown.by_edge(found.spellings(names, ending="_bucket"))
    return Histogram.of(buckets, total=grown.total(found.spellings(names, ending="_sum")))


def _latencies(found: Found, grown: _Growth, requests: float) -> dict[str, float]:
    engine = found.engine
    latencies: dict[str, float] = {}
    for metric, names in (("ttft", engine.ttft_s), ("tpot", engine.tpot_s), ("latency", engine.latency_s)):
        histogram = _histogram(found, grown, names)
        latencies |= {
            f"{metric}_{name}": value for name, value in (histogram.stated() if histogram else {}).items()
        }
    spent = grown.total(found.spellings(engine.latency_total_us, counter=True))
    return latencies | ({"latency_mean": spent / requests / 1e6} if spent and requests else {})


def _prefix_ratio(found: Found, grown: _Growth) -> float | None:
    hits = grown.total(found.spellings(found.engine.prefix_hits, counter=True))
    queries = grown.total(found.spellings(found.engine.prefix_queries, counter=True))
    if hits is not None and queries:
        return min(hits / queries, 1.0)
    stated = grown.now(found.spellings(found.engine.prefix_ratio))
    return sum(stated) / len(stated) if stated else None


def _gpus(grown: _Growth) -> Gpus | None:
    for name, factor in metrics.GPU_UTILISATION:
        keys = [key for key in grown.after if key[0] == name]
        if keys:
            busy = [min(max(grown.after[key] * factor, 0.0), 1.0) for key in keys]
            names = {plain(dict(key[1]).get(metrics.GPU_NAME_LABEL, "")) for key in keys} - {""}
            return Gpus(len(keys), tuple(sorted(names)), sum(busy) / len(busy), max(busy))
    return None


def _by_series(samples: Sequence[Sample], matchers: Sequence[Matcher]) -> dict[_Key, float]:
    gpu = {name for name, _ in metrics.GPU_UTILISATION}
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for sample in samples
        if math.isfinite(sample.value)
        and (sample.name in gpu or all(one.fits(sample.labels) for one in matchers))
    }


def _between(paths: Sequence[Path], given_s: float | None) -> float:
    if given_s is not None:
        return given_s
    passed = paths[1].stat().st_mtime - paths[0].stat().st_mtime
    if passed < 1:
        raise InputError(
            f"--dump: '{plain(paths[1].name)}' was not saved after '{plain(paths[0].name)}'; give the earlier one first, "
            "or say how much time lies between them with --between 10m"
        )
    return passed


def _running(path: Path, samples: Sequence[Sample]) -> float | None:
    """Return for how long the engine had run when the file was saved; None where it does not say."""
    started = [sample.value for sample in samples if sample.name == _STARTED and math.isfinite(sample.value)]
    passed = path.stat().st_mtime - max(started) if started else 0.0
    return passed if passed >= 1 else None


def _lasting(seconds: float | None) -> str:
    if seconds is None:
        return "an unknown time"
    for unit, size in (("d", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
