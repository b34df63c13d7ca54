"""What would make the lines smaller that no strategy touches: by arithmetic, or by what is published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.billing.formulas import (
    CHECKPOINT_BYTES_PER_WEIGHT,
    FLOPS_PER_WEIGHT_AND_TOKEN,
    GB,
    mean_stored_bytes,
)
from advisor.billing.results import CostItem, Lever
from advisor.billing.storage import prices
from advisor.billing.training import FP8_SOURCE, FP8_SPEEDUP
from advisor.billing.transfer import BYTES_PER_STREAMED_TOKEN, BYTES_PER_TOKEN
from advisor.cost import SPOT_REALISED_RATIO
from advisor.lifecycle import FineTuning, Network, Storage, Training
from advisor.units import format_ratio, format_usd

if TYPE_CHECKING:
    from advisor.billing.training import Run
    from advisor.catalog import Catalog
    from advisor.workload import Workload

_COOL = "cool"
_OBJECT = "object_storage"
_WEIGHT_BYTES = 2.0


def training_levers(item: CostItem, workload: Workload, wanted: Training, run: Run) -> tuple[Lever, ...]:
    """Return what would make training cheaper: each alone, they do not add up."""
    usd = item.today_usd_per_month
    found = []
    if isinstance(wanted, FineTuning) and wanted.method == "full" and workload.model.family != "cnn":
        kept = FLOPS_PER_WEIGHT_AND_TOKEN["lora"] / FLOPS_PER_WEIGHT_AND_TOKEN["full"]
        found.append(
            Lever(
                title="Adapters instead of all weights (LoRA)",
                saves_usd_per_month=usd * (1.0 - kept),
                how="4 instead of 6 operations for each weight and token; what fewer machines save comes on top",
                basis="derived",
                source="Hu et al., LoRA, 2021 (arXiv 2106.09685)",
            )
        )
    if (
        workload.model.family == "decoder"
        and run.precision in {"bf16", "fp16"}
        and "fp8" in run.machine.accelerator.peak_flops
    ):
        found.append(
            Lever(
                title="Arithmetic in 8 bits (FP8)",
                saves_usd_per_month=usd * (1.0 - 1.0 / FP8_SPEEDUP),
                how=f"{FP8_SPEEDUP:g} times the speed of 16 bits, on another model",
                basis="published",
                source=FP8_SOURCE,
            )
        )
    spot, on_demand = run.machine.prices.get("spot"), run.machine.prices["on-demand"].usd_per_h
    if spot is not None and wanted.purchase == "on-demand" and wanted.price_usd_per_h is None:
        ratio = max(spot.usd_per_h / on_demand, SPOT_REALISED_RATIO)
        found.append(
            Lever(
                title="Train on spot machines, with checkpoints",
                saves_usd_per_month=usd * (1.0 - ratio),
                how=f"{format_ratio(ratio)} of on-demand: what a fault-tolerant fleet that serves realised; work lost between checkpoints comes on top",
                basis="published",
                source=f"AS-0001; spot price of {spot.date or 'no date'}: {spot.source}",
                evidence=("AS-0001",),
            )
        )
    return tuple(found)


def storage_levers(
    item: CostItem, workload: Workload, storage: Storage, catalog: Catalog, *, provider: str, region: str
) -> tuple[Lever, ...]:
    """Return what would make storage cheaper: each alone, they do not add up."""
    usd = item.today_usd_per_month
    return (
        *_tiering(item, storage, catalog, provider=provider, region=region),
        *_replication(usd, storage),
        *(_retention(usd, workload, storage) if item.key == "datasets" else _weights_only(usd, storage)),
    )


def _tiering(
    item: CostItem, storage: Storage, catalog: Catalog, *, provider: str, region: str
) -> tuple[Lever, ...]:
    hot, cool = (prices(catalog, provider, region, _OBJECT, tier) for tier in (storage.tier, _COOL))
    if storage.tier != "hot" or not hot or not cool:
        return ()
    kept = storage.checkpoints.kept if storage.checkpoints else 1
    share = 1.0 if item.key == "datasets" else (kept - 1.0) / kept
    if not share:
        return ()
    ratio = 1.0 - cool[0].usd_per_unit / hot[0].usd_per_unit
    what = "Data sets" if item.key == "datasets" else "Older checkpoints"
    return (
        Lever(
            title=f"{what} in the cool tier",
            saves_usd_per_month=item.today_usd_per_month * share * ratio,
            how=f"{format_usd(cool[0].usd_per_unit)} instead of {format_usd(hot[0].usd_per_unit)} per GB and month; pays where data is read about once a month or less, as reading is charged",
            basis="derived",
            source=f"{cool[0].source}, {cool[0].date}",
        ),
    )


def _replication(usd: float, storage: Storage) -> tuple[Lever, ...]:
    if storage.replicas < 2:
        return ()
    return (
        Lever(
            title="One copy fewer",
            saves_usd_per_month=usd / storage.replicas,
            how=f"{storage.replicas - 1} instead of {storage.replicas} copies; object storage keeps several in a region by itself",
            basis="derived",
            source="sizes and prices of this line",
        ),
    )


def _retention(usd: float, workload: Workload, storage: Storage) -> tuple[Lever, ...]:
    horizon = workload.horizon_months
    kept = min(storage.retention_months or horizon, horizon)
    if not storage.growth_bytes_per_month:
        return ()
    now, half = (
        mean_stored_bytes(
            storage.datasets_bytes,
            storage.growth_bytes_per_month,
            retention_months=months,
            horizon_months=horizon,
        )
        for months in (kept, kept / 2.0)
    )
    return (
        Lever(
            title=f"Delete after {kept / 2.0:g} months",
            saves_usd_per_month=usd * (1.0 - half / now),
            how=f"{half / GB:,.0f} instead of {now / GB:,.0f} GB on average over {horizon:g} months, one copy",
            basis="derived",
            source="sizes and prices of this line",
        ),
    )


def _weights_only(usd: float, storage: Storage) -> tuple[Lever, ...]:
    if storage.checkpoints is None or storage.checkpoints.size_bytes is not None:
        return ()
    return (
        Lever(
            title="Keep only the weights of finished training",
            saves_usd_per_month=usd * (1.0 - _WEIGHT_BYTES / CHECKPOINT_BYTES_PER_WEIGHT),
            how=f"{_WEIGHT_BYTES:g} instead of {CHECKPOINT_BYTES_PER_WEIGHT:g} B for each weight; training cannot go on from there as it was",
            basis="derived",
            source="sizes and prices of this line",
        ),
    )


def egress_levers(item: CostItem, workload: Workload, network: Network) -> tuple[Lever, ...]:
    """Return what would make transfer cheaper."""
    if (
        item.key != "egress"
        or network.egress_bytes_per_month is not None
        or workload.model.family != "decoder"
    ):
        return ()
    return (
        Lever(
            title="Send text, or several tokens an event",
            saves_usd_per_month=item.today_usd_per_month * (1.0 - BYTES_PER_TOKEN / BYTES_PER_STREAMED_TOKEN),
            how=f"{BYTES_PER_TOKEN:g} instead of {BYTES_PER_STREAMED_TOKEN:g} B for each token, at most",
            basis="assumed",
            source="size of one event",
        ),
    )
