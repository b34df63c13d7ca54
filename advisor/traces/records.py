"""A trace in memory, and the layouts in which traces are published, told apart by their columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from advisor.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a kind of trace keeps what is read from it."""

    name: str
    time: str
    input_tokens: str | None
    output_tokens: str | None
    time_unit_s: float | None = None
    """Seconds that a number in `time` counts in; None: seconds, or milliseconds where it is a POSIX time in them."""
    unanswered_failed: bool = False
    """Whether a request without output tokens failed."""
    blocks: str | None = None
    """Column with the hashes of the prompt's blocks, each standing for everything before it too."""


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Requests in order of arrival; arrays have one entry for each request that did not fail."""

    source: str
    """Name of the file."""
    layout: str
    arrival_s: Floats
    """Seconds since the first arrival."""
    input_tokens: Floats | None
    output_tokens: Floats | None
    start_posix_s: float | None = None
    """POSIX time of the first arrival, in seconds; None where the trace counts from its own start."""
    failed: int = 0
    """Requests without an answer, left out of everything else."""
    prefix_share_ratio: float | None = None
    """Share of the prompts' tokens that an endless cache of prefixes would have held; None where not recorded."""

    def __len__(self) -> int:
        """Return the number of requests."""
        return len(self.arrival_s)

    @property
    def duration_s(self) -> float:
        """Time from the first to the last arrival, in seconds."""
        return float(self.arrival_s[-1])


BLOCK_TOKENS = 512.0
"""Tokens of a block in traces with hashed prompts: published with the Mooncake traces."""
_TIMES = ("arrival_s", "arrived_at", "arrival_time", "timestamp_s", "timestamp", "timestamp_utc", "time")
_INPUTS = (
    "input_tokens",
    "prompt_tokens",
    "contexttokens",
    "context_tokens",
    "num_prefill_tokens",
    "input_length",
)
_OUTPUTS = (
    "output_tokens",
    "completion_tokens",
    "generatedtokens",
    "generated_tokens",
    "num_decode_tokens",
    "output_length",
)
EXPECTED = (
    "TIMESTAMP, ContextTokens, GeneratedTokens (Azure); Timestamp, Model, Request tokens, Response tokens (BurstGPT); "
    "timestamp, input_length, output_length (Mooncake); or arrival_s, input_tokens, output_tokens"
)


def layout_of(columns: Sequence[str], source: str) -> Layout:
    """Return the layout of a trace with these columns, whatever their case.

    Args:
        columns: Names as they stand in the file.
        source: Name of the file, for messages.

    Raises:
        InputError: No column holds the time of arrival.

    Example:
        >>> layout_of(["TIMESTAMP", "ContextTokens", "GeneratedTokens"], "code.csv").name
        'azure'
        >>> layout_of(["arrival_s"], "mine.csv").input_tokens is None
        True
    """
    known = {name.strip().casefold(): name for name in reversed(columns)}
    if {"timestamp", "request tokens", "response tokens"} <= set(known):
        names = (known["timestamp"], known["request tokens"], known["response tokens"])
        return Layout("burstgpt", *names, time_unit_s=1.0, unanswered_failed=True)
    if {"timestamp", "input_length", "output_length"} <= set(known):
        names = (known["timestamp"], known["input_length"], known["output_length"])
        return Layout("mooncake", *names, time_unit_s=1e-3, blocks=known.get("hash_ids"))
    time = next((known[name] for name in _TIMES if name in known), None)
    if time is None:
        got = ", ".join(columns[:12]) or "none"
        raise InputError(
            f"{source}: no column holds the time of arrival (columns: {got}); expected {EXPECTED}"
        )
    azure = {"timestamp", "contexttokens", "generatedtokens"} <= set(known)
    return Layout("azure" if azure else "generic", time, _first(known, _INPUTS), _first(known, _OUTPUTS))


def _first(known: dict[str, str], names: Sequence[str]) -> str | None:
    return next((known[name] for name in names if name in known), None)
