"""Reads the price files of other tools and writes them as a table that `Catalog.with_overrides` takes."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from advisor.catalog.catalog import Catalog
from advisor.catalog.layers import folded
from advisor.catalog.records import InstanceType
from advisor.catalog.tables import Row, embedded_columns, parsed
from advisor.errors import CatalogError, UnknownName

_COLUMNS = {
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
_PLACEHOLDER_RATIO = 5.0
"""A price that far from the catalogue's own for the same machine is a placeholder, not a price."""

_CHIPS = {
    "A100": "a100-sxm-40",
    "A10040GB": "a100-sxm-40",
    "A10080GB": "a100-sxm-80",
    "A10080GBSXM": "a100-sxm-80",
    "A6000": "rtx-a6000",
    "B200": "b200",
    "B300": "b300",
    "GAUDI2": "gaudi2",
    "GAUDI3": "gaudi3",
    "GB200": "gb200",
    "GB300": "gb300",
    "GH200": "gh200-96",
    "H100": "h100-sxm",
    "H10080GB": "h100-sxm",
    "H100NVL": "h100-nvl",
    "H100SXM": "h100-sxm",
    "H200": "h200-sxm",
    "H200SXM": "h200-sxm",
    "INFERENTIA2": "inferentia2",
    "MI300X": "mi300x",
    "MI325X": "mi325x",
    "MI355X": "mi355x",
    "RTX6000ADA": "rtx-6000-ada",
    "RTXA6000": "rtx-a6000",
    "RTXPRO6000": "rtx-pro-6000-server",
    "TRAINIUM": "trainium1",
    "TRAINIUM2": "trainium2",
    "V100": "v100-sxm-16",
    "V10016GB": "v100-sxm-16",
    "V10032GB": "v100-sxm-32",
}
"""Names that other tools use for the catalogue's chips; the rest are tried as they are, such as `L40S`."""
_SIZED = ("A100", "V100")
"""Chips that gpuhunt tells apart by their memory alone."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What a foreign file gave."""

    lines: tuple[Mapping[str, str], ...]
    """Lines of `instances.csv`, one for each machine and region, in order of first appearance."""
    skipped: Mapping[str, int]
    """How many machines were left out, by reason."""

    def text(self) -> str:
        """Return the lines as the text of a CSV file for `Catalog.with_overrides`."""
        columns = [c for c in embedded_columns("instances") if any(line.get(c) for line in self.lines)]
        stream = io.StringIO()
        writer = csv.DictWriter(stream, columns, restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.lines)
        return stream.getvalue()


@dataclass(frozen=True, slots=True)
class _Offer:
    name: str
    region: str
    chip: str
    chips: float
    vcpus: float
    memory_gib: float
    on_demand: float | None
    spot: float | None

    def cheaper(self, other: "_Offer") -> "_Offer":
        """The same machine at the lower of both prices: the cheapest zone of a region counts."""
        return replace(
            self,
            on_demand=_least(self.on_demand, other.on_demand),
            spot=_least(self.spot, other.spot),
        )


def imported(
    path: str | Path, form: str, *, date: str, provider: str, catalog: Catalog, regions: Iterable[str] = ()
) -> Imported:
    """Return the machines and prices of another tool's file.

    Zones count as their region at the price of the cheapest zone. Machines that the catalogue knows keep its
    figures and take only the prices; others take the chip that their accelerator's name stands for.

    Args:
        path: A CSV file.
        form: `gpuhunt` (one provider's file of its catalogue) or `skypilot` (a `vms.csv`).
        date: Day of the prices, `YYYY-MM-DD`; neither form holds it.
        provider: Whose prices they are, such as `aws`.
        catalog: Tells known machines and chips.
        regions: Regions to keep; none given keeps all.

    Raises:
        UnknownName: The form is not one of these.
        InputError: The file is missing or no text.
        CatalogError: A column is missing or a value is no number.
    """
    if form not in _COLUMNS:
        raise UnknownName.among("price file form", form, _COLUMNS)
    wanted = set(regions)
    offers: dict[tuple[str, str], _Offer] = {}
    for offer in _offers(Path(path), form, provider):
        key = offer.name, offer.region
        if not wanted or offer.region in wanted:
            offers[key] = offers[key].cheaper(offer) if key in offers else offer
    lines = []
    skipped: dict[str, int] = {}
    for offer in offers.values():
        line, reason = _line(offer, catalog, provider)
        if reason:
            skipped[reason] = skipped.get(reason, 0) + 1
        else:
            lines.append({**line, "price_date": date, "source": f"{form} file {Path(path).name}"})
    return Imported(tuple(lines), skipped)


def _offers(path: Path, form: str, provider: str) -> Iterator[_Offer]:
    header, lines = parsed(path)
    missing = [column for column in _COLUMNS[form] if column not in header]
    if missing:
        raise CatalogError.bad_row(path.name, 1, f"no column '{missing[0]}'; is this really a {form} file?")
    for number, line in lines:
        row = Row(path.name, number, dict(zip(header, line, strict=False)))
        yield _gpuhunt(row, provider) if form == "gpuhunt" else _skypilot(row)


