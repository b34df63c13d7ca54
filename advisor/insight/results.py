"""What the insights say, as frozen results: why, what if, at what price, how sure, and in which order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from advisor.results import Result


class ChosenOption(Result):
    """One option that a plan changes against today."""

    strategy: str
    option: str
    title: str


class PlanBrief(Result):
    """A plan in a few numbers."""

    instance_type: str
    provider: str
    region: str
    replicas_peak: int
    instances_peak: int
    scaling: str
    purchase: str
    choices: tuple[ChosenOption, ...]
    """What changes against today; empty where nothing does."""
    cost_usd_per_month: float
    """Machines and fees, and the one-time cost spread over the horizon."""
    running_usd_per_month: float
    """The same without the one-time cost."""
    one_time_usd: float
    loss_expected_ratio: float
    probability_kept: float | None
    """Probability that the accuracy limit of the requirements is kept; null where there is none."""
    latency_s: Mapping[str, float | None]
    """The limited latencies in the slowest period, in seconds; null where the replicas are overloaded."""
    carbon_kg_per_month: float


class FrontierPoint(Result):
    """The cheapest plan under one value of a limit."""

    limit: float
    """In the unit of the frontier."""
    is_yours: bool
    """Whether this is the limit of the requirements."""
    plan: PlanBrief | None
    """Null where nothing fits."""


class Frontier(Result):
    """Cost against one limit, everything else held; points from the tightest limit to the loosest."""

    requirement: str
    """`max_accuracy_loss`, a latency such as `ttft_p99`, or `confidence`."""
    title: str
    unit: Literal["ratio", "s", "probability"]
    points: tuple[FrontierPoint, ...]


class FrontierGrid(Result):
    """The cheapest plan under every pair of an accuracy limit and a factor of all latency limits."""

    loss_ratios: tuple[float, ...]
    """Rows, the tightest limit first."""
    latency_factors: tuple[float, ...]
    """Columns: factors of all latency limits together, the tightest first."""
    latency_limits_s: Mapping[str, float]
    """The limits of the requirements, which a factor multiplies."""
    your_loss: int | None
    """Row of the limit of the requirements; null where there is none."""
    your_factor: int
    """Column of the latency limits of the requirements."""
    plans: tuple[PlanBrief, ...]
    """Distinct plans."""
    cells: tuple[tuple[int | None, ...], ...]
    """For each row and column the position in `plans`; null where nothing fits."""


class SavingPart(Result):
    """What one strategy adds to the saving."""

    strategy: str
    """A strategy, or `right-sizing`: the same machine and settings, only the number of machines."""
    title: str
    usd_per_month: float
    """Negative where it costs: then another limit needs it."""


class Attribution(Result):
    """The saving against today, divided among the strategies that change; the order does not matter."""

    baseline_usd_per_month: float
    plan_usd_per_month: float
    savings_usd_per_month: float
    """The sum of the parts."""
    parts: tuple[SavingPart, ...]
    """The largest first."""
    note: str


class OptionCost(Result):
    """What another option of a strategy would cost here, everything else chosen anew."""

    option: str
    """An option of the strategy, or the id of another machine."""
    title: str
    cost_usd_per_month: float | None
    """Null where no plan with it meets the requirements."""
    extra_usd_per_month: float | None
    """Against the recommended plan."""
    reason: str


class StrategyReason(Result):
    """Why this option of a strategy and not another."""

    strategy: str
    option: str
    title: str
    changed: bool
    without_usd_per_month: float | None
    """Cost of the best plan that leaves this strategy as today; null where none meets the requirements."""
    worth_usd_per_month: float | None
    """How much dearer that is than the recommended plan."""
    text: str
    alternatives: tuple[OptionCost, ...]
    """The cheapest first; those that cannot be used last, by name."""


class PromisePoint(Result):
    """Cost at one value of a promise."""

    value: float
    cost_usd_per_month: float | None
    """Null where nothing fits."""


class Breakpoint(Result):
    """Where the cost next changes when a promise is moved in one direction."""

    value: float
    cost_usd_per_month: float | None
    change_usd_per_month: float | None
    """Against the recommended plan; null where nothing fits beyond that value."""


class PromisePrice(Result):
    """What a promise costs, found by solving again."""

    requirement: str
    title: str
    step: float
    """The change that is priced, in the unit of the values."""
    step_text: str
    unit: Literal["ratio", "s", "kg/month"]
    value: float
    """What is promised now."""
    tighter_usd_per_month: float | None
    """Extra cost of one step tighter; null where nothing fits."""
    looser_usd_per_month: float
    """Change of the cost one step looser, 0 or negative."""
    next_tighter: Breakpoint | None
    """Null where no tighter value of those tried changes anything."""
    next_looser: Breakpoint | None
    points: tuple[PromisePoint, ...]
    """The tightest first."""
    text: str
    is_priced: bool = True
    """False where so little is at stake that a price for one step of it means nothing."""


class Outcome(Result):
    """What happens to the recommended plan when one thing turns out differently."""

    text: str
    """What turns out, such as `+30 %`."""
    kept_usd_per_month: float | None
    """The same machine and options, with as many machines as are then needed; null where no number keeps the limits."""
    kept_feasible: bool
    holds_as_sized: bool
    """Whether the plan keeps its limits with the machines it has."""
    best_usd_per_month: float | None
    """The best plan if that had been known; null where nothing fits."""
    best: PlanBrief | None
    changes_plan: bool
    """Whether that is another machine or another option."""


class SensitivityFactor(Result):
    """One thing that may turn out lower or higher."""

    factor: str
    title: str
    low: Outcome
    high: Outcome
    swing_usd_per_month: float
    """Largest change of the best plan's cost."""
    source: str


