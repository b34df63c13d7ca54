"""Data that is kept: sizes stated or derived, at the prices of the catalogue's storage table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.billing.formulas import CHECKPOINT_BYTES_PER_WEIGHT, GB, mean_stored_bytes
from advisor.billing.results import CostItem, Figure, LeftOut
from advisor.lifecycle import Storage
from advisor.units import format_usd

if TYPE_CHECKING:
    from advisor.catalog import Catalog, StoragePrice
    from advisor.workload import Workload


_NAMES = {"egress_internet": "egress to the internet", "egress_inter_region": "transfer between regions"}
"""Services whose items say only how they are paid."""


def gigabytes(size_bytes: float, *, per_month: bool = False) -> str:
    """Return a size as providers count it.

    Example:
        >>> gigabytes(2.5e12), gigabytes(3e9, per_month=True), gigabytes(5e6)
        ('2,500 GB', '3 GB/month', '0.005 GB')
    """
    number = size_bytes / GB
    text = f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
    return f"{text} GB{'/month' if per_month else ''}"


def prices(
    catalog: Catalog, provider: str, region: str, service: str, tier: str = ""
) -> tuple[StoragePrice, ...]:
    """Return the price rows of a service: of the region, else of any region of the provider; none where nothing is known.

    Args:
        catalog: Holds the table.
        provider: Such as `aws`.
        region: Such as `us-east-1`.
        service: Such as `object_storage`.
        tier: `hot`, `cool` or `archive`; only of object storage.
    """
    rows = [
        row
        for row in catalog.storage
        if row.provider == provider and row.service == service and (not tier or f"[{tier}]" in row.item)
    ]
    here = [row for row in rows if row.region == region]
    first = rows[0].region if rows else ""
    return tuple(here or [row for row in rows if row.region == first])


def stored_items(
    workload: Workload, storage: Storage, catalog: Catalog, *, provider: str, region: str
) -> tuple[list[CostItem], list[LeftOut]]:
    """Return data sets and checkpoints as lines of the bill, and what has no price.

    Args:
        workload: For the model and the horizon.
        storage: What is kept.
        catalog: Prices.
        provider: Where it is kept.
        region: Where it is kept.
    """
    rows = prices(catalog, provider, region, "object_storage", storage.tier)
    if not rows:
        return [], [
            LeftOut(
                what="storage",
                why=f"no price of object storage at {provider} is known",
                key="--catalog storage.csv",
            )
        ]
    price = rows[0]
    horizon = workload.horizon_months
    mean = mean_stored_bytes(
        storage.datasets_bytes,
        storage.growth_bytes_per_month,
        retention_months=storage.retention_months,
        horizon_months=horizon,
    )
    items = []
    if mean:
        items.append(
            _kept(
                "datasets", "Data sets", workload, storage, mean, price, _growth_words(storage, horizon), ()
            )
        )
    if storage.checkpoints and storage.checkpoints.kept:
        size, figure = checkpoint_size(workload, storage)
        items.append(
            _kept(
                "checkpoints",
                "Checkpoints",
                workload,
                storage,
                size * storage.checkpoints.kept,
                price,
                f"{storage.checkpoints.kept} × {gigabytes(size)}",
                (figure,),
            )
        )
    return items, []


def checkpoint_size(workload: Workload, storage: Storage) -> tuple[float, Figure]:
    """Return the size of one checkpoint in bytes, and where it comes from."""
    stated = storage.checkpoints.size_bytes if storage.checkpoints else None
    if stated is not None:
        return stated, Figure(
            what="size of a checkpoint", value=gigabytes(stated), basis="stated", source="the workload"
        )
    size = workload.model.parameters * CHECKPOINT_BYTES_PER_WEIGHT
    words = f"{CHECKPOINT_BYTES_PER_WEIGHT:g} B for each weight: 16-bit weights, 32-bit copy and both moments of Adam (Rajbhandari et al., ZeRO, 2020)"
    return size, Figure(what="size of a checkpoint", value=gigabytes(size), basis="derived", source=words)


def _growth_words(storage: Storage, horizon_months: float) -> str:
    if not storage.growth_bytes_per_month:
        return gigabytes(storage.datasets_bytes)
    kept = (
        "kept" if storage.retention_months is None else f"deleted after {storage.retention_months:g} months"
    )
    grown = gigabytes(storage.growth_bytes_per_month, per_month=True)
    return f"{gigabytes(storage.datasets_bytes)} and {grown} more, {kept}, on average over {horizon_months:g} months"


def _kept(
    key: str,
    name: str,
    workload: Workload,
    storage: Storage,
    size: float,
    price: StoragePrice,
    words: str,
    figures: tuple[Figure, ...],
) -> CostItem:
    copies = f"{storage.replicas} {'copy' if storage.replicas == 1 else 'copies'}"
    total = size * storage.replicas
    return CostItem.model_validate(
        {
            "key": key,
            "name": name,
            "service": workload.name,
            "today_usd_per_month": total / GB * price.usd_per_unit,
            "after_usd_per_month": None,
            "formula": f"{words} × {copies} = {gigabytes(total)} at {format_usd(price.usd_per_unit)} per GB and month",
            "figures": (*figures, price_figure(price)),
        }
    )


def price_figure(price: StoragePrice) -> Figure:
    """Return a price of keeping or moving data with its source."""
    return Figure(
        what=f"price of {_NAMES.get(price.service, price.item)}, {price.provider} {price.region}",
        value=f"{format_usd(price.usd_per_unit)}/{price.unit}",
        basis="stated" if price.kind == "user" else "published",
        source=price.source,
        date=price.date,
        is_price=True,
    )
