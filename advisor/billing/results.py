"""The whole bill of a model as it is shown and stored: pydantic, frozen, and nothing computed."""

from __future__ import annotations

from typing import Literal

from advisor.results import Result

Basis = Literal["stated", "published", "estimate", "derived", "assumed"]
"""Where a figure comes from: the user, a dated source, an average discount, a formula, or nobody measured it."""


class Figure(Result):
    """One number that an item is made of."""

    what: str
    value: str
    """With its unit."""
    basis: Basis
    source: str
    """Who says so, or the formula."""
    date: str = ""
    """Day for which it is known."""
    is_price: bool = False
    """Whether it grows old."""


class Lever(Result):
    """What would make an item smaller that no strategy touches."""

    title: str
    saves_usd_per_month: float
    """At most; nothing in it was bought or tried."""
    how: str
    """The arithmetic, in words."""
    basis: Basis
    source: str
    evidence: tuple[str, ...] = ()
    """Published records behind it, for `advisor evidence`."""


class CostItem(Result):
    """One line of the bill."""

    key: Literal[
        "training",
        "fine-tuning",
        "inference",
        "fees",
        "one-time",
        "datasets",
        "checkpoints",
        "egress",
        "inter-region",
        "electricity",
    ]
    name: str
    service: str = ""
    """Service it belongs to; empty for all of them."""
    today_usd_per_month: float
    after_usd_per_month: float | None
    """With the recommended plan; null where there is none."""
    one_time_usd: float = 0.0
    """What it costs once, where the monthly figure is that spread over the horizon."""
    formula: str = ""
    """How the amount follows from the figures."""
    figures: tuple[Figure, ...] = ()
    strategies: tuple[str, ...] = ()
    """Strategies of the plan that change it; empty where none can."""
    levers: tuple[Lever, ...] = ()


class EnergyItem(Result):
    """Electricity and carbon of one line, a month."""

    name: str
    service: str = ""
    today_kwh: float
    """Of the machines."""
    today_cooling_kwh: float
    """What cooling and losses of the site add."""
    today_carbon_kg: float
    after_kwh: float | None
    after_cooling_kwh: float | None
    after_carbon_kg: float | None
    pue: float
    carbon_g_per_kwh: float
    source: str


class LeftOut(Result):
    """A cost that is in no sum, because nobody stated it."""

    what: str
    why: str
    key: str
    """Where to state it in the workload."""


class ActualLine(Result):
    """One line of a provider's bill beside its prediction, for a month of 730 hours."""

    line: str
    predicted_usd_per_month: float | None
    """Null where the bill of the model has nothing of the kind."""
    billed_usd_per_month: float
    difference_usd_per_month: float | None
    """Billed less predicted."""
    services: tuple[str, ...]
    """The provider's services behind it, the dearest first."""


class ActualMachine(Result):
    """Hours of one kind of machine, for a month of 730 hours."""

    instance_type: str
    """Empty where the export does not name it."""
    predicted_hours: float
    billed_hours: float
    predicted_usd_per_h: float | None
    billed_usd_per_h: float | None


class Actual(Result):
    """A provider's bill beside the prediction."""

    source: str
    start: str
    end: str
    hours: float
    """Covered by the export; less than a month is scaled up to one."""
    basis: str
    """`effective` or `billed` costs."""
    billed_usd_per_month: float
    predicted_usd_per_month: float
    """Of the lines that can be in it: without the initial training, which is paid once."""
    lines: tuple[ActualLine, ...]
    machines: tuple[ActualMachine, ...]
    notes: tuple[str, ...]


class WholeBill(Result):
    """What running a model costs from end to end, a month."""

    workload: str
    horizon_months: float
    """Over which what is paid once is spread."""
    items: tuple[CostItem, ...]
    """In the order of a model's life: training, serving, data, network."""
    today_usd_per_month: float
    after_usd_per_month: float | None
    energy: tuple[EnergyItem, ...]
    energy_note: str
    left_out: tuple[LeftOut, ...]
    stale_prices: tuple[str, ...] = ()
    """Prices used here that are undated or half a year old."""
    actual: Actual | None = None
