"""A linear program in plain numbers and names, with a stable text form."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TextIO


class Kind(StrEnum):
    """Constraint kinds, numbered as in the package docstring."""

    CHOICE = "C1"
    COVERAGE = "C2"
    SHARE = "C3"
    PLAN_QUOTA = "C4"
    GROUP_QUOTA = "C5"
    LIMIT = "C6"
    EACH = "C7"
    CUT = "C8"
    STAGE = "C9"


class Domain(StrEnum):
    """Values a variable can take; all are at least 0."""

    BINARY = "binary"
    INTEGER = "integer"
    CONTINUOUS = "continuous"


@dataclass(frozen=True, slots=True)
class Expression:
    """A weighted sum: positions of variables and their coefficients, in the same order."""

    variables: Sequence[int]
    coefficients: Sequence[float]


@dataclass(frozen=True, slots=True)
class Row:
    """A constraint: `expression` `sense` `bound`, with the sense one of '<=', '>=', '='."""

    kind: StrEnum
    label: str
    expression: Expression
    sense: str
    bound: float

    @property
    def name(self) -> str:
        """Kind and label, for example 'C1[chat]'."""
        return f"{self.kind.value}[{self.label}]"


@dataclass(frozen=True, slots=True)
class LinearProgram:
    """Minimise `objective` subject to `rows`; `names` and `domains` have one entry for each variable."""

    goal: str
    objective: Expression
    rows: Sequence[Row]
    names: Sequence[str]
    domains: Sequence[Domain]

    def __str__(self) -> str:
        """Return objective, rows and domains, in the order in which they were built."""
        return "\n".join(self._lines()) + "\n"

    def write_text(self, file: TextIO) -> None:
        """Write the text form to an open file."""
        file.write(str(self))

    def _lines(self) -> Iterable[str]:
        yield "minimize"
        yield f"  {self.goal}: {self._written(self.objective)}"
        yield "subject to"
        for row in self.rows:
            yield f"  {row.name}: {self._written(row.expression)} {row.sense} {row.bound:.12g}"
        for domain in Domain:
            members = [name for name, own in zip(self.names, self.domains, strict=True) if own is domain]
            if members:
                yield domain.value
                yield f"  {' '.join(members)}"
        yield "end"

    def _written(self, expression: Expression) -> str:
        terms = [
            f"{'-' if coefficient < 0 else '+'} {_factor(abs(coefficient))}{self.names[variable]}"
            for variable, coefficient in zip(expression.variables, expression.coefficients, strict=True)
            if coefficient
        ]
        return " ".join(terms).removeprefix("+ ") or "0"


def _factor(value: float) -> str:
    return "" if value == 1 else f"{value:.12g} "
