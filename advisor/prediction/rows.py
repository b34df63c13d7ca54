"""Predicts rows of any kind, in their order and one for one."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from advisor.calibration import Calibration
from advisor.prediction import accuracy, batching, deployments, images, load, load_columns, serving
from advisor.prediction.inputs import Row, cell
from advisor.prediction.item_sizes import KnownSizes
from advisor.prediction.outcome import Outcome

CHUNK_ROWS = 10_000
"""Rows that are predicted, and held in memory, at a time."""
NOTES = ("basis", "reason")
OUTPUT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "accuracy": accuracy.OUTPUTS,
    "batching": batching.OUTPUTS,
    "load": load.OUTPUTS,
    "serving": serving.OUTPUTS,
    "images": images.OUTPUTS,
}
"""Predicted columns by kind of row."""
_RECOGNISES: Mapping[str, Callable[[Row], bool]] = {
    "accuracy": accuracy.recognises,
    "batching": batching.recognises,
    "load": load_columns.recognises,
    "serving": serving.recognises,
    "images": images.recognises,
}
NOT_RECOGNISED = (
    "not recognised: expected strategy and variant, or a rate such as offered_rate_req_per_s, or isl_tokens, "
    "osl_tokens and concurrency, or device and batch_size, or concurrency and instance_count"
)
_KEYS: Mapping[str, tuple[str, ...]] = {
    "batching": batching.SERVER,
    "load": load_columns.RATE,
    "serving": serving.INPUT_TOKENS,
    "images": ("batch_size",),
}
_NOT_FINITE = "the numbers of this row lead to no finite prediction"
_KEPT_NAME = "{}_given"


@dataclass(frozen=True, slots=True)
class Predicted:
    """What is known of one row."""

    kind: str
    """One of the keys of `OUTPUT_COLUMNS`; '' for a row that was not recognised."""
    values: Mapping[str, float]
    """Predicted numbers by column; empty where there is none."""
    basis: str
    reason: str
    family: str = ""
    backend: str = ""
    chip: str = ""


def predict(rows: Iterable[Row], calibration: Calibration | None = None) -> list[dict[str, object]]:
    """Return for each row its columns and, beside them, predictions with intervals, `basis` and `reason`.

    Args:
        rows: Mappings of column names to texts or numbers, of any mixture of the kinds of rows.
        calibration: What the user measured; speeds of rows to which it applies move and are surer.

    Returns:
        One mapping for each row, in their order: the columns of the row, those predicted for its kind (None
        where there is no prediction), `basis` (`calibrated`, or `extrapolated` and why) and `reason` (why there is
        no prediction, else ''). A column of the row with the name of a predicted one is kept as `<name>_given`.

    Example:
        >>> row = {"model": "meta-llama/Llama-3.1-8B-Instruct", "system": "h100_sxm", "backend": "vllm", "precision": "fp8",
        ...        "isl_tokens": 1024, "osl_tokens": 128, "concurrency": 8, "tp_size": 1}
        >>> found, unknown = predict([row, row | {"system": "abacus"}])
        >>> found["tpot_ms_p10"] < found["tpot_ms"] < found["tpot_ms_p90"], found["basis"]
        (True, 'calibrated')
        >>> unknown["tpot_ms"], unknown["reason"]
        (None, "chip 'abacus' is not in the catalogue")
    """
    return [row for row, _ in predict_stream(rows, calibration=calibration)]


def predict_stream(
    rows: Iterable[Row],
    *,
    sizes: KnownSizes | None = None,
    kinds: Collection[str] = (),
    calibration: Calibration | None = None,
) -> Iterator[tuple[dict[str, object], Predicted]]:
    """Yield each row with its predictions, and what is known of it, holding a bounded number of rows in memory.

    Args:
        rows: As for `predict`.
        sizes: Sizes of image models that other rows state; by default what the rows held at a time state.
        kinds: Kinds whose output columns every row gets; by default a row gets those of its own kind.
        calibration: As for `predict`.
    """
    stream = iter(rows)
    while chunk := list(itertools.islice(stream, CHUNK_ROWS)):
        for row, found in zip(chunk, predicted(chunk, sizes=sizes, calibration=calibration), strict=True):
            yield _merged(row, found, kinds), found


def predicted(
    rows: Sequence[Row], *, sizes: KnownSizes | None = None, calibration: Calibration | None = None
) -> list[Predicted]:
    """Return what is known of each row, in their order."""
    kinds = [kind_of(row) for row in rows]
    found: list[Predicted] = [Predicted("", {}, "", NOT_RECOGNISED)] * len(rows)
    predictors: dict[str, Callable[[Sequence[Row]], Outcome]] = {
        "accuracy": accuracy.predict,
        "batching": functools.partial(batching.predict, sizes=sizes, calibration=calibration),
        "load": functools.partial(load.predict, calibration=calibration),
        "serving": functools.partial(serving.predict, calibration=calibration),
        "images": functools.partial(images.predict, sizes=sizes, calibration=calibration),
    }
    for kind, predictor in predictors.items():
        places = [place for place, own in enumerate(kinds) if own == kind]
        if not places:
            continue
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            outcome = predictor([rows[place] for place in places])
        for place, one in zip(places, _one_by_one(kind, outcome), strict=True):
            found[place] = one
    return found


def kind_of(row: Row) -> str:
    """Return the kind of a row by what it states, else by the columns it leaves empty."""
    found = next((name for name, recognises in _RECOGNISES.items() if recognises(row)), "")
    if found or not any(cell(row, name) for name in deployments.MODEL):
        return found
    return next((name for name, columns in _KEYS.items() if any(column in row for column in columns)), "")


def _one_by_one(kind: str, outcome: Outcome) -> Iterator[Predicted]:
    names = tuple(outcome.values)
    columns = zip(*(values.tolist() for values in outcome.values.values()), strict=True)
    notes = zip(outcome.basis, outcome.reason, outcome.family, outcome.backend, outcome.chip, strict=True)
    for numbers, (basis, reason, family, backend, chip) in zip(columns, notes, strict=True):
        if reason:
            yield Predicted(kind, {}, "", reason, family, backend, chip)
        elif not all(0.0 <= number < np.inf for number in numbers):
            yield Predicted(kind, {}, "", _NOT_FINITE, family, backend, chip)
        else:
            values = {name: _short(number) for name, number in zip(names, numbers, strict=True)}
            yield Predicted(kind, values, basis, "", family, backend, chip)


def _short(number: float) -> float:
    return float(f"{number:.6g}")


def _merged(row: Row, found: Predicted, kinds: Collection[str]) -> dict[str, object]:
    own = kinds or ([found.kind] if found.kind else [])
    added: dict[str, object] = {name: None for kind in own for name in OUTPUT_COLUMNS[kind]}
    added |= {**found.values, "basis": found.basis, "reason": found.reason}
    if added.keys().isdisjoint(row):
        return {**row, **added}
    kept = {(_KEPT_NAME.format(name) if name in added else name): value for name, value in row.items()}
    return {**kept, **added}


def header(columns: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """Return the header of the output for rows with these columns, and the kinds of rows that they may hold.

    Example:
        >>> names, kinds = header(["id", "strategy", "variant"])
        >>> names
        ['id', 'strategy', 'variant', 'accuracy_recovery_pct', 'accuracy_recovery_pct_p10', 'accuracy_recovery_pct_p90',
        'basis', 'reason']
    """
    full = dict.fromkeys(columns, "1")
    kinds = tuple(name for name, recognises in _RECOGNISES.items() if recognises(full))
    added = [*(name for kind in kinds for name in OUTPUT_COLUMNS[kind]), *NOTES]
    kept = [_KEPT_NAME.format(name) if name in set(added) else name for name in columns]
    return [*kept, *added], kinds
