"""Text of an export: values with the reason beside them, as YAML, shell, HCL or protobuf text."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]+")
LONGEST_NAME = 53
"""Kubernetes allows 63 characters; what is derived from a name needs some of them."""


@dataclass(frozen=True, slots=True)
class Noted:
    """A value and why it is what it is."""

    value: Any
    why: str


def one_line(text: str) -> str:
    r"""Return a text without line breaks and control characters, so that it cannot leave its comment.

    Example:
        >>> one_line("a\nb")
        'a b'
    """
    return _CONTROL.sub(" ", text).strip()


def commented(lines: Sequence[str]) -> str:
    """Return lines as a comment."""
    return "".join(f"# {one_line(line)}".rstrip() + "\n" for line in lines)


def to_yaml(value: Any) -> str:
    """Return nested mappings and lists as YAML, each reason behind its line.

    Example:
        >>> print(to_yaml({"a": Noted(1, "why"), "b": [{"c": "8", "d": True}], "e": Noted({"f": []}, "because")}), end="")
        a: 1  # why
        b:
          - c: "8"
            d: true
        e:  # because
          f: []
    """
    return "".join(f"{line}\n" for line in _yaml(value))


def _yaml(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _entry(f"{_scalar(key)}:", inner)
    else:
        for inner in value:
            yield from _item(inner)


def _entry(head: str, value: Any) -> Iterator[str]:
    value, note = _bare(value)
    if isinstance(value, Mapping | list | tuple) and value:
        yield f"{head}{note}"
        yield from (f"  {line}" for line in _yaml(value))
    else:
        yield f"{head} {_scalar(value)}{note}"


def _item(value: Any) -> Iterator[str]:
    value, note = _bare(value)
    if not (isinstance(value, Mapping | list | tuple) and value):
        yield f"- {_scalar(value)}{note}"
        return
    if note:
        yield note.strip()
    for number, line in enumerate(_yaml(value)):
        yield f"{'  ' if number else '- '}{line}"


def _bare(value: Any) -> tuple[Any, str]:
    return (value.value, f"  # {one_line(value.why)}") if isinstance(value, Noted) else (value, "")


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        text = one_line(value) if _CONTROL.search(value) else value
        plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
        return text if plain else json.dumps(text, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, float):
        mantissa, exponent, power = json.dumps(value).partition("e")
        point = ".0" if exponent and "." not in mantissa else ""  # YAML 1.1 takes 1e-30 for text
        return f"{mantissa}{point}{exponent}{power}"
    return "[]" if isinstance(value, list | tuple) else json.dumps(value)


@dataclass(frozen=True, slots=True)
class Flag:
    """One launch argument with its value, if it has one, and why."""

    name: str
    value: str | None
    why: str


def to_script(command: str, flags: Sequence[Flag], head: Sequence[str]) -> str:
    """Return a POSIX script that starts an engine; further arguments are handed on after those of the plan.

    Args:
        command: Program, subcommand and `"$MODEL"`, as shell text.
        flags: Launch arguments.
        head: Lines of the comment at the top.
    """
    lines = []
    for flag in reversed(flags):
        value = "" if flag.value is None else f" {shlex.quote(one_line(flag.value))}"
        lines.append(f'set -- {flag.name}{value} "$@"  # {one_line(flag.why)}\n')
    needed = ': "${MODEL:?set MODEL to the checkpoint to serve}"'
    return f'#!/bin/sh\n{commented(head)}set -eu\n{needed}\n{"".join(lines)}exec {command} "$@"\n'


def slug(name: str) -> str:
    """Return a name that Kubernetes, Terraform and file systems take.

    Example:
        >>> slug("Chat (EU)"), slug("7b"), slug("???")
        ('chat-eu', 's-7b', 'service')
    """
    text = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:LONGEST_NAME].strip("-")
    return f"s-{text}" if text[:1].isdigit() else text or "service"


def slugs(names: Sequence[str]) -> tuple[str, ...]:
    """Return a slug for each name, no two alike.

    Example:
        >>> slugs(["a b", "a-b"])
        ('a-b', 'a-b-2')
    """
    found: list[str] = []
    for name in names:
        base, number, text = slug(name), 2, slug(name)
        while text in found:
            text = f"{base[: LONGEST_NAME - len(str(number)) - 1]}-{number}"
            number += 1
        found.append(text)
    return tuple(found)
