"""A user's own workload document with observed values put in, and everything else as it was."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from advisor.documents import Document, parse_document
from advisor.errors import InputError
from advisor.observing.fields import Fields, flow, rendered
from advisor.observing.words import plain

_LONGEST_VALUE = 60


@dataclass(frozen=True, slots=True)
class Update:
    """The new text, and what became of the old one.

    Attributes:
        text: The whole document.
        changes: A line for each key that changed.
        keeps_comments: Whether the user's comments and layout are still there.
    """

    text: str
    changes: tuple[str, ...]
    keeps_comments: bool


def updated_text(text: str, document: Document, fields: Fields) -> Update:
    r"""Return a document with other values at some keys.

    Lines of other keys, and all comments on lines of their own, stay; where the layout does not allow that, the
    document is written anew with the same content.

    Args:
        text: The document as it is.
        document: The same, read.
        fields: New values by section and key; a key of `serving` only where the document has that section.

    Raises:
        InputError: The document holds several services.

    Example:
        >>> old = "model: llama-3.1-8b  # ours\ntraffic:\n  requests_per_s: 3  # a guess\n"
        >>> new = updated_text(old, parse_document(old, source="a.yaml"), {("traffic", "requests_per_s"): 4.5})
        >>> print(new.text)
        model: llama-3.1-8b  # ours
        traffic:
          requests_per_s: 4.5
        >>> new.changes
        ('traffic.requests_per_s: 3 -> 4.5',)
    """
    if "services" in document.data:
        raise InputError(f"{document.source} holds several services; observe each into a document of its own")
    merged = {
        key: dict(value) if isinstance(value, Mapping) else value for key, value in document.data.items()
    }
    changes, changed = [], {}
    for (section, key), value in fields.items():
        if section == "serving" and section not in merged:
            continue
        inner = merged[section] = {} if merged.get(section) is None else merged[section]
        if not isinstance(inner, dict) or inner.get(key) == value:
            continue
        changes.append(
            f"{section}.{key}: {_short(inner[key]) if key in inner else 'nothing'} -> {_short(value)}"
        )
        inner[key] = value
        changed[section, key] = value
    if document.source.endswith(".json"):
        return Update(f"{json.dumps(merged, indent=2, ensure_ascii=False)}\n", tuple(changes), True)
    edited = _edited(text, document, changed)
    if edited is not None and _says(edited, document.source, merged):
        return Update(edited, tuple(changes), True)
    anew = yaml.safe_dump(merged, sort_keys=False, default_flow_style=None, width=100, allow_unicode=True)
    return Update(str(anew), tuple(changes), False)


def _edited(text: str, document: Document, changed: Fields) -> str | None:
    """Return the text with only the lines of changed keys replaced; None where they do not stand on their own."""
    lines = text.splitlines()
    # From the bottom up: lines above keep their numbers.
    for (section, key), value in sorted(changed.items(), key=lambda item: -_line(document, *item[0])):
        at = document.lines.get((section, key))
        head = document.lines.get((section,))
        if at is not None:
            if not _replace(lines, at - 1, key, value):
                return None
        elif head is not None:
            if not _insert(lines, head - 1, section, key, value):
                return None
        elif f"{section}:" in lines:  # appended for another key of the same section
            _insert(lines, lines.index(f"{section}:"), section, key, value)
        else:
            lines += ["", f"{section}:", *rendered(key, value, "  ")]
    return "\n".join(lines) + "\n"


def _line(document: Document, section: str, key: str) -> int:
    return document.lines.get((section, key)) or document.lines.get((section,), 0)


def _replace(lines: list[str], at: int, key: str, value: object) -> bool:
    match = re.match(rf"(\s+){re.escape(key)}\s*:", lines[at])
    if match is None:
        return False
    indent, end = match[1], at + 1
    while end < len(lines) and (_is_aside(lines[end]) or _indent(lines[end]) > len(indent)):
        end += 1
    while _is_aside(lines[end - 1]) and end - 1 > at:
        end -= 1
    lines[at:end] = rendered(key, value, indent)
    return True


def _insert(lines: list[str], at: int, section: str, key: str, value: object) -> bool:
    if not re.fullmatch(rf"{re.escape(section)}\s*:\s*(#.*)?", lines[at]):
        return False
    inside = next((line for line in lines[at + 1 :] if not _is_aside(line)), "")
    indent = inside[: _indent(inside)] or "  "
    lines[at + 1 : at + 1] = rendered(key, value, indent)
    return True


def _is_aside(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _says(text: str, source: str, expected: Mapping[str, object]) -> bool:
    try:
        return parse_document(text, source=source).data == expected
    except InputError:
        return False


def _short(value: object) -> str:
    if isinstance(value, list) and len(value) > 3:
        return f"{len(value)} values from {flow(min(value, key=_number))} to {flow(max(value, key=_number))}"
    return plain(flow(value), _LONGEST_VALUE)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
