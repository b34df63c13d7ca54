"""Columns in arrays: thousands of candidates of a service in little memory, each of which reads as a `Column`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from advisor.solver.columns import Column
from advisor.solver.errors import ProgramError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """Use of one pool by the columns that need it.

    Attributes:
        at: Positions of those columns, ascending.
        counts: Instances in use, shape (those columns, periods); whole numbers may be kept in any integer type.
    """

    at: NDArray[np.intp]
    counts: NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Table(Sequence[Column]):
    """The columns of one service in arrays, for `Service.columns`.

    Attributes:
        names: Unique and ascending.
        cost_usd_per_month: What belongs to each column alone, in USD per month.
        attributes: Attribute name to one value for each column.
        demand: Pool name to the columns that use it, and how much.

    Example:
        >>> use = Use(np.array([1]), np.array([[2, 1]], dtype=np.uint8))
        >>> table = Table(("a", "b"), np.array([3.0, 4.0]), {"loss_ratio": np.array([0.0, 0.01])}, {"pool": use})
        >>> table[1]
        Column(name='b', cost_usd_per_month=4.0, attributes={'loss_ratio': 0.01}, demand={'pool': (2.0, 1.0)})
    """

    names: Sequence[str]
    cost_usd_per_month: Floats
    attributes: Mapping[str, Floats]
    demand: Mapping[str, Use]

    def __post_init__(self) -> None:
        if any(first >= second for first, second in zip(self.names, self.names[1:], strict=False)):
            raise ProgramError("names of a table are not ascending; expected each once, in their order")
        numbers = [self.cost_usd_per_month, *self.attributes.values()]
        if any(len(values) != len(self.names) or not np.isfinite(values).all() for values in numbers):
            raise ProgramError(
                f"a table needs {len(self.names)} finite numbers for its cost and every attribute"
            )
        if any(len(use.at) != len(use.counts) or (use.counts < 0).any() for use in self.demand.values()):
            raise ProgramError(
                "demand of a table needs one row of numbers of at least 0 for each of its columns"
            )

    def __len__(self) -> int:
        """Return the number of columns."""
        return len(self.names)

    @overload
    def __getitem__(self, position: int) -> Column: ...
    @overload
    def __getitem__(self, position: slice) -> tuple[Column, ...]: ...
    def __getitem__(self, position: int | slice) -> Column | tuple[Column, ...]:
        """Return a column, or several."""
        if isinstance(position, slice):
            return tuple(self[at] for at in range(*position.indices(len(self))))
        at = range(len(self))[position]
        attributes = {name: float(values[at]) for name, values in self.attributes.items()}
        demand = {}
        for pool, use in self.demand.items():
            row = int(np.searchsorted(use.at, at))
            if row < len(use.at) and use.at[row] == at:
                demand[pool] = tuple(use.counts[row].astype(float).tolist())
        return Column(self.names[at], float(self.cost_usd_per_month[at]), attributes, demand)

    def take(self, positions: NDArray[np.intp]) -> "Table":
        """Return the columns at some ascending positions."""
        demand = {}
        for pool, use in self.demand.items():
            row = np.minimum(np.searchsorted(use.at, positions), max(len(use.at) - 1, 0))
            mine = use.at[row] == positions if len(use.at) else np.zeros(len(positions), dtype=bool)
            if mine.any():
                demand[pool] = Use(np.flatnonzero(mine), use.counts[row[mine]])
        return Table(
            tuple(self.names[at] for at in positions.tolist()),
            self.cost_usd_per_month[positions],
            {name: values[positions] for name, values in self.attributes.items()},
            demand,
        )

    def __iter__(self) -> Iterator[Column]:
        """Yield every column."""
        return (self[at] for at in range(len(self)))


def names_of(columns: Sequence[Column]) -> Sequence[str]:
    """Return the names of columns."""
    return columns.names if isinstance(columns, Table) else [column.name for column in columns]


def column_named(columns: Sequence[Column], name: str | None) -> Column | None:
    """Return the column of that name, or None."""
    names = names_of(columns)
    return columns[names.index(name)] if name in names else None


def table_of(columns: Sequence[Column]) -> Table:
    """Return columns in arrays, in the order of their names.

    Args:
        columns: All with the attributes of the first.
    """
    if isinstance(columns, Table):
        return columns
    ordered = sorted(columns, key=lambda column: column.name)
    shared = set.intersection(*(set(column.attributes) for column in ordered))
    return Table(
        tuple(column.name for column in ordered),
        np.array([column.cost_usd_per_month for column in ordered], dtype=np.float64),
        {
            name: np.array([column.attributes[name] for column in ordered], dtype=np.float64)
            for name in sorted(shared)
        },
        uses(ordered),
    )


def uses(columns: Iterable[Column], pools: set[str] | None = None) -> dict[str, Use]:
    """Return the use of each of some pools (None is all), by positions in the order given."""
    at: dict[str, list[int]] = {}
    counts: dict[str, list[tuple[float, ...]]] = {}
    for position, column in enumerate(columns):
        for pool, own in column.demand.items():
            if pools is None or pool in pools:
                at.setdefault(pool, []).append(position)
                counts.setdefault(pool, []).append(own)
    return {
        pool: Use(np.array(at[pool], dtype=np.intp), np.array(counts[pool], dtype=np.float64)) for pool in at
    }
