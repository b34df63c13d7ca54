"""Columns that can never be needed, because another one is at least as good in everything that counts."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_CHUNK: Final = 256


def dominated(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which rows are dominated by another row, or equal to an earlier one.

    A row dominates another if it is at most as large in every entry. Of equal rows the first stays.

    Args:
        values: One row for each candidate, one column for each thing of which less is never worse.

    Example:
        >>> dominated(np.array([[2.0, 1.0], [1.0, 2.0], [2.0, 2.0], [2.0, 1.0]])).tolist()
        [False, False, True, True]
    """
    count = len(values)
    lost = np.zeros(count, dtype=bool)
    varying = values[:, (values != values[:1]).any(axis=0)] if count else values
    if varying.shape[1] == 0:
        lost[1:] = True
        return lost
    keys = np.vstack([np.arange(count), varying.T[::-1]])
    order = np.lexsort(keys)
    ordered = varying[order]
    kept = np.zeros(0, dtype=np.intp)
    for start in range(0, count, _CHUNK):
        chunk = np.arange(start, min(start + _CHUNK, count))
        chunk = chunk[~_covered(ordered[chunk], ordered[kept])]
        kept = np.concatenate([kept, chunk[~_covered_within(ordered[chunk])]])
    lost[order] = True
    lost[order[kept]] = False
    return lost


def _covered(rows: NDArray[np.float64], by: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which rows are at least as large as some row of `by` in every entry."""
    return np.asarray(_at_most(by, rows).any(axis=0)) if len(by) else np.zeros(len(rows), dtype=bool)


def _covered_within(rows: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which rows are covered by an earlier one; rows are sorted, so no later one can but an equal one."""
    return np.asarray(np.triu(_at_most(rows, rows), k=1).any(axis=0))


def _at_most(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return for each pair whether the left row is at most the right row in every entry."""
    pairs = np.ones((len(left), len(right)), dtype=bool)
    for column in range(left.shape[1]):
        pairs &= left[:, column, None] <= right[None, :, column]
    return pairs
