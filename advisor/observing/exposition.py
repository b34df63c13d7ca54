"""A dump of metrics in the text format of Prometheus, or in OpenMetrics, read strictly and within bounds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from advisor.documents import bounded_bytes
from advisor.errors import InputError
from advisor.observing.selectors import unescaped
from advisor.observing.words import plain

LIMIT_BYTES = 32_000_000
"""Largest dump that is read; an engine's is some 100 kB."""
_LONGEST_LINE = 20_000
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:.]*")
_LABEL = re.compile(r'\s*(?:([a-zA-Z_][a-zA-Z0-9_.]*)\s*=\s*)?"((?:[^"\\]|\\.)*)"\s*(,|(?=\}))')
_LABEL_NAME_QUOTED = re.compile(r'\s*"((?:[^"\\]|\\.)*)"\s*=\s*"((?:[^"\\]|\\.)*)"\s*(,|(?=\}))')
_NUMBER = (
    r"[-+]?(?:[0-9]+\.?[0-9]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?|[Ii]nf(?:inity)?|[Nn]a[Nn])"
)
_VALUE = re.compile(rf"\s*({_NUMBER})(?:\s+([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?))?\s*(?:#.*)?")


@dataclass(frozen=True, slots=True)
class Sample:
    """One line: a name, labels and a value, which may be NaN or infinite."""

    name: str
    labels: Mapping[str, str]
    value: float


def read_dump(path: Path) -> tuple[Sample, ...]:
    """Return the samples in a file.

    Raises:
        InputError: It is missing, too large, not text, or a line is not in the format.
    """
    raw = bounded_bytes(path, limit_bytes=LIMIT_BYTES, instead="an engine's metrics are some 100 kB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError.unreadable_file(path, "it is not UTF-8 text; save what /metrics answers") from None
    return tuple(parse_dump(text, source=path.name))


def parse_dump(text: str, *, source: str) -> Iterator[Sample]:
    r"""Yield the samples in a text; `source` names it in messages.

    Raises:
        InputError: A line is not in the format.

    Example:
        >>> list(parse_dump('x_total{a="b"} 3\n', source="dump"))
        [Sample(name='x_total', labels={'a': 'b'}, value=3.0)]
    """
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if line == "# EOF":
            return
        if not line or line.startswith("#"):
            continue
        sample = _sample(line) if len(line) <= _LONGEST_LINE else None
        if sample is None:
            raise InputError(
                f"{source} line {number}: got {plain(line, 60)!r}; expected a metric as /metrics writes it, "
                'such as vllm:num_requests_running{model_name="x"} 3'
            )
        yield sample


def _sample(line: str) -> Sample | None:
    match = _NAME.match(line)
    name, end = (match[0], match.end()) if match else ("", 0)
    labels: dict[str, str] = {}
    rest = line[end:].lstrip()
    if rest.startswith("{"):
        read = _labels(rest)
        if read is None:
            return None
        labels, rest = read
        name = labels.pop("__name__", name)
    value = _VALUE.fullmatch(rest)
    if not name or value is None:
        return None
    return Sample(name, labels, float(value[1]))


def _labels(text: str) -> tuple[dict[str, str], str] | None:
    """Return the labels in braces, and what follows them; a quoted text alone is the name of the metric."""
    labels: dict[str, str] = {}
    at = 1
    while not text[at:].lstrip().startswith("}"):
        match = _LABEL_NAME_QUOTED.match(text, at) or _LABEL.match(text, at)
        if match is None:
            return None
        key = match[1] if match[1] is not None else "__name__"
        if key in labels:
            return None
        labels[unescaped(key)] = unescaped(match[2])
        at = match.end()
    return labels, text[text.index("}", at) + 1 :]
