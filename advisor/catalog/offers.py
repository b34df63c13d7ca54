"""Offers of machines as other tools' price files state them, one for each machine and region."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from advisor.catalog.tables import Row, parsed
from advisor.errors import CatalogError

COLUMNS = {
    "gpuhunt": (
        "instance_name",
        "location",
        "price",
        "cpu",
        "memory",
        "gpu_count",
        "gpu_name",
        "gpu_memory",
        "spot",
    ),
    "skypilot": (
        "InstanceType",
        "vCPUs",
        "MemoryGiB",
        "AcceleratorName",
        "AcceleratorCount",
        "Region",
        "Price",
    ),
}
"""Columns that each form of file must have."""
_SIZED = ("A100", "V100")
"""Chips that gpuhunt tells apart by their memory alone."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A machine and its prices for an hour, in US dollars; the figures of the machine are as the tool states them."""

    name: str
    region: str
    chip: str = ""
    """The tool's name of the accelerator, in capital letters and digits alone."""
    chips: float = 0.0
    vcpus: float = 0.0
    memory_gib: float = 0.0
    prices: Mapping[str, float] = field(default_factory=dict)
    """US dollars an hour for each of `PURCHASES` that is stated."""
    prices_only: bool = False
    """Whether the source states prices alone, so that the machine must be in the catalogue."""

    def cheaper(self, other: "Offer") -> "Offer":
        """Return the same machine at the lower of each price: the cheapest zone of a region counts."""
        both = (self.prices, other.prices)
        given = dict.fromkeys(name for prices in both for name in prices)
        least = {name: min(prices[name] for prices in both if name in prices) for name in given}
        return replace(self, prices=least)


def together(offers: Iterable[Offer]) -> tuple[Offer, ...]:
    """Return one offer for each machine and region, in order of first appearance."""
    found: dict[tuple[str, str], Offer] = {}
    for offer in offers:
        key = offer.name, offer.region
        found[key] = found[key].cheaper(offer) if key in found else offer
    return tuple(found.values())


def csv_offers(path: Path, form: str, provider: str) -> Iterator[Offer]:
    """Yield the offers of a CSV file.

    Args:
        path: The file.
        form: A key of `COLUMNS`.
        provider: Whose prices they are.

    Raises:
        InputError: The file is missing or no text.
        CatalogError: A column is missing or a value is no number.
    """
    header, lines = parsed(path)
    missing = [column for column in COLUMNS[form] if column not in header]
    if missing:
        raise CatalogError.bad_row(path.name, 1, f"no column '{missing[0]}'; is this really a {form} file?")
    for number, line in lines:
        row = Row(path.name, number, dict(zip(header, line, strict=False)))
        yield _gpuhunt(row, provider) if form == "gpuhunt" else _skypilot(row)


def hunted(
    name: str,
    location: str,
    *,
    provider: str,
    price: float | None,
    spot: bool,
    chip: str,
    chip_memory_gb: float | None,
    chips: float,
    vcpus: float,
    memory_gib: float,
) -> Offer:
    """Return an offer as gpuhunt states it: one row for each zone, and for spot and on-demand each."""
    normal = normal_name(chip)
    return Offer(
        name=name,
        region=re.sub(r"-[a-z]$", "", location) if provider == "gcp" else location,
        chip=f"{normal}{chip_memory_gb:.0f}GB" if normal in _SIZED and chip_memory_gb else normal,
        chips=chips,
        vcpus=vcpus,
        memory_gib=memory_gib,
        prices={"spot" if spot else "on-demand": price} if price else {},
    )


def normal_name(name: str) -> str:
    """Return a chip's name in capital letters and digits alone.

    Example:
        >>> normal_name("A100-80GB")
        'A10080GB'
    """
    return re.sub(r"[^A-Z0-9]", "", name.upper())


def _gpuhunt(row: Row, provider: str) -> Offer:
    return hunted(
        row.required("instance_name"),
        row.required("location"),
        provider=provider,
        price=row.number("price", may_be_minimum=True),
        spot=row.text("spot").casefold() == "true",
        chip=row.text("gpu_name"),
        chip_memory_gb=row.number("gpu_memory", may_be_minimum=True),
        chips=row.number("gpu_count", may_be_minimum=True) or 0.0,
        vcpus=row.number("cpu", may_be_minimum=True) or 0.0,
        memory_gib=row.number("memory", may_be_minimum=True) or 0.0,
    )


def _skypilot(row: Row) -> Offer:
    prices = {
        name: row.number(column, may_be_minimum=True)
        for name, column in (("on-demand", "Price"), ("spot", "SpotPrice"))
    }
    return Offer(
        name=row.text("InstanceType"),
        region=row.required("Region"),
        chip=normal_name(row.text("AcceleratorName")),
        chips=row.number("AcceleratorCount", may_be_minimum=True) or 0.0,
        vcpus=row.number("vCPUs", may_be_minimum=True) or 0.0,
        memory_gib=row.number("MemoryGiB", may_be_minimum=True) or 0.0,
        prices={name: price for name, price in prices.items() if price},
    )
