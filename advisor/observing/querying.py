"""Asks a Prometheus server what a workload needs to know."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from advisor.errors import InputError
from advisor.observing import metrics
from advisor.observing.histograms import Histogram
from advisor.observing.metrics import Found, Names
from advisor.observing.observation import Gpus, Observation, Rhythm
from advisor.observing.prometheus import Prometheus, Series
from advisor.observing.rhythm import rhythm
from advisor.observing.selectors import Matcher, quoted, read_selector
from advisor.observing.spans import MOST_STEPS, Span
from advisor.observing.words import digits, plain

FULL_STEP = 0.75
"""Share of the usual scrapes below which a step counts as a gap: Prometheus takes its rate for lower than it was."""
_LISTED_MODELS = 8


def observe_prometheus(
    server: Prometheus, *, span: Span, selector: str | None = None, engine: str | None = None
) -> Observation:
    """Return what a Prometheus server knows about one service.

    Args:
        server: Where to ask.
        span: The stretch of time, up to the last whole step before now.
        selector: Conditions on labels, such as `model_name="x"`; they do not apply to the metrics of GPUs.
        engine: Which one, where several are scraped.

    Raises:
        InputError: The server does not answer, nothing fits, or several models do.
    """
    matchers = read_selector(selector)
    now_s = server.now_s()
    end_s = now_s // span.step_s * span.step_s
    if end_s - span.steps * span.step_s < 0:
        raise InputError("--window: it reaches back to before 1970")
    asker = _Asker(server, end_s, span, matchers)
    names = server.values_of(
        "__name__", match=asker.selected(pattern=metrics.PATTERN), start_s=asker.start_s, end_s=now_s
    )
    return asker.observation(metrics.engine_of(names, engine))


class _Asker:
    """One service's questions to one server, over one stretch of time."""

    def __init__(self, server: Prometheus, end_s: float, span: Span, matchers: Sequence[Matcher]) -> None:
        self._server, self._end_s, self._span, self._matchers = server, end_s, span, matchers
        self._range = f"[{_promql(span.steps * span.step_s)}]"
        self.start_s = end_s - span.steps * span.step_s

    def selected(self, name: str = "", *, pattern: str = "") -> str:
        """Return the selector of a metric, or of all metrics that fit a pattern."""
        first = f"__name__=~{quoted(pattern)}" if pattern else f"__name__={quoted(name)}"
        return "{" + ",".join([first, *map(str, self._matchers)]) + "}"

    def observation(self, found: Found) -> Observation:
        """Return everything that is known of an engine's service."""
        engine = found.engine
        model = self._model(found)
        seen = self._rhythm(found)
        requests = self._increase(found.spellings(engine.requests, counter=True)) or 0.0
        inputs = self._lengths(found, engine.input_tokens, engine.input_total, requests)
        outputs = self._lengths(found, engine.output_tokens, engine.output_total, requests)
        return Observation(
            source=f"{self._server.url}, {_ago(self.start_s)} to {_ago(self._end_s)} UTC", engine=engine, model=model, rhythm=seen,
            input_tokens=inputs, output_tokens=outputs, latencies_s=self._latencies(found, requests), gpus=self._gpus(),
            **self._occupancy(found),
        )  # fmt: skip

    def _model(self, found: Found) -> str | None:
        names = found.spellings(found.engine.requests, counter=True)
        models = self._server.values_of(
            found.engine.model_label,
            match=self.selected(pattern="|".join(names)),
            start_s=self.start_s,
            end_s=self._end_s,
        )
        named = [model for model in models if model]
        if len(named) > 1:
            raise InputError(several_models(found.engine.model_label, named))
        return named[0] if named else None

    def _rhythm(self, found: Found) -> Rhythm | None:
        names = found.spellings(found.engine.requests, counter=True)
        step = f"[{_promql(self._span.step_s)}]"
        rates = self._steps(f"sum({self._any('rate', names, step)})")
        scrapes = self._steps(f"max({self._any('count_over_time', names, step)})")
        points = [(moment, rate) for moment, rate in rates.items() if rate >= 0]
        if scrapes:
            enough = FULL_STEP * median(scrapes.values())
            points = [point for point in points if scrapes.get(point[0], 0.0) >= enough]
        found_rhythm = rhythm(points, step_s=self._span.step_s, expected=self._span.steps)
        if found_rhythm is None:
            raise InputError(
                f"no rate of {names[0]} can be told over steps of {_promql(self._span.step_s)}: within each there must be "
                "two scrapes. Give a longer --step, or a --window in which the service ran"
            )
        return found_rhythm

    def _steps(self, query: str) -> dict[float, float]:
        """Return the value of a query that has one series, at each step where it has a value."""
        start_s, step_s = self.start_s + self._span.step_s, self._span.step_s
        series = self._server.matrix(query, start_s=start_s, end_s=self._end_s, step_s=step_s)
        return dict(series[0].points) if series else {}

    def _lengths(
        self, found: Found, histograms: Names, totals: Names, requests: float
    ) -> dict[str, float] | None:
        histogram = self._histogram(found, histograms)
        if histogram is not None:
            return histogram.lengths()
        tokens = self._increase(found.spellings(totals, counter=True))
        return {"mean": digits(tokens / requests)} if tokens and requests else None

    def _latencies(self, found: Found, requests: float) -> dict[str, float]:
        engine = found.engine
        latencies: dict[str, float] = {}
        for metric, names in (
            ("ttft", engine.ttft_s),
            ("tpot", engine.tpot_s),
            ("latency", engine.latency_s),
        ):
            histogram = self._histogram(found, names)
            latencies |= {
                f"{metric}_{name}": value for name, value in (histogram.stated() if histogram else {}).items()
            }
        spent = self._increase(found.spellings(engine.latency_total_us, counter=True))
        return latencies | ({"latency_mean": spent / requests / 1e6} if spent and requests else {})

    def _histogram(self, found: Found, names: Names) -> Histogram | None:
        buckets = found.spellings(names, ending="_bucket")
        if not buckets:
            return None
        query = f"sum by (le) ({self._any('increase', buckets, self._range)})"
        counts: dict[float, float] = {}
        for one in self._server.vector(query, at_s=self._end_s):
            edge = edge_of(one.labels.get("le", ""))
            counts[edge] = counts.get(edge, 0.0) + sum(value for _, value in one.points)
        return Histogram.of(counts, total=self._increase(found.spellings(names, ending="_sum")))

    def _occupancy(self, found: Found) -> dict[str, Any]:
        engine = found.engine
        gauges = found.spellings(engine.running) or found.spellings(engine.requests, counter=True)
        alive = f"count(count by (instance) ({self._any('', gauges, '')}))"
        return {
            "replicas": self._over_time("max_over_time", alive),
            "running": self._over_time("avg_over_time", self._sum(found.spellings(engine.running))),
            "most_running": self._over_time("max_over_time", self._sum(found.spellings(engine.running))),
            "most_waiting": self._over_time("max_over_time", self._sum(found.spellings(engine.waiting))),
            "cache_ratio": self._over_time("avg_over_time", self._mean(found.spellings(engine.cache_ratio))),
            "prefix_ratio": self._prefix_ratio(found),
        }

    def _prefix_ratio(self, found: Found) -> float | None:
        engine = found.engine
        hits = self._increase(found.spellings(engine.prefix_hits, counter=True))
        queries = self._increase(found.spellings(engine.prefix_queries, counter=True))
        if hits is not None and queries:
            return min(hits / queries, 1.0)
        return self._over_time("avg_over_time", self._mean(found.spellings(engine.prefix_ratio)))

    def _gpus(self) -> Gpus | None:
        for name, factor in metrics.GPU_UTILISATION:
            gauge = f"{{__name__={quoted(name)}}}"
            means = self._server.vector(f"avg_over_time({gauge}{self._range})", at_s=self._end_s)
            watched = [(one, one.points[0][1] * factor) for one in means if one.points]
            if watched:
                return _watched(watched)
        return None

    def _increase(self, names: Sequence[str]) -> float | None:
        if not names:
            return None
        return _only(
            self._server.vector(f"sum({self._any('increase', names, self._range)})", at_s=self._end_s)
        )

    def _over_time(self, function: str, query: str) -> float | None:
        if not query:
            return None
        step = _promql(max(self._span.step_s / 4, self._span.window_s / MOST_STEPS, 1.0))
        window = f"[{self._range[1:-1]}:{step}]"
        return _only(self._server.vector(f"{function}({query}{window})", at_s=self._end_s))

    def _sum(self, names: Sequence[str]) -> str:
        return f"sum({self._any('', names, '')})" if names else ""

    def _mean(self, names: Sequence[str]) -> str:
        return f"avg({self._any('', names, '')})" if names else ""

    def _any(self, function: str, names: Sequence[str], window: str) -> str:
        """Return the query for whichever spelling a series has; the first where it has several at a time."""
        parts = [f"{self.selected(name)}{window}" for name in names]
        return " or ".join(f"{function}({part})" if function else part for part in parts)


