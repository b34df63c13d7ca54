"""YAML and JSON documents read safely, with the line of every key kept for messages.

Why not `yaml.safe_load`: it forgets lines, keeps the last of duplicated keys in silence, reads `no` as false and
`1:30` as 90, and expands aliases without limit. Here plain values follow the YAML 1.2 core schema.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import yaml

from advisor.errors import InputError
from advisor.sealed import require_files

LIMIT_BYTES = 1_000_000
"""Largest document that is read; a workload is a few kB."""
_LIMIT_DEPTH = 24
_LIMIT_NODES = 20_000
_SUFFIXES = {".yaml", ".yml", ".json"}
_STARTER = "`advisor example large-llm > advisor.yaml` makes one to start from"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **{f"{sign}{word}": float(f"{sign}inf") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")},
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,40}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")

Location = tuple[str | int, ...]
"""Keys and list positions from the root of a document to a value."""


@dataclass(frozen=True, slots=True)
class Document:
    """What was read, and where each key of it stands."""

    source: str
    """What messages call it, such as `chat.yaml`."""
    data: Mapping[str, object]
    folder: Path | None = None
    """Where relative paths inside it start; None: the working directory."""
    lines: Mapping[Location, int] = field(default_factory=dict)
    """Line, counted from 1, of each location; empty for data that never was text."""

    def where(self, location: Location) -> str:
        """Return words for the place of `location`, or of the nearest key around it that has a line."""
        for end in range(len(location), -1, -1):
            if line := self.lines.get(location[:end]):
                return f"{self.source} line {line}"
        return self.source


def read_document(path: str | Path) -> Document:
    """Return the YAML or JSON document at `path`.

    Args:
        path: A file; `.json` is read as JSON, everything else as YAML.

    Raises:
        InputError: The file is missing, too large, not UTF-8, not YAML or JSON, or not a mapping.
    """
    path = Path(path)
    require_files(str(path))
    try:
        with path.open("rb") as file:
            raw = file.read(LIMIT_BYTES + 1)
    except FileNotFoundError:
        raise InputError.missing_file(path, [*_documents_beside(path), *packaged_names()]) from None
    except IsADirectoryError:
        raise InputError.unreadable_file(path, "it is a folder; name the file in it") from None
    except (OSError, ValueError) as error:
        raise InputError.unreadable_file(path, getattr(error, "strerror", None) or str(error)) from None
    if len(raw) > LIMIT_BYTES:
        raise InputError.too_large(path.name, limit_bytes=LIMIT_BYTES)
    return parse_document(_decoded(raw, path), source=path.name, folder=path.parent)


def bounded_bytes(path: Path, *, limit_bytes: int, instead: str) -> bytes:
    """Return what is in a file, which is not read beyond a limit.

    Args:
        path: The file.
        limit_bytes: Its largest size, in bytes.
        instead: What to do where it is larger.

    Raises:
        InputError: The file is missing, a folder, not readable or too large.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(limit_bytes + 1)
    except FileNotFoundError:
        raise InputError.missing_file(path) from None
    except IsADirectoryError:
        raise InputError.unreadable_file(path, "it is a folder; name the file in it") from None
    except (OSError, ValueError) as error:
        raise InputError.unreadable_file(path, getattr(error, "strerror", None) or str(error)) from None
    if len(raw) > limit_bytes:
        raise InputError(f"{path.name} is larger than {limit_bytes / 1e6:g} MB; {instead}")
    return raw


def parse_document(text: str, *, source: str, folder: Path | None = None) -> Document:
    r"""Return the document in `text`; `source` names it in messages and a name in `.json` makes it JSON.

    Raises:
        InputError: It is not YAML or JSON, repeats a key, carries tags, nests or repeats itself too far, or is
            not a mapping.

    Example:
        >>> parse_document("traffic:\n  requests_per_s: 24/s", source="chat.yaml").where(("traffic", "requests_per_s"))
        'chat.yaml line 2'
    """
    composer = _Composer(source)
    read = _json if source.endswith(".json") else _composed
    data = read(text, source, composer)
    if data is None:
        raise InputError(f"{source} is empty; {_STARTER}")
    if not isinstance(data, dict):
        raise InputError(
            f"{source} holds {_kind(data)}; expected keys with values, such as 'model: llama-3.1-8b'"
        )
    return Document(source=source, data=data, folder=folder, lines=composer.lines)


def packaged_text(name: str) -> str | None:
    """Return the example document that ships with the product under that name, or None."""
    if not re.fullmatch(r"[a-z-]{1,40}", name):
        return None
    file = _examples() / f"{name}.yaml"
    return file.read_text(encoding="utf-8") if file.is_file() else None


