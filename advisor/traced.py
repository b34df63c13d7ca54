"""A workload whose traffic is a trace of requests: the file is read once, and what was read stands in its place."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advisor.errors import InputError
from advisor.sealed import require_files

STATED = ("trace", "trace_sha256", "where", "requests_per_s")
"""Keys of `traffic` that say where rates come from."""
_CHUNK_BYTES = 1 << 20


def with_trace(values: object, folder: Path | None) -> object:
    """Return the keys of a workload with rates, burstiness, growth and lengths from the trace that `traffic` names.

    What the workload states itself stays as it is stated. The trace is named beside what was read, with the SHA-256 of
    its bytes: a workload that holds both, such as the one in a stored plan, is never read from the file again.

    Args:
        values: Keys of the workload.
        folder: Where a relative path starts; none: the working directory.

    Raises:
        InputError: The file cannot be read, is not the one that was hashed, or rates are stated beside it.
    """
    if not isinstance(values, Mapping) or not isinstance(traffic := values.get("traffic"), Mapping):
        return values
    if traffic.get("trace") is None or ("requests_per_s" in traffic and "trace_sha256" in traffic):
        return values
    if "requests_per_s" in traffic:
        raise InputError("a trace and rates are given; keep one of them").within("traffic", "requests_per_s")
    try:
        found = _read(str(traffic["trace"]), traffic.get("where"), traffic.get("trace_sha256"), folder)
    except InputError as error:
        raise InputError(str(error)).within("traffic", "trace") from None
    return {
        **values,
        "traffic": {**found["traffic"], **traffic},
        "requests": {**found.get("requests", {}), **(values.get("requests") or {})},
    }


def _read(name: str, where: object, expected: object, folder: Path | None) -> dict[str, Any]:
    from advisor.traces import read_trace, summarize  # noqa: PLC0415  (only workloads with a trace pay for numpy)

    require_files(name)
    if where is not None and not isinstance(where, Mapping):
        raise InputError(f"where: got {where!r}; expected a column and its value, such as {{service: code}}")
    path = (folder or Path()) / name
    kept = {str(column): str(value) for column, value in (where or {}).items()}
    fields = summarize(read_trace(path, where=kept)).workload_fields()
    digest = sha256_of(path)
    if expected is not None and str(expected) != digest:
        raise InputError(f"{path.name} has the SHA-256 {digest}; expected {str(expected)[:64]}")
    fields["traffic"]["trace_sha256"] = digest
    return fields


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def one_source(base: Mapping[str, Any], over: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the keys of a base without where its rates come from, if what goes over it says that itself.

    Example:
        >>> one_source({"traffic": {"requests_per_s": 3, "arrival_cv": 2}}, {"traffic": {"trace": "a.csv"}})
        {'traffic': {'arrival_cv': 2}}
    """
    traffic, other = base.get("traffic"), over.get("traffic")
    if not isinstance(traffic, Mapping) or not isinstance(other, Mapping) or not set(STATED) & set(other):
        return base
    return {**base, "traffic": {key: value for key, value in traffic.items() if key not in STATED}}
