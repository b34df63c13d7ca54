"""A cascade in words: who answers what, what handing on takes, and what is assumed of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.explanation import evidence_notes, latencies, latency_checks
from advisor.mixing.cascade import handings
from advisor.mixing.latency import takes_both, whole_latency_s
from advisor.mixing.parts import WORK
from advisor.recommendation import Assumption, Choice, LatencyCheck
from advisor.units import format_ratio

if TYPE_CHECKING:
    from advisor.mixing.parts import Mixed, Part
    from advisor.preparation import Prepared


def requests_of(each: Part) -> str:
    """Return which requests one model of a cascade gets, such as `62% answered by Llama-3.1-8B`."""
    assert each.stage is not None  # noqa: S101 - it is a part of a cascade
    model = each.service.evaluation.workload.model.name
    if not each.stage.first:
        return f"{each.stage.traffic_ratio:.0%} handed on to {model}"
    if each.stage.traffic_ratio < 1.0:
        return f"{each.stage.traffic_ratio:.0%} answered by {model}"
    return f"every request first to {model}"


def handing_choice(one: Prepared, mixed: Mixed, where: str) -> Choice:
    """Return what is to be done to hand requests on, as one choice of the plan.

    Args:
        one: The service.
        mixed: Its cascade.
        where: Who answers what on which machines.
    """
    assert mixed.handing is not None  # noqa: S101 - it is a cascade
    option, small = mixed.handing.option, mixed.handing.small.name
    return Choice(
        strategy=mixed.handing.strategy,
        option=option.id,
        title=f"Two models, each on machines of its own: {where}",
        changed=True,
        steps=(
            f"Deploy {small} beside {one.evaluation.workload.model.name}, and decide which requests it answers ({option.title}).",
            *option.steps,
            "Where the pool of the small model is down, send everything to the main one; the limits do not hold until it is back.",
        ),
        artefacts={"router": _rules(mixed)},
        risk=option.risk,
        sources=(
            *option.sources,
            WORK,
        ),
        evidence=evidence_notes(option.evidence),
    )


def _rules(mixed: Mixed) -> str:
    """Return who answers what as lines of YAML."""
    assert mixed.handing is not None  # noqa: S101 - it is a cascade
    how = (
        "a router decides from the request alone"
        if mixed.handing.option.deltas.routed_ahead
        else "the small model answers first; where it is unsure, the main one answers again"
    )
    return "\n".join((f"# {how}; shares are of all requests", *(_rule(part) for part in mixed.parts)))


def _rule(part: Part) -> str:
    assert part.stage is not None  # noqa: S101 - it is a part of a cascade
    workload = part.service.evaluation.workload
    name = part.service.evaluation.candidates.blocks[0].instance_type.name
    return f"- {{model: {workload.model.name}, pool: {name}, sees: {part.stage.traffic_ratio:.4f}, answers: {part.share:.4f}}}"


def whole_latencies(one: Prepared, mixed: Mixed) -> tuple[LatencyCheck, ...]:
    """Return the latencies of all requests together, where those that are handed on take the time of both models."""
    if not takes_both(mixed):
        return ()
    sigma = {
        name: max(latencies(part.service.evaluation, part.service.plans, 0)[name][1] for part in mixed.parts)
        for name in whole_latency_s(mixed)
    }
    predicted = {name: (value, sigma[name]) for name, value in whole_latency_s(mixed).items()}
    now = latencies(one.before.evaluation, one.before.plan, 0)
    return latency_checks(predicted, limits_s=one.terms.latency_s, today=now)


def cascade_assumptions(one: Prepared) -> tuple[Assumption, ...]:
    """Return what is assumed of a cascade; nothing where none was considered."""
    found = []
    for handing in handings(one):
        measured = one.evaluation.workload.cascade is not None and one.evaluation.workload.cascade.escalated
        found.append(
            Assumption(
                what=f"share that {handing.small.name} hands on",
                value=f"{format_ratio(handing.escalated_ratio)}{' (yours)' if measured else ''}",
                why="stated in the workload" if measured else "; ".join(handing.option.sources),
            )
        )
        found.append(
            Assumption(
                what="requests that are handed on",
                value="as long and as frequent as the others; the decision itself takes no time",
                why="nothing is published on which they are",
            )
        )
    return tuple(found)