def packaged_names() -> list[str]:
    """Return the names of the example documents that ship with the product, in alphabetical order."""
    return sorted(file.name.removesuffix(".yaml") for file in _examples().iterdir())


def _examples() -> Traversable:
    return files("advisor") / "data" / "examples"


def _composed(text: str, source: str, composer: "_Composer") -> object:
    try:
        return composer.document(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InputError(f"{source}{place}: this is not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        reason = getattr(error, "reason", "it cannot be parsed")
        raise InputError(f"{source}: this is not YAML: {reason}") from None


def _json(text: str, source: str, composer: "_Composer") -> object:
    """Return the JSON value; reading it as YAML first gives the lines and refuses what is refused there."""
    problem: Exception | None = None
    try:
        composer.document(yaml.parse(text.replace("\t", " "), Loader=_LOADER))
    except yaml.YAMLError as error:
        problem = error
        composer.lines.clear()
    try:
        return json.loads(text) if text.strip() else None
    except json.JSONDecodeError as error:
        raise InputError(
            f"{source} line {error.lineno}, column {error.colno}: this is not JSON: {error.msg}"
        ) from problem
    except (RecursionError, ValueError):
        raise InputError(
            f"{source}: this JSON nests too deeply or holds a number with too many digits"
        ) from problem


class _Composer:
    """Turns the events of a YAML parser into plain values and notes the line of each."""

    def __init__(self, source: str) -> None:
        self.lines: dict[Location, int] = {}
        self._source = source
        self._anchors: dict[str, tuple[object, int]] = {}
        self._nodes = 0

    def document(self, events: Iterator[yaml.Event]) -> object:
        value: object = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._refusal(
                        event, "a second document starts here; put each into a file of its own"
                    )
                value = self._node(next(events), events, ())
        return value

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], location: Location) -> object:
        self.lines.setdefault(location, _line(event))
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(event)
        tag, anchor = getattr(event, "tag", None), getattr(event, "anchor", None)
        if tag is not None:
            raise self._refusal(event, f"the tag '{_short(tag)}' is not read; write plain values")
        if len(location) > _LIMIT_DEPTH:
            raise self._refusal(
                event, f"this nests more than {_LIMIT_DEPTH} levels deep; a workload needs four"
            )
        before = self._nodes
        self._count(event, 1)
        value = self._value(event, events, location)
        if anchor is not None:
            self._anchors[anchor] = (value, self._nodes - before)
        return value

    def _value(self, event: yaml.Event, events: Iterator[yaml.Event], location: Location) -> object:
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(events, location)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, location)
        if not isinstance(event, yaml.ScalarEvent):
            raise self._refusal(event, "a value is expected here")
        text = str(event.value)
        return _plain(text) if event.implicit[0] and not event.style else text

    def _mapping(self, events: Iterator[yaml.Event], location: Location) -> dict[str, object]:
        mapping: dict[str, object] = {}
        while not isinstance(key := next(events), yaml.MappingEndEvent):
            if not isinstance(key, yaml.ScalarEvent):
                raise self._refusal(key, "a key must be a plain name")
            inside = (*location, key.value)
            if key.value in mapping:
                raise self._refusal(
                    key, f"'{key.value}' is given twice, first on line {self.lines[inside]}; keep one"
                )
            self.lines[inside] = _line(key)
            mapping[key.value] = self._node(next(events), events, inside)
        return mapping

    def _sequence(self, events: Iterator[yaml.Event], location: Location) -> list[object]:
        values: list[object] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            values.append(self._node(event, events, (*location, len(values))))
        return values

    def _aliased(self, event: yaml.AliasEvent) -> object:
        if event.anchor not in self._anchors:
            raise self._refusal(event, f"'*{event.anchor}' refers to nothing before it")
        value, nodes = self._anchors[event.anchor]
        self._count(event, nodes)
        return value

    def _count(self, event: yaml.Event, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > _LIMIT_NODES:
            raise self._refusal(
                event, f"from here on there are more than {_LIMIT_NODES:,} values; expected a few hundred"
            )

    def _refusal(self, event: yaml.Event, problem: str) -> InputError:
        return InputError(f"{self._source} line {_line(event)}: {problem}")


def _plain(text: str) -> object:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _short(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _kind(value: object) -> str:
    if isinstance(value, list):
        return "a list"
    return "only text" if isinstance(value, str) else f"only the value {value}"


def _decoded(raw: bytes, path: Path) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError.unreadable_file(path, f"line {line} is not UTF-8 text; save it as UTF-8") from None


def _documents_beside(path: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in path.parent.iterdir() if entry.suffix in _SUFFIXES)
    except OSError:
        return []
