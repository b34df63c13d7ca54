"""The catalogue: every machine, price and grid the advisor may choose from, and how to find one."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from advisor.catalog import building
from advisor.catalog.layers import KEYS, folded, merged
from advisor.catalog.records import PURCHASES, Accelerator, GridIntensity, InstanceType, Price, StoragePrice
from advisor.catalog.tables import TABLES, Origin, Row, embedded_rows, user_rows
from advisor.errors import CatalogError, UnknownName

_IN_CATALOGUE = "is in the catalogue"
STALE_DAYS = 180
"""Age in days from which a price counts as old: assumed, half a year."""


@dataclass(frozen=True, slots=True, eq=False)
class Catalog:
    """Machines, prices and grids, from the embedded tables and whatever a user laid over them.

    Example:
        >>> catalog = Catalog.load()
        >>> catalog.instance("p5.48xlarge").prices["on-demand"].usd_per_h
        55.04
        >>> [machine.id for machine in catalog.select(providers=["azure"], allow=["*H100*"])]
        ['azure/eastus/NC40ads_H100_v5', 'azure/eastus/ND96isr_H100_v5']
    """

    accelerators: Mapping[str, Accelerator]
    """Every chip by its id."""
    instances: tuple[InstanceType, ...]
    """Every machine, in the order of the tables."""
    grids: Mapping[tuple[str, str], GridIntensity]
    """Every grid by provider and region."""
    storage: tuple[StoragePrice, ...]
    tables: Mapping[str, tuple[Row, ...]]
    """The rows all this was built from."""

    @classmethod
    def load(cls) -> "Catalog":
        """Return the embedded catalogue; read once per process."""
        return _embedded()

    @property
    def version(self) -> str:
        """Day of the newest embedded or given price, and a fingerprint of every row, such as `2026-09-06+1f2e3d4c`."""
        from hashlib import sha256  # noqa: PLC0415 - a quarter of the loading time, and rarely asked for

        digest = sha256()
        for table in TABLES:
            for row in self.tables[table]:
                digest.update(repr((table, sorted(row.values.items()))).encode())
        newest = max(price.date for machine in self.instances for price in machine.prices.values())
        return f"{newest}+{digest.hexdigest()[:8]}"

    def instance(self, name: str, provider: str | None = None, region: str | None = None) -> InstanceType:
        """Return the one machine of that name.

        Args:
            name: The provider's name, in any case, with or without Azure's `Standard_`; or an id such as
                `aws/us-east-1/p5.48xlarge`.
            provider: Needed when two providers use the name.
            region: Needed when the machine is known in several regions.

        Raises:
            UnknownName: No machine has that name, or not there.
            CatalogError: Several machines fit.
        """
        named = [machine for machine in self.instances if _is_called(machine, name)]
        if not named:
            known = {machine.name for machine in self.instances}
            raise UnknownName.among("instance type", name, known, _IN_CATALOGUE)
        there = [m for m in named if provider in (None, m.provider) and region in (None, m.region)]
        ids = ", ".join(machine.id for machine in there or named)
        if not there:
            place = "/".join(part for part in (provider, region) if part)
            raise UnknownName(f"instance type '{name}' has no price in {place}; it is known as {ids}")
        if len(there) > 1:
            raise CatalogError(f"instance type '{name}' is known {len(there)} times; say which: {ids}")
        return there[0]

    def accelerator(self, name: str) -> Accelerator:
        """Return the chip with that id.

        Raises:
            UnknownName: No chip has it.
        """
        if name not in self.accelerators:
            raise UnknownName.among("accelerator", name, self.accelerators, _IN_CATALOGUE)
        return self.accelerators[name]

    def select(
        self,
        providers: Iterable[str] = (),
        regions: Iterable[str] = (),
        allow: Iterable[str] = (),
        deny: Iterable[str] = (),
    ) -> tuple[InstanceType, ...]:
        """Return the machines that fit, in catalogue order.

        Patterns may hold `*`, `?` and `[...]` and ignore case. In `allow` and `deny` a pattern matches the name,
        the accelerator's id, or, when it has a `/`, the whole id.

        Args:
            providers: Providers to keep; none given keeps all.
            regions: Regions to keep; none given keeps all.
            allow: Machines to keep; none given keeps all.
            deny: Machines to leave out, also when `allow` names them.

        Raises:
            UnknownName: A pattern fits no machine of the whole catalogue.
        """
        asked = (
            ("provider", tuple(providers), _provider),
            ("region", tuple(regions), _region),
            ("instance type", tuple(allow), _names),
        )
        kept = [_matching(self.instances, *question) for question in asked if question[1]]
        denied = _matching(self.instances, "instance type", tuple(deny), _names)
        return tuple(
            machine
            for machine in self.instances
            if machine.id not in denied and all(machine.id in ids for ids in kept)
        )

    def carbon(self, provider: str, region: str) -> GridIntensity:
        """Return the grid behind a region.

        Without a row of its own, a provider's row for all regions answers, then the country (`DEU`) or US state
        (`VA`) that `region` may name, then the world average; `method` always says which.
        """
        keys = ((provider, region), (provider, "all"), ("country", region), ("us-state", region))
        found = next((self.grids[key] for key in keys if key in self.grids), None)
        return found or self.grids["world", "average"]

    def with_overrides(self, *paths: str | Path) -> "Catalog":
        """Return this catalogue with a user's CSV files laid over it, the last one on top.

        A file has the columns of an embedded table, or some of them. A line for a known machine (accelerator,
        grid, discount) changes what it gives and inherits the rest; without a region it changes the machine in
        all regions, in a new region it brings all but its prices. A line for an unknown one adds it.

        Raises:
            InputError: A file is missing or no text.
            CatalogError: A line cannot be used; the message says which and why.
        """
        tables = dict(self.tables)
        for path in paths:
            table, rows = user_rows(Path(path))
            tables[table] = merged(tables[table], rows, keys=KEYS[table])
        return _built(tables)

    def with_price(
        self,
        name: str,
        usd_per_h: float,
        *,
        purchase: str = "on-demand",
        provider: str | None = None,
        region: str | None = None,
        source: str = "given by the user",
        date: str = "",
    ) -> "Catalog":
        """Return this catalogue with one price replaced.

        Args:
            name: As in `instance`.
            usd_per_h: The price of the whole machine.
            purchase: One of `PURCHASES`.
            provider: As in `instance`.
            region: As in `instance`.
            source: Where the price comes from, shown beside it.
            date: Day for which it is known, `YYYY-MM-DD`.

        Raises:
            UnknownName: No such machine or way of buying.
            CatalogError: Several machines fit, or the price is not a finite number above 0.
        """
        if purchase not in PURCHASES:
            raise UnknownName.among("way of buying", purchase, PURCHASES)
        machine = self.instance(name, provider, region)
        column = building.PRICE_COLUMNS[purchase]
        keys = {"provider": machine.provider, "region": machine.region, "name": machine.name}
        change = Row(source, 1, {**keys, column: repr(usd_per_h)}, {column: Origin(source, source, date)})
        instances = merged(self.tables["instances"], (change,), keys=KEYS["instances"])
        return _built({**self.tables, "instances": instances})

    def stale_prices(
        self, today: str, limit_days: int = STALE_DAYS
    ) -> tuple[tuple[InstanceType, str, Price], ...]:
        """Return each machine, way of buying and price that is undated or older than `limit_days` on `today`."""
        return tuple(
            (machine, purchase, price)
            for machine in self.instances
            for purchase, price in machine.prices.items()
            if (age := price.age_days(today)) is None or age > limit_days
        )


@cache
def _embedded() -> Catalog:
    return _built({table: embedded_rows(table) for table in TABLES})


def _built(tables: Mapping[str, tuple[Row, ...]]) -> Catalog:
    chips = {row.text("id"): building.accelerator(row) for row in tables["accelerators"]}
    discounts = building.discounts(tables["commitments"])
    return Catalog(
        accelerators=chips,
        instances=tuple(building.instance_type(row, chips, discounts) for row in tables["instances"]),
        grids={(row.text("provider"), row.text("region")): building.grid(row) for row in tables["carbon"]},
        storage=tuple(building.storage_price(row) for row in tables["storage"]),
        tables=tables,
    )


def _is_called(machine: InstanceType, name: str) -> bool:
    return folded(name) in (machine.name.casefold(), machine.id.casefold())


def _provider(machine: InstanceType) -> tuple[str, ...]:
    return (machine.provider,)


def _region(machine: InstanceType) -> tuple[str, ...]:
    return (machine.region,)


def _names(machine: InstanceType) -> tuple[str, ...]:
    return machine.name, machine.id, machine.accelerator.id


def _matching(
    machines: tuple[InstanceType, ...],
    kind: str,
    patterns: Iterable[str],
    names: Callable[[InstanceType], Iterable[str]],
) -> frozenset[str]:
    """Return the ids of the machines that fit one of the patterns, refusing a pattern that fits none."""
    ids: set[str] = set()
    for pattern in patterns:
        folded = pattern.casefold()
        found = {m.id for m in machines if any(fnmatchcase(name.casefold(), folded) for name in names(m))}
        if not found:
            raise UnknownName.among(
                kind, pattern, {name for m in machines for name in names(m)}, _IN_CATALOGUE
            )
        ids |= found
    return frozenset(ids)