def several_models(label: str, named: Sequence[str]) -> str:
    """Return the message for metrics of several models where one service is wanted."""
    listed = ", ".join(plain(model) for model in named[:_LISTED_MODELS])
    more = f" and {len(named) - _LISTED_MODELS} more" if len(named) > _LISTED_MODELS else ""
    example = f"{label}={quoted(plain(named[0]))}"
    return f"there are {len(named)} models ({listed}{more}); choose one with --selector '{example}'"


def edge_of(text: str) -> float:
    """Return the upper edge that a label `le` names; NaN where it names none.

    Example:
        >>> edge_of("+Inf"), edge_of("2.5e-3")
        (inf, 0.0025)
    """
    try:
        return float(text)
    except ValueError:
        return math.nan


def _watched(watched: Iterable[tuple[Series, float]]) -> Gpus:
    rows = list(watched)
    busy = [min(max(ratio, 0.0), 1.0) for _, ratio in rows]
    names = {plain(one.labels.get(metrics.GPU_NAME_LABEL, "")) for one, _ in rows} - {""}
    return Gpus(len(rows), tuple(sorted(names)), sum(busy) / len(busy), max(busy))


def _only(series: Sequence[Series]) -> float | None:
    return next((one.points[0][1] for one in series if one.points), None)


def _promql(seconds: float) -> str:
    """Return a duration of PromQL, in whole milliseconds."""
    return f"{round(seconds)}s" if math.isclose(seconds, round(seconds)) else f"{round(1000 * seconds)}ms"


def _ago(posix_s: float) -> str:
    from datetime import UTC, datetime  # noqa: PLC0415

    return datetime.fromtimestamp(posix_s, UTC).strftime("%Y-%m-%d %H:%M")
