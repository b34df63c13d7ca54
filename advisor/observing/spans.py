"""How far to look back, and in which steps, as people write it for Prometheus."""

from __future__ import annotations

import re
from dataclasses import dataclass

from advisor.errors import InputError
from advisor.observing.words import plain

MOST_STEPS = 11_000
"""Points that Prometheus returns for a series at most."""
_UNITS = {
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86_400.0,
    "w": 604_800.0,
    "y": 31_536_000.0,
}


@dataclass(frozen=True, slots=True)
class Span:
    """How far to look back, and in which steps, in seconds."""

    window_s: float = 604_800.0
    step_s: float = 3600.0

    @classmethod
    def read(cls, window: str, step: str) -> Span:
        """Return the span that two durations name, as Prometheus writes them.

        Raises:
            InputError: One is no duration, or they do not fit each other.

        Example:
            >>> Span.read("7d", "1h")
            Span(window_s=604800.0, step_s=3600.0)
        """
        span = cls(duration_s(window, "--window"), duration_s(step, "--step"))
        if span.step_s < 1 or span.window_s < span.step_s:
            raise InputError(
                f"--step: got '{step}' with a window of '{window}'; expected from 1s up to the window"
            )
        if span.steps > MOST_STEPS:
            raise InputError(
                f"--step: got '{step}', which makes {span.steps:,} steps of '{window}'; expected at most {MOST_STEPS:,}"
            )
        return span

    @property
    def steps(self) -> int:
        """Steps in the window."""
        return round(self.window_s // self.step_s)


def duration_s(text: str, flag: str) -> float:
    """Return a duration such as `7d`, `1h30m` or `10s`, in seconds; m is a minute, as in Prometheus.

    Raises:
        InputError: It is none, or is 0.
    """
    parts = re.findall(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|min|[smhdwy])", text.strip())
    if not parts or "".join(number + unit for number, unit in parts) != text.strip():
        raise InputError(f"{flag}: got {plain(text)!r}; expected a duration, such as 7d, 1h or 30s")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if not 0 < seconds <= 10 * _UNITS["y"]:
        raise InputError(f"{flag}: got {plain(text)!r}; expected more than 0 and at most ten years")
    return float(seconds)
