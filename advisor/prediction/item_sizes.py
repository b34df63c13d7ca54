"""Sizes of one item of models of one pass: stated in a row, in another row of the same model, or of a built-in model."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence

from advisor.models import ModelSpec, find_model
from advisor.prediction.inputs import Inputs, Row, cell, quoted
from advisor.prediction.names import known_model
from advisor.prediction.outcome import Array

SIZES = ("params_millions", "gmacs_per_image", "macts_millions_per_image")
SIDE = ("img_size_px", "infer_img_size", "img_size")
TOKENS = ("sequence_length", "sequence_or_input_length", "seq_len", "tokens")
_USUAL_SIDE_PX = 224.0
_MOST = 1e5

KnownSizes = dict[str, dict[float, tuple[float, float, float]]]
"""Millions of parameters, billions of multiply-accumulates and millions of activations, by model and image side in px."""


def known_sizes(rows: Iterable[Row]) -> KnownSizes:
    """Return the sizes of models that rows state, for rows of the same model that leave them out.

    Example:
        >>> row = {"model": "net", "img_size_px": "224", "params_millions": "5", "gmacs_per_image": "0.4",
        ...        "macts_millions_per_image": "6.8"}
        >>> known_sizes([row])
        {'net': {224.0: (5.0, 0.4, 6.8)}}
    """
    found: KnownSizes = {}
    for row in rows:
        texts = [cell(row, name) for name in SIZES]
        model = cell(row, "model")
        if not all(texts) or not model:
            continue
        try:
            side = float(cell(row, *SIDE) or _USUAL_SIDE_PX)
            parameters, macs, activations = map(float, texts)
        except ValueError:
            continue
        if side > 0.0 and parameters > 0.0 and macs > 0.0 and activations > 0.0:
            found.setdefault(model, {}).setdefault(side, (parameters, macs, activations))
    return found


def item_sizes(inputs: Inputs, models: Sequence[str], known: KnownSizes) -> dict[str, Array]:
    """Return the sizes of every row: stated, else of the same model elsewhere, else of the built-in model."""
    filled = list(inputs.rows)
    for place, row in enumerate(inputs.rows):
        missing = [name for name in SIZES if not cell(row, name)]
        if not missing:
            continue
        if found := _elsewhere(models[place], row, known):
            filled[place] = {**row, **{name: found[SIZES.index(name)] for name in missing}}
        elif len(missing) == len(SIZES) and models[place]:
            inputs.refuse(place, _no_size(models[place], row))
    reader = Inputs(filled, inputs.reasons, SIZES)
    return {name: reader.numbers(name, least=1e-3, most=1e6) for name in SIZES}


def _no_size(model: str, row: Row) -> str:
    for names, what in ((SIDE, "a side in px"), (TOKENS, "tokens of a text")):
        name = next((name for name in names if cell(row, name)), "")
        if name and _positive(cell(row, name), None) is None:
            return f"{name} is {quoted(cell(row, name))}; expected {what}, more than 0 and up to {_MOST:g}"
    spec = _spec(model)
    if spec is not None and spec.family == "encoder":
        return f"sequence_length is missing; expected the tokens of a text that {spec.name} reads"
    return f"no size is known for model {quoted(model)}; name a built-in one or add {', '.join(SIZES)}"


def _elsewhere(model: str, row: Row, known: KnownSizes) -> tuple[float, float, float] | None:
    side = _positive(cell(row, *SIDE), _USUAL_SIDE_PX)
    if side is None:
        return None
    if sizes := known.get(model):
        nearest = min(sizes, key=lambda other: abs(math.log(other / side)))
        parameters, macs, activations = sizes[nearest]
        return parameters, macs * (side / nearest) ** 2, activations * (side / nearest) ** 2
    spec = _spec(model)
    if spec is None or spec.family == "decoder":
        return None
    tokens = _positive(cell(row, *TOKENS), None)
    size = side if spec.family == "cnn" else tokens
    return None if size is None else _built_in(spec.name, size)


def _positive(text: str, otherwise: float | None) -> float | None:
    """Return a number above 0, what stands for an empty cell, or `None` for what is no such number."""
    if not text:
        return otherwise
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and 0.0 < value <= _MOST else None


def _spec(model: str) -> ModelSpec | None:
    return next(
        (found for text in (model, model.partition(".")[0]) if text and (found := known_model(text))), None
    )


@functools.lru_cache(maxsize=4096)
def _built_in(name: str, size: float) -> tuple[float, float, float]:
    """Return millions of weights that one pass reads, billions of multiply-accumulates and millions of activations."""
    spec = find_model(name)
    embeddings = float((spec.vocab_size or 0) * (spec.hidden_size or 0)) if spec.family == "encoder" else 0.0
    return (
        (spec.parameters - embeddings) / 1e6,
        spec.flops(size=size) / 2e9,
        spec.activations(size=size) / 1e6,
    )
