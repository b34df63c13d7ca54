"""The arithmetic of the whole bill: operations of training, machines that are paid, data kept and moved."""

import math
from collections.abc import Sequence

from advisor.catalog import StoragePrice

FLOPS_PER_WEIGHT_AND_TOKEN = {"full": 6.0, "lora": 4.0}
"""Operations of training for each weight and token. Full: 2 forward, 2 for the gradient of the activations, 2 for that
of the weights (Kaplan et al., "Scaling Laws for Neural Language Models", 2020). With frozen weights the last part falls
away but for the adapters, which are under 1 % of the weights (Hu et al., "LoRA", 2021)."""
CHECKPOINT_BYTES_PER_WEIGHT = 14.0
"""Mixed precision with Adam: 16-bit weights (2), 32-bit master copy (4) and two 32-bit moments (8); Rajbhandari et al.,
"ZeRO", 2020, section 3.1, without gradients."""
GB = 1e9
"""Providers count storage and transfer in gigabytes; the difference between 10⁹ and 2³⁰ bytes, 7 %, is not uniform
among them and left out."""


def token_training_flops(*, active_parameters: float, tokens: float, method: str = "full") -> float:
    r"""Return the operations of training on tokens: $6 N D$ with all weights learning, $4 N D$ with adapters.

    Args:
        active_parameters: Weights N used for one token.
        tokens: Tokens D seen.
        method: `full` or `lora`.

    Example:
        >>> token_training_flops(active_parameters=7e9, tokens=1e12)  # 6 x 7e9 x 1e12
        4.2e+22
        >>> token_training_flops(active_parameters=7e9, tokens=1e12, method="lora")
        2.8e+22
    """
    return FLOPS_PER_WEIGHT_AND_TOKEN[method] * active_parameters * tokens


def item_training_flops(*, forward_flops: float, items: float) -> float:
    """Return the operations of training on images: a forward pass, and a backward pass of twice its operations.

    Args:
        forward_flops: Operations of one forward pass over one image.
        items: Images seen, counting each pass over the data.

    Example:
        >>> item_training_flops(forward_flops=8.2e9, items=115e6)  # 3 x 8.2e9 x 115e6
        2.829e+18
    """
    return 3.0 * forward_flops * items


def accelerator_hours(flops: float, *, peak_flops: float, utilization: float) -> float:
    r"""Return how long one accelerator computes: $F / (u P) / 3600$, in hours.

    Args:
        flops: Operations F.
        peak_flops: Peak P of one accelerator in the number format used, in operations per second.
        utilization: Share u of the peak that the operations of the model reach.

    Example:
        >>> accelerator_hours(3.6e20, peak_flops=1e15, utilization=0.4)  # 3.6e20 / 4e14 / 3600
        250.0
    """
    return flops / (utilization * peak_flops) / 3600.0


def paid_machine_hours(hours: float, *, per_machine: int, used: int | None = None) -> float:
    """Return the machine hours to pay: machines are sold whole, with the accelerators that stay idle.

    Args:
        hours: Accelerator hours of work.
        per_machine: Accelerators of one machine.
        used: Accelerators that work at a time; every one of each machine where `None`.

    Example:
        >>> paid_machine_hours(80.0, per_machine=8)
        10.0
        >>> paid_machine_hours(80.0, per_machine=8, used=4)  # 20 hours on one machine, half of it idle
        20.0
        >>> paid_machine_hours(80.0, per_machine=8, used=10)  # 8 hours on two machines
        16.0
    """
    if used is None:
        return hours / per_machine
    return math.ceil(used / per_machine) * hours / used


def mean_stored_bytes(
    datasets: float, growth_per_month: float, *, retention_months: float | None, horizon_months: float
) -> float:
    r"""Return the mean size of what is kept over the horizon, one copy.

    What is added at rate g stays for R months, so after t months $g \min(t, R)$ of it is there; its mean over H months
    is $g (R - R^2 / 2H)$ where R is below H, else $g H / 2$.

    Args:
        datasets: There from the start and kept.
        growth_per_month: Added each month.
        retention_months: Months R after which it is deleted; never where `None`.
        horizon_months: Months H looked ahead.

    Example:
        >>> mean_stored_bytes(1000.0, 100.0, retention_months=None, horizon_months=12.0)  # 1000 + 100 x 6
        1600.0
        >>> mean_stored_bytes(1000.0, 100.0, retention_months=3.0, horizon_months=12.0)  # 1000 + 100 (3 - 9/24)
        1262.5
    """
    kept = horizon_months if retention_months is None else min(retention_months, horizon_months)
    return datasets + growth_per_month * (kept - kept**2 / (2.0 * horizon_months))


def tiered_usd(gb: float, tiers: Sequence[StoragePrice]) -> float:
    """Return the price of an amount in a month: the free part first, then each tier at its own price.

    Args:
        gb: Amount, in gigabytes.
        tiers: Rows of one service; those with a price of 0 are the free part, the bounds of the others count
            what is left after it.

    Example:
        >>> def tier(start, end, usd):
        ...     return StoragePrice("aws", "us-east-1", "egress_internet", "", "GB", start, end, usd, "", "")
        >>> tiers = [tier(0, 100, 0.0), tier(0, 10_000, 0.09), tier(10_000, None, 0.05)]
        >>> round(tiered_usd(15_100, tiers), 2)  # 100 free, 10,000 x 0.09, 5,000 x 0.05
        1150.0
    """
    free = sum((tier.tier_to_gb or 0.0) - tier.tier_from_gb for tier in tiers if tier.usd_per_unit == 0.0)
    left = max(gb - free, 0.0)
    paid = [tier for tier in tiers if tier.usd_per_unit > 0.0]
    return sum(
        tier.usd_per_unit
        * max(min(left, math.inf if tier.tier_to_gb is None else tier.tier_to_gb) - tier.tier_from_gb, 0.0)
        for tier in paid
    )


def electricity_kwh(machine_hours: float, *, watts: float, pue: float) -> tuple[float, float]:
    """Return the electricity of machines, and what cooling and losses of the site add to it, in kWh.

    Args:
        machine_hours: Hours of one machine.
        watts: Power of one machine.
        pue: Energy of the site over energy of its machines.

    Example:
        >>> electricity_kwh(100.0, watts=5000.0, pue=1.2)
        (500.0, 100.0)
    """
    machines = machine_hours * watts / 1000.0
    return machines, round(machines * (pue - 1.0), 9)
