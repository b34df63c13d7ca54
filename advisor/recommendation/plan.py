"""A plan and what serves today: services on their machines, what is chosen and why, losses, latencies, money."""

from __future__ import annotations

from collections.abc import Mapping

from advisor.results import Result


class EvidenceNote(Result):
    """A published record behind a number."""

    id: str
    title: str
    """Title of the source."""
    url: str
    year: int
    finding: str
    """What was measured, on which model and machine."""
    grade: str


class Choice(Result):
    """The option chosen of one strategy."""

    strategy: str
    option: str
    title: str
    changed: bool
    """False where the setting of the workload's `serving` is kept."""
    in_service: bool = False
    """Whether the plan in service has it already, so that nothing is to do."""
    steps: tuple[str, ...] = ()
    artefacts: Mapping[str, str] = {}
    """What to paste, by place."""
    risk: str = ""
    sources: tuple[str, ...] = ()
    """Sources of the numbers in words; those that begin with `assumed` were neither measured nor published."""
    evidence: tuple[EvidenceNote, ...] = ()

    @property
    def to_do(self) -> bool:
        """Whether somebody has to do it."""
        return self.changed and not self.in_service


class AccuracyLoss(Result):
    """Relative loss of the model's metric: 0.01 keeps 99 % of it."""

    expected_ratio: float
    p10_ratio: float
    p90_ratio: float
    limit_ratio: float | None
    """What was asked for; null where nothing was."""
    probability_kept: float | None
    """Probability that the loss is within the limit."""
    basis: str
    """`lossless`, `fitted` to published evidence, `assumed` or `measured` by the user."""
    evidence: tuple[EvidenceNote, ...] = ()
    unknown_pairs: tuple[tuple[str, str], ...] = ()
    """Combinations about which nothing is published."""
    notes: tuple[str, ...] = ()
    """What a reader must know: what was measured, and whether it settles the claim."""
    slices: Mapping[str, AccuracyLoss] = {}
    """The same on each class of tasks with a limit of its own, the one least likely to be kept first."""

    @property
    def worst_slice(self) -> tuple[str, AccuracyLoss] | None:
        """The class of tasks whose limit is least likely to be kept, with its loss; `None` where none has a limit."""
        return next(iter(self.slices.items()), None)


class LatencyCheck(Result):
    """One latency under the busiest load, against its limit."""

    metric: str
    """Such as `ttft_p99`."""
    predicted_s: float | None
    """Null where the replicas cannot carry the load."""
    p10_s: float | None
    p90_s: float | None
    limit_s: float | None
    today_s: float | None
    """The same on today's deployment, as predicted."""


class PurchaseLine(Result):
    """Machines bought in one way."""

    plan: str
    usd_per_h: float
    """Effective price of one machine."""
    instances_peak: int
    instance_hours_per_month: float
    """Hours paid for on average: those of machines that an autoscaler starts in vain are among them."""
    cost_usd_per_month: float
    price_kind: str
    """`published`, `estimate` or `user`."""
    price_date: str
    price_source: str


class Deployment(Result):
    """One service on its machines."""

    name: str
    instance_type: str
    provider: str
    region: str
    accelerator: str
    accelerators_per_replica: int
    replicas_peak: int
    instances_peak: int
    replicas_by_period: tuple[int, ...]
    instances_by_period: tuple[int, ...]
    capacity_requests_per_s: float | None
    """Highest rate of one replica within every limit; null where the limits do not hold at any rate."""
    utilization_peak_ratio: float | None
    """Share of that capacity in use in the busiest period."""
    scaling: str
    purchase: str
    purchases: tuple[PurchaseLine, ...]
    latencies: tuple[LatencyCheck, ...]
    calibrated: bool
    """Whether this backend, chip and number format were measured together."""
    calibration: str = ""
    """Runs of your own that its speed rests on, in words; empty where it rests on shipped measurements alone."""


class ServicePlan(Deployment):
    """What is recommended for one service."""

    choices: tuple[Choice, ...]
    accuracy_loss: AccuracyLoss
    memory_gib_per_replica: float
    part_of: str = ""
    """Service of whose requests this is a part, where it runs on several pools of machines."""


class Bill(Result):
    """Money, energy and carbon of a month."""

    cost_usd_per_month: float
    """Machines and fees, and the one-time cost spread over the horizon."""
    machines_usd_per_month: float
    fees_usd_per_month: float
    amortised_usd_per_month: float
    one_time_usd: float
    unit_cost_usd: float
    """Cost of one `unit`."""
    unit: str
    """`million tokens` (prompt and answer), `thousand inferences`, or `thousand requests` of a fleet."""
    energy_kwh_per_month: float
    carbon_kg_per_month: float
    carbon_g_per_kwh: float
    carbon_source: str


class Baseline(Bill):
    """What serves the workload today."""

    services: tuple[Deployment, ...]
    """What serves each service, in the order of the fleet; one where there is no fleet."""
    keeps_limits: bool
    """Whether today's deployment is predicted to keep the limits."""

    def of(self, service: str) -> Deployment:
        """Return what serves one service today; the first one where none is called so."""
        return next((one for one in self.services if one.name == service), self.services[0])

    def before(self, service: ServicePlan) -> Deployment:
        """Return what serves the requests of a planned service today."""
        return self.of(service.part_of or service.name)


class Plan(Bill):
    """What is recommended."""

    payback_months: float | None
    """One-time cost over the saving in running cost; null where nothing is saved."""
    services: tuple[ServicePlan, ...]
