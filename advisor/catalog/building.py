"""Turns rows of text into the catalogue's records, refusing what cannot be true."""

from collections.abc import Iterable, Mapping
from datetime import date

from advisor.catalog.records import (
    DTYPES,
    GIB,
    PURCHASES,
    Accelerator,
    GridIntensity,
    InstanceType,
    Price,
    StoragePrice,
)
from advisor.catalog.tables import Row
from advisor.errors import suggestion

PRICE_COLUMNS = {purchase: f"{purchase.replace('-', '_')}_usd_per_h" for purchase in PURCHASES}
PAYMENT = "no-upfront"
"""How an estimated reservation is paid: without capital, so that its price is what an hour really costs."""
UNKNOWN_PUE = 1.56
UNKNOWN_PUE_SOURCE = "assumed: Uptime Institute Global Data Center Survey 2024, average of all sites"

Discounts = Mapping[tuple[str, str], Row]


def accelerator(row: Row) -> Accelerator:
    """Return the chip of one row of `accelerators.csv`.

    Raises:
        CatalogError: A figure is missing or cannot be true.
    """
    kind = row.required("kind")
    if kind not in {"gpu", "cpu", "tpu", "asic"}:
        raise row.problem(f"'kind' is '{kind}'; expected gpu, cpu, tpu or asic")
    peaks = {
        dtype: row.number(f"{dtype}_{'tops' if dtype.startswith('int') else 'tflops'}") for dtype in DTYPES
    }
    if not any(peaks.values()):
        raise row.problem("no peak is given; expected at least one of fp32_tflops, fp16_tflops, bf16_tflops")
    interconnect = row.number("interconnect_gb_per_s")
    return Accelerator(
        id=row.required("id"),
        vendor=row.text("vendor"),
        name=row.text("name") or row.required("id"),
        kind=kind,
        architecture=row.text("architecture"),
        compute_capability=row.number("compute_capability"),
        memory_bytes=0.0 if kind == "cpu" else row.required_number("memory_gib") * GIB,
        memory_bandwidth_bytes_per_s=row.required_number("memory_bandwidth_gb_per_s") * 1e9,
        peak_flops={dtype: peak * 1e12 for dtype, peak in peaks.items() if peak is not None},
        sparsity_2_4=_yes(row, "sparsity_2_4"),
        tdp_w=row.number("tdp_w"),
        interconnect_bytes_per_s=None if interconnect is None else interconnect * 1e9,
        source=_with_changes(row),
        source_date=row.text("source_date"),
        confidence="user" if row.origins else row.required("confidence"),
        notes=row.text("notes"),
    )


def instance_type(row: Row, chips: Mapping[str, Accelerator], discounts: Discounts) -> InstanceType:
    """Return the machine of one row of `instances.csv`, with estimates for reservations that have no price.

    Raises:
        CatalogError: The accelerator is unknown, or a figure is missing or cannot be true.
    """
    name = row.required("accelerator")
    chip = chips.get(name)
    if chip is None:
        raise row.problem(f"no accelerator '{name}' in the catalogue{suggestion(name, chips)}", "accelerator")
    vcpus = row.count("vcpus")
    count = row.count("accelerator_count", default=1)
    memory_bytes = row.required_number("memory_gib") * GIB
    sustained = row.number("sustained_vcpu_ratio") or 1.0
    if sustained > 1:
        raise row.problem(
            f"'sustained_vcpu_ratio' is {sustained:g}; expected at most 1", "sustained_vcpu_ratio"
        )
    if chip.kind == "cpu":
        if count != 1:
            raise row.problem(
                f"'accelerator_count' is {count}; a machine that computes on its vCPUs has 1",
                "accelerator_count",
            )
        chip = chip.for_vcpus(vcpus * sustained, memory_bytes=memory_bytes)
    return InstanceType(
        name=row.required("name"),
        provider=row.required("provider"),
        region=row.required("region"),
        accelerator=chip,
        accelerator_count=count,
        vcpus=vcpus,
        memory_bytes=memory_bytes,
        prices=_prices(row, discounts),
        label=row.text("label"),
        sustained_vcpu_ratio=sustained,
        source=row.text("source") or row.cited(next(iter(row.origins), "")),
        source_date=row.text("price_date"),
        notes=row.text("notes"),
        overridden={column: origin.where for column, origin in row.origins.items()},
    )


def discounts(rows: Iterable[Row]) -> Discounts:
    """Return the average discount of each provider and way of buying, as its row of `commitments.csv`.

    Raises:
        CatalogError: A discount is no share.
    """
    usual = [row for row in rows if row.text("payment") == PAYMENT]
    for row in usual:
        if row.required_number("discount_ratio", may_be_minimum=True) >= 1:
            raise row.problem(
                "'discount_ratio' is 1 or more; expected a share such as 0.32", "discount_ratio"
            )
    return {(row.text("provider"), row.text("purchase")): row for row in usual}