def _gpuhunt(row: Row, provider: str) -> _Offer:
    price = row.number("price", may_be_minimum=True)
    spot = row.text("spot").casefold() == "true"
    name = _normal(row.text("gpu_name"))
    size_gb = row.number("gpu_memory", may_be_minimum=True)
    return _Offer(
        name=row.required("instance_name"),
        region=re.sub(r"-[a-z]$", "", row.required("location"))
        if provider == "gcp"
        else row.required("location"),
        chip=f"{name}{size_gb:.0f}GB" if name in _SIZED and size_gb else name,
        chips=row.number("gpu_count", may_be_minimum=True) or 0.0,
        vcpus=row.number("cpu", may_be_minimum=True) or 0.0,
        memory_gib=row.number("memory", may_be_minimum=True) or 0.0,
        on_demand=None if spot else price,
        spot=price if spot else None,
    )


def _skypilot(row: Row) -> _Offer:
    return _Offer(
        name=row.text("InstanceType"),
        region=row.required("Region"),
        chip=_normal(row.text("AcceleratorName")),
        chips=row.number("AcceleratorCount", may_be_minimum=True) or 0.0,
        vcpus=row.number("vCPUs", may_be_minimum=True) or 0.0,
        memory_gib=row.number("MemoryGiB", may_be_minimum=True) or 0.0,
        on_demand=row.number("Price", may_be_minimum=True),
        spot=row.number("SpotPrice", may_be_minimum=True),
    )


def _line(offer: _Offer, catalog: Catalog, provider: str) -> tuple[dict[str, str], str]:
    """The offer as a line of `instances.csv`, or why it is none."""
    known = _known(offer, catalog, provider)
    chip = known.accelerator.id if known else _chip(offer, catalog, provider)
    reason = _objection(offer, known, chip)
    prices = {"on_demand_usd_per_h": _text(offer.on_demand), "spot_usd_per_h": _text(offer.spot)}
    line = {
        "provider": provider,
        "region": offer.region,
        "name": known.name if known else offer.name,
        **prices,
    }
    if not known:
        line |= {"accelerator": chip, "accelerator_count": _text(offer.chips)}
        line |= {"vcpus": _text(offer.vcpus), "memory_gib": _text(offer.memory_gib)}
    return line, reason


def _objection(offer: _Offer, known: InstanceType | None, chip: str) -> str:
    """Why the offer is no machine with a price; empty when it is one."""
    on_demand = offer.on_demand or 0.0
    usual = known.prices["on-demand"].usd_per_h if known else on_demand
    whole = offer.chips % 1 == 0 and offer.vcpus % 1 == 0 and offer.vcpus > 0 and offer.memory_gib > 0
    objections = {
        "an accelerator's price without its machine": not offer.name,
        "no on-demand price": on_demand == 0,
        "a machine's price without its accelerators": known and not known.is_cpu_only and not offer.chips,
        f"a price more than {_PLACEHOLDER_RATIO:g} times off the known one": not _plausible(on_demand, usual),
        "an unknown processor": not chip and not offer.chips,
        "an unknown accelerator": not chip,
        "a share of a device, or figures missing": not whole,
        "spot dearer than on-demand": (offer.spot or 0.0) > on_demand,
    }
    return next((reason for reason, holds in objections.items() if holds), "")


def _known(offer: _Offer, catalog: Catalog, provider: str) -> InstanceType | None:
    """The catalogue's machine of that name, in the same region if there is one."""
    name = folded(offer.name)
    named = [m for m in catalog.instances if m.provider == provider and folded(m.name) == name]
    return next((m for m in named if m.region == offer.region), named[0] if named else None)


def _chip(offer: _Offer, catalog: Catalog, provider: str) -> str:
    """The catalogue's id of the offer's chip; empty when it has none."""
    if provider == "azure" and folded(offer.name).startswith("nc"):  # the NC machines carry the PCIe cards
        return {"A10080GB": "a100-pcie-80", "H100": "h100-nvl", "H100NVL": "h100-nvl"}.get(offer.chip, "")
    if offer.chip in _CHIPS:
        return _CHIPS[offer.chip]
    return next(
        (i for i, c in catalog.accelerators.items() if c.kind != "cpu" and _normal(i) == offer.chip), ""
    )


def _normal(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", name.upper())


def _least(one: float | None, other: float | None) -> float | None:
    given = [price for price in (one, other) if price]
    return min(given, default=None)


def _plausible(price: float, known: float) -> bool:
    return known / _PLACEHOLDER_RATIO <= price <= known * _PLACEHOLDER_RATIO


def _text(value: float | None) -> str:
    return f"{value:.10g}" if value else ""
