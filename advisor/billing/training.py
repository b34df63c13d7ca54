"""Training and fine-tuning: operations over what the machines reach, and the machines that are paid for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from advisor.billing.formulas import (
    FLOPS_PER_WEIGHT_AND_TOKEN,
    accelerator_hours,
    electricity_kwh,
    item_training_flops,
    paid_machine_hours,
    token_training_flops,
)
from advisor.billing.results import Basis, CostItem, EnergyItem, Figure
from advisor.catalog import Catalog, half_precision, power_w
from advisor.catalog.layers import folded
from advisor.cost import SPOT_REALISED_RATIO
from advisor.errors import AdvisorError, InputError
from advisor.lifecycle import FineTuning, Training
from advisor.units import format_count, format_ratio, format_usd

if TYPE_CHECKING:
    from advisor.catalog import Accelerator, InstanceType
    from advisor.workload import Workload

_HERD = "Llama Team, The Llama 3 Herd of Models, 2024, table 4 (arXiv 2407.21783): 38 to 43 % on 8,192 to 16,384 H100"
_KORTHIKANTI = "Korthikanti et al., Reducing Activation Recomputation, 2022 (arXiv 2205.05198): 54.2 %, 530 B parameters on 2,240 A100"
_PALM = "Chowdhery et al., PaLM, 2022 (arXiv 2204.02311): 46.2 % on 6,144 TPU v4"
_PUBLISHED = {
    "h100": (0.40, _HERD),
    "h200": (0.40, _HERD),
    "gh200": (0.40, _HERD),
    "a100": (0.542, _KORTHIKANTI),
    "tpu-v4": (0.462, _PALM),
}
"""Utilisation of language models in 16 bits, by the beginning of the chip's id."""
FP8_SPEEDUP = 1.75
FP8_SOURCE = "Peng et al., FP8-LM, 2023 (arXiv 2310.18313): 75 % faster than 16 bits, GPT-175B on H100"
ASSUMED_UTILIZATION = {"decoder": 0.35, "encoder": 0.30, "cnn": 0.30}
"""Share of the peak that training reaches where nothing is published for the chip: assumed."""


@dataclass(frozen=True, slots=True)
class Run:
    """Training on its machines, per run."""

    machine: InstanceType
    machine_hours: float
    usd_per_h: float
    precision: str
    formula: str
    figures: tuple[Figure, ...]

    @property
    def usd(self) -> float:
        """Cost of one run."""
        return self.machine_hours * self.usd_per_h


def training_run(workload: Workload, wanted: Training, catalog: Catalog, *, section: str) -> Run:
    """Return what one run of training takes.

    Args:
        workload: For its model, and the machines where none are named.
        wanted: What is trained, on what.
        catalog: Machines and prices.
        section: Key of the workload that says it, for messages.

    Raises:
        InputError: The machine is unknown, cannot compute in the format, or has no price of that kind.
    """
    machine = _machine(workload, wanted, catalog)
    chip = machine.accelerator
    precision = wanted.precision or half_precision(chip)
    if precision not in chip.peak_flops:
        raise InputError(
            f"lifecycle.{section}.precision: {chip.name} does not compute in {precision}; "
            f"expected one of {', '.join(name for name in ('fp32', 'bf16', 'fp16', 'fp8') if name in chip.peak_flops)}"
        )
    flops, work = _work(workload, wanted, section)
    utilization, busy = _utilization(workload, wanted, chip, precision)
    usd_per_h, price = _price(workload, wanted, machine, section)
    peak = chip.peak_flops[precision]
    hours = accelerator_hours(flops, peak_flops=peak, utilization=utilization)
    paid = paid_machine_hours(hours, per_machine=machine.accelerator_count, used=wanted.accelerators)
    what = "vCPUs" if machine.is_cpu_only else counted_chips(machine)
    formula = (
        f"{work.value} / ({format_ratio(utilization)} of {_teraflops(peak)}) = {hours:,.0f} accelerator-hours, "
        f"paid as {paid:,.0f} hours of {machine.name} ({what})"
    )
    top = Figure(
        what=f"peak of one {chip.name} in {precision}",
        value=_teraflops(peak),
        basis="published",
        source=chip.source,
        date=chip.source_date,
    )
    return Run(machine, paid, usd_per_h, precision, formula, (work, busy, top, price))


