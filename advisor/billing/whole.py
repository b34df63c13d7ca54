"""The whole bill: training, serving, data, network and electricity of a model, each line with its sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from advisor.billing.actual import Predicted, compared, line_of_purchase
from advisor.billing.levers import egress_levers, storage_levers, training_levers
from advisor.billing.results import CostItem, EnergyItem, Figure, LeftOut, WholeBill
from advisor.billing.storage import stored_items
from advisor.billing.training import (
    electricity_item,
    fine_tuning_item,
    is_own,
    price_basis,
    training_energy,
    training_item,
    training_run,
)
from advisor.billing.transfer import ingestion_words, network_items
from advisor.catalog import STALE_DAYS, Price
from advisor.lifecycle import FineTuning, Lifecycle, Network
from advisor.units import format_usd

if TYPE_CHECKING:
    from advisor.billing.sums import FocusBill
    from advisor.billing.training import Run
    from advisor.catalog import Catalog
    from advisor.recommendation import Baseline, Bill, Deployment, Recommendation
    from advisor.workload import Workload

_ALWAYS_LEFT_OUT = (
    LeftOut(
        what="people, licences, experiments and failed runs", why="nothing in a workload says them", key=""
    ),
    LeftOut(
        what="electricity of storage and network", why="no provider publishes it by the gigabyte", key=""
    ),
)
_STORED = {"datasets", "checkpoints"}
_MOVED = {"egress", "inter-region"}


@dataclass(slots=True)
class _Parts:
    items: list[CostItem] = field(default_factory=list)
    energy: list[EnergyItem] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    several: bool = False
    """Whether there is more than one service, so that each line says whose it is."""
    tuned: list[tuple[Run, float, str]] = field(default_factory=list)
    """Fine-tuning with its runs a month and the way in which its machines are bought."""

    def leave_out(self, workload: Workload, what: str, why: str, key: str) -> None:
        """Note a cost that nobody stated."""
        name = f"{workload.name}: {what}" if self.several else what
        self.left_out.append(LeftOut(what=name, why=why, key=key))


def whole_bill(
    workloads: Sequence[Workload],
    recommendation: Recommendation,
    catalog: Catalog,
    *,
    focus: FocusBill | None = None,
    today_date: str = "",
) -> WholeBill:
    """Return what running the models of a recommendation costs from end to end.

    Args:
        workloads: The services that were asked about, with their `lifecycle`.
        recommendation: What serves them today, and the plan if there is one.
        catalog: Prices, machines and grids.
        focus: A provider's bill to show beside it.
        today_date: `YYYY-MM-DD`, to say which prices are old; empty says nothing.

    Raises:
        InputError: A part of a lifecycle cannot be priced as stated; the message says which and what to do.
    """
    parts = _Parts(several=len(workloads) > 1)
    for workload in workloads:
        _trained(parts, workload, catalog)
    parts.items += _served(recommendation)
    for workload in workloads:
        _kept_and_moved(parts, workload, catalog)
    parts.energy.append(_serving_energy(recommendation, catalog))
    has_plan = recommendation.plan is not None
    items = tuple(
        item if item.key in {"inference", "fees", "one-time"} else _as_today(item, has_plan)
        for item in parts.items
    )
    energy = tuple(_energy_as_today(item, has_plan) for item in parts.energy)
    return WholeBill(
        workload=recommendation.workload,
        horizon_months=workloads[0].horizon_months,
        items=items,
        today_usd_per_month=sum(item.today_usd_per_month for item in items),
        after_usd_per_month=sum(item.after_usd_per_month or 0.0 for item in items) if has_plan else None,
        energy=energy,
        energy_note=_energy_note(workloads),
        left_out=(*dict.fromkeys(parts.left_out), *_ALWAYS_LEFT_OUT),
        stale_prices=_stale(items, today_date),
        actual=compared(focus, _predicted(recommendation.baseline, items, parts)) if focus else None,
    )


def _trained(parts: _Parts, workload: Workload, catalog: Catalog) -> None:
    life = workload.lifecycle or Lifecycle()
    if life.training is None:
        why = "not stated; none where published weights are used"
        parts.leave_out(workload, "initial training", why, "lifecycle.training")
    if life.fine_tuning is None:
        parts.leave_out(workload, "fine-tuning", "not stated", "lifecycle.fine_tuning")
    own: list[EnergyItem] = []
    for name, section, wanted in (
        ("Initial training", "training", life.training),
        ("Fine-tuning", "fine_tuning", life.fine_tuning),
    ):
        if wanted is None:
            continue
        run = training_run(workload, wanted, catalog, section=section)
        if isinstance(wanted, FineTuning):
            runs = wanted.per_month
            item = fine_tuning_item(workload, run, per_month=runs)
            parts.tuned.append((run, runs, wanted.purchase))
        else:
            runs = 1.0 / workload.horizon_months
            item = training_item(workload, run, horizon_months=workload.horizon_months)
        parts.items.append(_with(item, levers=training_levers(item, workload, wanted, run)))
        parts.energy.append(training_energy(name, workload, run, catalog, runs_per_month=runs))
        own += parts.energy[-1:] if is_own(workload, run) else []
    electricity = electricity_item(workload, own)
    parts.items += [electricity] if electricity else []


def _with(item: CostItem, **changes: object) -> CostItem:
    return item.model_copy(update=changes)


def _served(recommendation: Recommendation) -> list[CostItem]:
    today, plan = recommendation.baseline, recommendation.plan
    changed = (
        sorted({c.strategy for service in plan.services for c in service.choices if c.changed})
        if plan
        else []
    )
    rows = (
        ("inference", "Inference machines", "machines_usd_per_month"),
        ("fees", "Fees and electricity of serving", "fees_usd_per_month"),
        ("one-time", "One-time work of the plan, spread", "amortised_usd_per_month"),
    )
    items = []
    for key, name, attribute in rows:
        before, after = getattr(today, attribute), getattr(plan, attribute) if plan else None
        if key == "inference" or before or after:
            items.append(
                CostItem.model_validate(
                    {
                        "key": key,
                        "name": name,
                        "today_usd_per_month": before,
                        "after_usd_per_month": after,
                        "one_time_usd": plan.one_time_usd if plan and key == "one-time" else 0.0,
                        "formula": _machine_words(today, plan) if key == "inference" else "",
                        "figures": _machine_prices(today, plan) if key == "inference" else (),
                        "strategies": changed,
                    }
                )
            )
    return items


def _machine_words(today: Baseline, plan: Bill | None) -> str:
    def hours(deployments: Sequence[Deployment]) -> str:
        return " and ".join(
            f"{line.instance_hours_per_month:,.0f} h of {one.instance_type} {line.plan} at {format_usd(line.usd_per_h)}/h"
            for one in deployments
            for line in one.purchases
        )

    services: Sequence[Deployment] = getattr(plan, "services", ())
    return f"today {hours(today.services)}" + (f"; after {hours(services)}" if plan else "")


def _machine_prices(today: Baseline, plan: Bill | None) -> tuple[Figure, ...]:
    deployments: Sequence[Deployment] = (*today.services, *getattr(plan, "services", ()))
    found = (
        Figure(
            what=f"price of {one.instance_type}, {line.plan}",
            value=f"{format_usd(line.usd_per_h)}/h",
            basis=price_basis(line.price_kind),
            source=line.price_source,
            date=line.price_date,
            is_price=True,
        )
        for one in deployments
        for line in one.purchases
    )
    return tuple(dict.fromkeys(found))


def _kept_and_moved(parts: _Parts, workload: Workload, catalog: Catalog) -> None:
    life = workload.lifecycle or Lifecycle()
    storage, network = life.storage, life.network or Network()
    serving = workload.serving
    machine = catalog.instance(serving.instance_type, serving.provider, serving.region)
    place = {"provider": machine.provider, "region": machine.region}
    if storage is None:
        what = "storage of data sets and checkpoints"
        parts.leave_out(workload, what, "not stated", "lifecycle.storage")
    else:
        kept, missing = stored_items(workload, storage, catalog, **place)
        parts.items += [
            _with(item, levers=storage_levers(item, workload, storage, catalog, **place)) for item in kept
        ]
        parts.left_out += missing
    moved, missing = network_items(workload, network, catalog, **place)
    parts.items += [_with(item, levers=egress_levers(item, workload, network)) for item in moved]
    parts.left_out += missing
    why = f"free at the providers in the catalogue ({ingestion_words(workload, network)})"
    parts.leave_out(workload, "ingestion", why, "lifecycle.network.ingestion")


def _serving_energy(recommendation: Recommendation, catalog: Catalog) -> EnergyItem:
    today, plan = recommendation.baseline, recommendation.plan
    first = today.services[0]
    grid = catalog.carbon(first.provider, first.region)
    there = catalog.carbon(plan.services[0].provider, plan.services[0].region) if plan else grid
    before, after = today.energy_kwh_per_month, plan.energy_kwh_per_month if plan else None
    return EnergyItem(
        name="Serving",
        today_kwh=before / grid.pue,
        today_cooling_kwh=before - before / grid.pue,
        today_carbon_kg=today.carbon_kg_per_month,
        after_kwh=None if after is None else after / there.pue,
        after_cooling_kwh=None if after is None else after - after / there.pue,
        after_carbon_kg=plan.carbon_kg_per_month if plan else None,
        pue=grid.pue,
        carbon_g_per_kwh=today.carbon_g_per_kwh,
        source=f"{today.carbon_source}; PUE: {grid.pue_source}",
    )


def _as_today(item: CostItem, has_plan: bool) -> CostItem:
    return item.model_copy(update={"after_usd_per_month": item.today_usd_per_month}) if has_plan else item


def _energy_as_today(item: EnergyItem, has_plan: bool) -> EnergyItem:
    if not has_plan or item.after_kwh is not None:
        return item
    same = {
        name: getattr(item, name.replace("after", "today"))
        for name in ("after_kwh", "after_cooling_kwh", "after_carbon_kg")
    }
    return item.model_copy(update=same)


def _energy_note(workloads: Sequence[Workload]) -> str:
    if any(workload.energy_usd_per_kwh is not None for workload in workloads):
        return "The electricity of your own machines is in the fees of serving; rented machines include it."
    return "Rented machines include electricity and cooling in their price; this adds nothing to the bill."


def _stale(items: Sequence[CostItem], today_date: str) -> tuple[str, ...]:
    if not today_date:
        return ()
    found = []
    for figure in (
        figure for item in items for figure in item.figures if figure.is_price and figure.basis != "stated"
    ):
        age = Price(0.0, figure.date, figure.source, figure.basis).age_days(today_date)
        if age is None or age > STALE_DAYS:
            found.append(f"{figure.what} {figure.date or 'undated'}")
    return tuple(dict.fromkeys(found))


def _predicted(today: Baseline, items: Sequence[CostItem], parts: _Parts) -> Predicted:
    """What a bill of today should hold: machines by purchase, storage and transfer; initial training is over."""
    lines: dict[str, float] = {}
    hours: dict[str, float] = {}
    usd: dict[str, float] = {}

    def add(machine: str, purchase: str, count: float, cost: float) -> None:
        line = line_of_purchase(purchase)
        lines[line] = lines.get(line, 0.0) + cost
        hours[machine] = hours.get(machine, 0.0) + count
        usd[machine] = usd.get(machine, 0.0) + cost

    for one in today.services:
        for bought in one.purchases:
            add(one.instance_type, bought.plan, bought.instance_hours_per_month, bought.cost_usd_per_month)
    for run, per_month, purchase in parts.tuned:
        add(run.machine.name, purchase, run.machine_hours * per_month, run.usd * per_month)
    for line, keys in (("storage", _STORED), ("network", _MOVED)):
        if any(item.key in keys for item in items):
            lines[line] = sum(item.today_usd_per_month for item in items if item.key in keys)
    return Predicted(lines, hours, usd)
