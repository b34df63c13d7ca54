"""Documents for what extends Kubernetes: KEDA, KServe and Karpenter."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from advisor.export.clusters import WINDOW_S, bounds, node_selector, rate, scales, why_target
from advisor.export.engines import arguments, vllm_flags
from advisor.export.facts import Facts, NotInPlan
from advisor.export.writing import Noted, commented, to_yaml
from advisor.units import format_rate

KEDA, KSERVE, KARPENTER = "KEDA 2 (keda.sh/v1alpha1)", "KServe 0.21", "Karpenter 1"
PROMETHEUS = "http://prometheus.monitoring.svc:9090"
_HOURS_OF_A_DAY, _DAYS = 24, ("1", "2", "3", "4", "5", "6", "0")


def keda(facts: Facts) -> str:
    """Return a ScaledObject: on the request rate, or on the hours of the schedule."""
    scales(facts, "keda", ("reactive", "scheduled", "scale-to-zero"))
    scheduled = facts.plan.scaling == "scheduled"
    triggers = _schedule(facts) if scheduled else [_trigger(facts)]
    document = {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": facts.slug},
        "spec": {
            "scaleTargetRef": {"name": facts.slug},
            **bounds(facts, "minReplicaCount", "maxReplicaCount"),
            "cooldownPeriod": Noted(WINDOW_S, "seconds without traffic before the last replica goes"),
            "triggers": triggers,
        },
    }
    notes = []
    if facts.plan.scaling == "scale-to-zero":
        notes = ["Count requests at the gateway: no replica reports any while there is none."]
    return commented(facts.head(f"ScaledObject for {KEDA}", *notes)) + to_yaml(document)


def _trigger(facts: Facts) -> dict[str, Any]:
    return {
        "type": "prometheus",
        "metadata": {
            "serverAddress": Noted(PROMETHEUS, "yours"),
            "query": Noted(rate(facts, "sum"), "requests/s of the whole service"),
            "threshold": Noted(f"{facts.target_requests_per_s:.4g}", why_target(facts)),
        },
    }


def _schedule(facts: Facts) -> list[dict[str, Any]]:
    """Return a trigger for each run of hours with the same number of replicas above the fewest."""
    counts = facts.plan.replicas_by_period
    if len(counts) % _HOURS_OF_A_DAY:
        raise NotInPlan.of(
            "keda",
            facts.name,
            "its traffic is a curve without hours; give 24 or 168 hourly rates for a schedule",
        )
    triggers = []
    for day in range(len(counts) // _HOURS_OF_A_DAY):
        hours = counts[day * _HOURS_OF_A_DAY : (day + 1) * _HOURS_OF_A_DAY]
        weekday = "*" if len(counts) == _HOURS_OF_A_DAY else _DAYS[day]
        for count, run in groupby(enumerate(hours), key=lambda pair: pair[1]):
            first, *_, last = [hour for hour, _ in run] * 2
            if count > facts.replicas_least:
                triggers.append(_cron(facts, count, first, last, weekday))
    return triggers


def _cron(facts: Facts, count: int, first: int, last: int, weekday: str) -> dict[str, Any]:
    after = weekday
    if last == _HOURS_OF_A_DAY - 1 and weekday != "*":
        after = _DAYS[(_DAYS.index(weekday) + 1) % len(_DAYS)]
    why = f"hours {first} to {last}: up to {format_rate(max(facts.rates))} in the busiest of the day"
    return {
        "type": "cron",
        "metadata": {
            "timezone": Noted("UTC", "the one of the hourly rates"),
            "start": f"0 {first} * * {weekday}",
            "end": f"0 {(last + 1) % _HOURS_OF_A_DAY} * * {after}",
            "desiredReplicas": Noted(str(count), why),
        },
    }


def kserve(facts: Facts) -> str:
    """Return an InferenceService."""
    form = {"vllm": "huggingface", "trtllm": "tensorrt", "onnxruntime": "onnx"}.get(
        facts.runtime, facts.runtime
    )
    if facts.is_decoder and facts.runtime != "vllm":
        why = f"it is served by {facts.runtime}; KServe's runtime for language models is vLLM, see '--to {facts.runtime}'"
        raise NotInPlan.of("kserve", facts.name, why)
    model: dict[str, Any] = {"modelFormat": {"name": Noted(form, f"served by {facts.runtime}")}}
    model["storageUri"] = Noted("s3://bucket/model", f"where {facts.workload.model.name} is")
    if facts.is_decoder:
        model["args"] = arguments(vllm_flags(facts))
    if facts.on_gpu:
        count = Noted(str(facts.plan.accelerators_per_replica), facts.why_accelerators())
        model["resources"] = {"limits": {facts.gpu_resource: count}}
    predictor: dict[str, Any] = {**bounds(facts, "minReplicas", "maxReplicas")}
    if facts.plan.scaling in {"reactive", "scale-to-zero"}:
        predictor["autoScaling"] = {"metrics": [_kserve_metric(facts)]}
    predictor |= {"nodeSelector": node_selector(facts), "model": model}
    if not facts.is_decoder and (facts.max_batch or 1) > 1:
        predictor["batcher"] = _batcher(facts)
    document = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": facts.slug, "annotations": _annotations(facts.plan.scaling)},
        "spec": {"predictor": predictor},
    }
    notes = []
    if facts.plan.scaling == "scheduled":
        target = f"{facts.slug}-predictor"
        notes = [f"Scale the hours of the schedule with --to keda; its scaleTargetRef is then {target}."]
    return commented(facts.head(f"InferenceService for {KSERVE}", *notes)) + to_yaml(document)


def _annotations(scaling: str) -> dict[str, Any]:
    """Return who scales: KServe through KEDA, somebody else, or nobody.

    With `none`, KServe sets the replicas to `minReplicas`, which would undo what a schedule of KEDA's own sets.
    """
    mode = Noted("Standard", "plain Deployments, so that the machine can be chosen")
    scaler = {
        "static": Noted("none", "as many replicas at all hours"),
        "scheduled": Noted("external", "scaled by a ScaledObject of its own"),
    }.get(scaling, Noted("keda", "scales on the request rate"))
    return {"serving.kserve.io/deploymentMode": mode, "serving.kserve.io/autoscalerClass": scaler}


def _batcher(facts: Facts) -> dict[str, Any]:
    return {
        "maxBatchSize": Noted(facts.max_batch, facts.why_batch()),
        "maxLatency": Noted(max(1, round(facts.queue_delay_s * 1000)), f"ms; {facts.why_delay()}"),
    }


def _kserve_metric(facts: Facts) -> dict[str, Any]:
    trigger = _trigger(facts)["metadata"]
    target = {"type": "AverageValue", "value": trigger["threshold"]}
    metric = {"backend": "prometheus", "serverAddress": trigger["serverAddress"], "query": trigger["query"]}
    return {"type": "External", "external": {"metric": metric, "target": target}}


_NODE_CLASSES = {
    "aws": ("karpenter.k8s.aws", "EC2NodeClass"),
    "azure": ("karpenter.azure.com", "AKSNodeClass"),
}


def karpenter(facts: Facts) -> str:
    """Return a NodePool of the plan's machines."""
    plan = facts.plan
    if plan.provider not in _NODE_CLASSES:
        why = f"Karpenter has no provider for {plan.provider}; '--to terraform' gives the number and type of machines"
        raise NotInPlan.of("karpenter", facts.name, why)
    group, kind = _NODE_CLASSES[plan.provider]
    spot = plan.purchase == "spot"
    bought = ["spot", "on-demand"] if spot else ["on-demand"]
    paid = {"spot": "mostly spot, with a floor on demand", "on-demand": "bought by the hour"}.get(
        plan.purchase, f"{plan.purchase}: the discount is on the bill, machines start like those on demand"
    )
    requirements = [
        _requirement(
            "node.kubernetes.io/instance-type",
            [plan.instance_type],
            f"the plan's machine: {plan.accelerator}",
        ),
        _requirement("karpenter.sh/capacity-type", bought, paid),
        _requirement("topology.kubernetes.io/region", [plan.region], "where the plan was priced"),
    ]
    spec = {
        "nodeClassRef": {"group": group, "kind": kind, "name": Noted("default", "yours")},
        "requirements": requirements,
    }
    after = Noted(f"{WINDOW_S}s", "as slow as the autoscaler of the replicas")
    document = {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": facts.slug},
        "spec": {
            "template": {"spec": spec},
            "disruption": {"consolidationPolicy": "WhenEmpty", "consolidateAfter": after},
            "limits": _limits(facts),
        },
    }
    return commented(facts.head(f"NodePool for {KARPENTER}")) + to_yaml(document)


def _limits(facts: Facts) -> dict[str, Any]:
    """Return the most that the pool may hold: the machines of the busiest hour, in what Karpenter counts."""
    count = facts.plan.instances_peak
    why = f"machines at the busiest hour: {count}; {facts.why_replicas()}"
    if facts.on_gpu:
        each = int(facts.plan.accelerator.partition(" ")[0])
        return {facts.gpu_resource: Noted(str(count * each), why)}
    return {"cpu": Noted(str(count * (facts.machine.vcpus if facts.machine else 0)), why)}


def _requirement(key: str, values: list[str], why: str) -> dict[str, Any]:
    return {"key": key, "operator": "In", "values": Noted(values, why)}
