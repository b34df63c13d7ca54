"""Which part of a calibration each candidate or row gets, and how much it taught about its times."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from advisor.calibration.document import Engine
from advisor.performance.queueing import Array, Values

_OTHER_SIZE_SHARE = 0.5
"""Share of what the runs taught that holds for a replica of another number of chips: assumed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Applied:
    """What applies to each of many candidates."""

    engines: tuple[Engine | None, ...]
    """Distinct parts of the calibration; `None` where nothing applies."""
    index: npt.NDArray[np.int64]
    """For each candidate, its position in `engines`."""

    @property
    def any(self) -> bool:
        """Whether anything applies anywhere."""
        return any(self.engines)

    def of(self, candidate: int) -> Engine | None:
        """Return what applies to one candidate."""
        return self.engines[int(self.index[candidate])]

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """Candidates to which something applies."""
        return np.array([engine is not None for engine in self.engines], dtype=bool)[self.index]

    def learnt(self, *jacobian: Values, accelerators: Values) -> tuple[Array, Array]:
        """Return variance of a time's logarithm before the runs, and what they removed; zeros where nothing applies.

        Args:
            jacobian: Derivatives of the time's logarithm by those of the factors, in the order of the factors.
            accelerators: Chips of one replica.
        """
        count = len(self.index)
        before, gone = np.zeros(count), np.zeros(count)
        columns = np.stack([np.broadcast_to(part, (count,)) for part in jacobian], axis=1).astype(float)
        sizes = np.broadcast_to(accelerators, (count,))
        for place, engine in enumerate(self.engines):
            rows = np.flatnonzero(self.index == place)
            if engine is None or not rows.size:
                continue
            before[rows], gone[rows] = engine.learnt(columns[rows])
            other = ~np.isin(sizes[rows], engine.accelerators_per_replica)
            gone[rows] *= np.where(other, _OTHER_SIZE_SHARE, 1.0)
        return before, gone


def less_certain(first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return, candidate by candidate, the pair that taught the smaller share."""
    shares = [gone / np.maximum(before, 1e-12) for before, gone in (first, second)]
    keep = shares[0] <= shares[1]
    return np.where(keep, first[0], second[0]), np.where(keep, first[1], second[1])
