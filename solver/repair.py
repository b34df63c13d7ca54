"""A choice that exceeds quotas or limits, changed a service at a time until it does not, at the least price."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from advisor.solver.flat import Flat
from advisor.solver.master_rows import used_by
from advisor.solver.tables import Floats

_TRIED: Final = 50
_HELD: Final = 1e-9


def repaired(flat: Flat, columns: NDArray[np.intp], reduced: Floats) -> NDArray[np.intp] | None:
    """Return a choice that keeps every quota and limit, or None if none is found.

    Args:
        flat: The program.
        columns: One column of each service.
        reduced: What each column is dearer than the cheapest of its service, at prices for everything shared.
    """
    rows = _rows(flat)
    chosen = columns.copy()
    for _ in range(2 * len(columns)):
        excess = _excess(rows, chosen)
        if not (excess > 0.0).any():
            return chosen
        better = _best_move(flat, rows, chosen, excess, reduced)
        if better is None:
            return None
        chosen[flat.owner[better]] = better
    return None


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """What every column adds to each limit and quota, shape (rows, columns), and what they allow."""

    entries: Floats
    bounds: Floats


def _rows(flat: Flat) -> _Rows:
    every, entries, bounds = np.arange(len(flat.cost)), [], []
    for limit in flat.program.limits:
        if limit.name in flat.shares:
            entries.append(flat.shares[limit.name][None, :])
            bounds.append([limit.bound])
    for group in flat.program.groups:
        total = np.zeros((len(flat.hours), len(flat.cost)))
        for pool in group.pools:
            if pool in flat.uses:
                at, counts = used_by(flat.uses[pool], every)
                total[:, at] += counts.T
        entries.append(total)
        bounds.append([float(group.max_instances)] * len(flat.hours))
    if not entries:
        return _Rows(np.zeros((0, len(flat.cost))), np.zeros(0))
    return _Rows(np.concatenate(entries), np.concatenate(bounds))


def _excess(rows: _Rows, chosen: NDArray[np.intp]) -> Floats:
    """Return by how much each row is exceeded, 0 where it is not."""
    over = rows.entries[:, chosen].sum(axis=1) - rows.bounds
    return np.where(over > _HELD * np.maximum(np.abs(rows.bounds), 1.0), over, 0.0)


def _best_move(
    flat: Flat, rows: _Rows, chosen: NDArray[np.intp], excess: Floats, reduced: Floats
) -> int | None:
    """Return the column that takes most off what is exceeded for its price, and exceeds nothing that was kept."""
    broken = np.flatnonzero(excess)
    less = rows.entries[broken][:, chosen[flat.owner]] - rows.entries[broken]
    gain = (np.clip(less, -np.inf, excess[broken, None]) / excess[broken, None]).sum(axis=0)
    price = reduced - reduced[chosen[flat.owner]]
    possible = np.flatnonzero((gain > _HELD) & np.isfinite(price))
    worth = gain[possible] / np.maximum(
        price[possible], 1e-6 * max(float(np.abs(price[possible]).max(initial=1.0)), 1.0)
    )
    for column in possible[np.argsort(-worth, kind="stable")[:_TRIED]].tolist():
        trial = chosen.copy()
        trial[flat.owner[column]] = column
        if not (_excess(rows, trial) > excess + _HELD).any():
            return int(column)
    return None
