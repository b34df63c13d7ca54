"""Turns offers of other tools into lines of the catalogue: a table that `Catalog.with_overrides` takes."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from advisor.catalog.azure_prices import azure_offers
from advisor.catalog.building import PRICE_COLUMNS
from advisor.catalog.catalog import Catalog
from advisor.catalog.layers import folded
from advisor.catalog.offers import COLUMNS, Offer, csv_offers, normal_name, together
from advisor.catalog.records import InstanceType
from advisor.catalog.tables import embedded_columns
from advisor.errors import UnknownName

FORMS = (*COLUMNS, "azure")
"""Price files of other tools that `imported` reads."""
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


def joined(found: Iterable[Imported]) -> Imported:
    """Return what several sources gave as one."""
    found = tuple(found)
    skipped: dict[str, int] = {}
    for reason, count in (pair for one in found for pair in one.skipped.items()):
        skipped[reason] = skipped.get(reason, 0) + count
    return Imported(tuple(line for one in found for line in one.lines), skipped)


def imported(
    path: str | Path, form: str, *, date: str, provider: str, catalog: Catalog, regions: Iterable[str] = ()
) -> Imported:
    """Return the machines and prices of another tool's file.

    Zones count as their region at the price of the cheapest zone. Machines that the catalogue knows keep its
    figures and take only the prices; others take the chip that their accelerator's name stands for.

    Args:
        path: A file.
        form: `gpuhunt` (one provider's file of its catalogue), `skypilot` (a `vms.csv`), or `azure` (pages of the Azure
            retail prices, as JSON).
        date: Day of the prices, `YYYY-MM-DD`; no form holds it.
        provider: Whose prices they are, such as `aws`.
        catalog: Tells known machines and chips.
        regions: Regions to keep; none given keeps all.

    Raises:
        UnknownName: The form is not one of these.
        InputError: The file is missing or no text.
        CatalogError: A column is missing or a value is no number.
    """
    if form not in FORMS:
        raise UnknownName.among("price file form", form, FORMS)
    path = Path(path)
    offers, skipped = azure_offers(path) if form == "azure" else (csv_offers(path, form, provider), {})
    return lines_of(
        offers,
        date=date,
        source=f"{form} file {path.name}",
        provider=provider,
        catalog=catalog,
        regions=regions,
        skipped=skipped,
    )


def lines_of(
    offers: Iterable[Offer],
    *,
    date: str,
    source: str,
    provider: str,
    catalog: Catalog,
    regions: Iterable[str] = (),
    skipped: Mapping[str, int] | None = None,
) -> Imported:
    """Return offers as lines of the catalogue, and what was left out.

    Args:
        offers: Several for one machine and region count as the cheapest of them.
        date: Day of the prices, `YYYY-MM-DD`.
        source: Who states them.
        provider: Whose prices they are.
        catalog: Tells known machines and chips.
        regions: Regions to keep; none given keeps all.
        skipped: What was left out before, by reason.
    """
    wanted = set(regions)
    lines, left_out = [], dict(skipped or {})
    for offer in together(offer for offer in offers if not wanted or offer.region in wanted):
        line, reason = _line(offer, catalog, provider)
        if reason:
            left_out[reason] = left_out.get(reason, 0) + 1
        else:
            lines.append({**line, "price_date": date, "source": source})
    return Imported(tuple(lines), left_out)


def _line(offer: Offer, catalog: Catalog, provider: str) -> tuple[dict[str, str], str]:
    """The offer as a line of `instances.csv`, or why it is none."""
    known = known_machine(offer.name, catalog, provider=provider, region=offer.region)
    chip = known.accelerator.id if known else _chip(offer, catalog, provider)
    reason = _prices_objection(offer, known) if offer.prices_only else _objection(offer, known, chip)
    prices = {column: _text(offer.prices.get(name)) for name, column in PRICE_COLUMNS.items()}
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


def _objection(offer: Offer, known: InstanceType | None, chip: str) -> str:
    """Why the offer is no machine with a price; empty when it is one."""
    on_demand = offer.prices.get("on-demand", 0.0)
    whole = offer.chips % 1 == 0 and offer.vcpus % 1 == 0 and offer.vcpus > 0 and offer.memory_gib > 0
    objections = {
        "an accelerator's price without its machine": not offer.name,
        "no on-demand price": on_demand == 0,
        "a machine's price without its accelerators": known and not known.is_cpu_only and not offer.chips,
        _FAR_OFF: _is_far_off(offer, known),
        "an unknown processor": not chip and not offer.chips,
        "an unknown accelerator": not chip,
        "a share of a device, or figures missing": not whole,
        _DEAR_SPOT: offer.prices.get("spot", 0.0) > on_demand,
    }
    return next((reason for reason, holds in objections.items() if holds), "")


_FAR_OFF = f"a price more than {_PLACEHOLDER_RATIO:g} times off the known one"
_DEAR_SPOT = "spot dearer than on-demand"


def _prices_objection(offer: Offer, known: InstanceType | None) -> str:
    """Why prices alone say nothing; empty when they do."""
    if known is None:
        return "a machine that is not in the catalogue"
    there = known.region == offer.region
    on_demand = offer.prices.get("on-demand") or (known.prices["on-demand"].usd_per_h if there else 0.0)
    objections = {
        "no price": not any(offer.prices.values()),
        "no on-demand price in a region that is not in the catalogue": not on_demand,
        _FAR_OFF: _is_far_off(offer, known),
        _DEAR_SPOT: offer.prices.get("spot", 0.0) > on_demand,
    }
    return next((reason for reason, holds in objections.items() if holds), "")


def known_machine(name: str, catalog: Catalog, *, provider: str, region: str) -> InstanceType | None:
    """Return the catalogue's machine of that name, in that region if it is there, else anywhere; `None` if nowhere."""
    named = [m for m in catalog.instances if m.provider == provider and folded(m.name) == folded(name)]
    return next((m for m in named if m.region == region), named[0] if named else None)


def _chip(offer: Offer, catalog: Catalog, provider: str) -> str:
    """The catalogue's id of the offer's chip; empty when it has none."""
    if provider == "azure" and folded(offer.name).startswith("nc"):  # the NC machines carry the PCIe cards
        return {"A10080GB": "a100-pcie-80", "H100": "h100-nvl", "H100NVL": "h100-nvl"}.get(offer.chip, "")
    if offer.chip in _CHIPS:
        return _CHIPS[offer.chip]
    return next(
        (i for i, c in catalog.accelerators.items() if c.kind != "cpu" and normal_name(i) == offer.chip), ""
    )


def _is_far_off(offer: Offer, known: InstanceType | None) -> bool:
    on_demand = offer.prices.get("on-demand")
    if not on_demand or known is None:
        return False
    usual = known.prices["on-demand"].usd_per_h
    return not usual / _PLACEHOLDER_RATIO <= on_demand <= usual * _PLACEHOLDER_RATIO


def _text(value: float | None) -> str:
    return f"{value:.10g}" if value else ""
