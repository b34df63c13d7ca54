"""One sentence on how far predictions of a kind were off, for reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from advisor.accuracy import prior
from advisor.errors import UnknownName
from advisor.validation.document import HeldOutRow
from advisor.validation.recorded import KIND_WORDS, held_out


def sentence(kind: str) -> str:
    """Return how far predictions of a kind were from measurements that the fit had not seen.

    Args:
        kind: One of `KINDS`: `dense` and `moe` language models, `load` (a language model under a rate), `cnn` and
            `encoder` (one pass an item), `accuracy`.

    Raises:
        UnknownName: There is no such kind of prediction.

    Example:
        >>> print(sentence("dense"))  # doctest: +ELLIPSIS
        Predictions of this kind were within ... % (time per output token) and ... % (time to first token) for half of 724
        measurements on models that the fit had not seen.
    """
    if kind not in KINDS:
        raise UnknownName.among("kind of prediction", kind, KINDS)
    return KINDS[kind](kind)


def _language_model(kind: str) -> str:
    rows = {row.target: row for row in held_out() if row.kind == KIND_WORDS[kind] and row.held_out == "model"}
    tpot, ttft = rows["tpot_ms"], rows["ttft_ms"]
    return (
        f"Predictions of this kind were within {_percent(tpot)} (time per output token) and {_percent(ttft)} (time to "
        f"first token) for half of {tpot.measurements:,} measurements on models that the fit had not seen."
    )


def _load(_kind: str) -> str:
    rows = {row.target: row for row in held_out() if row.kind == "vllm, rate" and row.held_out == "model"}
    mean, tail = rows["e2e_mean_ms"], rows["e2e_p99_ms"]
    return (
        f"Predictions of this kind were within {_percent(mean)} (mean) and {_percent(tail)} (p99) of the end-to-end "
        f"latency for half of {mean.measurements:,} measurements on models that the fit had not seen."
    )


def _one_pass(_kind: str) -> str:
    row = next(
        row
        for row in held_out()
        if row.kind.endswith("GPU") and row.held_out == "model" and row.target == "items/s, timm"
    )
    return (
        f"Predictions of this kind were within {_percent(row)} (throughput on a GPU) for half of "
        f"{row.measurements:,} measurements on models that the fit had not seen."
    )


def _accuracy(_kind: str) -> str:
    found = prior()
    limit, promise = max(
        found.promises.items(), key=lambda pair: float(pair[1]["accepted"]) * (float(pair[0]) <= 2.0)
    )
    return (
        f"Of {promise['accepted']:,} treatments that were accepted for a limit of {limit} % at 90 % confidence, "
        f"{100.0 * promise['broken']:.0f} % broke it, on {found.models} models that the fit had not seen."
    )


def _percent(row: HeldOutRow) -> str:
    share = 100.0 * row.median_ape_ratio
    return f"{share:.1f} %" if share < 9.95 else f"{share:.0f} %"


KINDS: Mapping[str, Callable[[str], str]] = {
    "dense": _language_model,
    "moe": _language_model,
    "load": _load,
    "cnn": _one_pass,
    "encoder": _one_pass,
    "accuracy": _accuracy,
}
"""Kinds of predictions, and what is said of each."""
