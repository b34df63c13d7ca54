"""Label selectors such as `model_name="x", namespace=~"prod.*"`, read so that they can be sent and applied."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from advisor.errors import InputError
from advisor.observing.words import plain

_MATCHER = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\\n]|\\.)*)"\s*(?:,|$)')
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}
_LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label; a missing label counts as empty."""

    label: str
    operator: str
    value: str

    def __str__(self) -> str:
        return f"{self.label}{self.operator}{quoted(self.value)}"

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Return whether a series with these labels is meant."""
        found = labels.get(self.label, "")
        if self.operator in {"=", "!="}:
            return (found == self.value) == (self.operator == "=")
        return (re.fullmatch(self.value, found) is not None) == (self.operator == "=~")


def read_selector(text: str | None) -> tuple[Matcher, ...]:
    r"""Return the conditions of a selector, with or without its braces.

    Raises:
        InputError: It is none.

    Example:
        >>> [str(one) for one in read_selector('{model_name="x", job=~"a|b"}')]
        ['model_name="x"', 'job=~"a|b"']
    """
    rest = (text or "").strip()
    if rest.startswith("{") and rest.endswith("}"):
        rest = rest[1:-1].strip()
    found: list[Matcher] = []
    while rest:
        match = _MATCHER.match(rest)
        if match is None or len(rest) > _LONGEST:
            raise InputError(
                f"""--selector: got {plain(rest)!r}; expected label="value", such as 'model_name="x"'"""
            )
        found.append(_matcher(match[1], match[2], unescaped(match[3])))
        rest = rest[match.end() :]
    return tuple(found)


def _matcher(label: str, operator: str, value: str) -> Matcher:
    if label == "__name__":
        raise InputError("--selector: the names of metrics are chosen by advisor; select by labels")
    if operator in {"=~", "!~"}:
        try:
            re.compile(value)
        except (re.error, OverflowError, RecursionError) as error:
            raise InputError(f"--selector: {plain(value)!r} is not a regular expression: {error}") from None
    return Matcher(label, operator, value)


def quoted(text: str) -> str:
    r"""Return a text as a string of PromQL.

    Example:
        >>> print(quoted('say "x"'))
        "say \"x\""
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def unescaped(text: str) -> str:
    r"""Return a text without its backslashes.

    Example:
        >>> unescaped(r"say \"x\"")
        'say "x"'
    """
    if "\\" not in text:
        return text
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), text)
