"""Does it fit: weights, activations and key-value cache against the memory of a replica's accelerators."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

GIB = 2.0**30
USABLE_RATIO = 0.90
"""Share of the memory an engine takes: the default `gpu_memory_utilization` of vLLM until 0.18."""
RESERVE_RATIO = 0.067
"""Activations, graphs and libraries of a decoder against the memory of the chip: 5.3 of 79.2 GiB, the median of eight
vLLM starts on H100 (2.1 to 8.4 GiB); that smaller chips need less in proportion is assumed."""


def reserve_bytes(memory_bytes: Array) -> Array:
    """Return what activations, graphs and libraries of a decoder take on one accelerator, in bytes.

    Example:
        >>> float(reserve_bytes(np.array(79.18 * GIB)) / GIB).__round__(2)
        5.31
    """
    return RESERVE_RATIO * memory_bytes


def kv_cache_bytes(*, memory_bytes: Array, weight_bytes: Array, accelerators: Array) -> Array:
    """Return the room for the key-value cache in one replica, in bytes; negative where the weights do not fit.

    Args:
        memory_bytes: Memory of one accelerator.
        weight_bytes: Weights of the whole replica.
        accelerators: Accelerators of the replica.

    Source:
        Sum of the parts that vLLM logs at its start.

    Example:
        >>> room = kv_cache_bytes(memory_bytes=np.array(79.18 * GIB), weight_bytes=np.array(15.0 * GIB), accelerators=np.array(1.0))
        >>> round(float(room) / GIB, 1)  # vLLM measured 51.4 GiB
        51.0
    """
    return accelerators * (USABLE_RATIO * memory_bytes - reserve_bytes(memory_bytes)) - weight_bytes


def sequences_that_fit(*, cache_bytes: Array, kv_bytes_per_token: Array, tokens: float) -> Array:
    """Return how many sequences of a mean length the cache holds; 0 where the weights do not fit.

    Args:
        cache_bytes: Room for the cache, as from `kv_cache_bytes`.
        kv_bytes_per_token: Cache of one token over all layers.
        tokens: Prompt and answer of a mean sequence at its end.

    Example:
        >>> float(sequences_that_fit(cache_bytes=np.array(1e9), kv_bytes_per_token=np.array(1e5), tokens=2000.0))
        5.0
    """
    return np.maximum(cache_bytes, 0.0) / (kv_bytes_per_token * tokens)
