"""Evenly spread draws of everything that is uncertain at once: a Sobol sequence, the same at every call."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

COUNT = 256
TRAFFIC_P90_RATIO = 1.30
"""Assumed: one time in ten, traffic is more than this times what was stated."""
PRICE_P90_RATIO = 1.10
"""Assumed: one time in ten, machines are dearer than this times the catalogue."""
_BITS = 30
_DIRECTIONS = ((), (1,), (1, 3), (1, 3, 1))
_POLYNOMIALS = (0, 0, 1, 1)
"""Direction numbers of the first four dimensions: Joe and Kuo, 2008, new-joe-kuo-6.21201."""


@dataclass(frozen=True, slots=True)
class Draws:
    """Equally likely circumstances; one entry for each draw.

    Args:
        accuracy: Probability level of every accuracy loss, the same for all treatments.
        slowness: Standard normal; a plan's latencies are longer by its exponential, scaled by the plan's error.
        traffic_ratio: Arrival rates against those stated.
        price_ratio: Prices against the catalogue.
    """

    accuracy: NDArray[np.float64]
    slowness: NDArray[np.float64]
    traffic_ratio: NDArray[np.float64]
    price_ratio: NDArray[np.float64]


@lru_cache(maxsize=1)
def draws() -> Draws:
    """Return `COUNT` draws whose every dimension alone is perfectly even.

    Example:
        >>> sorted(draws().accuracy.tolist())[:2]  # 1/512 and 3/512
        [0.001953125, 0.005859375]
    """
    level = sobol(COUNT, dimensions=4) + 0.5 / COUNT
    normal = np.array([[NormalDist().inv_cdf(value) for value in row] for row in level[:, 1:]])
    z90 = NormalDist().inv_cdf(0.9)
    return Draws(
        accuracy=level[:, 0],
        slowness=normal[:, 0],
        traffic_ratio=np.exp(log(TRAFFIC_P90_RATIO) / z90 * normal[:, 1]),
        price_ratio=np.exp(log(PRICE_P90_RATIO) / z90 * normal[:, 2]),
    )


def sobol(count: int, *, dimensions: int) -> NDArray[np.float64]:
    """Return the first points of the Sobol sequence in at most four dimensions, from 0 to below 1.

    Args:
        count: Number of points, a power of two for even coverage.
        dimensions: Number of coordinates.

    Source:
        Sobol, 1967; Gray-code order of Antonov and Saleev, 1979.

    Example:
        >>> sobol(4, dimensions=2).tolist()
        [[0.0, 0.0], [0.5, 0.5], [0.75, 0.25], [0.25, 0.75]]
    """
    points = np.zeros((count, dimensions))
    for dimension in range(dimensions):
        directions = _direction_numbers(dimension)
        value = 0
        for at in range(1, count):
            value ^= directions[_lowest_zero(at - 1)]
            points[at, dimension] = value / 2.0**_BITS
    return points


def _lowest_zero(number: int) -> int:
    """Return the position of the lowest bit that is zero.

    Example:
        >>> [_lowest_zero(number) for number in (0, 1, 3, 4)]
        [0, 1, 2, 0]
    """
    return (~number & (number + 1)).bit_length() - 1


def _direction_numbers(dimension: int) -> list[int]:
    if dimension == 0:
        return [1 << (_BITS - 1 - bit) for bit in range(_BITS)]
    start, polynomial = _DIRECTIONS[dimension], _POLYNOMIALS[dimension]
    degree = len(start)
    found = [number << (_BITS - 1 - bit) for bit, number in enumerate(start)]
    for bit in range(degree, _BITS):
        value = found[bit - degree] ^ (found[bit - degree] >> degree)
        for term in range(1, degree):
            if polynomial >> (degree - 1 - term) & 1:
                value ^= found[bit - term]
        found.append(value)
    return found
