"""Today's services on the baseline that the choices of a stored plan are relative to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from advisor.errors import InputError
from advisor.fleet import Fleet, Service, Source
from advisor.recommendation import Recommendation
from advisor.stored import fleet_of
from advisor.workload import Workload


def fleet_today(
    stored: Recommendation, workload: Source | Sequence[Source] | Fleet | None
) -> tuple[Fleet, list[str]]:
    """Return exactly the services of a stored plan as they are today, and what to know about them.

    Args:
        stored: A recommendation with a plan and its inputs.
        workload: Today's; the one of the plan where not given.

    Raises:
        InputError: The workload has other services than the plan.
    """
    if workload is None:
        return _before(stored), []
    given = matched(Fleet.read(workload), stored)
    names = {one.workload.name for one in given.services}
    assert stored.plan is not None  # noqa: S101 - `load_plan` refuses others
    missing = sorted({one.name for one in stored.plan.services} - names)
    added = sorted(names - {one.workload.name for one in _before(stored).services})
    if missing or added:
        raise InputError(
            f"the workload does not match the plan: {', '.join(missing) or 'nothing'} is missing and "
            f"{', '.join(added) or 'nothing'} is new; name the services as in the plan, or make a new plan"
        )
    return rebased(given, stored)


def matched(given: Fleet, stored: Recommendation) -> Fleet:
    """Return the services called as in the plan: where there is one service then and now, it is the same."""
    before = _before(stored)
    if not len(before.services) == len(given.services) == 1:
        return given
    own = given.services[0].workload.model_copy(update={"name": before.services[0].workload.name})
    return Fleet((replace(given.services[0], workload=own),))


def rebased(given: Fleet, stored: Recommendation) -> tuple[Fleet, list[str]]:
    """Return the services with the baseline that the plan's choices are relative to, and what to know about it."""
    known = {one.workload.name: one.workload for one in _before(stored).services}
    services = [
        _on_baseline(one, known[one.workload.name]) if one.workload.name in known else (one, "")
        for one in given.services
    ]
    return Fleet(tuple(service for service, _ in services)).aligned(), [note for _, note in services if note]


def _before(stored: Recommendation) -> Fleet:
    assert stored.inputs is not None  # noqa: S101 - `load_plan` refuses others
    return fleet_of(stored.inputs)


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
