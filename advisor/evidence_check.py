"""What to doubt about evidence: records that are stale, contradict each other, or lie outside what is sensible."""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from advisor.evidence import Evidence, load

STALE_AFTER_YEARS = 4
"""A speed figure older than this describes engines nobody runs any more."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a record that a reader should doubt.

    Attributes:
        id: Record.
        kind: `stale`, `contradictory` or `out-of-range`.
        message: What, with figures.
    """

    id: str
    kind: str
    message: str


def check(records: Iterable[Evidence] | None = None, *, today: datetime.date) -> tuple[Finding, ...]:
    """Look for records that are stale, contradict each other, or lie outside what is physically sensible.

    Args:
        records: Records to check; the embedded ones by default.
        today: The day to judge staleness by.

    Returns:
        Findings in the order of the records, then the contradictions between records.

    Example:
        >>> old = Evidence("X-1", "quantization", "int8", "ratio", "table", "t", "u", 2019, throughput_ratio=1.5)
        >>> [finding.kind for finding in check([old], today=datetime.date(2026, 11, 24))]
        ['stale']
    """
    chosen = load() if records is None else tuple(records)
    single = [finding for record in chosen for finding in (*_stale(record, today), *_out_of_range(record))]
    return (*single, *_contradictions(chosen))


def _stale(record: Evidence, today: datetime.date) -> Iterable[Finding]:
    age = today.year - record.source_year
    if (record.throughput_ratio or record.latency_ratio or record.cost_ratio) and age > STALE_AFTER_YEARS:
        yield Finding(
            record.id,
            "stale",
            f"speed or cost figure of {record.source_year}, {age} years old; engines have changed since.",
        )


_RANGES = {
    "recovery_percent": (0.0, 110.0), "latency_ratio": (0.02, 5.0), "throughput_ratio": (0.1, 30.0), "memory_ratio": (0.02, 1.2),
    "compute_ratio": (0.02, 1.5), "cost_ratio": (0.01, 1.2),
}  # fmt: skip


def _out_of_range(record: Evidence) -> Iterable[Finding]:
    for name, (low, high) in _RANGES.items():
        value = getattr(record, name)
        if value is not None and not low <= value <= high:
            yield Finding(
                record.id,
                "out-of-range",
                f"{name} is {value:g}, outside {low:g} to {high:g}; check the source.",
            )
    if (
        record.recovery_percent is not None
        and record.baseline
        and record.optimized is not None
        and record.higher_is_better
    ):
        implied = 100 * record.optimized / record.baseline
        if abs(implied - record.recovery_percent) > 0.5:
            yield Finding(
                record.id,
                "contradictory",
                f"recovery {record.recovery_percent:g} % but {record.optimized:g} / {record.baseline:g} is {implied:.2f} %.",
            )


def _contradictions(records: Sequence[Evidence]) -> Iterable[Finding]:
    groups: dict[tuple[str, ...], list[Evidence]] = {}
    for record in records:
        if record.recovery_percent is not None and record.model:
            key = (
                record.strategy,
                record.variant,
                record.family,
                record.model.lower(),
                record.benchmark.lower(),
                record.metric.lower(),
            )
            groups.setdefault(key, []).append(record)
    for group in groups.values():
        values = [record.recovery_percent or 0.0 for record in group]
        if len(group) > 1 and max(values) - min(values) > 2.0:
            ids = ", ".join(record.id for record in group)
            yield Finding(
                group[0].id,
                "contradictory",
                f"recoveries from {min(values):g} to {max(values):g} % for the same question: {ids}.",
            )
