"""What might turn out differently, as a user says it: `traffic x2`, `prices h100 -30%`, another limit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BeforeValidator, Field, field_validator

from advisor.documents import Document
from advisor.errors import InputError
from advisor.inputs import Input, validated
from advisor.requirements import Requirements

ALL: Final = "*"
"""Stands for every machine."""
LIMITS: Final = (
    "max_accuracy_loss",
    "slices",
    "confidence",
    "latency",
    "min_throughput",
    "max_memory",
    "budget",
    "one_time_budget",
    "max_carbon",
    "quotas",
)
"""What of the requirements a scenario may change: limits, not what may be chosen."""
MOST: Final = 1000.0
_TIMES = re.compile(r"(?:[x×*]\s*(?P<after>[\d.]+)|(?P<before>[\d.]+)\s*[x×])")
_PERCENT = re.compile(r"(?P<percent>[+-]\s*[\d.]+)\s*%")


def factor(value: object) -> float:
    """Return what something is multiplied by: `x2`, `+30%`, `-30%` or the number itself.

    Raises:
        InputError: It is none of these, or not above 0 and at most 1000.

    Example:
        >>> factor("x2"), factor("-30%"), factor("+15%"), factor(1.5)
        (2.0, 0.7, 1.15, 1.5)
    """
    number = _number(value)
    if number is None or not isfinite(number) or not 0.0 < number <= MOST:
        raise InputError(
            f"got {str(value)[:40]!r}; expected how much more or less, such as x2, +30% or -30%, up to x{MOST:g}"
        )
    return number


def _number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    text = str(value).strip()
    times, percent = _TIMES.fullmatch(text), _PERCENT.fullmatch(text)
    try:
        if times:
            return float(times["after"] or times["before"])
        return round(1.0 + float(percent["percent"].replace(" ", "")) / 100.0, 12) if percent else None
    except ValueError:
        return None


Factor = Annotated[float, BeforeValidator(factor, json_schema_input_type=float | str)]


class Scenario(Input):
    """What turns out differently, all of it at once; what is not given stays as stated or predicted."""

    name: str = Field("", max_length=200)
    """Shown in the answer; made from the changes where not given."""
    traffic: Factor = 1.0
    """Arrival rate at all hours, such as x2 or +30%."""
    prices: dict[str, Factor] = Field(default_factory=dict)
    """Prices of machines by name, accelerator or pattern (`*` for all), such as {h100: -30%}."""
    losses: Factor = 1.0
    """Accuracy that every change to the model loses, such as x1.5."""
    speed: Factor = 1.0
    """Speed of every machine against the prediction, such as -20% where the calibration is optimistic."""
    limits: dict[str, Any] = Field(default_factory=dict)
    """Other limits, with the keys of the requirements, such as {max_accuracy_loss: 2%, latency: {ttft_p99: 500ms}}."""

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            name: str = "",
            traffic: float | str = 1.0,
            prices: Mapping[str, float | str] = ...,
            losses: float | str = 1.0,
            speed: float | str = 1.0,
            limits: Mapping[str, Any] = ...,
        ) -> None:
            """Say what is accepted; pydantic makes the real one."""

    @classmethod
    def load(cls, source: Scenario | Mapping[str, Any]) -> Scenario:
        """Return a scenario from a mapping with its keys.

        Raises:
            InputError: Anything in it is wrong.
        """
        if isinstance(source, Scenario):
            return source
        return validated(cls, Document("scenario", {str(key): value for key, value in source.items()}))

    @field_validator("limits")
    @classmethod
    def _are_limits(cls, given: dict[str, Any]) -> dict[str, Any]:
        unknown = [name for name in given if not name.startswith(LIMITS)]
        if unknown:
            raise InputError(
                f"limits: got '{unknown[0][:40]}'; a scenario changes limits ({', '.join(LIMITS)}), not what may be chosen"
            )
        Requirements.load(given)
        return given

    def changed(self, requirements: Requirements) -> Requirements:
        """Return requirements with the limits of the scenario over them; latencies and quotas one by one.

        Example:
            >>> asked = Requirements(max_accuracy_loss="1%", latency={"ttft_p99": "1s"})
            >>> Scenario(limits={"latency": {"tpot_p99": "50ms"}}).changed(asked).latency
            {'ttft_p99': 1.0, 'tpot_p99': 0.05}
        """
        if not self.limits:
            return requirements
        given = Requirements.load(self.limits)
        update = {name: getattr(given, name) for name in given.model_fields_set}
        for name in ("latency", "quotas", "slices"):
            if name in update:
                update[name] = {**getattr(requirements, name), **update[name]}
        return requirements.model_copy(update=update)

    def each(self) -> tuple[Scenario, ...]:
        """Return every change of the scenario alone; the scenario itself where there is only one.

        Example:
            >>> [one.name for one in Scenario(traffic="x2", prices={"h100": "-30%"}).each()]
            ['traffic ×2', 'h100 -30%']
        """
        alone: list[Scenario] = []
        if self.traffic != 1.0:
            alone.append(Scenario(traffic=self.traffic))
        alone += [Scenario(prices={pattern: ratio}) for pattern, ratio in self.prices.items()]
        if self.losses != 1.0:
            alone.append(Scenario(losses=self.losses))
        if self.speed != 1.0:
            alone.append(Scenario(speed=self.speed))
        alone += [Scenario(limits={name: limit}) for name, limit in _apart(self.limits)]
        if len(alone) < 2:
            return (self.named(),)
        return tuple(one.named() for one in alone)

    def named(self) -> Scenario:
        """Return the scenario with a name that says what changes, where it has none."""
        return self if self.name else self.model_copy(update={"name": self.text})

    @property
    def text(self) -> str:
        """What changes, in words.

        Example:
            >>> Scenario(traffic="x2", losses="+50%", limits={"max_accuracy_loss": "2%"}).text
            'traffic ×2, losses +50%, max accuracy loss 2%'
        """
        parts = [f"traffic {_times(self.traffic)}"] if self.traffic != 1.0 else []
        parts += [
            f"{'all prices' if pattern == ALL else pattern} {_times(ratio)}"
            for pattern, ratio in self.prices.items()
        ]
        parts += [
            f"{name} {_times(ratio)}"
            for name, ratio in (("losses", self.losses), ("speed", self.speed))
            if ratio != 1.0
        ]
        parts += [_limit(name, limit) for name, limit in _apart(self.limits)]
        return ", ".join(parts) or "as stated"


def _apart(limits: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return limits one by one, those of a mapping each with its own entry."""
    found: list[tuple[str, Any]] = []
    for name, limit in limits.items():
        if isinstance(limit, Mapping):
            found += [(name, {key: value}) for key, value in limit.items()]
        else:
            found.append((name, limit))
    return found


def _limit(name: str, limit: Any) -> str:
    if not isinstance(limit, Mapping):
        return f"{name.replace('_', ' ')} {limit}"
    titles = {"quotas": "quota of ", "slices": "accuracy loss on "}
    return ", ".join(f"{titles.get(name, '')}{key} {value}" for key, value in limit.items())


def _times(ratio: float) -> str:
    """Return a factor as people say it.

    Example:
        >>> _times(2.0), _times(0.7), _times(1.15), _times(0.1)
        ('×2', '-30%', '+15%', '-90%')
    """
    return f"×{ratio:g}" if ratio >= 2.0 else f"{100.0 * (ratio - 1.0):+.3g}%"