def _teraflops(flops: float) -> str:
    return f"{flops / 1e12:,.4g} TFLOP/s"


def electricity_item(workload: Workload, energy: Sequence[EnergyItem]) -> CostItem | None:
    """Return the electricity of training on own machines as a line of the bill; none where it is rented or free."""
    kwh = sum(item.today_kwh + item.today_cooling_kwh for item in energy)
    price = workload.energy_usd_per_kwh
    if not kwh or price is None:
        return None
    figure = Figure(
        what="price of electricity", value=f"{format_usd(price)}/kWh", basis="stated", source="the workload"
    )
    return CostItem(
        key="electricity",
        name="Electricity of training",
        service=workload.name,
        today_usd_per_month=kwh * price,
        after_usd_per_month=None,
        formula=f"{kwh:,.0f} kWh a month, cooling included, at {format_usd(price)}",
        figures=(figure,),
    )


def is_own(workload: Workload, run: Run) -> bool:
    """Return whether training runs on the kind of machine that serves, whose electricity the workload prices."""
    return folded(run.machine.name) == folded(workload.serving.instance_type)


def counted_chips(machine: InstanceType) -> str:
    """Return the accelerators that are paid with one machine, in words."""
    return f"{machine.accelerator_count} accelerators each"


def training_item(workload: Workload, run: Run, *, horizon_months: float) -> CostItem:
    """Return the initial training as a line of the bill: paid once, spread over the horizon."""
    return CostItem(
        key="training",
        name="Initial training",
        service=workload.name,
        today_usd_per_month=run.usd / horizon_months,
        after_usd_per_month=None,
        one_time_usd=run.usd,
        formula=f"{run.formula}; {format_usd(run.usd)} once, over {horizon_months:g} months",
        figures=run.figures,
    )


def fine_tuning_item(workload: Workload, run: Run, *, per_month: float) -> CostItem:
    """Return recurring training as a line of the bill."""
    return CostItem(
        key="fine-tuning",
        name="Fine-tuning",
        service=workload.name,
        today_usd_per_month=run.usd * per_month,
        after_usd_per_month=None,
        formula=f"{per_month:g} × ({run.formula})",
        figures=run.figures,
    )


def training_energy(
    name: str, workload: Workload, run: Run, catalog: Catalog, *, runs_per_month: float
) -> EnergyItem:
    """Return the electricity of training, every accelerator at full power, a month."""
    grid = catalog.carbon(run.machine.provider, run.machine.region)
    kwh, cooling = electricity_kwh(
        run.machine_hours * runs_per_month, watts=power_w(run.machine, 1.0), pue=grid.pue
    )
    carbon = (kwh + cooling) * grid.g_co2e_per_kwh / 1000.0
    return EnergyItem(
        name=name,
        service=workload.name,
        today_kwh=kwh,
        today_cooling_kwh=cooling,
        today_carbon_kg=carbon,
        after_kwh=None,
        after_cooling_kwh=None,
        after_carbon_kg=None,
        pue=grid.pue,
        carbon_g_per_kwh=grid.g_co2e_per_kwh,
        source=f"{grid.source}, {grid.date}: {grid.method}; PUE: {grid.pue_source}",
    )


def _machine(workload: Workload, wanted: Training, catalog: Catalog) -> InstanceType:
    """The machine that is named, where the service runs if it is sold there; the serving one where none is named."""
    serving = workload.serving
    name = wanted.instance_type or serving.instance_type
    try:
        return catalog.instance(name, wanted.provider or serving.provider, wanted.region or serving.region)
    except AdvisorError:
        return catalog.instance(name, wanted.provider, wanted.region)


