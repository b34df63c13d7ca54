"""Reads one file of benchmark results: which tool wrote it follows from what is in it, never from its name."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from advisor.calibrating.clients import (
    aiperf_results,
    aiperf_table_results,
    day_of,
    guidellm_results,
    is_aiperf,
    is_aiperf_table,
    is_guidellm,
    is_vllm,
    vllm_results,
)
from advisor.calibrating.llmd import is_llmd, llmd_results
from advisor.calibrating.results import Results, Run
from advisor.calibrating.servers import is_mlperf, is_triton, mlperf_results, triton_results
from advisor.documents import LIMIT_BYTES as LIMIT_DOCUMENT_BYTES
from advisor.documents import bounded_bytes, parse_document
from advisor.errors import InputError
from advisor.validation.comparison import has_measurements

LIMIT_BYTES = 32_000_000
"""Largest file of results that is read; summaries are a few kB, with the times of single requests some MB."""
_MOST_RUNS = 10_000
AUDIT = "advisor audit"
"""What a line of a ledger says it is."""
_NO_LATENCY = "the audit compared no latency of a language model with what was shipped"
KNOWN = (
    "JSON of `vllm bench serve`, guidellm, aiperf or genai-perf; a report of llm-d-benchmark; CSV of aiperf, perf_analyzer or "
    "Model Analyzer; mlperf_log_summary.txt; a ledger of `advisor audit`; or CSV with the columns of `advisor predict` and measured ones"
)


def read_results(path: Path | str) -> Results:
    """Return the runs of a file.

    Raises:
        InputError: It is missing, too large, not text, or of no tool that is known.
    """
    path = Path(path)
    raw = bounded_bytes(path, limit_bytes=LIMIT_BYTES, instead="save the summary without the single requests")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError.unreadable_file(path, f"it is not UTF-8 text; expected {KNOWN}") from None
    try:
        found = _recognised(text, path)
    except csv.Error as error:
        raise InputError.unreadable_file(path, f"this is not CSV: {error}") from None
    if found is None:
        raise InputError(f"'{path.name}' is of no tool that advisor knows; expected {KNOWN}")
    if len(found.runs) > _MOST_RUNS:
        raise InputError(f"'{path.name}' holds {len(found.runs):,} runs; expected {_MOST_RUNS:,} at most")
    return replace(found, file=path.name, sha256=hashlib.sha256(raw).hexdigest())


def _recognised(text: str, path: Path) -> Results | None:
    start = text.lstrip()[:1]
    if start in {"{", "["}:
        return _of_objects(list(_objects(text, path)))
    if is_mlperf(text):
        return mlperf_results(text)
    lines = text.splitlines()
    if lines and "," in lines[0]:
        return _of_table(lines)
    return _of_yaml(text, path) if start and len(text) <= LIMIT_DOCUMENT_BYTES else None


def _objects(text: str, path: Path) -> Iterator[Mapping[str, object]]:
    """Yield the objects of a JSON text: one, a list of them, or one after another."""
    decoder, place = json.JSONDecoder(), 0
    while place < len(text):
        try:
            found, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            line = text.count("\n", 0, getattr(error, "pos", place)) + 1
            reason = getattr(error, "msg", "it nests too deeply or holds a number with too many digits")
            raise InputError(f"{path.name} line {line}: this is not JSON: {reason}") from None
        for one in found if isinstance(found, list) else [found]:
            if isinstance(one, Mapping):
                yield one
        while place < len(text) and text[place] in " \t\r\n,":
            place += 1


def _of_objects(objects: list[Mapping[str, object]]) -> Results | None:
    if not objects:
        return None
    first = objects[0]
    if first.get("kind") == AUDIT:
        return _of_ledger(objects)
    if is_vllm(first):
        return vllm_results(one for one in objects if is_vllm(one))
    if is_guidellm(first):
        return guidellm_results(first)
    if is_llmd(first):
        return llmd_results(first)
    return aiperf_results(first) if is_aiperf(first) else None


def _of_ledger(objects: list[Mapping[str, object]]) -> Results:
    """Return the periods of a ledger of `advisor audit` as runs."""
    runs = []
    for one in objects:
        row, day = one.get("benchmark"), day_of(one.get("start"))
        runs.append(Run(row, day) if isinstance(row, Mapping) else Run({}, day, _NO_LATENCY))
    return Results("ledger of advisor audit", tuple(runs))


def _of_table(lines: list[str]) -> Results | None:
    if is_triton(lines):
        return triton_results(lines)
    if is_aiperf_table(lines):
        return aiperf_table_results(lines)
    columns = next(csv.reader(lines[:1]))
    if not has_measurements(columns):
        return None
    rows = csv.DictReader(lines, restval="")
    return Results("rows of advisor", tuple(Run({k: v for k, v in row.items() if k}) for row in rows))


def _of_yaml(text: str, path: Path) -> Results | None:
    try:
        found = parse_document(text, source=path.with_suffix(".yaml").name).data
    except InputError:
        if path.suffix.lower() in {".yaml", ".yml"}:
            raise
        return None
    return llmd_results(found) if is_llmd(found) else None
