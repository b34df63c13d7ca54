"""What explains the hand-made language model's plan: everything, in numbers that add up."""

from __future__ import annotations

from typing import Any

from advisor import explain
from advisor.insight.results import (
    Attribution,
    Breakpoint,
    ChosenOption,
    Frontier,
    FrontierGrid,
    FrontierPoint,
    Insights,
    LimitProbability,
    NearOptimal,
    OptionCost,
    Outcome,
    PlanBrief,
    PromisePoint,
    PromisePrice,
    Robustness,
    RobustPlan,
    Rollout,
    RolloutStep,
    SavingPart,
    SensitivityFactor,
    StrategyReason,
)
from advisor.recommendation import NextMeasurement, Recommendation

TODAY_USD, PLAN_USD = 241075.2, 72021.0
FP8 = ChosenOption(strategy="quantization", option="fp8+kv-fp8", title="FP8 weights and activations")
SCALED = ChosenOption(strategy="autoscaling", option="reactive", title="Replicas follow the load")


def a_brief(**changes: Any) -> PlanBrief:
    """The recommended plan in a few numbers."""
    fields: dict[str, Any] = {
        "instance_type": "p5.48xlarge",
        "provider": "aws",
        "region": "us-east-1",
        "replicas_peak": 6,
        "instances_peak": 3,
        "scaling": "reactive",
        "purchase": "on-demand",
        "choices": (FP8, SCALED),
        "cost_usd_per_month": PLAN_USD,
        "running_usd_per_month": 71262.0,
        "one_time_usd": 9108.0,
        "loss_expected_ratio": 0.00421,
        "probability_kept": 0.934,
        "latency_s": {"ttft_p99": 0.612, "tpot_p99": 0.0334},
        "carbon_kg_per_month": 3960.0,
    }
    return PlanBrief(**{**fields, **changes})


BF16 = a_brief(choices=(SCALED,), cost_usd_per_month=98000.0, loss_expected_ratio=0.0, instances_peak=4)
FASTER = a_brief(cost_usd_per_month=90500.0, instances_peak=4)
LOOSER = a_brief(cost_usd_per_month=60250.0, instances_peak=2)


def a_step(number: int, **changes: Any) -> RolloutStep:
    """A step that only scales."""
    fields: dict[str, Any] = {
        "number": number,
        "title": "Replicas follow the load",
        "changes": (SCALED,),
        "instance_type": "p5.48xlarge",
        "instances_peak": 6,
        "cost_usd_per_month": 150000.0,
        "running_usd_per_month": 149600.0,
        "saving_usd_per_month": 91075.2,
        "cumulative_saving_usd_per_month": 91075.2,
        "engineer_hours": 40.0,
        "gpu_hours": 0.0,
        "one_time_usd": 4800.0,
        "steps": ("Set the policy.",),
        "artefacts": {"vllm": "--max-num-seqs 128"},
        "prerequisite": "none",
        "verification": ("kubectl get hpa/chat --watch",),
        "rollback_trigger": "TTFT p99 above 800 ms for 15 minutes",
        "rollback": "kubectl rollout undo deployment/chat",
    }
    return RolloutStep(**{**fields, **changes})


def an_outcome(text: str, usd: float | None, **changes: Any) -> Outcome:
    """What happens to the plan's cost."""
    fields: dict[str, Any] = {
        "text": text,
        "kept_usd_per_month": usd,
        "kept_feasible": usd is not None,
        "holds_as_sized": False,
        "best_usd_per_month": usd,
        "best": None if usd is None else a_brief(cost_usd_per_month=usd),
        "changes_plan": False,
    }
    return Outcome(**{**fields, **changes})


def a_robust_plan(**changes: Any) -> RobustPlan:
    """The recommended plan in the draws."""
    fields: dict[str, Any] = {
        "plan": a_brief(),
        "sized_for": None,
        "headroom_ratio": 0.0,
        "all_limits_probability": 0.61,
        "expected_usd_per_month": 77500.0,
        "expected_regret_usd_per_month": 2150.0,
        "saving_probability": 1.0,
        "is_recommended": True,
        "is_robust": False,
    }
    return RobustPlan(**{**fields, **changes})


def a_robustness(**changes: Any) -> Robustness:
    """Uncertain enough to measure first."""
    fields: dict[str, Any] = {
        "draws": 256,
        "confidence": 0.9,
        "limits": (
            LimitProbability(requirement="max_accuracy_loss", probability=0.934),
            LimitProbability(requirement="ttft_p99", probability=0.64),
        ),
        "all_limits_probability": 0.61,
        "expected_usd_per_month": 77500.0,
        "p10_usd_per_month": 66100.0,
        "p90_usd_per_month": 94400.0,
        "expected_saving_usd_per_month": 163575.2,
        "expected_regret_usd_per_month": 2150.0,
        "saving_probability": 1.0,
        "plans": (
            a_robust_plan(),
            a_robust_plan(
                plan=BF16,
                sized_for=0.9,
                all_limits_probability=0.93,
                is_recommended=False,
                is_robust=True,
            ),
        ),
        "verdict": "measure first",
        "reason": "every limit holds with 61 % probability, and 90 % is asked for",
        "rule": "act where every limit holds with 90 %",
        "assumptions": ("assumed: traffic",),
    }
    return Robustness(**{**fields, **changes})


