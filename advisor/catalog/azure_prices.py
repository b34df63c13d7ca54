"""Reads pages of the Azure retail prices: on-demand, spot, reservations and savings plans of virtual machines.

Source: Azure Retail Prices REST API, https://learn.microsoft.com/rest/api/cost-management/retail-prices. A reservation's
`retailPrice` is for its whole term, although its `unitOfMeasure` says one hour; a savings plan's is for one hour.
"""

import json
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from advisor.catalog.offers import Offer
from advisor.errors import CatalogError, InputError

_LARGEST_BYTES = 100_000_000
_HOURS = {"1 Year": 8760.0, "3 Years": 26_280.0}
_PURCHASE = {"1 Year": "reserved-1y", "3 Years": "reserved-3y"}


def azure_offers(path: Path) -> tuple[list[Offer], dict[str, int]]:
    """Return the Linux prices of virtual machines in US dollars, an offer for each row, and what was left out.

    Args:
        path: JSON: one page with `Items`, a list of pages, or a list of items.

    Returns:
        The offers, and how many rows were left out by reason.

    Raises:
        InputError: The file is missing, too large, or no JSON.
        CatalogError: An item is not as Azure writes it; the message says which.
    """
    offers: list[Offer] = []
    skipped: dict[str, int] = {}
    for number, item in enumerate(_items(path), 1):
        if not isinstance(item, Mapping):
            raise CatalogError(
                f"{path.name} item {number}: expected a mapping with armSkuName and retailPrice"
            )
        reason = _left_out(item)
        if reason:
            skipped[reason] = skipped.get(reason, 0) + 1
        else:
            offers += _offers(item, f"{path.name} item {number}")
    return offers, skipped


def _items(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise InputError.missing_file(path)
    if path.stat().st_size > _LARGEST_BYTES:
        raise CatalogError(
            f"'{path}' is larger than {_LARGEST_BYTES / 1e6:g} MB; ask for one region or family"
        )
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError.unreadable_file(path, f"this is not JSON ({str(error)[:100]})") from None
    pages = data if isinstance(data, list) else [data]
    for page in pages:
        if isinstance(page, Mapping) and isinstance(page.get("Items"), list):
            yield from page["Items"]
        elif isinstance(page, Mapping) and "armSkuName" in page:
            yield page
        else:
            raise CatalogError(
                f"{path.name}: expected Items[] with armSkuName and retailPrice, as Azure's retail prices have"
            )


def _left_out(item: Mapping[str, Any]) -> str:
    """Why an item is no Linux machine by the hour in US dollars; empty when it is one."""
    names = f"{item.get('skuName', '')} {item.get('meterName', '')}".casefold()
    reasons = {
        "another service": item.get("serviceName", "Virtual Machines") != "Virtual Machines",
        "Windows": "windows" in str(item.get("productName", "")).casefold(),
        "low priority, which is no longer sold": "low priority" in names,
        "another currency": item.get("currencyCode", "USD") != "USD",
        "a price for developers": item.get("type", "Consumption") not in {"Consumption", "Reservation"},
        "not sold by the hour": item.get("unitOfMeasure", "1 Hour") != "1 Hour",
        "no machine": not item.get("armSkuName"),
        "an unknown term": item.get("type") == "Reservation" and item.get("reservationTerm") not in _HOURS,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _offers(item: Mapping[str, Any], where: str) -> Iterator[Offer]:
    name, region = str(item["armSkuName"]), item.get("armRegionName")
    if not isinstance(region, str) or not region:
        raise CatalogError(f"{where}: armRegionName is missing")
    price = _usd(item, "retailPrice", where)
    if item.get("type") == "Reservation":
        term = str(item["reservationTerm"])
        yield _prices(name, region, _PURCHASE[term], price / _HOURS[term])
        return
    is_spot = "spot" in f"{item.get('skuName', '')} {item.get('meterName', '')}".casefold()
    yield _prices(name, region, "spot" if is_spot else "on-demand", price)
    plans = item.get("savingsPlan") or ()
    for plan in plans if isinstance(plans, list) else ():
        if isinstance(plan, Mapping) and plan.get("term") in _PURCHASE and not is_spot:
            yield _prices(name, region, _PURCHASE[plan["term"]], _usd(plan, "retailPrice", where))


def _prices(name: str, region: str, purchase: str, usd_per_h: float) -> Offer:
    return Offer(name, region, prices={purchase: usd_per_h} if usd_per_h else {}, prices_only=True)


def _usd(item: Mapping[str, Any], key: str, where: str) -> float:
    value = item.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value < 0:
        raise CatalogError(f"{where}: {key} is {str(value)[:40]!r}; expected a number of US dollars")
    return float(value)