def grid(row: Row) -> GridIntensity:
    """Return the grid of one row of `carbon.csv`.

    Raises:
        CatalogError: A figure is missing or cannot be true.
    """
    pue = row.number("pue", minimum=1.0, may_be_minimum=True)
    given = row.origins.get("g_co2e_per_kwh")
    return GridIntensity(
        g_co2e_per_kwh=row.required_number("g_co2e_per_kwh", may_be_minimum=True),
        pue=UNKNOWN_PUE if pue is None else pue,
        source=row.cited("g_co2e_per_kwh"),
        date=given.date if given else row.text("date"),
        method="given by the user" if given else row.required("method"),
        provider=row.required("provider"),
        region=row.required("region"),
        location=row.text("location"),
        pue_source=UNKNOWN_PUE_SOURCE if pue is None else row.cited("pue", "pue_source"),
    )


def storage_price(row: Row) -> StoragePrice:
    """Return the price of one row of `storage.csv`.

    Raises:
        CatalogError: A figure is missing or cannot be true.
    """
    given = row.origins.get("usd_per_unit")
    return StoragePrice(
        provider=row.required("provider"),
        region=row.required("region"),
        service=row.required("service"),
        item=row.required("item"),
        unit=row.required("unit"),
        tier_from_gb=row.number("tier_from_gb", may_be_minimum=True) or 0.0,
        tier_to_gb=row.number("tier_to_gb"),
        usd_per_unit=row.required_number("usd_per_unit", may_be_minimum=True),
        date=given.date if given else row.required("date"),
        source=row.cited("usd_per_unit"),
        notes=row.text("notes"),
        kind="user" if given else "published",
    )


def _prices(row: Row, discounts: Discounts) -> dict[str, Price]:
    prices = {}
    for purchase, column in PRICE_COLUMNS.items():
        usd_per_h = row.number(column)
        if usd_per_h is not None:
            prices[purchase] = _given_price(row, purchase, column, usd_per_h)
    if "on-demand" not in prices:
        raise row.problem(
            "'on_demand_usd_per_h' is empty; every machine needs a price", next(iter(row.origins), "")
        )
    _refuse_dear_spot(row, prices)
    for purchase in ("reserved-1y", "reserved-3y"):
        discount = discounts.get((row.text("provider"), purchase))
        if purchase not in prices and discount is not None:
            prices[purchase] = _estimate(prices["on-demand"], discount)
    return prices


def _given_price(row: Row, purchase: str, column: str, usd_per_h: float) -> Price:
    origin = row.origins.get(column)
    if origin is not None:
        return Price(usd_per_h, _day(row, origin.date), origin.source or origin.where, "user")
    dated = row.text("spot_date") if purchase == "spot" else ""
    return Price(usd_per_h, _day(row, dated or row.text("price_date")), row.text("source"), "published")


def _estimate(on_demand: Price, discount: Row) -> Price:
    ratio = discount.required_number("discount_ratio", may_be_minimum=True)
    given = discount.origins.get("discount_ratio")
    dates = (on_demand.date, given.date if given else discount.text("date"))
    return Price(
        usd_per_h=on_demand.usd_per_h * (1 - ratio),
        date=min(dates),
        source=f"estimate: on-demand less {ratio:.0%} ({PAYMENT}), {discount.cited('discount_ratio')}",
        kind="estimate",
    )


def _refuse_dear_spot(row: Row, prices: Mapping[str, Price]) -> None:
    spot = prices.get("spot")
    same_layer = spot is not None and spot.kind == prices["on-demand"].kind
    if spot is not None and same_layer and spot.usd_per_h > prices["on-demand"].usd_per_h:
        raise row.problem(
            f"spot costs {spot.usd_per_h:g} $/h, more than on-demand ({prices['on-demand'].usd_per_h:g} $/h); "
            "correct one of them",
            "spot_usd_per_h",
        )


def _day(row: Row, text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        raise row.problem(f"'{text}' is no date; expected YYYY-MM-DD") from None


def _yes(row: Row, column: str) -> bool:
    text = row.text(column).casefold() or "no"
    if text not in {"yes", "no", "true", "false"}:
        raise row.problem(f"'{column}' is '{text}'; expected yes or no")
    return text in {"yes", "true"}


def _with_changes(row: Row) -> str:
    """The source of a chip's figures, naming those that a user changed."""
    changed = ", ".join(f"{column} from {row.cited(column)}" for column in row.origins if column != "id")
    return "; ".join(filter(None, (row.text("source"), changed)))
