"""The ledger: a line of JSON for each audit, added whole or not at all, never changed; and how far off they were together."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from advisor.auditing.results import KIND, Audit, Bias
from advisor.documents import bounded_bytes
from advisor.errors import InputError
from advisor.whole_file import write_text

LIMIT_BYTES = 32_000_000
"""Largest ledger that is read; an audit is some kB."""


def read_ledger(path: Path | str) -> list[Audit]:
    """Return the audits of a ledger, in the order in which they were added.

    Raises:
        InputError: The file is missing, or a line is no audit.
    """
    path = Path(path)
    raw = bounded_bytes(path, limit_bytes=LIMIT_BYTES, instead="start another ledger")
    return [_audit(line, f"{path.name} line {number}") for number, line in _lines(raw)]


def _lines(raw: bytes) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(raw.splitlines(), 1):
        if line.strip():
            yield number, line


def _audit(line: bytes, where: str) -> Audit:
    try:
        found = json.loads(line)
        if not isinstance(found, dict) or found.get("kind") != KIND:
            raise InputError(f"{where} is no audit; expected what `advisor audit -o` writes")
        return Audit.model_validate(found)
    except (ValueError, RecursionError, ValidationError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{where} is no audit that advisor can read: {str(error)[:100]}") from None


def add_to_ledger(audit: Audit, path: Path | str) -> tuple[list[Audit], bool]:
    """Return all audits with this one, which is added where the same is not there yet, and whether it was.

    A killed process leaves the old ledger or the new one, and two that add at once both find their audit in it.

    Raises:
        InputError: The file is there and is no ledger.
    """
    path = Path(path).resolve()
    if not path.parent.is_dir():
        raise InputError(f"there is no folder '{path.parent}' to write '{path.name}' in")
    with _alone(path.parent):
        known = read_ledger(path) if path.exists() else []
        if any(one.identity == audit.identity for one in known):
            return known, False
        before = path.read_bytes().decode("utf-8-sig") if path.exists() else ""
        end = "" if not before or before.endswith("\n") else "\n"
        write_text(f"{before}{end}{audit.model_dump_json()}\n", path, force=True)
        return [*known, audit], True


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder, where the system has them."""
    try:
        import fcntl  # noqa: PLC0415 - not on Windows
    except ImportError:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def bias(audits: Sequence[Audit]) -> list[Bias]:
    r"""Return how each number was predicted over all audits: $\exp(\overline{\ln(\hat y / y)}) - 1$.

    Example:
        >>> from advisor.auditing.results import AuditLine
        >>> def of(predicted):
        ...     line = AuditLine(topic="cost", what="machines", unit="USD/month", planned=None, predicted=predicted, actual=100.0)
        ...     return Audit(advisor_version="1", service="s", plan_digest="", start=None, hours=1, requests=1, files=(), lines=(line,))
        >>> [(one.what, one.audits, round(one.bias_ratio, 3)) for one in bias([of(80.0), of(125.0)])]
        [('machines', 2, 0.0)]
    """
    logs: dict[str, list[float]] = {}
    for audit in audits:
        for line in audit.lines:
            if line.predicted and line.actual and line.predicted > 0.0 and line.actual > 0.0:
                logs.setdefault(line.what, []).append(math.log(line.predicted / line.actual))
    return [
        Bias(
            what=what,
            audits=len(values),
            bias_ratio=float(np.expm1(np.mean(values))),
            median_error_ratio=float(np.median(np.abs(np.expm1(values)))),
        )
        for what, values in logs.items()
    ]
