"""One candidate column of a service, and the checks that every set of the program makes of its numbers and names."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Final

from advisor.solver.errors import ProgramError

COST: Final = "cost_usd_per_month"
"""Name of the total cost (columns plus purchases) where an attribute is expected, in USD per month."""


def finite(value: float, *, where: str, at_least: float = -inf, at_most: float = inf) -> None:
    """Raise a `ProgramError` for a number that is not finite or not between the two ends."""
    if not (isfinite(value) and at_least <= value <= at_most):
        low = "" if at_least == -inf else f" of at least {at_least:g}"
        high = "" if at_most == inf else f"{' and' if low else ' of'} at most {at_most:g}"
        raise ProgramError(f"{where} is {value!r}; expected a finite number{low}{high}")


def named(name: str, *, what: str) -> None:
    """Raise a `ProgramError` for an empty name."""
    if not name:
        raise ProgramError(f"a {what} has the name {name!r}; expected a text that is not empty")


def unique(names: Iterable[str], *, what: str) -> None:
    """Raise a `ProgramError` that names the first of `names` occurring twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ProgramError(f"two entries are called {name!r} as {what}; expected each name once")
        seen.add(name)


@dataclass(frozen=True, slots=True)
class Column:
    """A candidate of a service.

    Attributes:
        name: Unique within the service.
        cost_usd_per_month: What belongs to the column alone (amortised one-time cost, energy, fees), in USD
            per month; instances are paid for by the plans of their pools.
        attributes: Attribute name to value, in the unit that the name ends in.
        demand: Pool name to instances in use, one number for each period in the order of the program.
    """

    name: str
    cost_usd_per_month: float
    attributes: Mapping[str, float] = field(default_factory=dict)
    demand: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        named(self.name, what="column")
        if not isfinite(self.cost_usd_per_month):
            finite(self.cost_usd_per_month, where=f"{COST} of column {self.name!r}")
        if COST in self.attributes:
            raise ProgramError(
                f"column {self.name!r} has an attribute {COST!r}; expected that in cost_usd_per_month"
            )
        if not all(map(isfinite, self.attributes.values())):
            for name, value in self.attributes.items():
                finite(value, where=f"attribute {name!r} of column {self.name!r}")
        for pool, counts in self.demand.items():
            if not all(map(isfinite, counts)) or min(counts, default=0) < 0:
                for count in counts:
                    finite(count, where=f"demand of column {self.name!r} on pool {pool!r}", at_least=0)
