"""The HTTP API of Prometheus, or of what speaks it (Thanos, Mimir, VictoriaMetrics), on the standard library.

Answers are small here, so each is bounded in size and in time, and whatever a server does ends in one kind of error.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request

from advisor.errors import InputError
from advisor.observing.access import Access, address, opener
from advisor.observing.words import plain

LIMIT_BYTES = 16_000_000
"""Largest answer that is read; a week of hourly values is a few kB."""
_CHUNK_BYTES = 65_536
_LARGEST = 1e15
"""No time, count or rate is larger; NaN and infinite values are left out by it too."""
_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer: its labels, and its finite values with their times in s since 1970."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


class Prometheus:
    """A server that is asked questions in PromQL.

    Args:
        url: Such as `http://prometheus:9090`, with the path prefix where it has one.
        access: Token, password and authorities.
        timeout_s: Longest that one question may take, from the look-up of the name to the last byte.

    Raises:
        InputError: The address is no http or https address, or the token cannot be one.
    """

    def __init__(self, url: str, access: Access | None = None, *, timeout_s: float = 10.0) -> None:
        self.url, own = address(url)
        access = access or Access()
        if own and access.token is None and access.user is None:
            access = Access(user=own[0], password=own[1], ca_file=access.ca_file)
        self._headers = {"Accept": "application/json", "User-Agent": "inference-advisor", **access.headers()}
        self._timeout_s = timeout_s
        self._opener = opener(access.ca_file)

    def now_s(self) -> float:
        """Return the server's clock, in seconds since 1970; the first question, which shows that it answers."""
        data = self._asked("query", {"query": "time()"})
        try:
            return float(data["result"][1])
        except (TypeError, KeyError, IndexError, ValueError):
            raise self._unlike() from None

    def vector(self, query: str, *, at_s: float) -> tuple[Series, ...]:
        """Return the value of each series at a moment; empty where there is none.

        Raises:
            InputError: The server cannot be asked, refuses, or answers something else.
        """
        data = self._asked("query", {"query": query, "time": f"{at_s:.3f}"})
        return self._series(data, "vector", "value")

    def matrix(self, query: str, *, start_s: float, end_s: float, step_s: float) -> tuple[Series, ...]:
        """Return the values of each series at every step, both ends included.

        Raises:
            InputError: The server cannot be asked, refuses, or answers something else.
        """
        given = {"query": query, "start": f"{start_s:.3f}", "end": f"{end_s:.3f}", "step": f"{step_s:g}"}
        return self._series(self._asked("query_range", given), "matrix", "values")

    def values_of(self, label: str, *, match: str, start_s: float, end_s: float) -> tuple[str, ...]:
        """Return the values that a label had within a stretch of time, in alphabetical order.

        Args:
            label: `__name__` gives the names of metrics.
            match: A selector that the series must fit.
            start_s: Begin of the stretch, in seconds since 1970.
            end_s: Its end.
        """
        given = {"match[]": match, "start": f"{start_s:.3f}", "end": f"{end_s:.3f}"}
        data = self._asked(f"label/{label}/values", given)
        if not isinstance(data, list) or not all(isinstance(value, str) for value in data):
            raise self._unlike()
        return tuple(sorted(data))

    def _series(self, data: Any, kind: str, key: str) -> tuple[Series, ...]:
        try:
            if data["resultType"] != kind:
                raise self._unlike()
            return tuple(_one_series(row, key) for row in data["result"])
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise self._unlike() from None

    def _asked(self, path: str, given: Mapping[str, str]) -> Any:
        status, raw = self._fetched(f"{self.url}/api/v1/{path}?{urlencode(given)}")
        try:
            answer = json.loads(raw)
        except (ValueError, RecursionError):
            raise self._refusal(status, raw) from None
        if not isinstance(answer, dict) or answer.get("status") != "success" or "data" not in answer:
            raise self._refusal(status, raw, answer)
        return answer["data"]

    def _fetched(self, address: str) -> tuple[int, bytes]:
        """Return status and body of one request; the thread is what bounds its whole time, whatever hangs."""
        outcome: list[tuple[int, bytes] | InputError] = []
        deadline = time.monotonic() + self._timeout_s
        worker = threading.Thread(
            target=lambda: outcome.append(self._outcome(address, deadline)), daemon=True, name="prometheus"
        )
        worker.start()
        worker.join(self._timeout_s + 0.2)
        if not outcome:
            raise self._late()
        if isinstance(outcome[0], InputError):
            raise outcome[0]
        return outcome[0]

    def _outcome(self, address: str, deadline: float) -> tuple[int, bytes] | InputError:
        request = Request(address, headers=self._headers)  # noqa: S310 - the scheme is checked in _address
        try:
            with self._opener.open(request, timeout=self._timeout_s) as response:
                return int(response.status), self._body(response, deadline)
        except HTTPError as error:
            with error:
                try:
                    return error.code, self._body(error, deadline)
                except (OSError, HTTPException, ValueError, InputError):
                    return error.code, b""
        except InputError as error:
            return error
        except (OSError, HTTPException, ValueError) as error:
            return self._unreachable(error)

    def _body(self, response: Any, deadline: float) -> bytes:
        parts, size = [], 0
        while chunk := response.read1(_CHUNK_BYTES):
            parts.append(chunk)
            size += len(chunk)
            if size > LIMIT_BYTES:
                raise InputError(
                    f"{self.url} answered with more than {LIMIT_BYTES / 1e6:g} MB, and the rest was not read; "
                    "narrow it down with --selector or a shorter --window"
                )
            if time.monotonic() > deadline:
                raise self._late()
        stated = response.headers.get("Content-Length") or ""
        if stated.isascii() and stated.isdigit() and len(stated) < 18 and size < int(stated):
            raise InputError(f"{self.url} broke off in the middle of an answer; is it restarting?")
        return b"".join(parts)

    def _refusal(self, status: int, raw: bytes, answer: object = None) -> InputError:
        if status in {401, 403}:
            return InputError(
                f"{self.url} refuses to answer ({status}); give a token with --token-file or "
                "ADVISOR_PROMETHEUS_TOKEN, or --user with ADVISOR_PROMETHEUS_PASSWORD"
            )
        stated = answer.get("error") if isinstance(answer, dict) else None
        if stated:
            return InputError(f"{self.url} says ({status}): {plain(str(stated), _LONGEST_REASON)}")
        if status >= 400:
            start = plain(raw[:200].decode("utf-8", "replace"), 80)
            return InputError(f"{self.url} answered {status} instead of a result: {start or 'nothing'}")
        return self._unlike(raw)

    def _unlike(self, raw: bytes = b"") -> InputError:
        start = plain(raw[:200].decode("utf-8", "replace"), 60)
        shown = f" (it starts with {start!r})" if start else ""
        return InputError(
            f"{self.url} does not answer as Prometheus does{shown}; give the address of its HTTP API, "
            "such as http://prometheus:9090"
        )

    def _unreachable(self, error: Exception) -> InputError:
        reason: object = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, TimeoutError):
            return self._late()
        if isinstance(reason, ssl.SSLCertVerificationError):
            return InputError(
                f"{self.url} shows a certificate that is not trusted ({plain(reason.verify_message, 100)}); "
                "give the authority that signed it with --ca-file"
            )
        words = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        return InputError(f"cannot get an answer from {self.url}: {plain(words, _LONGEST_REASON)}")

    def _late(self) -> InputError:
        return InputError(
            f"{self.url} did not answer within {self._timeout_s:g} s; give it longer with --timeout, or ask for "
            "less with a shorter --window"
        )


def _one_series(row: Any, key: str) -> Series:
    labels = {str(name): str(value) for name, value in row["metric"].items()}
    rows: Sequence[Any] = [row[key]] if key == "value" else row[key]
    points = [(float(moment), float(value)) for moment, value in rows]
    return Series(labels, tuple(point for point in points if all(abs(number) < _LARGEST for number in point)))
