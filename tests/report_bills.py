"""A whole bill with every part, for tests of what is shown."""

from __future__ import annotations

from advisor.billing.results import (
    Actual,
    ActualLine,
    ActualMachine,
    CostItem,
    EnergyItem,
    Figure,
    LeftOut,
    Lever,
    WholeBill,
)

PRICE = Figure(
    what="price of p5.48xlarge, on-demand",
    value="$55.04/h",
    basis="published",
    source="a price list",
    date="2026-09-06",
    is_price=True,
)
LEVER = Lever(
    title="Arithmetic in 8 bits (FP8)",
    saves_usd_per_month=428.57,
    how="1.75 times the speed of 16 bits, on another model",
    basis="published",
    source="FP8-LM, 2023",
)


def an_item(key: str, name: str, today: float, after: float, **changes: object) -> CostItem:
    """A line of the bill."""
    fields = {"key": key, "name": name, "today_usd_per_month": today, "after_usd_per_month": after}
    return CostItem.model_validate(fields | changes)


def a_whole_bill(**changes: object) -> WholeBill:
    """Training, serving and egress of a chat, with a provider's bill beside them."""
    items = (
        an_item("training", "Initial training", 1000.0, 1000.0, one_time_usd=12000.0, levers=(LEVER,)),
        an_item(
            "inference",
            "Inference machines",
            120538.0,
            44274.0,
            strategies=("batching", "quantization"),
            figures=(PRICE,),
            formula="today 2,190 h of p5.48xlarge on-demand at $55.04/h",
        ),
        an_item("egress", "Network egress", 441.0, 441.0, formula="5,000 GB/month at $0.09 per GB"),
    )
    energy = EnergyItem(
        name="Serving",
        today_kwh=9000.0,
        today_cooling_kwh=1215.0,
        today_carbon_kg=3289.0,
        after_kwh=4000.0,
        after_cooling_kwh=540.0,
        after_carbon_kg=1462.0,
        pue=1.135,
        carbon_g_per_kwh=322.0,
        source="a grid",
    )
    line = ActualLine(
        line="compute-on-demand",
        predicted_usd_per_month=120538.0,
        billed_usd_per_month=131000.0,
        difference_usd_per_month=10462.0,
        services=("Amazon Elastic Compute Cloud",),
    )
    machine = ActualMachine(
        instance_type="p5.48xlarge",
        predicted_hours=2190.0,
        billed_hours=2380.0,
        predicted_usd_per_h=55.04,
        billed_usd_per_h=55.04,
    )
    actual = Actual(
        source="export.csv",
        start="2026-09-01 00:00:00",
        end="2026-10-01 00:00:00",
        hours=720.0,
        basis="effective",
        billed_usd_per_month=131000.0,
        predicted_usd_per_month=120979.0,
        lines=(line,),
        machines=(machine,),
        notes=("The export covers 720 hours.",),
    )
    fields = {
        "workload": "chat",
        "horizon_months": 12.0,
        "items": items,
        "today_usd_per_month": 121979.0,
        "after_usd_per_month": 45715.0,
        "energy": (energy,),
        "energy_note": "Rented machines include electricity.",
        "left_out": (LeftOut(what="fine-tuning", why="not stated", key="lifecycle.fine_tuning"),),
        "stale_prices": ("S3 Standard [hot], aws us-east-1 2026-05-04",),
        "actual": actual,
    }
    return WholeBill.model_validate(fields | changes)
