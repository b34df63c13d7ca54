"""A mix in words: which requests go where, what that saves, and the rule for the router."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from advisor.conflict import meets_totals
from advisor.formulation import machine_of
from advisor.mixing.accuracy import accuracy_of, settled
from advisor.mixing.cascade import refusal
from advisor.mixing.cascade_words import (
    cascade_assumptions,
    handing_choice,
    requests_of,
    whole_latencies,
)
from advisor.mixing.parts import ENGINEER_HOURS, ENGINEER_HOURS_PER_MONTH, WORK, Mixed, Part, effort_usd
from advisor.recommendation import Assumption, Choice, Mixing, MixPart, ServicePlan
from advisor.sizes import Sizes
from advisor.units import format_ratio, format_seconds, format_usd

if TYPE_CHECKING:
    from advisor.preparation import Prepared
    from advisor.terms import Terms

ASSUMPTIONS = (
    Assumption(
        what="work for one more pool of machines",
        value=f"{ENGINEER_HOURS:g} h once, {ENGINEER_HOURS_PER_MONTH:g} h a month",
        why="routing by size, a second deployment, its dashboards and alarms",
    ),
    Assumption(
        what="answers to prompts of every size",
        value="equally long",
        why="the workload does not say how the two lengths hang together",
    ),
)


def mixing_assumptions(services: Sequence[Prepared]) -> tuple[Assumption, ...]:
    """Return what is assumed where services may be mixed."""
    return (*ASSUMPTIONS, *(found for one in services for found in cascade_assumptions(one)))


def mixing_notes(services: Sequence[Prepared], terms: Terms, alone: set[str]) -> tuple[Mixing, ...]:
    """Return for each service what its best mix saves.

    Args:
        services: Services that were asked for.
        terms: Totals and quotas.
        alone: Names of those that the plan does not mix.
    """
    return tuple(_note(one, one.mixed, terms, chosen=one.name not in alone) for one in services)


def _note(one: Prepared, mixed: Mixed | None, terms: Terms, *, chosen: bool) -> Mixing:
    once, monthly = effort_usd(one)
    effort = once / one.evaluation.workload.horizon_months + monthly
    within = np.flatnonzero(meets_totals(one.evaluation, one.plans, terms))
    best = within[np.argmin(one.plans.cost_usd_per_month[within])] if len(within) else None
    alone = None if best is None else float(one.plans.cost_usd_per_month[best])
    machine = "" if best is None else machine_of(one.evaluation, one.plans, int(best)).name
    total = None if mixed is None else mixed.cost_usd_per_month
    extra = effort * (len(mixed.parts) - 1 if mixed else 1)
    if mixed and mixed.handing:
        once, monthly = mixed.handing.costs_usd(one.evaluation)
        extra += once / one.evaluation.workload.horizon_months + monthly
    saves = None if alone is None or total is None else alone - total
    return Mixing(
        service=one.name,
        chosen=chosen,
        parts=tuple(_part(one, mixed, each) for each in mixed.parts) if mixed else (),
        cost_usd_per_month=total,
        effort_usd_per_month=extra,
        alone_usd_per_month=alone,
        alone_instance_type=machine,
        saves_usd_per_month=saves,
        text=" ".join(
            (
                _text(one, mixed, chosen=chosen, saves=saves, effort=extra, alone=alone, machine=machine),
                *(_cascade(one, mixed) if mixed and mixed.handing else ()),
                *_beside(one, mixed),
            )
        ),
        latencies=whole_latencies(one, mixed) if mixed else (),
    )


def _part(one: Prepared, mixed: Mixed, each: Part) -> MixPart:
    requests = (
        Sizes.of(one.evaluation.workload).words(each.spans) if each.stage is None else requests_of(each)
    )
    stage: dict[str, Any] = asdict(each.stage) if each.stage else {}
    stage.pop("answered_ratio", None)  # it is the share
    return MixPart(
        name=each.service.name,
        spans=each.spans,
        requests=requests,
        share_ratio=each.share,
        instance_type=_machine(each),
        instances_peak=int(each.service.plans.instances.max()),
        model=each.service.evaluation.workload.model.name if mixed.handing else "",
        **stage,
    )


def _machine(each: Part) -> str:
    return machine_of(each.service.evaluation, each.service.plans, 0).name


def routed(one: Prepared, mixed: Mixed) -> str:
    """Return which requests go where, such as `up to 900 input tokens on 2 × p4d.24xlarge; over 900 ...`."""
    parts = [_part(one, mixed, each) for each in mixed.parts]
    return "; ".join(f"{part.requests} on {part.instances_peak} × {part.instance_type}" for part in parts)


def _text(
    one: Prepared,
    mixed: Mixed | None,
    *,
    chosen: bool,
    saves: float | None,
    effort: float,
    alone: float | None,
    machine: str,
) -> str:
    what = "handing requests on and " if mixed and mixed.handing else ""
    work = f"{format_usd(effort)}/month of work for {what}a second pool (assumed)"
    if mixed is None:
        return f"No mix of machines was found that is cheaper than {machine} alone, even before {work}."
    where = f"{routed(one, mixed)}{_unevenly(one, mixed)}"
    if saves is None or alone is None:
        end = "No single machine type meets the requirements." if chosen else "It does not meet them either."
        return f"{where}. {end}"
    before = saves + effort
    if chosen and saves > 0.0:
        return (
            f"{where}. This saves {format_usd(saves)}/month ({format_ratio(saves / alone)}) against {machine} alone, "
            f"after {work}."
        )
    if before <= 0.0:
        return f"The best mix found ({where}) costs {format_usd(-before)}/month more than {machine} alone, before {work}."
    return (
        f"The best mix found ({where}) saves {format_usd(before)}/month ({format_ratio(before / alone)}) against {machine} "
        f"alone before {work}: not worth a second pool."
    )


def _cascade(one: Prepared, mixed: Mixed) -> tuple[str, ...]:
    """Return what a cascade loses, how slow it is over all requests, and what is proven of it."""
    slow = [
        f"Latency of all requests, {check.metric.rpartition('_')[2]}: {format_seconds(check.predicted_s or 0.0)} of "
        f"{format_seconds(check.limit_s)}; those handed on take the time of both models."
        for check in whole_latencies(one, mixed)
        if check.limit_s
    ]
    return tuple(text for text in (*settled(one, mixed), *slow, mixed.proof) if text)


def _beside(one: Prepared, mixed: Mixed | None) -> list[str]:
    """Return what the best mix of the other kind costs, and why no cascade was considered where one was wanted."""
    other = mixed.beside if mixed else None
    found = [refusal(one)]
    if other is not None:
        kind = "cascade" if other.handing else "mix by size"
        found.append(
            f"The best {kind} found ({routed(one, other)}) costs {format_usd(other.cost_usd_per_month)}/month."
        )
    return [text for text in found if text]


def _unevenly(one: Prepared, mixed: Mixed) -> str:
    """Return which requests lose more than the limit on average over all; empty where none do."""
    if mixed.handing:
        return ""
    limit = one.terms.loss_ratio.get(None)
    losses = [(each, float(each.service.plans.loss_ratio[0])) for each in mixed.parts]
    more = [
        f"{Sizes.of(one.evaluation.workload).words(each.spans)} lose {format_ratio(loss)}"
        for each, loss in losses
        if limit is not None and loss > limit
    ]
    return f", where {' and '.join(more)}, all together {format_ratio(mixed.loss_ratio)}" if more else ""


def with_routers(
    services: Sequence[Prepared], chosen: Mapping[str, int], served: Sequence[ServicePlan]
) -> tuple[ServicePlan, ...]:
    """Return what is recommended, the first part of each mixed service with the rule for the router among its changes.

    Args:
        services: As they were asked for.
        chosen: Candidates of those that are not mixed.
        served: What is recommended for each, for each part of one that is mixed.
    """
    changes: dict[str, dict[str, Any]] = {}
    for one in services:
        if one.name not in chosen and one.mixed is not None:
            changes |= _changes(one, one.mixed)
    found = []
    for service in served:
        own = changes.get(service.name, {})
        choices = (*own.get("choices", ()), *service.choices)
        found.append(service.model_copy(update={**own, "choices": choices}))
    return tuple(found)


def _changes(one: Prepared, mixed: Mixed) -> dict[str, dict[str, Any]]:
    """Return what is to be said of each part, by its name; its accuracy is that over all requests."""
    accuracy = accuracy_of(one, mixed)
    said = {
        each.service.name: {"part_of": one.name, "accuracy_loss": accuracy, "choices": ()}
        for each in mixed.parts
    }
    router = _router(one, mixed) if mixed.handing is None else handing_choice(one, mixed, routed(one, mixed))
    said[mixed.parts[0].service.name]["choices"] = (router,)
    return said


def _router(one: Prepared, mixed: Mixed) -> Choice:
    sizes = Sizes.of(one.evaluation.workload)
    how = (
        "Send that share of the requests to each at random, by weight."
        if sizes.alike
        else f"Count {sizes.unit} before routing, with the model's own tokenizer where they are tokens."
    )
    return Choice(
        strategy="mixing",
        option="by-size",
        title=f"Requests routed by size: {routed(one, mixed)}",
        changed=True,
        steps=(
            f"Route {one.name}: {routed(one, mixed)}. {how}",
            "Where one pool is down, send everything to the other; the limits do not hold until it is back.",
            "Watch the share of requests of each pool: it should be "
            + ", ".join(f"{each.share:.0%} on {_machine(each)}" for each in mixed.parts)
            + ".",
        ),
        artefacts={"router": _rules(sizes, mixed)},
        risk="When the sizes of requests drift, one pool fills up while the other idles.",
        sources=(WORK,),
    )


def _rules(sizes: Sizes, mixed: Mixed) -> str:
    """Return the rule as lines of YAML."""
    if sizes.alike:
        lines = [f"- {{weight: {each.share:.4f}, pool: {_machine(each)}}}" for each in mixed.parts]
        return "\n".join(lines)
    pieces = sorted((span, _machine(each)) for each in mixed.parts for span in each.spans)
    lines = [
        f"- {{{sizes.field}: {'any' if high >= 1.0 else f'<= {sizes.at(high):.0f}'}, pool: {machine}}}"
        for (_, high), machine in pieces
    ]
    return "\n".join(("# the first line that fits", *lines))