GRID = FrontierGrid(
    loss_ratios=(0.0, 0.01, 0.0125),
    latency_factors=(0.5, 1.0, 2.0),
    latency_limits_s={"ttft_p99": 0.8},
    your_loss=1,
    your_factor=1,
    plans=(BF16, a_brief(), FASTER, LOOSER),
    cells=((None, 0, 0), (2, 1, 1), (2, 1, 3)),
)
REASON = StrategyReason(
    strategy="quantization",
    option="fp8+kv-fp8",
    title="FP8 weights and activations",
    changed=True,
    without_usd_per_month=98000.0,
    worth_usd_per_month=25979.0,
    text="Without quantization the best plan costs $25,979/month more.",
    alternatives=(
        *(
            OptionCost(
                option=f"int{number}",
                title=f"INT{number} weights",
                cost_usd_per_month=PLAN_USD + 100.0 * number,
                extra_usd_per_month=100.0 * number,
                reason="with nothing else changed, a machine carries 9 % less",
            )
            for number in (4, 5, 6, 8)
        ),
        OptionCost(
            option="nvfp4",
            title="NVFP4",
            cost_usd_per_month=None,
            extra_usd_per_month=None,
            reason="it loses 2.6 % of accuracy on average; the limit is 1 %",
        ),
    ),
)
PROMISE = PromisePrice(
    requirement="max_accuracy_loss",
    title="accuracy loss",
    step=0.001,
    step_text="0.1 % of accuracy",
    unit="ratio",
    value=0.01,
    tighter_usd_per_month=25979.0,
    looser_usd_per_month=-120.0,
    next_tighter=Breakpoint(value=0.009, cost_usd_per_month=98000.0, change_usd_per_month=25979.0),
    next_looser=None,
    points=(PromisePoint(value=0.01, cost_usd_per_month=PLAN_USD),),
    text="0.1 % of accuracy more costs $25,979/month.",
)


def quick_insights(**changes: Any) -> Insights:
    """What is quick to find: the saving's parts, the reasons, the roll-out, what is almost as cheap."""
    fields: dict[str, Any] = {
        "plan": a_brief(),
        "reasons": (REASON,),
        "attribution": Attribution(
            baseline_usd_per_month=TODAY_USD,
            plan_usd_per_month=PLAN_USD,
            savings_usd_per_month=TODAY_USD - PLAN_USD,
            parts=(
                SavingPart(strategy="autoscaling", title="Autoscaling", usd_per_month=120000.0),
                SavingPart(strategy="quantization", title="Quantization", usd_per_month=50054.2),
                SavingPart(strategy="batching", title="Batching", usd_per_month=-1000.0),
            ),
            note="Shapley values.",
        ),
        "rollout": Rollout(
            steps=(
                a_step(1),
                a_step(
                    2,
                    title="FP8 weights and activations",
                    changes=(FP8,),
                    cost_usd_per_month=PLAN_USD,
                    saving_usd_per_month=77979.0,
                    cumulative_saving_usd_per_month=TODAY_USD - PLAN_USD,
                    rollback_trigger="none: a commitment runs to its end",
                    rollback="not before its term ends",
                ),
            ),
            one_time_usd=9108.0,
            payback_months=0.054,
            npv_usd=1930000.0,
            discount_ratio_per_year=0.08,
            horizon_months=12.0,
            text="$9,108 of one-time work, paid back after 0.1 months; worth $1,930,000 today at 8 % a year (assumed).",
        ),
        "near_optimal": (
            NearOptimal(
                differs="adaptive inference speculative-ngram",
                plan=a_brief(cost_usd_per_month=73500.0),
                extra_usd_per_month=1479.0,
                extra_ratio=1479.0 / PLAN_USD,
            ),
        ),
    }
    return Insights(**{**fields, **changes})


def full_insights(**changes: Any) -> Insights:
    """Everything."""
    fields: dict[str, Any] = {
        "frontiers": (
            Frontier(
                requirement="ttft_p99",
                title="TTFT p99",
                unit="s",
                points=(
                    FrontierPoint(limit=0.4, is_yours=False, plan=None),
                    FrontierPoint(limit=0.8, is_yours=True, plan=a_brief()),
                    FrontierPoint(limit=1.6, is_yours=False, plan=LOOSER),
                ),
            ),
        ),
        "grid": GRID,
        "promises": (PROMISE,),
        "sensitivity": (
            SensitivityFactor(
                factor="traffic",
                title="Traffic",
                low=an_outcome("-30 %", 52000.0),
                high=an_outcome("+30 %", None),
                swing_usd_per_month=20021.0,
                source="assumed range",
            ),
        ),
        "robustness": a_robustness(),
    }
    return quick_insights(**{**fields, **changes})


NEXT = NextMeasurement(
    kind="accuracy",
    subject="quantization=fp8+kv-fp8",
    why="It loses more than 1 % with a probability of 7 %.",
    value_usd_per_month=1818.5,
    probability_changes_plan=0.066,
    samples=4210,
    command="lm_eval --tasks mmlu \\\n  --output_path eval/today",
    record="measurements:\n  - option: quantization=fp8+kv-fp8",
    notes=("About 4,200 questions settle it.",),
)


def explained(*asked: Any, **named: Any) -> tuple[Recommendation, Insights | None]:
    """A recommendation and its insights."""
    found = explain(*asked, **named)
    return found.recommendation, found.insights