class LimitProbability(Result):
    """How likely a limit is to hold."""

    requirement: str
    probability: float


class RobustPlan(Result):
    """A plan under joint uncertainty."""

    plan: PlanBrief
    sized_for: float | None
    """Confidence with which the number of machines was chosen; null for the prediction itself."""
    headroom_ratio: float
    """Traffic above what was stated that the machines were counted for."""
    all_limits_probability: float
    expected_usd_per_month: float
    """With machines added until the limits hold, and today's deployment where the accuracy does not."""
    expected_regret_usd_per_month: float
    """Against knowing the truth."""
    saving_probability: float
    is_recommended: bool
    is_robust: bool


class Robustness(Result):
    """Accuracy, speed, traffic and prices uncertain at once."""

    draws: int
    confidence: float
    limits: tuple[LimitProbability, ...]
    all_limits_probability: float
    expected_usd_per_month: float
    p10_usd_per_month: float
    p90_usd_per_month: float
    expected_saving_usd_per_month: float
    expected_regret_usd_per_month: float
    saving_probability: float
    """That the plan is cheaper than today's deployment, failures included."""
    plans: tuple[RobustPlan, ...]
    """The recommended plan first, then by expected cost."""
    verdict: Literal["act", "measure first", "hold"]
    reason: str
    rule: str
    assumptions: tuple[str, ...]


class RolloutStep(Result):
    """One change on the way from today to the plan."""

    number: int
    title: str
    changes: tuple[ChosenOption, ...]
    instance_type: str
    instances_peak: int
    cost_usd_per_month: float
    """After this step, one-time cost so far spread over the horizon."""
    running_usd_per_month: float
    saving_usd_per_month: float
    """What this step alone saves."""
    cumulative_saving_usd_per_month: float
    """Against today."""
    engineer_hours: float
    gpu_hours: float
    one_time_usd: float
    steps: tuple[str, ...]
    artefacts: Mapping[str, str] = {}
    prerequisite: str
    verification: tuple[str, ...]
    """Commands."""
    rollback_trigger: str
    rollback: str


class Rollout(Result):
    """The way from today to the plan."""

    steps: tuple[RolloutStep, ...]
    one_time_usd: float
    payback_months: float | None
    """One-time cost over the saving in running cost; null where nothing is saved."""
    npv_usd: float
    """Savings over the horizon, discounted, less the one-time cost."""
    discount_ratio_per_year: float
    horizon_months: float
    text: str


class NearOptimal(Result):
    """A plan almost as cheap that differs in its machine or in what is done to the model."""

    differs: str
    plan: PlanBrief
    extra_usd_per_month: float
    extra_ratio: float


class Insights(Result):
    """Why this plan, what each promise costs, how sure it is, and the way there."""

    plan: PlanBrief
    reasons: tuple[StrategyReason, ...]
    attribution: Attribution
    rollout: Rollout
    near_optimal: tuple[NearOptimal, ...]
    frontiers: tuple[Frontier, ...] = ()
    """Empty, as the four below, where only what is quick to find was asked for."""
    grid: FrontierGrid | None = None
    promises: tuple[PromisePrice, ...] = ()
    sensitivity: tuple[SensitivityFactor, ...] = ()
    """The largest swing first."""
    robustness: Robustness | None = None
