"""The whole result: what to do, what it saves, why, and how sure we are; pydantic, frozen, picklable, and nothing computed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from advisor.billing.results import WholeBill
from advisor.errors import InfeasibleError
from advisor.switch import Switch

SCHEMA_VERSION = "1.0"


class _Result(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=()
    )


class EvidenceNote(_Result):
    """A published record behind a number."""

    id: str
    title: str
    """Title of the source."""
    url: str
    year: int
    finding: str
    """What was measured, on which model and machine."""
    grade: str


class Choice(_Result):
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


class AccuracyLoss(_Result):
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


class LatencyCheck(_Result):
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


class PurchaseLine(_Result):
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


class Commitment(_Result):
    """A commitment that a service's machine is sold with, against buying it by the hour."""

    service: str
    instance_type: str
    plan: str
    term_months: float
    usd_per_h: float
    on_demand_usd_per_h: float
    price_kind: str
    """`published`, `estimate` or `user`."""
    break_even_hours_per_month: float
    """Use from which on it is cheaper than by the hour."""
    break_even_months: float
    """Months of full use after which buying by the hour has cost the whole term."""
    within_horizon: bool
    """False where the term is longer than the horizon; all of it is then charged within the horizon."""
    instances: int
    """Machines that the plan buys so."""
    least_used_hours_per_month: float
    """Use of the last of them, or of the first machine where none is bought."""


class Deployment(_Result):
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


class Bill(_Result):
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


class Alternative(_Result):
    """Another plan that meets the requirements."""

    differs: str
    """What is different, in words."""
    instance_type: str
    choices: tuple[str, ...]
    """`strategy=option` of everything that changes against today."""
    cost_usd_per_month: float
    extra_usd_per_month: float
    """Against the recommended plan."""
    one_time_usd: float
    loss_expected_ratio: float
    probability_kept: float | None


class Binding(_Result):
    """A requirement and how close the plan comes to it."""

    requirement: str
    limit: str
    reached: str
    used_ratio: float
    """1 where nothing is left."""


class MixPart(_Result):
    """Requests of some sizes and what would serve them."""

    name: str
    """Name of the part among the services of the plan, where the mix is chosen."""
    requests: str
    """Which requests, such as `up to 1,183 input tokens`."""
    spans: tuple[tuple[float, float], ...]
    """The same as shares of all requests, from the smallest: [[0, 0.5]] is the smaller half."""
    share_ratio: float
    """Share of all requests."""
    instance_type: str
    instances_peak: int


class Mixing(_Result):
    """Whether a service is better off on several pools of machines, each for requests of its sizes."""

    service: str
    chosen: bool
    parts: tuple[MixPart, ...]
    """The best mix found, smallest requests first; empty where one pool alone is cheaper before any effort."""
    cost_usd_per_month: float | None
    """Of the mix, the effort included; null where there is none."""
    effort_usd_per_month: float
    """Assumed: work to set up and operate one more pool of machines, included in the cost."""
    alone_usd_per_month: float | None
    """Cheapest plan on one pool of machines within the same totals and quotas; null where there is none."""
    alone_instance_type: str
    saves_usd_per_month: float | None
    """What the mix saves against that, negative where it costs more; null where one of them does not exist."""
    text: str


class Repair(_Result):
    """The nearest value of one requirement at which a plan exists, the others held; solved again to be sure."""

    requirement: str
    given: str
    nearest: str
    cost_usd_per_month: float
    instance_type: str
    loosened_ratio: float = 0.0
    """How much looser than what was given, as a share of it."""
    text: str


class Miss(_Result):
    """A requirement that a plan does not keep."""

    requirement: str
    limit: str
    reached: str


class NearestPlan(_Result):
    """The best plan found: the cheapest that breaks few requirements, and those by as little as works."""

    instance_type: str
    """Empty for a fleet."""
    instances_peak: int
    """0 for a fleet."""
    choices: tuple[str, ...]
    """`strategy=option` of everything that changes against today; empty for a fleet."""
    cost_usd_per_month: float
    misses: tuple[Miss, ...]
    """The requirements that it does not keep; it keeps all others."""
    text: str


class Conflict(_Result):
    """Requirements that cannot hold together."""

    requirements: tuple[str, ...]
    """A minimal set: without any one of them the others can be met."""
    repairs: tuple[Repair, ...]
    """What is enough to change, the cheapest first; those that loosen a requirement many times over come last."""
    text: str
    best: NearestPlan | None = None
    """The best plan found; null where none comes near."""


class Exclusion(_Result):
    """Options left out, and by which rule."""

    strategy: str
    options: tuple[str, ...]
    instance_types: tuple[str, ...]
    reason: str


class CalibrationNote(_Result):
    """One engine of your calibration, and what it changed here."""

    engine: str
    """Model, runtime, chip and number format."""
    applies_to: Literal["plan", "candidates", "nothing"]
    text: str


class NextMeasurement(_Result):
    """The one measurement that is worth most before deciding."""

    kind: Literal["accuracy", "speed"]
    subject: str
    """What to measure, such as `quantization=fp8`, or the engine on its machine."""
    why: str
    """What hangs on it, in words."""
    value_usd_per_month: float
    """Expected value of knowing the result: what the better decision saves, times how likely it is."""
    probability_changes_plan: float
    """Probability that the result changes the plan or the number of its machines."""
    samples: int | None
    """Samples that settle the claim; null for a benchmark."""
    command: str
    """What to run."""
    record: str
    """What to do with the result, such as the lines to add to the workload."""
    notes: tuple[str, ...] = ()


