"""The columns of a FOCUS export that are read, and the values in them."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from math import isfinite

from advisor.billing.charges import Nature, hours_of

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "start": ("ChargePeriodStart", "BillingPeriodStart"),
    "end": ("ChargePeriodEnd", "BillingPeriodEnd"),
    "billed": ("BilledCost",),
    "effective": ("EffectiveCost",),
    "currency": ("BillingCurrency",),
    "category": ("ChargeCategory",),
    "pricing": ("PricingCategory",),
    "commitment": ("CommitmentDiscountId", "CommitmentDiscountStatus", "CommitmentDiscountCategory"),
    "service_category": ("ServiceCategory",),
    "service": ("ServiceName",),
    "resource_type": ("ResourceType",),
    "resource": ("ResourceId",),
    "resource_name": ("ResourceName",),
    "quantity": ("ConsumedQuantity",),
    "unit": ("ConsumedUnit",),
    "priced_quantity": ("PricingQuantity",),
    "priced_unit": ("PricingUnit",),
    "description": ("ChargeDescription",),
    "details": ("SkuPriceDetails", "x_SkuDetails"),
    "meter": ("x_InstanceType", "x_UsageType", "SkuMeter", "x_SkuMeterName"),
    "provider": ("ServiceProviderName", "ProviderName", "InvoiceIssuerName"),
    "region": ("RegionId", "RegionName", "Region"),
    "tags": ("Tags",),
}
"""What is read, and the names that versions and providers give it; `x_` columns are a provider's own."""
REQUIRED = ("start", "service_category")
_LONGEST_TEXT = 500
_LONGEST_DETAILS = 2000


class Junk(ValueError):
    """A value that cannot be what its column says."""


def nature_of(row: Mapping[str, object]) -> Nature:
    """Return what the charge of a row is for; `row` has a value for each key of `COLUMNS`."""
    return Nature(
        category=str(row["category"] or "Usage")[:_LONGEST_TEXT],
        pricing=str(row["pricing"])[:_LONGEST_TEXT],
        commitment=bool(row["commitment"]),
        service_category=str(row["service_category"])[:_LONGEST_TEXT],
        service=str(row["service"])[:_LONGEST_TEXT],
        resource_type=str(row["resource_type"])[:_LONGEST_TEXT],
        unit=str(row["unit"] or row["priced_unit"])[:_LONGEST_TEXT],
        description=str(row["description"])[:_LONGEST_TEXT],
        details=str(row["details"])[:_LONGEST_DETAILS],
        meter=str(row["meter"])[:_LONGEST_TEXT],
    )


def machine_hours_of(row: Mapping[str, object]) -> float:
    """Return the hours that a row counts in plain time, else 0."""
    for quantity, unit in (("quantity", "unit"), ("priced_quantity", "priced_unit")):
        hours = hours_of(amount_of(row, quantity) or 0.0, str(row[unit]))
        if hours:
            return hours
    return 0.0


def amount_of(row: Mapping[str, object], name: str) -> float | None:
    """Return the number in a column, or `None` where it is empty.

    Raises:
        Junk: It is no finite number.
    """
    text = str(row[name])
    if not text:
        return None
    try:
        amount = float(text)
    except ValueError:
        amount = float("nan")
    if not isfinite(amount):
        raise Junk(f"{COLUMNS[name][0]} is '{text[:40]}'; expected a number such as 12.5")
    return amount


def moment_of(row: Mapping[str, object], name: str) -> str:
    """Return the moment in a column as `YYYY-MM-DD HH:MM:SS`; empty where there is none and none is needed.

    Raises:
        Junk: It is no moment.
    """
    text = str(row[name])
    if not text and name not in REQUIRED:
        return ""
    moment = _moment(text[:40])
    if not moment:
        raise Junk(f"{COLUMNS[name][0]} is '{text[:40]}'; expected a moment such as 2026-09-01 00:00:00")
    return moment


@lru_cache(maxsize=5_000)
def _moment(text: str) -> str:
    """The moment without its time zone; empty where it is none."""
    try:
        return str(datetime.fromisoformat(text[:19].rstrip("Z")))
    except ValueError:
        return ""
