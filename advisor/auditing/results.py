"""What an audit says: what a plan predicted for a period, and what happened; pydantic, frozen, and nothing computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from advisor.results import Result

KIND: Literal["advisor audit"] = "advisor audit"
"""What a line of a ledger says it is; `advisor calibrate` knows it by that."""


class AuditLine(Result):
    """One number: planned, predicted for the traffic that came, and as it happened."""

    topic: Literal["traffic", "cost", "latency"]
    what: str
    """Such as `machines` or `ttft_p99`."""
    unit: str
    """Such as `USD/month` or `s`."""
    planned: float | None
    """When the plan was made, for the traffic expected then."""
    predicted: float | None
    """By the same model for the traffic that came; null where it says nothing about it."""
    actual: float | None
    """Null where no file says."""

    @property
    def error_ratio(self) -> float | None:
        """Predicted over actual, less 1; positive: predicted too high."""
        if self.predicted is None or not self.actual:
            return None
        return self.predicted / self.actual - 1.0


class AuditFile(Result):
    """A file that the audit rests on."""

    file: str
    sha256: str
    words: str
    """What it is and what it covers."""


class Audit(Result):
    """What one period says about a plan."""

    kind: Literal["advisor audit"] = KIND
    schema_version: Literal["1.0"] = "1.0"
    advisor_version: str
    service: str
    plan_digest: str
    """SHA-256 of the stored plan's choices and what was asked: the same plan has the same."""
    start: str | None
    """First request, UTC; null where the trace has no dates."""
    hours: float
    """From the first to the last request."""
    requests: int
    files: tuple[AuditFile, ...]
    lines: tuple[AuditLine, ...]
    benchmark: Mapping[str, Any] | None = None
    """The period as a run that `advisor calibrate` takes; null where no latency was measured or the engine is not modelled."""
    notes: tuple[str, ...] = ()

    @property
    def identity(self) -> tuple[str, ...]:
        """The plan and the files: an audit of the same is the same audit."""
        return (self.plan_digest, *sorted(one.sha256 for one in self.files))


class Bias(Result):
    """How one number was predicted over all audits of a ledger."""

    what: str
    audits: int
    bias_ratio: float
    """Geometric mean of predicted over actual, less 1; positive: predicted too high."""
    median_error_ratio: float
    """Median of |predicted / actual - 1|."""
