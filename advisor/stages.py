"""A cascade whose models have machines of their own: what of the traffic, the requests and the limits is each one's.

Either a router decides from the request alone which model answers, or the small model answers everything first and
what it is unsure of is handed on. In the second case a request that is handed on takes the time of both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from advisor.sizes import thinned
from advisor.terms import Terms
from advisor.workload import Workload

_PLAIN = ("fp32", "fp16", "bf16")


@dataclass(frozen=True, slots=True)
class Stage:
    """One model of a cascade.

    Args:
        first: Whether it is the small model; else the main one.
        traffic_ratio: Share of the requests that reach it.
        answered_ratio: Share of the requests whose answer is its own.
        latency_ratio: Share of every latency limit that it may take; 1 where no request takes the time of both.
    """

    first: bool
    traffic_ratio: float
    answered_ratio: float
    latency_ratio: float = 1.0


def stages_of(
    *, escalated_ratio: float, routed_ahead: bool, first_latency_ratio: float
) -> tuple[Stage, Stage]:
    """Return both stages of a cascade.

    Args:
        escalated_ratio: Share of the requests that the main model answers.
        routed_ahead: Whether a router decides from the request alone.
        first_latency_ratio: Share of the latency limits that the small model may take, where requests take the time of both.

    Example:
        >>> first, rest = stages_of(escalated_ratio=0.25, routed_ahead=False, first_latency_ratio=0.4)
        >>> first.traffic_ratio, first.answered_ratio, rest.traffic_ratio, rest.latency_ratio
        (1.0, 0.75, 0.25, 0.6)
    """
    kept = 1.0 - escalated_ratio
    if routed_ahead:
        return Stage(True, kept, kept), Stage(False, escalated_ratio, escalated_ratio)
    return (
        Stage(True, 1.0, kept, first_latency_ratio),
        Stage(False, escalated_ratio, escalated_ratio, 1.0 - first_latency_ratio),
    )


def stage_of(workload: Workload, stage: Stage) -> Workload:
    """Return what reaches one stage as a workload of its own; requests are as large there as on the whole.

    The small model is served by today's engine, on one accelerator a replica and in 16 or 32 bits where no option says
    otherwise. Accuracy that the user measured is that of the main model.
    """
    assert workload.cascade is not None  # noqa: S101 - who asks has one
    small = workload.cascade.model
    traffic = thinned(workload.traffic, stage.traffic_ratio)
    changes = {"traffic": traffic, "cascade": None, "lifecycle": None}
    if not stage.first:
        return workload.model_copy(
            update={**changes, "name": f"{workload.name}: handed on to {workload.model.name}"}
        )
    served = workload.serving
    plain = served.precision if served.precision in _PLAIN else small.weight_dtype
    serving = served.model_copy(update={"accelerators_per_replica": 1, "precision": plain, "instances": None})
    name = f"{workload.name}: {small.name} first"
    return workload.model_copy(
        update={**changes, "name": name, "model": small, "serving": serving, "measurements": ()}
    )


def stage_terms(terms: Terms, stage: Stage) -> Terms:
    """Return what must hold for one stage by itself, but for accuracy, which holds over all requests."""
    return replace(
        terms,
        latency_s={name: limit * stage.latency_ratio for name, limit in terms.latency_s.items()},
        loss_ratio={},
        totals={},
        min_requests_per_s=terms.min_requests_per_s * stage.traffic_ratio,
    )