def _work(workload: Workload, wanted: Training, section: str) -> tuple[float, Figure]:
    model = workload.model
    method = wanted.method if isinstance(wanted, FineTuning) else "full"
    if wanted.items is not None:
        if model.family != "cnn":
            raise InputError(f"lifecycle.{section}.items: a {model.family} learns from tokens; say tokens")
        forward = model.flops(size=workload.requests.image_size_px.mean or model.reference_size)
        flops = item_training_flops(forward_flops=forward, items=wanted.items)
        said = f"3 × {format_count(forward)} × {format_count(wanted.items)} images"
    elif wanted.tokens is not None and model.family != "cnn":
        flops = token_training_flops(
            active_parameters=model.active_parameters, tokens=wanted.tokens, method=method
        )
        factor = FLOPS_PER_WEIGHT_AND_TOKEN[method]
        said = f"{factor:g} × {format_count(model.active_parameters)} × {format_count(wanted.tokens)} tokens"
    else:
        raise InputError(f"lifecycle.{section}.tokens: a cnn learns from images; say items")
    source = "forward and backward pass (Kaplan et al., Scaling Laws for Neural Language Models, 2020)"
    if method == "lora":
        source += "; frozen weights need no gradient of their own (Hu et al., LoRA, 2021)"
    return flops, Figure(
        what="operations of one run", value=f"{said} = {flops:.3g} FLOP", basis="derived", source=source
    )


def _utilization(
    workload: Workload, wanted: Training, chip: Accelerator, precision: str
) -> tuple[float, Figure]:
    what = "utilization of the peak (MFU)"
    if wanted.utilization is not None:
        return wanted.utilization, Figure(
            what=what, value=format_ratio(wanted.utilization), basis="stated", source="the workload"
        )
    family = workload.model.family
    published = next((found for start, found in _PUBLISHED.items() if chip.id.startswith(start)), None)
    if family == "decoder" and published and precision in {"bf16", "fp16"}:
        return published[0], Figure(
            what=what, value=format_ratio(published[0]), basis="published", source=published[1]
        )
    if family == "decoder" and published and precision == "fp8":
        ratio = published[0] * FP8_SPEEDUP / 2.0  # the peak of 8 bits is twice that of 16
        return ratio, Figure(
            what=what, value=format_ratio(ratio), basis="derived", source=f"{published[1]}; {FP8_SOURCE}"
        )
    ratio = ASSUMED_UTILIZATION[family]
    return ratio, Figure(
        what=what,
        value=format_ratio(ratio),
        basis="assumed",
        source="nothing published for this chip and kind of model",
    )


def _price(workload: Workload, wanted: Training, machine: InstanceType, section: str) -> tuple[float, Figure]:
    what = f"price of {machine.name}, {wanted.purchase}"
    serving = workload.serving
    alike = folded(serving.instance_type) == folded(machine.name) and serving.purchase == wanted.purchase
    usd = wanted.price_usd_per_h or (serving.price_usd_per_h if alike else None)
    if usd is not None:
        return usd, Figure(what=what, value=f"{format_usd(usd)}/h", basis="stated", source="the workload")
    price = machine.prices.get(wanted.purchase)
    if price is None:
        raise InputError(
            f"lifecycle.{section}.purchase: no {wanted.purchase} price of {machine.id} is known "
            f"(known: {', '.join(machine.prices)}); say price: $.../h"
        )
    usd, source = price.usd_per_h, price.source
    least = SPOT_REALISED_RATIO * machine.prices["on-demand"].usd_per_h
    if wanted.purchase == "spot" and usd < least:
        usd = least
        source += f"; a fault-tolerant fleet realises {format_ratio(SPOT_REALISED_RATIO)} of on-demand at best (AS-0001)"
    return usd, Figure(
        what=what,
        value=f"{format_usd(usd)}/h",
        basis=price_basis(price.kind),
        source=source,
        date=price.date,
        is_price=True,
    )


def price_basis(kind: str) -> Basis:
    """Return the basis of a price of the catalogue by its kind."""
    bases: dict[str, Basis] = {"published": "published", "estimate": "estimate", "user": "stated"}
    return bases[kind]
