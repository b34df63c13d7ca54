"""Columns of rows under an offered rate: what public tables call a rate, lengths, burstiness and an engine's limits."""

from __future__ import annotations

import numpy as np

from advisor.prediction.inputs import Inputs, Row, cell
from advisor.prediction.outcome import Array

RATE = (
    "offered_rate_req_per_s",
    "rate_from_docs_req_per_s",
    "requested_rate_req_per_s",
    "requests_per_s",
    "request_rate",
    "offered_qps",
    "qps",
)
INPUT_TOKENS = (
    "input_tokens_from_docs",
    "isl_tokens_mean",
    "prompt_len_mean_tokens",
    "isl_tokens",
    "isl",
    "input_tokens",
)
OUTPUT_TOKENS = (
    "output_tokens_from_docs",
    "osl_tokens_mean",
    "output_len_mean_tokens",
    "osl_tokens",
    "osl",
    "output_tokens",
)
SHAREGPT_CV = (1.1, 0.9)
"""Spread of prompts and answers of ShareGPT, as vLLM's benchmark samples them; assumed."""
CONCURRENCY = ("concurrency", "max_concurrency")
_DEFAULT_SEQUENCES = 256.0
USUAL_MEMORY_SHARE = 0.9
"""Share of the memory that an engine takes where a row does not say; assumed."""


def recognises(row: Row) -> bool:
    """Return whether a row states a rate at which requests come; 'inf' beside a concurrency is none."""
    rate = cell(row, *RATE)
    return bool(rate) and not (rate.lower().startswith("inf") and cell(row, *CONCURRENCY))


def columns_of(inputs: Inputs) -> dict[str, Array]:
    """Return rate, lengths, burstiness and limits of rows; rows without them are refused."""
    shares = {"least": 0.0, "most": 20.0}
    spread_in, spread_out = _spread(inputs)
    totals = [_per_request(inputs, f"total_{kind}_tokens") for kind in ("input", "output")]
    lengths = [
        np.where(np.isnan(total), _length(inputs, names, total), total)
        for names, total in zip((INPUT_TOKENS, OUTPUT_TOKENS), totals, strict=True)
    ]
    return {
        "rate": inputs.numbers(*RATE, least=1e-6, most=1e6),
        "input_tokens": lengths[0],
        "output_tokens": lengths[1],
        "input_cv": stated_or(inputs.numbers("input_cv", **shares, default=np.nan), spread_in),
        "output_cv": stated_or(inputs.numbers("output_cv", **shares, default=np.nan), spread_out),
        "arrival_cv": _arrival_cv(inputs),
        "tokens_per_step": inputs.numbers("max_num_batched_tokens", least=1.0, most=1e7, default=np.nan),
        "max_num_seqs": inputs.numbers("max_num_seqs", least=1.0, most=1e6, default=_DEFAULT_SEQUENCES),
        "requests": inputs.numbers("num_prompts", "num_requests", least=1.0, most=1e12, default=np.inf),
        "memory_share": inputs.numbers("gpu_mem_util", least=0.1, most=1.0, default=USUAL_MEMORY_SHARE),
    }


def stated_or(stated: Array, otherwise: Array) -> Array:
    """Return what is stated, and something else where nothing is (NaN)."""
    return np.where(np.isnan(stated), otherwise, stated)


def _per_request(inputs: Inputs, name: str) -> Array:
    """Return tokens of a whole run over its requests, where a row states both."""
    pairs = zip(inputs.texts(name), inputs.texts("completed", "num_prompts"), strict=True)
    found = np.full(len(inputs.rows), np.nan)
    for place, (tokens, requests) in enumerate(pairs):
        try:
            ratio = float(tokens) / float(requests)
        except (ValueError, ZeroDivisionError):
            continue
        if 1.0 <= ratio <= 2e6:
            found[place] = ratio
    return found


def _length(inputs: Inputs, names: tuple[str, ...], instead: Array) -> Array:
    """Return the stated lengths; a row that states none and has nothing `instead` is refused."""
    known = ~np.isnan(instead)
    reader = Inputs.of(inputs.rows)
    found = reader.numbers(*names, least=1.0, most=2e6)
    for place in np.flatnonzero(~known).tolist():
        if reader.reasons[place]:
            inputs.refuse(place, reader.reasons[place])
    return found


def _spread(inputs: Inputs) -> tuple[Array, Array]:
    chats = np.array(["sharegpt" in name.lower() for name in inputs.texts("dataset", "dataset_name")])
    return np.where(chats, SHAREGPT_CV[0], 0.0), np.where(chats, SHAREGPT_CV[1], 0.0)


def _arrival_cv(inputs: Inputs) -> Array:
    """Return the coefficient of variation of the times between arrivals; 1 (Poisson) where nothing is stated."""
    stated = inputs.numbers("arrival_cv", least=0.0, most=100.0, default=np.nan)
    burstiness = inputs.numbers("burstiness", least=1e-4, most=np.inf, default=np.nan)
    kinds = inputs.texts("load_type")
    paced = np.array(
        [
            kind.lower() == "constant" or (not kind and bool(cell(row, "rate_from_docs_req_per_s")))
            for kind, row in zip(kinds, inputs.rows, strict=True)
        ]
    )
    return stated_or(stated, stated_or(1.0 / np.sqrt(burstiness), np.where(paced, 0.0, 1.0)))
