"""Several services that share machines, quotas and budgets, as a user writes them down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from advisor.documents import Document, parse_document, read_document
from advisor.errors import InputError
from advisor.examples import example_text, is_example
from advisor.inputs import validated
from advisor.requirements import Requirements
from advisor.traced import one_source
from advisor.traffic import RateQuantiles
from advisor.workload import Workload

Source = Workload | Mapping[str, Any] | str | Path
"""A workload, a mapping with its fields, a path, or the name of an example."""
OWN_KEYS = ("base", "priority", "requirements")
HOURS_OF_A_DAY = 24


@dataclass(frozen=True, slots=True)
class Service:
    """One service of a fleet.

    Args:
        workload: What it serves; its name is unique in the fleet.
        requirements: Limits of its own, over those of the fleet.
        priority: 1 is served first; when machines or money are short, the highest numbers are left out first.
    """

    workload: Workload
    requirements: Mapping[str, Any]
    priority: int = 1

    def over(self, requirements: Requirements) -> Requirements:
        """Return the fleet's requirements with the service's own over them."""
        if not self.requirements:
            return requirements
        own = Requirements.load(self.requirements)
        return requirements.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})


@dataclass(frozen=True, slots=True)
class Fleet:
    """Services in the order given."""

    services: tuple[Service, ...]

    @classmethod
    def read(cls, source: Source | Sequence[Source] | Fleet) -> Fleet:
        """Return the fleet of one service or of several, traffic in the same hours.

        Raises:
            InputError: Something cannot be read, or two services have one name.
        """
        if isinstance(source, Fleet):
            return source.aligned()
        if isinstance(source, Workload | str | Path | Mapping):
            return cls.load([source]).aligned()
        return cls.load(list(source)).aligned()

    @classmethod
    def load(cls, sources: Sequence[Source]) -> Fleet:
        """Return the fleet of some workload files, mappings, examples, or files with `services:`.

        Raises:
            InputError: Something cannot be read, or two services have one name.
        """
        return cls.of([service for source in sources for service in _services(source)])

    @classmethod
    def of(cls, services: Sequence[Service]) -> Fleet:
        """Return the fleet of some services.

        Raises:
            InputError: Two services have one name.
        """
        names = [service.workload.name for service in services]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise InputError(f"two services are called '{twice}'; give each a name of its own")
        return cls(tuple(services))

    def aligned(self) -> Fleet:
        """Return the fleet with every service's traffic in the same hours.

        One rate fills every hour, a day is repeated for a week. A load curve without times (quantiles) becomes a day
        that is busiest when the others are; each hour takes the highest rate of its slice, so that nothing is
        understated.
        """
        if len({tuple(h for _, h in service.workload.traffic.periods()) for service in self.services}) == 1:
            return self
        hourly = [service.workload for service in self.services if not _is_curve(service.workload)]
        length = max([HOURS_OF_A_DAY, *(len(workload.traffic.periods()) for workload in hourly)])
        ranks = _ranks([_repeated(workload, length) for workload in hourly], length)
        return Fleet(tuple(replace(s, workload=_in_hours(s.workload, length, ranks)) for s in self.services))


def is_fleet(source: object) -> bool:
    """Return whether a file or mapping describes several services.

    Example:
        >>> is_fleet({"services": []}), is_fleet({"model": "resnet50"})
        (True, False)
    """
    if isinstance(source, Mapping):
        return "services" in source
    if isinstance(source, str | Path) and Path(source).is_file():
        return "services" in read_document(source).data
    return False


def _services(source: Source) -> list[Service]:
    if not is_fleet(source):
        return [Service(Workload.load(source), {})]
    document = Document("fleet", dict(source)) if isinstance(source, Mapping) else read_document(source)  # type: ignore[arg-type]
    unknown = sorted(set(document.data) - {"services"})
    if unknown:
        raise InputError(
            f"{document.source}: a fleet has only `services:`; move '{unknown[0]}' into a service"
        )
    entries = document.data["services"]
    if not isinstance(entries, list) or not entries:
        raise InputError(
            f"{document.where(('services',))}: expected a list of services, such as [{{name: chat, base: large-llm}}]"
        )
    return [_service(entry, document, number) for number, entry in enumerate(entries)]


def _service(entry: object, document: Document, number: int) -> Service:
    where = f"{document.where(('services', number))}"
    if not isinstance(entry, Mapping):
        raise InputError(f"{where}: got {entry!r}; expected keys such as name, base and traffic")
    given = {key: value for key, value in entry.items() if key not in OWN_KEYS}
    base = _base(entry.get("base"), document, where)
    source = f"{document.source}, service '{entry.get('name', number + 1)}'"
    workload = validated(Workload, Document(source, _merged(one_source(base, given), given), document.folder))
    priority = entry.get("priority", 1)
    if isinstance(priority, bool) or not isinstance(priority, int) or priority < 1:
        raise InputError(f"{where}: got priority {priority!r}; expected a whole number from 1 (served first)")
    own = entry.get("requirements") or {}
    validated(Requirements, Document(f"{source}, requirements", own))
    return Service(workload, own, priority)


def _base(name: object, document: Document, where: str) -> Mapping[str, Any]:
    if name is None:
        return {}
    if not isinstance(name, str):
        raise InputError(f"{where}: got base {name!r}; expected a file or the name of an example")
    path = (document.folder or Path()) / name
    if is_example(name) and not path.exists():
        return parse_document(example_text(name), source=name).data
    return read_document(path).data


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return the base with the given keys over it; sections are merged key by key.

    Example:
        >>> _merged({"a": {"x": 1, "y": 2}, "b": 3}, {"a": {"y": 5}})
        {'a': {'x': 1, 'y': 5}, 'b': 3}
    """
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(old, value) if both else value  # type: ignore[arg-type]
    return merged


def _is_curve(workload: Workload) -> bool:
    return isinstance(workload.traffic.requests_per_s, RateQuantiles)


def _repeated(workload: Workload, length: int) -> list[float]:
    rates = [rate for rate, _ in workload.traffic.periods()]
    return rates * (length // len(rates))


def _ranks(profiles: Sequence[Sequence[float]], length: int) -> list[int]:
    """Return the hours from the quietest to the busiest of all services together, each weighed alike."""
    total = [sum(profile[hour] / max(profile) for profile in profiles) for hour in range(length)]
    return sorted(range(length), key=lambda hour: (total[hour], hour))


def _in_hours(workload: Workload, length: int, ranks: Sequence[int]) -> Workload:
    if not _is_curve(workload):
        rates = _repeated(workload, length)
    else:
        slices = _slices(workload, length)
        rates = [0.0] * length
        for rate, hour in zip(slices, ranks, strict=True):
            rates[hour] = rate
    traffic = workload.traffic.model_copy(update={"requests_per_s": tuple(rates)})
    return workload.model_copy(update={"traffic": traffic})


def _slices(workload: Workload, length: int) -> list[float]:
    """Return the highest rate in each of equal slices of the load curve, from the quietest on."""
    ordered = sorted(workload.traffic.periods())
    total = sum(hours for _, hours in ordered)
    highest, slices, passed = iter(ordered), [0.0] * length, 0.0
    for rate, hours in highest:
        first = min(int(passed / total * length + 1e-9), length - 1)
        passed += hours
        last = min(max(int(passed / total * length - 1e-9), first), length - 1)
        for number in range(first, last + 1):
            slices[number] = max(slices[number], rate)
    return slices
