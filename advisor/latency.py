"""Limits on latency as people write them: `{ttft_p99: 800ms, tpot_p95: 40ms, latency_p99: 10s}`."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

from advisor.errors import InputError
from advisor.inputs import is_bare
from advisor.quantity import InBaseUnit
from advisor.units import Seconds

LatencyKey = Literal[
    "ttft_mean", "ttft_p50", "ttft_p90", "ttft_p95", "ttft_p99",
    "tpot_mean", "tpot_p50", "tpot_p90", "tpot_p95", "tpot_p99",
    "latency_mean", "latency_p50", "latency_p90", "latency_p95", "latency_p99",
]  # fmt: skip
"""Time to first token, time per output token or the whole request, at a percentile or on average."""

LATENCY_KEYS: tuple[str, ...] = get_args(LatencyKey)


def metric_and_statistic(key: str) -> tuple[str, str]:
    """Return what a key limits as the performance model calls it.

    Example:
        >>> metric_and_statistic("latency_p99"), metric_and_statistic("ttft_mean")
        (('e2e', 'p99'), ('ttft', 'mean'))
    """
    metric, _, statistic = key.partition("_")
    return ("e2e" if metric == "latency" else metric), statistic


def _named(values: object) -> object:
    if not isinstance(values, Mapping):
        return values
    named: dict[str, object] = {}
    for written, value in values.items():
        key = _key(str(written))
        if key in named:
            raise InputError(f"{written} limits the same as a key before it; keep one").within(str(written))
        has_unit = str(written).endswith("_s") and is_bare(value)
        named[key] = InBaseUnit(value) if has_unit else value
    return named


def _key(written: str) -> str:
    words = re.split(r"[_\-\s.]+", written.strip().lower())
    words = [{"e2e": "latency"}.get(word, word) for word in words if word not in {"s", ""}]
    if len(words) == 2 and words[0] in {"mean", "p50", "p90", "p95", "p99"}:
        words.reverse()
    return "_".join(words)


def _in_base_units(limits: dict[str, float]) -> dict[str, float]:
    return {f"{key}_s": limit for key, limit in limits.items()}


def _above_zero(limits: dict[LatencyKey, float]) -> dict[LatencyKey, float]:
    for key, limit in limits.items():
        if limit <= 0:
            raise InputError("got 0; expected a duration above 0, such as '300ms'").within(key)
    return {key: limits[key] for key in sorted(limits)}


LatencyLimits = Annotated[
    dict[LatencyKey, Seconds],
    AfterValidator(_above_zero),
    BeforeValidator(_named, json_schema_input_type=dict[LatencyKey, Seconds]),
    PlainSerializer(_in_base_units),
]
"""A field that holds the largest latency in seconds by key; it is dumped with keys in `_s`, which are read again."""
