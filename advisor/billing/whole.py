"""The whole bill: training, serving, data, network and electricity of a model, each line with its sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from advisor.billing.actual import Predicted, compared, line_of_purchase
from advisor.billing.levers import egress_levers, storage_levers, training_levers
from advisor.billing.results import CostItem, EnergyItem, LeftOut, WholeBill
from advisor.billing.serving import serving_energy, serving_items
from advisor.billing.storage import stored_items
from advisor.billing.training import (
    electricity_item,
    fine_tuning_item,
    is_own,
    training_energy,
    training_item,
    training_run,
)
from advisor.billing.transfer import ingestion_words, network_items
from advisor.catalog import STALE_DAYS, Price
from advisor.lifecycle import FineTuning, Lifecycle, Network

if TYPE_CHECKING:
    from advisor.billing.sums import FocusBill
    from advisor.billing.training import Run
    from advisor.catalog import Catalog
    from advisor.recommendation import Baseline, Recommendation
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
    parts.items += serving_items(recommendation)
    for workload in workloads:
        _kept(parts, workload, catalog)
        _moved(parts, workload, recommendation, catalog)
    parts.energy.append(serving_energy(recommendation, catalog))
    has_plan = recommendation.plan is not None
    items = tuple(_as_today(item, has_plan) for item in parts.items)
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


def _kept(parts: _Parts, workload: Workload, catalog: Catalog) -> None:
    storage = workload.lifecycle.storage if workload.lifecycle else None
    if storage is None:
        parts.leave_out(workload, "storage of data sets and checkpoints", "not stated", "lifecycle.storage")
        return
    place = _place(workload, catalog)
    items, missing = stored_items(workload, storage, catalog, **place)
    parts.items += [
        _with(item, levers=storage_levers(item, workload, storage, catalog, **place)) for item in items
    ]
    parts.left_out += missing


def _moved(parts: _Parts, workload: Workload, recommendation: Recommendation, catalog: Catalog) -> None:
    """Add transfer, priced where the service runs: today's provider, and the plan's."""
    network = (workload.lifecycle.network if workload.lifecycle else None) or Network()
    place = _place(workload, catalog)
    items, missing = network_items(workload, network, catalog, **place)
    moved = {item.key: _with(item, levers=egress_levers(item, workload, network)) for item in items}
    plan = recommendation.plan
    planned = next((one for one in plan.services if one.name == workload.name), None) if plan else None
    if planned and planned.provider != place["provider"]:
        there, unpriced = network_items(
            workload, network, catalog, provider=planned.provider, region=planned.region
        )
        missing += unpriced
        for item in there:
            here = moved.get(item.key, _with(item, today_usd_per_month=0.0))
            words = f"{here.formula}; with the plan {item.formula}"
            moved[item.key] = _with(here, after_usd_per_month=item.today_usd_per_month, formula=words)
    parts.items += moved.values()
    parts.left_out += missing
    why = f"free at the providers in the catalogue ({ingestion_words(workload, network)})"
    parts.leave_out(workload, "ingestion", why, "lifecycle.network.ingestion")


def _place(workload: Workload, catalog: Catalog) -> dict[str, str]:
    """Where the service runs today."""
    serving = workload.serving
    machine = catalog.instance(serving.instance_type, serving.provider, serving.region)
    return {"provider": machine.provider, "region": machine.region}


def _as_today(item: CostItem, has_plan: bool) -> CostItem:
    """The line with the same cost after as today, where the plan does not change it."""
    if not has_plan or item.after_usd_per_month is not None:
        return item
    return _with(item, after_usd_per_month=item.today_usd_per_month)


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
            found.append(f"{figure.what.removeprefix('price of ')}, {figure.date or 'undated'}")
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
