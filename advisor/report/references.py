"""Every source that a report cites, numbered in the order in which a reader meets it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from advisor.recommendation import Deployment, EvidenceNote, PurchaseLine, Recommendation
from advisor.report.words import clean, crossed, hourly

_LINKED = ("https://", "http://")


@dataclass(frozen=True, slots=True)
class Reference:
    """One source: where a number comes from and how good it is."""

    number: int
    kind: str
    """`measurement`, `price`, `speed` or `grid`."""
    name: str
    title: str
    url: str
    """Empty where there is none, or none that is safe to follow."""
    dated: str
    finding: str
    grade: str


class References:
    """The numbered sources of one recommendation."""

    __slots__ = ("_numbers", "listed")

    def __init__(self, recommendation: Recommendation) -> None:
        self._numbers: dict[tuple[str, ...], int] = {}
        listed: list[Reference] = []
        for key, fields in _sources(recommendation):
            if key not in self._numbers:
                self._numbers[key] = len(listed) + 1
                listed.append(Reference(len(listed) + 1, key[0], *fields))
        self.listed = tuple(listed)

    def measurements(self, notes: tuple[EvidenceNote, ...]) -> tuple[int, ...]:
        """Return the numbers of published records."""
        return self._known(*(("measurement", note.id) for note in notes))

    def prices(self, *deployments: Deployment) -> tuple[int, ...]:
        """Return the numbers of the prices of some deployments."""
        return self._known(
            *(_price_key(deployment, line) for deployment in deployments for line in deployment.purchases)
        )

    def price(self, deployment: Deployment, line: PurchaseLine) -> tuple[int, ...]:
        """Return the number of one price."""
        return self._known(_price_key(deployment, line))

    def speed(self, *deployments: Deployment) -> tuple[int, ...]:
        """Return the numbers of the speed model behind the latencies of some deployments."""
        return self._known(*map(_speed_key, deployments))

    def grid(self, source: str) -> tuple[int, ...]:
        """Return the number of a grid's carbon intensity."""
        return self._known(("grid", source))

    def _known(self, *keys: tuple[str, ...]) -> tuple[int, ...]:
        return tuple(sorted({self._numbers[key] for key in keys if key in self._numbers}))


def _sources(recommendation: Recommendation) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Yield a key and the fields of each source, in the order of the report; some more than once."""
    plan, baseline = recommendation.plan, recommendation.baseline
    deployments = (*baseline.services, *(plan.services if plan else ()))
    for service in plan.services if plan else ():
        for note in (
            *service.accuracy_loss.evidence,
            *(note for choice in service.choices for note in choice.evidence),
        ):
            yield ("measurement", note.id), _measurement(note)
    for deployment in deployments:
        for line in deployment.purchases:
            yield _price_key(deployment, line), _price(deployment, line)
    for deployment in deployments:
        yield _speed_key(deployment), _speed(deployment)
    for bill in (baseline, plan) if plan else (baseline,):
        finding = f"{bill.carbon_g_per_kwh:,.0f} g CO2e/kWh at the socket"
        yield ("grid", bill.carbon_source), ("Grid", clean(bill.carbon_source), "", "", finding, "published")


def _measurement(note: EvidenceNote) -> tuple[str, ...]:
    url = note.url if note.url.startswith(_LINKED) else ""
    return clean(note.id), clean(note.title), url, str(note.year), clean(note.finding), clean(note.grade)


def _price_key(deployment: Deployment, line: PurchaseLine) -> tuple[str, ...]:
    return (
        "price",
        deployment.provider,
        deployment.region,
        deployment.instance_type,
        line.plan,
        line.price_date,
        line.price_source,
    )


def _price(deployment: Deployment, line: PurchaseLine) -> tuple[str, ...]:
    url = line.price_source if line.price_source.startswith(_LINKED) else ""
    machine = f"{deployment.instance_type}, {line.plan}, {deployment.provider} {deployment.region}"
    return (
        "Price",
        clean(line.price_source),
        url,
        clean(line.price_date),
        f"{clean(machine)}: {hourly(line.usd_per_h)}",
        clean(line.price_kind),
    )


def _speed_key(deployment: Deployment) -> tuple[str, ...]:
    return ("speed", deployment.accelerator, deployment.calibration or str(deployment.calibrated))


def _speed(deployment: Deployment) -> tuple[str, ...]:
    said = deployment.calibration or (
        "runtime, chip and number format were measured together"
        if deployment.calibrated
        else "from neighbouring measurements"
    )
    grade = "calibrated" if deployment.calibrated else "extrapolated"
    return "Speed", "Speed model of advisor", "", "", f"{crossed(deployment.accelerator)}: {said}", grade
