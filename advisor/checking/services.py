"""Today's services of a stored plan, on the baseline that its choices are relative to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from advisor.api import Source
from advisor.errors import InputError
from advisor.fleet import Fleet, Service, is_fleet
from advisor.recommendation import Inputs, Recommendation
from advisor.requirements import Requirements
from advisor.stored import fleet_of
from advisor.workload import Workload


def fleet_today(
    stored: Recommendation, inputs: Inputs, workload: Source | Sequence[Source] | Fleet | None
) -> tuple[Fleet, list[str]]:
    """Return today's services with the baseline that the plan's choices are relative to, and what to know about it."""
    before = fleet_of(inputs)
    if workload is None:
        return before, []
    given = _loaded(workload)
    known = {one.workload.name: one.workload for one in before.services}
    if len(known) == len(given.services) == 1:
        own = given.services[0].workload.model_copy(update={"name": before.services[0].workload.name})
        given = Fleet((replace(given.services[0], workload=own),))
    names = [one.workload.name for one in given.services]
    assert stored.plan is not None  # noqa: S101
    missing = sorted({one.name for one in stored.plan.services} - set(names))
    added = sorted(set(names) - set(known))
    if missing or added:
        raise InputError(
            f"the workload does not match the plan: {', '.join(missing) or 'nothing'} is missing and "
            f"{', '.join(added) or 'nothing'} is new; name the services as in the plan, or make a new plan"
        )
    services = [_on_baseline(one, known[one.workload.name]) for one in given.services]
    return Fleet(tuple(service for service, _ in services)).aligned(), [note for _, note in services if note]


def _loaded(source: Source | Sequence[Source] | Fleet) -> Fleet:
    if isinstance(source, Fleet):
        return source
    if isinstance(source, Workload | str | Path | Mapping):
        return Fleet.load([source]) if is_fleet(source) else Fleet((Service(Workload.load(source), {}),))
    return Fleet.load(list(source))


def _on_baseline(service: Service, before: Workload) -> tuple[Service, str]:
    """Return a service of today served as when the plan was made; its price is today's where the machine is the same."""
    now, then = service.workload.serving, before.serving
    same_machine = (now.instance_type, now.provider, now.region) == (
        then.instance_type,
        then.provider,
        then.region,
    )
    price = {"price_usd_per_h": now.price_usd_per_h} if same_machine else {}
    serving = then.model_copy(update=price)
    workload = service.workload.model_copy(update={"serving": serving})
    ignored = {"price_usd_per_h", "instances"}
    differs = now.model_dump(exclude=ignored) != then.model_dump(exclude=ignored)
    note = f"{before.name}: `serving` differs from when the plan was made and is taken to be the plan in service."
    return replace(service, workload=workload), note if differs else ""


def own_requirements(service: Service, requirements: Requirements) -> Requirements:
    """Return the requirements with the service's own over them."""
    own = Requirements.load(service.requirements)
    return requirements.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})