class RobustChoice(_Result):
    """Why this plan where accuracy, speed, traffic and prices are uncertain at once."""

    confidence: float
    """With which all limits are to hold together."""
    draws: int
    considered: int
    """Plans that were tried in every draw: the cheapest kinds, sized with more or less room."""
    all_limits_probability: float
    """That every limit holds with the machines of the plan."""
    limits: Mapping[str, float]
    """The same for each limit alone."""
    headroom_ratio: float
    """Traffic above what was stated that the machines were counted for."""
    expected_usd_per_month: float
    """With machines added until the limits hold, and another plan where the accuracy does not."""
    expected_regret_usd_per_month: float
    """Against knowing the truth beforehand."""
    saving_probability: float
    """That it is cheaper than today's deployment, failures included."""
    cheapest_usd_per_month: float
    """Cost of the plan that is cheapest as predicted."""
    cheapest_all_limits_probability: float
    verdict: Literal["act", "measure first", "hold"]
    reason: str
    rule: str
    assumptions: tuple[str, ...]


class SolverSummary(_Result):
    """What the solver proved."""

    name: str
    status: Literal["optimal", "feasible", "infeasible", "unbounded", "undetermined"]
    objective: float | None
    bound: float | None
    gap_ratio: float | None
    columns: int
    """Candidates handed to the program; the others were provably no better."""


class Assumption(_Result):
    """Something that was neither given nor measured."""

    what: str
    value: str
    why: str = "assumed"


class Provenance(_Result):
    """What the result was computed from."""

    advisor_version: str
    catalog_version: str
    """Date of its prices, and a hash of its tables."""
    workload_digest: str
    """SHA-256 of everything that the workloads say and assume."""
    price_dates: tuple[str, ...]
    stale_prices: tuple[str, ...] = ()
    inputs_digest: str = ""
    """SHA-256 of `inputs`: the workloads and requirements as they were asked."""
    versions: Mapping[str, str] = {}
    """Versions of what computed it, such as {python: 3.12.1, pulp: 3.3.2, highspy: 1.13.0, numpy: 2.1.0}."""
    seed: int = 0
    """Of the solver; samples of accuracy are drawn with seeds made from the names of what is drawn."""


class ServiceInputs(_Result):
    """One service as it was asked about."""

    workload: Mapping[str, Any]
    """Fields of the workload, as `Workload.load` takes them."""
    requirements: Mapping[str, Any] = {}
    """Limits of its own, over those of the fleet."""
    priority: int = 1


class Inputs(_Result):
    """What a later check evaluates again: everything that was asked."""

    services: tuple[ServiceInputs, ...]
    requirements: Mapping[str, Any] = {}
    """Limits for all services, as `Requirements.load` takes them."""
    mix: int = 1
    """Most pools of machines that one service might run on."""


class Recommendation(_Result):
    """What to do, what it saves, and how sure we are; or why nothing fits."""

    schema_version: str = SCHEMA_VERSION
    status: Literal["optimal", "feasible", "infeasible", "undetermined"]
    """`optimal`: proven cheapest; `feasible`: best found before the solver was stopped; `infeasible`: see `conflict`."""
    objective: str
    workload: str
    example: bool
    """Whether this is the built-in example and not the user's own workload."""
    example_name: str = ""
    """Name of the example, for `advisor example NAME`."""
    description: str
    baseline: Baseline
    plan: Plan | None
    savings_usd_per_month: float | None
    savings_ratio: float | None
    """Share of today's cost saved; negative where the plan costs more."""
    accuracy_loss: AccuracyLoss | None
    binding: tuple[Binding, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    commitments: tuple[Commitment, ...] = ()
    """From when on each commitment pays that the plan's machines are sold with."""
    mixing: tuple[Mixing, ...] = ()
    """For each service, where mixed machines were asked for."""
    conflict: Conflict | None = None
    switch: Switch | None = None
    """Where a plan in service was given: whether to change it; `baseline` is that plan then."""
    measured: tuple[str, ...] = ()
    """What each of your own measurements says, and whether it settles the limits, whether or not its option is chosen."""
    calibrations: tuple[CalibrationNote, ...] = ()
    """What each engine of the calibration given changed here."""
    next_measurement: NextMeasurement | None = None
    """Null where nothing that could be measured would change the decision."""
    robust: RobustChoice | None = None
    """Null where the cheapest plan as predicted was asked for."""
    solver: SolverSummary
    candidates_considered: int
    exclusions: tuple[Exclusion, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    warnings: tuple[str, ...] = ()
    provenance: Provenance
    inputs: Inputs | None = None
    """What was asked, so that the plan can be checked again and exported."""
    bill: WholeBill | None = None
    """What running the model costs from end to end; null where the workload says nothing of its lifecycle."""

    def require(self) -> Recommendation:
        """Return the recommendation itself, for pipelines that want an exception where nothing fits.

        Raises:
            InfeasibleError: Nothing meets the requirements; the message says why and what would.
        """
        if self.plan is None:
            reasons = (
                [self.conflict.text, *(repair.text for repair in self.conflict.repairs)]
                if self.conflict
                else [self.status]
            )
            raise InfeasibleError.because(reasons)
        return self

    def to_html(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the report as one self-contained HTML file and return its path.

        Raises:
            FileExists: The file is there and `force` is false.
        """
        from advisor.report import write_html

        return write_html(self, Path(path), force=force)
