"""A plan written by `advisor recommend -o plan.json`, read back safely."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from advisor import __version__
from advisor.documents import bounded_bytes, parse_document
from advisor.errors import InputError
from advisor.fleet import Fleet, Service
from advisor.recommendation import SCHEMA_VERSION, Inputs, MixPart, Recommendation, ServicePlan
from advisor.sizes import part_of
from advisor.stages import Stage, stage_of
from advisor.workload import Workload

LIMIT_BYTES = 32_000_000
"""Largest stored plan that is read; one of a service is some 100 kB."""
_AGAIN = "write it again: advisor recommend ... -o plan.json --force"


def load_plan(source: Recommendation | str | Path) -> Recommendation:
    """Return a stored recommendation that holds a plan and what was asked.

    Args:
        source: A path of JSON or YAML, or the recommendation itself.

    Raises:
        InputError: It cannot be read, is no recommendation, holds no plan, or does not say what was asked.
    """
    found = source if isinstance(source, Recommendation) else _read(Path(source))
    name = "the recommendation" if isinstance(source, Recommendation) else f"'{source}'"
    if found.plan is None:
        raise InputError(f"{name} holds no plan (it is {found.status}); relax the requirements and {_AGAIN}")
    if found.inputs is None:
        raise InputError(f"{name} does not say what was asked (`inputs` is missing); {_AGAIN}")
    unknown = {plan.part_of or plan.name for plan in found.plan.services} - {
        one.workload.name for one in fleet_of(found.inputs).services
    }
    if unknown:
        raise InputError(f"{name}: `inputs` has no service '{min(unknown)}' of the plan; {_AGAIN}")
    return found


def load_unmixed(source: Recommendation | str | Path) -> Recommendation:
    """Return a stored recommendation in which every service runs on one pool of machines; see `load_plan`.

    Raises:
        InputError: One runs on several, or the plan cannot be read.
    """
    found = load_plan(source)
    mixed = [service.part_of for service in (found.plan.services if found.plan else ()) if service.part_of]
    if mixed:
        raise InputError(
            f"the plan serves '{mixed[0]}' on several pools of machines; only plans with one for each service can be "
            "checked or kept in service so far: ask again with advisor recommend --mix"
        )
    return found


def is_plan(path: Path) -> bool:
    """Return whether a file holds a stored recommendation rather than a workload, as far as it can be read."""
    try:
        data = _data(path)
    except InputError:
        return False
    return isinstance(data, Mapping) and "schema_version" in data


def fleet_of(inputs: Inputs) -> Fleet:
    """Return the services that were asked about.

    Raises:
        InputError: A workload cannot be used.
    """
    return Fleet(
        tuple(
            Service(Workload.load(one.workload), dict(one.requirements), one.priority)
            for one in inputs.services
        )
    )


def served(stored: Recommendation) -> Sequence[tuple[ServicePlan, Workload]]:
    """Return each service of the plan with the workload that it was made for, its part of it where it serves one."""
    assert stored.plan is not None  # noqa: S101 - `load_plan` refuses others
    assert stored.inputs is not None  # noqa: S101
    workloads = {one.workload.name: one.workload for one in fleet_of(stored.inputs).services}
    parts = {part.name: part for mix in stored.mixing for part in mix.parts}
    return [
        (plan, of_part(workloads[plan.part_of], parts[plan.name]) if plan.part_of else workloads[plan.name])
        for plan in stored.plan.services
    ]


def of_part(workload: Workload, part: MixPart) -> Workload:
    """Return what a stored part of a mix serves of a workload, as a workload of its own."""
    stage = stage_in(part)
    return part_of(workload, part.spans) if stage is None else stage_of(workload, stage)


def stage_in(part: MixPart) -> Stage | None:
    """Return which model of a cascade a stored part is; `None` where the size of requests decides."""
    if part.traffic_ratio is None:
        return None
    return Stage(part.first, part.traffic_ratio, part.share_ratio, part.latency_ratio)


def _read(path: Path) -> Recommendation:
    return parsed_plan(_data(path), name=f"'{path}'")


def parsed_plan(data: object, *, name: str) -> Recommendation:
    """Return the recommendation that plain values hold.

    Args:
        data: As JSON or YAML was read.
        name: What messages call it.

    Raises:
        InputError: It is no recommendation of this version of the schema.
    """
    if not isinstance(data, dict) or "provenance" not in data:
        raise InputError(
            f"{name} is no recommendation; expected the file of: advisor recommend ... -o plan.json"
        )
    if data.get("schema_version") != SCHEMA_VERSION:
        raise InputError(
            f"{name} has schema version {str(data.get('schema_version'))[:20]!r}; advisor {__version__} reads "
            f"{SCHEMA_VERSION!r}; {_AGAIN}"
        )
    try:
        return Recommendation.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(f"{name}: {place}: {first['msg'].lower()}; {_AGAIN}") from None


def _data(path: Path) -> Any:
    raw = bounded_bytes(
        path, limit_bytes=LIMIT_BYTES, instead="a plan is smaller, so this is probably the wrong file"
    )
    try:
        text = raw.decode("utf-8-sig")
        if path.suffix.lower() in {".yaml", ".yml"}:
            return parse_document(text, source=path.name).data
        return json.loads(text)
    except InputError:
        raise
    except UnicodeDecodeError:
        raise InputError.unreadable_file(path, "it is not UTF-8 text") from None
    except (ValueError, RecursionError) as error:
        raise InputError.unreadable_file(path, f"this is not JSON: {str(error)[:100]}") from None
