"""Models that no table lists, of which only the size is known: the nearest built-in shape, scaled."""

from __future__ import annotations

import functools
import math
import re

from advisor.models import ModelSpec, builtin_models

LOG_SIGMA = {
    ("dense", "ttft"): 0.25,
    ("dense", "tpot"): 0.08,
    ("moe", "ttft"): 0.35,
    ("moe", "tpot"): 0.3,
}
"""Further standard deviation of the logarithm of measured / predicted for a shape taken from the size alone: about what
predicting eight measured models from their size alone showed."""
_BILLIONS = re.compile(r"(?<![\w.])(?:(\d+)x)?(\d+(?:\.\d+)?)b(?![a-z])", re.IGNORECASE)
_ACTIVE = re.compile(r"(?<![a-z0-9])a(\d+(?:\.\d+)?)b(?![a-z])", re.IGNORECASE)
_SMALLEST, _LARGEST = 5e7, 5e12


def billions_in_name(name: str) -> tuple[float, float]:
    """Return the parameters and the active parameters that a name states, in billions; 0 for what it does not state.

    Example:
        >>> billions_in_name("Nobody/New-32B-Instruct"), billions_in_name("New-30B-A3B"), billions_in_name("GPT")
        ((32.0, 0.0), (30.0, 3.0), (0.0, 0.0))
    """
    bare = name.rpartition("/")[2].replace("_", "-")
    sizes = [
        float(size) * (0.85 * float(copies) if copies else 1.0) for copies, size in _BILLIONS.findall(bare)
    ]
    active = _ACTIVE.search(bare)
    return (max(sizes) if sizes else 0.0), (float(active[1]) if active else 0.0)


@functools.lru_cache(maxsize=4096)
def sized_model(name: str, *, parameters: float, active_parameters: float = 0.0) -> ModelSpec | None:
    """Return a decoder of that size in the shape of the nearest built-in one; None for a size that cannot be.

    Args:
        name: What to call it.
        parameters: Weights in total, count.
        active_parameters: Weights used for one token, count; 0 or all of them for a dense model.

    Assumes:
        Depth and width grow with the cube root of the size; heads keep their width; a mixture keeps its number
        of experts.

    Example:
        >>> found = sized_model("New-32B", parameters=32e9)
        >>> found.family, found.parameters, found.layers
        ('decoder', 32000000000.0, 64)
    """
    if not _SMALLEST <= parameters <= _LARGEST:
        return None
    mixture = 0.0 < active_parameters < 0.9 * parameters
    active = active_parameters if mixture else parameters
    nearest = min(_shapes(mixture), key=lambda spec: _distance(spec, parameters, active))
    scale = ((active / nearest.active_parameters) ** (1 / 3)) if not mixture else 1.0
    heads = max(round((nearest.attention_heads or 1) * scale), nearest.kv_heads or 1)
    changes = {
        "name": name,
        "parameters": parameters,
        "active_parameters": active,
        "layers": max(round((nearest.layers or 1) * scale), 1),
        "hidden_size": 64 * max(round((nearest.hidden_size or 1) * scale / 64), 1),
        "attention_heads": heads,
        "expert_parameters": _expert_parameters(nearest, parameters, active) if mixture else 0.0,
        "estimated": True,
        "source": f"size alone; shape of {nearest.name}",
    }
    return nearest.model_copy(update=changes)


def _distance(spec: ModelSpec, parameters: float, active: float) -> float:
    return abs(math.log(spec.parameters / parameters)) + abs(math.log(spec.active_parameters / active))


def _expert_parameters(spec: ModelSpec, parameters: float, active: float) -> float:
    unused = 1.0 - spec.experts_per_token / spec.experts
    return min((parameters - active) / unused, 0.99 * parameters)


@functools.cache
def _shapes(mixture: bool) -> tuple[ModelSpec, ...]:
    return tuple(
        spec
        for spec in builtin_models()
        if spec.family == "decoder"
        and spec.is_moe == mixture
        and not spec.kv_latent_dim
        and not spec.full_attention_layers
    )
