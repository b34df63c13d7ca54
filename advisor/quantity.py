"""How a quantity is read: a number, perhaps a scale such as k, and a unit; anything else is refused in words.

Why: a number without a unit is the commonest wrong input, so a bare number is refused unless it is unambiguous.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from numbers import Real

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from advisor.errors import InputError, suggestion

_TEXT = re.compile(
    r"(?P<number>[+-]?(?:\d{1,3}(?:,\d{3})+|\d[\d_]*|(?=\.\d))(?:\.\d+)?(?:[eE][+-]?\d+)?)(?P<unit>.*)"
)
_LONGEST_TEXT = 60
_NOT_FINITE = {"nan", ".nan", "inf", "+inf", "-inf", ".inf", "-.inf", "infinity", "-infinity"}
_CURRENCY = re.compile(r"US\$|\$|\bUSD\b|(?<=[\dkKMB])USD\b|\bdollars?\b", re.IGNORECASE)
_SCALES = {"k": 1e3, "K": 1e3, "m": 1e6, "M": 1e6, "b": 1e9, "B": 1e9, "G": 1e9, "T": 1e12}


@dataclass(frozen=True, slots=True)
class InBaseUnit:
    """A bare number whose unit is known from the key it stood under."""

    value: object


@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """One kind of number with its units; as pydantic annotation it reads text into a float in the base unit."""

    what: str
    """Words for it with an article, such as `a duration`."""
    suffix: str
    """How a name in base units ends, such as `_s`."""
    factors: Mapping[str, float]
    """Base units for each unit as written, blanks removed."""
    hints: tuple[str, ...]
    """What to write instead of a bare number, with `{}` for the number."""
    examples: tuple[str, ...]
    bare_below: float = 0.0
    """Numbers without a unit are unambiguous below this; 0: never."""
    scaled: bool = False
    """Whether k, M and B may stand before the unit."""
    currency: bool = False
    """Whether the number must be in US dollars."""
    ignored: str = ""
    """A pattern of words that may be left out, such as `requests`."""

    def read(self, value: object) -> float:
        """Return `value` in the base unit.

        Args:
            value: A text with unit; or a number where one is unambiguous; or, for durations, a timedelta.

        Raises:
            InputError: It is not a finite quantity of 0 or more with a known unit.
        """
        if isinstance(value, timedelta) and self.suffix == "_s":
            return self._checked(value.total_seconds(), value)
        if isinstance(value, InBaseUnit):
            return self._checked(_number(value.value), value.value)
        if isinstance(value, str):
            return self._checked(self._parsed(value), value)
        if isinstance(value, Real) and not isinstance(value, bool):
            return self._checked(self._bare(float(value), value), value)
        raise self._refusal(value)

    @property
    def expected(self) -> str:
        """What would have been right, in words with examples."""
        return f"expected {self.what} of 0 or more, such as {' or '.join(repr(e) for e in self.examples)}"

    def _parsed(self, text: str) -> float:
        stripped = text.strip()
        if stripped.casefold() in _NOT_FINITE:
            return math.nan
        amount, currencies = _CURRENCY.subn("", stripped) if self.currency else (stripped, 0)
        match = _TEXT.fullmatch(amount.strip().replace("−", "-"))
        if match is None or currencies > 1 or len(stripped) > _LONGEST_TEXT:
            raise self._refusal(text)
        number = match["number"].replace(",", "").replace("_", "")
        unit = "".join(re.sub(self.ignored, "", match["unit"]).split())
        if not unit and not currencies:
            return self._bare(float(number), text)
        if self.currency and not currencies:
            raise InputError(f"got {shown(text)} without a currency; {self.expected}")
        return _times(number, self._factor(unit, text))

    def _factor(self, unit: str, text: str) -> float:
        if unit in self.factors:
            return self.factors[unit]
        if self.scaled and unit[:1] in _SCALES and unit[1:] in self.factors:
            return _SCALES[unit[0]] * self.factors[unit[1:]]
        if unit in {"", *(_SCALES if self.scaled else ())}:
            raise InputError(f"got {shown(text)}, which does not say per what; {self.expected}")
        near = suggestion(unit, self.factors)
        expected = f"E{self.expected[1:]}" if near else self.expected
        raise InputError(f"got {shown(text)} with the unknown unit '{unit}'{near or ';'} {expected}")

    def _bare(self, number: float, given: object) -> float:
        if number < self.bare_below or not math.isfinite(number) or number < 0:
            return number
        hints = " or ".join(repr(hint.format(f"{number:.12g}")) for hint in self.hints)
        raise InputError(f"got {shown(given)} without a unit; say {hints}")

    def _checked(self, number: float, given: object) -> float:
        if not math.isfinite(number):
            raise InputError(f"got {shown(given)}, which is not a finite number; {self.expected}")
        if number < 0:
            raise self._refusal(given)
        return number + 0.0  # -0.0 becomes 0.0

    def _refusal(self, given: object) -> InputError:
        return InputError(f"got {shown(given)}; {self.expected}")

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        if handler.mode == "serialization":
            return handler(schema)
        return {"type": ["number", "string"], "examples": list(self.examples)}


def _times(number: str, factor: float) -> float:
    """Return the product, rounded once, so that 0.7% is exactly 0.007."""
    plain = float(number)
    if plain == 0 or not math.isfinite(plain):
        return plain
    return float(Fraction(number) * Fraction(factor).limit_denominator(10**9))


def _number(value: object) -> float:
    if isinstance(value, bool):
        return math.nan
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return math.nan


def shown(value: object) -> str:
    """Return a given value for a message: quoted if it is text, cut if it is long."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 3]}..."
