"""What a billing export adds up to: by line of the bill, by machine, by month."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from advisor.billing.charges import LINES

HOURS_PER_MONTH = 730.0


@dataclass(frozen=True, slots=True)
class Left:
    """Charges that count nowhere, and what they cost."""

    charges: int = 0
    cost: float = 0.0
    """In the currency of the charges."""

    def plus(self, cost: float) -> "Left":
        """Return this with one more charge."""
        return Left(self.charges + 1, self.cost + cost)


@dataclass(frozen=True, slots=True)
class BillGroup:
    """All charges of one month that agree on line, service, place and machine."""

    month: str
    """`YYYY-MM` in which the charge period starts."""
    line: str
    """One of `LINES`."""
    service: str
    provider: str
    region: str
    instance_type: str
    """The provider's name of the machine; empty where the export does not say, or for what is no machine."""
    billed_usd: float
    effective_usd: float
    hours: float
    """Machine hours; 0 where the export counts something else."""
    charges: int


@dataclass(frozen=True, slots=True)
class BillLine:
    """One line of a bill."""

    name: str
    usd: float
    charges: int
    services: tuple[tuple[str, float], ...]
    """Services in this line with their cost, the dearest first."""


@dataclass(frozen=True, slots=True)
class InstanceUse:
    """What one kind of machine cost in one month under one way of buying it."""

    instance_type: str
    """Empty for machines that the export does not name."""
    provider: str
    region: str
    month: str
    line: str
    """`compute-on-demand`, `compute-committed` or `compute-spot`."""
    hours: float
    usd: float

    @property
    def usd_per_h(self) -> float | None:
        """What an hour really cost, or `None` without hours."""
        return self.usd / self.hours if self.hours else None


@dataclass(frozen=True, slots=True)
class FocusBill:
    """The sums of one FOCUS export, in US dollars."""

    source: str
    """Name of the file."""
    groups: tuple[BillGroup, ...]
    """By month, line, service, provider, region and machine."""
    basis: str
    """`effective`: commitments spread over their use; `billed`: as invoiced."""
    start: str
    """Start of the first charge period, such as `2024-09-01 00:00:00`; empty without charges."""
    end: str
    """End of the last charge period."""
    foreign: Mapping[str, Left]
    """Charges in currencies without a rate, by code; in no other sum."""
    excluded: Left
    """Charges that the filter left out; in no other sum."""
    notes: tuple[str, ...]
    """What a reader must know about these sums, in whole sentences."""

    @property
    def usd(self) -> float:
        """All charges together."""
        return sum(self._cost(group) for group in self.groups)

    @property
    def charges(self) -> int:
        """How many charges the sums hold."""
        return sum(group.charges for group in self.groups)

    @property
    def months(self) -> tuple[str, ...]:
        """Months with charges, in order."""
        return tuple(sorted({group.month for group in self.groups}))

    @property
    def hours(self) -> float:
        """Hours from the first charge to the end of the last; 0 without charges.

        Example:
            >>> empty = FocusBill("a.csv", (), "billed", "2024-09-01 00:00:00", "2024-09-02", {}, Left(), ())
            >>> empty.hours
            24.0
        """
        if not self.start or not self.end:
            return 0.0
        return (
            datetime.fromisoformat(self.end) - datetime.fromisoformat(self.start)
        ).total_seconds() / 3600.0

    def lines(self, month: str = "") -> tuple[BillLine, ...]:
        """Return the sums by line, in the order of `LINES`, without empty lines; of one month if it is given."""
        groups = [group for group in self.groups if month in {"", group.month}]
        return tuple(self._line(name, groups) for name in LINES if any(g.line == name for g in groups))

    def instances(self, month: str = "") -> tuple[InstanceUse, ...]:
        """Return the sums of compute by machine, place, month and purchase, in that order."""
        sums: dict[tuple[str, str, str, str, str], tuple[float, float]] = {}
        for group in self.groups:
            if group.line.startswith("compute") and month in {"", group.month}:
                key = (group.instance_type, group.provider, group.region, group.month, group.line)
                hours, usd = sums.get(key, (0.0, 0.0))
                sums[key] = hours + group.hours, usd + self._cost(group)
        return tuple(InstanceUse(*key, hours, usd) for key, (hours, usd) in sorted(sums.items()))

    def usd_per_month(self, line: str) -> float:
        """Return what a line costs in a month of 730 hours, from all hours that the export covers."""
        usd = sum(self._cost(group) for group in self.groups if group.line == line)
        return usd / self.hours * HOURS_PER_MONTH if self.hours else 0.0

    def _line(self, name: str, groups: Iterable[BillGroup]) -> BillLine:
        inside = [group for group in groups if group.line == name]
        services: dict[str, float] = {}
        for group in inside:
            services[group.service] = services.get(group.service, 0.0) + self._cost(group)
        ranked = sorted(services.items(), key=lambda item: (-item[1], item[0]))
        return BillLine(name, sum(services.values()), sum(group.charges for group in inside), tuple(ranked))

    def _cost(self, group: BillGroup) -> float:
        return group.billed_usd if self.basis == "billed" else group.effective_usd
