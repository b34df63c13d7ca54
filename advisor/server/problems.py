"""Answers, and those that say what was wrong with a request, as RFC 9457 writes them."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from advisor.server.bodies import Problem

PROBLEM_JSON = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the client."""

    status: int
    content: bytes
    media_type: str = "application/json"


def problem(status: int, detail: str) -> Answer:
    """Return the answer to a request that cannot be met.

    Example:
        >>> problem(415, "send JSON").content
        b'{"type":"about:blank","title":"Unsupported Media Type","status":415,"detail":"send JSON"}'
    """
    found = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return Answer(status, found.model_dump_json().encode(), PROBLEM_JSON)
