"""Documents for Kubernetes itself: Deployment and HorizontalPodAutoscaler."""

from __future__ import annotations

from typing import Any

from advisor.export.engines import arguments, sglang_flags, vllm_flags
from advisor.export.facts import Facts, NotInPlan
from advisor.export.writing import Noted, commented, to_yaml
from advisor.units import format_rate

KUBERNETES, KEDA, KSERVE, KARPENTER = (
    "Kubernetes 1.37",
    "KEDA 2 (keda.sh/v1alpha1)",
    "KServe 0.21",
    "Karpenter 1",
)
PROMETHEUS = "http://prometheus.monitoring.svc:9090"
WINDOW_S = 300
"""Window over which the rate is taken, in seconds; the plan counts on reacting within it."""
_IMAGES = {"vllm": "vllm/vllm-openai:v0.33.0"}
_HEALTH = {"vllm": (8000, "/health"), "sglang": (30000, "/health"), "trtllm": (8000, "/health"), "triton": (8000, "/v2/health/ready")}  # fmt: skip
_REQUESTS = {
    "vllm": '{__name__=~"vllm[:_]request_success_total"}',
    "sglang": '{__name__=~"sglang[:_]e2e_request_latency_seconds_count"}',
    "tgi": "tgi_request_count",
    "triton": "nv_inference_request_success",
}


def deployment(facts: Facts) -> str:
    """Return a Deployment of the replicas."""
    plan, runtime = facts.plan, facts.runtime
    scaled = plan.scaling != "static"
    count = facts.replicas_least if scaled else plan.replicas_peak
    why = (
        f"the fewest; {plan.scaling} scaling adds up to {plan.replicas_peak}"
        if scaled
        else facts.why_replicas()
    )
    labels = {"app.kubernetes.io/name": facts.slug, "app.kubernetes.io/managed-by": "advisor"}
    selector = {"app.kubernetes.io/name": facts.slug}
    pod: dict[str, Any] = {
        "nodeSelector": node_selector(facts),
        "containers": [_container(facts)],
    }
    if plan.accelerators_per_replica > 1 and facts.on_gpu:
        memory = Noted({"medium": "Memory"}, "tensor parallelism exchanges data through shared memory")
        pod["volumes"] = [{"name": "shm", "emptyDir": memory}]
    if not facts.on_gpu:
        alone = {"labelSelector": {"matchLabels": selector}, "topologyKey": "kubernetes.io/hostname"}
        rule = Noted([alone], "a replica takes the whole machine, as planned")
        pod["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": rule}}
    document = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": facts.slug, "labels": labels},
        "spec": {
            "replicas": Noted(count, why),
            "selector": {"matchLabels": selector},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    notes = [] if runtime in _IMAGES else ["Replace the image by the one that you serve with."]
    return commented(facts.head(f"Deployment for {KUBERNETES}", *notes)) + to_yaml(document)


def node_selector(facts: Facts) -> dict[str, Any]:
    """Return the labels that pin replicas to the machine of the plan."""
    why = f"the plan's machine: {facts.plan.accelerator}"
    return {"node.kubernetes.io/instance-type": Noted(facts.plan.instance_type, why)}


def _container(facts: Facts) -> dict[str, Any]:
    runtime = facts.runtime
    port, health = _HEALTH.get(runtime, (8000, ""))
    image = Noted(_IMAGES.get(runtime, f"registry.example.com/{runtime}:tag"), f"serves with {runtime}")
    container: dict[str, Any] = {"name": "server", "image": image}
    if runtime in {"vllm", "sglang"}:
        flags = vllm_flags(facts) if runtime == "vllm" else sglang_flags(facts)
        model = "--model=$(MODEL)" if runtime == "vllm" else "--model-path=$(MODEL)"
        if runtime == "sglang":
            container["command"] = ["python3", "-m", "sglang.launch_server", "--host=0.0.0.0"]
        container["args"] = [model, *arguments(flags)]
        value = "/models/checkpoint"
        container["env"] = [{"name": "MODEL", "value": Noted(value, f"where {facts.workload.model.name} is")}]
    container["ports"] = [{"name": "http", "containerPort": port}]
    if health:
        container["readinessProbe"] = {"httpGet": {"path": health, "port": "http"}, "periodSeconds": 5}
    if facts.on_gpu:
        count = Noted(facts.plan.accelerators_per_replica, facts.why_accelerators())
        container["resources"] = {"limits": {facts.gpu_resource: count}}
    if facts.plan.accelerators_per_replica > 1 and facts.on_gpu:
        container["volumeMounts"] = [{"name": "shm", "mountPath": "/dev/shm"}]  # noqa: S108 - in the container
    return container


def hpa(facts: Facts) -> str:
    """Return a HorizontalPodAutoscaler on the request rate of a replica."""
    scales(facts, "hpa", ("reactive",))
    metric = {
        "type": "Pods",
        "pods": {
            "metric": {"name": Noted("requests_per_second", "serve it with Prometheus Adapter, see above")},
            "target": {"type": "AverageValue", "averageValue": Noted(_milli(facts), why_target(facts))},
        },
    }
    window = Noted(WINDOW_S, "as long as the window of the rate, so that chance removes no replica")
    document = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": facts.slug},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": facts.slug},
            **bounds(facts, "minReplicas", "maxReplicas"),
            "metrics": [metric],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": window}},
        },
    }
    notes = f"Rule for Prometheus Adapter: {rate(facts, 'sum by (pod) ')} as requests_per_second."
    return commented(facts.head(f"HorizontalPodAutoscaler for {KUBERNETES}", notes)) + to_yaml(document)


def scales(facts: Facts, target: str, policies: tuple[str, ...]) -> None:
    """Raise `NotInPlan` unless the plan scales by one of the policies."""
    scaling, count = facts.plan.scaling, facts.plan.replicas_peak
    if scaling in policies:
        return
    if scaling == "static":
        raise NotInPlan.of(
            target,
            facts.name,
            f"the plan keeps {count} replicas at all hours (static scaling); '--to deployment' has them",
        )
    raise NotInPlan.of(target, facts.name, f"the plan scales by '{scaling}', which needs '--to keda'")


def bounds(facts: Facts, least: str, most: str) -> dict[str, Any]:
    """Return the fewest and the most replicas, under those keys."""
    low = 0 if facts.plan.scaling == "scale-to-zero" else facts.replicas_least
    return {
        least: Noted(low, "replicas of the quietest hour"),
        most: Noted(facts.plan.replicas_peak, facts.why_replicas()),
    }


def rate(facts: Facts, how: str) -> str:
    """Return the query for the request rate; `how` sums it."""
    return f"{how}(rate({_REQUESTS.get(facts.runtime, 'http_requests_total')}[{WINDOW_S // 60}m]))"


def _milli(facts: Facts) -> str:
    return f"{int(facts.target_requests_per_s * 1000)}m"


def why_target(facts: Facts) -> str:
    """Return why an autoscaler aims at that rate."""
    carries = f"one carries {format_rate(facts.plan.capacity_requests_per_s or 0.0)} within the limits"
    return f"requests/s a replica at which every hour gets its planned replicas; {carries}"
