"""Reads a bill in the FOCUS format of any provider and sums it by line, machine and month.

Why not a table of charges: a month of a company is millions of rows, a bill is a few hundred sums. Rows are read one
by one and added; nothing is dropped in silence: what a filter, another currency or an empty cost leaves out is counted
and said.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from advisor.billing.charges import line_of, machine_of, tags_of
from advisor.billing.columns import (
    COLUMNS,
    REQUIRED,
    Junk,
    amount_of,
    machine_hours_of,
    moment_of,
    nature_of,
)
from advisor.billing.exports import charge_rows
from advisor.billing.sums import BillGroup, FocusBill, Left
from advisor.errors import InputError

_LONGEST_NAME = 120
_MOST_GROUPS = 200_000
_LISTED_PROBLEMS = 10
_UNFILLED_RATIO = 0.05
"""Difference between effective and billed cost of plain on-demand use from which the effective cost is not believed;
FOCUS defines them equal there."""


def read_focus(
    path: str | Path,
    *,
    tags: Mapping[str, str] | None = None,
    resources: Iterable[str] = (),
    usd_per: Mapping[str, float] | None = None,
    basis: str = "",
) -> FocusBill:
    """Return the sums of a FOCUS 1.x export.

    Args:
        path: `.csv`, `.csv.gz` or `.parquet`.
        tags: Keep the charges that carry each of these tags; a value may hold `*` and `?`.
        resources: Keep the charges of these resources, by id or name; may hold `*` and `?`. None given keeps all.
        usd_per: US dollars for one unit of another currency, by its code, such as `{"EUR": 1.08}`. Charges in a
            currency that is not here are kept apart.
        basis: `effective` (commitments spread over their use), `billed` (as invoiced), or empty to choose: effective
            unless the export does not fill it.

    Raises:
        InputError: The file cannot be read, columns are missing, values are no numbers, or a filter fits nothing.
    """
    path = Path(path)
    if basis not in {"", "effective", "billed"}:
        raise InputError(f"basis: got '{basis}'; expected effective or billed")
    keeps = _Filter(tags or {}, tuple(pattern.casefold() for pattern in resources))
    has, rows = charge_rows(path, tuple(COLUMNS.values()))
    there = dict(zip(COLUMNS, has, strict=True))
    _check_columns(there, path.name, keeps)
    tally, problems = _Tally(keeps, {"USD": 1.0, **(usd_per or {})}), []
    for number, values in rows:
        try:
            tally.add(dict(zip(COLUMNS, values, strict=True)))
        except Junk as problem:
            problems.append(f"{path.name} line {number}: {problem}")
        if len(problems) == _LISTED_PROBLEMS:
            break
        if len(tally.groups) > _MOST_GROUPS:
            raise InputError(
                f"{path.name} has more than {_MOST_GROUPS:,} different sums; expected a FOCUS export"
            )
    if problems:
        raise InputError.listing(path.name, problems)
    return tally.bill(path.name, there, basis)


@dataclass(frozen=True, slots=True)
class _Filter:
    tags: Mapping[str, str]
    resources: tuple[str, ...]

    def fits(self, row: Mapping[str, object], tags: Mapping[str, str]) -> bool:
        names = [str(row[name]).casefold() for name in ("resource", "resource_name") if row[name]]
        named = any(fnmatchcase(name, pattern) for name in names for pattern in self.resources)
        tagged = all(fnmatchcase(tags.get(key, "\0"), value) for key, value in self.tags.items())
        return tagged and (named or not self.resources)

    def __str__(self) -> str:
        return ", ".join([*(f"{key}={value}" for key, value in self.tags.items()), *self.resources])


class _Key(NamedTuple):
    month: str
    line: str
    service: str
    provider: str
    region: str
    instance_type: str


@dataclass(slots=True)
class _Sum:
    billed: float = 0.0
    effective: float = 0.0
    hours: float = 0.0
    charges: int = 0


@dataclass(slots=True)
class _Tally:
    """Sums while the rows go by."""

    keeps: _Filter
    usd_per: Mapping[str, float]
    groups: dict[_Key, _Sum] = field(default_factory=dict)
    foreign: dict[str, Left] = field(default_factory=dict)
    excluded: Left = field(default_factory=Left)
    without_cost: int = 0
    unreadable_tags: int = 0
    plain_billed: float = 0.0
    plain_difference: float = 0.0
    start: str = ""
    end: str = ""

    def add(self, row: Mapping[str, object]) -> None:
        """Add one charge."""
        start, end = moment_of(row, "start"), moment_of(row, "end")
        billed, effective = amount_of(row, "billed"), amount_of(row, "effective")
        self.without_cost += billed is None and effective is None
        given = next((cost for cost in (billed, effective) if cost is not None), 0.0)
        billed, effective = given if billed is None else billed, given if effective is None else effective
        if not self._is_asked_for(row):
            self.excluded = self.excluded.plus(billed)
            return
        currency = str(row["currency"]).upper()[:_LONGEST_NAME] or "USD"
        rate = self.usd_per.get(currency)
        if rate is None:
            self.foreign[currency] = self.foreign.get(currency, Left()).plus(billed)
            return
        self.start, self.end = min(self.start or start, start), max(self.end, end or start)
        self._sum(row, start[:7], billed * rate, effective * rate)

    def _is_asked_for(self, row: Mapping[str, object]) -> bool:
        if not (self.keeps.tags or self.keeps.resources):
            return True
        tags = tags_of(row["tags"]) if self.keeps.tags else {}
        self.unreadable_tags += tags is None
        return self.keeps.fits(row, tags or {})

    def _sum(self, row: Mapping[str, object], month: str, billed: float, effective: float) -> None:
        nature = nature_of(row)
        line = line_of(nature)
        service, provider, region = (
            str(row[name])[:_LONGEST_NAME] for name in ("service", "provider", "region")
        )
        key = _Key(month, line, service, provider, region, machine_of(nature))
        group = self.groups.setdefault(key, _Sum())
        group.billed += billed
        group.effective += effective
        group.charges += 1
        is_use = nature.category.casefold() == "usage"
        if is_use and line.startswith("compute"):
            group.hours += machine_hours_of(row)
        if is_use and not nature.commitment and nature.pricing.casefold() == "standard":
            self.plain_billed += billed
            self.plain_difference += abs(billed - effective)

    def bill(self, source: str, there: Mapping[str, bool], basis: str) -> FocusBill:
        """Return what was added."""
        if not self.groups and not self.foreign:
            raise InputError(
                f"{source}: no charge fits {self.keeps}" if str(self.keeps) else f"{source} has no charge"
            )
        unfilled = self.plain_difference > _UNFILLED_RATIO * self.plain_billed
        basis = basis or ("billed" if unfilled or not there["effective"] else "effective")
        groups = tuple(
            BillGroup(*key, total.billed, total.effective, total.hours, total.charges)
            for key, total in sorted(self.groups.items())
        )
        notes = tuple(self._notes(there, basis=basis, unfilled=unfilled))
        return FocusBill(source, groups, basis, self.start, self.end, self.foreign, self.excluded, notes)

    def _notes(self, there: Mapping[str, bool], *, basis: str, unfilled: bool) -> Iterable[str]:
        if unfilled and there["effective"] and there["billed"]:
            share = self.plain_difference / self.plain_billed if self.plain_billed else 1.0
            yield (
                f"EffectiveCost is off by {share:.0%} of BilledCost where FOCUS defines them equal (on-demand use "
                f"without a commitment): the export does not fill it. The sums are {basis} costs."
            )
        covered = sum(g.hours for key, g in self.groups.items() if key.line == "compute-committed")
        if covered and basis == "billed":
            yield (
                f"{covered:,.0f} machine hours were covered by commitments; their fee is invoiced apart and may be "
                "outside this export."
            )
        if not (there["effective"] and there["billed"]):
            yield f"The export has no column {'BilledCost' if there['effective'] else 'EffectiveCost'}."
        for currency, left in sorted(self.foreign.items()):
            yield (
                f"{_charges(left)} of {left.cost:,.2f} {currency} in no sum: say what one {currency} is in USD."
            )
        if str(self.keeps):
            yield f"{_charges(self.excluded)} of {self.excluded.cost:,.2f} left out, not {self.keeps}."
        if self.unreadable_tags:
            yield f"{_charges(Left(self.unreadable_tags))} left out because the tags are not readable."
        if self.without_cost:
            yield f"{_charges(Left(self.without_cost))} without a cost; it counts as 0."
        unknown = sum(g.charges for key, g in self.groups.items() if g.hours and not key.instance_type)
        if unknown:
            yield f"{_charges(Left(unknown))} for machine hours without the name of the machine."


def _charges(left: Left) -> str:
    return f"{left.charges:,} charge{'' if left.charges == 1 else 's'}"


def _check_columns(there: Mapping[str, bool], source: str, keeps: _Filter) -> None:
    missing = [COLUMNS[name][0] for name in REQUIRED if not there[name]]
    if not there["billed"] and not there["effective"]:
        missing.insert(0, "BilledCost or EffectiveCost")
    missing += ["Tags"] if keeps.tags and not there["tags"] else []
    missing += ["ResourceId"] if keeps.resources and not (there["resource"] or there["resource_name"]) else []
    if missing:
        raise InputError(
            f"{source} has no column {', '.join(missing)}; expected a FOCUS 1.x export with the column names of the "
            "specification (https://focus.finops.org)"
        )
