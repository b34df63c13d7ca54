"""Every unit people write quantities in, as types for documents and as texts for people; inside is the base unit.

A type such as `Seconds` reads `300ms` and refuses a bare `300`; a document key that ends in its unit, such as
`max_queue_delay_s`, takes the bare number (see `advisor.inputs`).
"""

import math
import re
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from advisor.errors import InputError
from advisor.quantity import Quantity, shown

HOURS_PER_MONTH = 730.0
"""Hours in an average month: 365 x 24 / 12."""


def _rates(base: str) -> dict[str, float]:
    """Return the factor for each spelling of a rate per h, per month, ... in terms of one `base` period."""
    hours = {
        "s": 1 / 3600,
        "min": 1 / 60,
        "h": 1.0,
        "day": 24.0,
        "month": HOURS_PER_MONTH,
        "year": 12 * HOURS_PER_MONTH,
    }
    spellings = {
        "s": ("s", "sec", "second"),
        "min": ("min", "minute"),
        "h": ("h", "hr", "hour"),
        "day": ("d", "day"),
        "month": ("mo", "month"),
        "year": ("y", "yr", "year", "a"),
    }
    return {
        f"{per}{name}": hours[base] / hours[period]
        for period, names in spellings.items()
        for name in names
        for per in ("/", "per")
    }


_BINARY = {f"{p}i{b}": 1024.0**k for k, p in enumerate("KMGTP", 1) for b in ("B", "")}
_DECIMAL = {f"{p}B": 1000.0**k for k, p in enumerate("kMGTP", 1)} | {"KB": 1e3, "B": 1.0, "bytes": 1.0}
_BYTES = _BINARY | _DECIMAL

RATIO = Quantity("a share", "_ratio", {"%": 0.01, "percent": 0.01}, ("{}%",), ("1%", "0.01"), bare_below=1.0)
LOSS = Quantity("an accuracy loss", "_ratio", RATIO.factors, ("{}%",), ("1%", "1pp", "0.01"), bare_below=1.0)
POINTS = Quantity(
    "an accuracy loss",
    "_points",
    dict.fromkeys(("pp", "points", "point", "percentagepoints", "percentagepoint"), 1.0),
    ("{}pp",),
    ("1%", "1pp"),
)
DURATION = Quantity(
    "a duration",
    "_s",
    {
        "s": 1.0,
        "sec": 1.0,
        "seconds": 1.0,
        "second": 1.0,
        "ms": 1e-3,
        "us": 1e-6,
        "µs": 1e-6,
        "μs": 1e-6,
        "min": 60.0,
        "minutes": 60.0,
        "minute": 60.0,
        "h": 3600.0,
        "hours": 3600.0,
        "hour": 3600.0,
    },
    ("{}ms", "{}s"),
    ("300ms", "0.3 s"),
)
SIZE = Quantity(
    "a size in bytes",
    "_bytes",
    _BYTES | {unit.lower(): factor for unit, factor in _BYTES.items()},
    ("{}GiB", "{}GB"),
    ("16GiB", "80GB"),
)
MONEY = Quantity(
    "an amount of US dollars", "_usd", {"": 1.0}, ("${}",), ("$5k", "5000 USD"), scaled=True, currency=True
)
MONEY_PER_HOUR = Quantity(
    "US dollars per hour",
    "_usd_per_h",
    _rates("h"),
    ("${}/h",),
    ("$2.50/h", "2.50 USD/h"),
    scaled=True,
    currency=True,
)
MONEY_PER_MONTH = Quantity(
    "US dollars per month",
    "_usd_per_month",
    _rates("month"),
    ("${}/month",),
    ("$20k/month", "20000 USD/month"),
    scaled=True,
    currency=True,
)
MONEY_PER_KWH = Quantity(
    "US dollars per kWh",
    "_usd_per_kwh",
    {"/kWh": 1.0, "/kwh": 1.0, "/MWh": 1e-3},
    ("${}/kWh",),
    ("$0.12/kWh",),
    currency=True,
)
COUNT = Quantity(
    "a count",
    "",
    {"": 1.0, "bn": 1e9, "billion": 1e9, "million": 1e6, "thousand": 1e3},
    (),
    ("70.6B", "500M"),
    bare_below=math.inf,
    scaled=True,
)
RATE = Quantity(
    "a rate",
    "_requests_per_s",
    _rates("s") | {"rps": 1.0, "qps": 1.0, "rpm": 1 / 60},
    (),
    ("120/s", "7200/min"),
    bare_below=math.inf,
    scaled=True,
    ignored=r"\b(requests?|reqs?|items?|queries)\b",
)
TOKEN_RATE = Quantity(
    "tokens per time",
    "_tokens_per_s",
    _rates("s") | {"tps": 1.0},
    ("{} tokens/s",),
    ("5000 tokens/s", "5k tokens/s"),
    scaled=True,
    ignored=r"(\b|(?<=[kM]))(tokens?|tok)\b",
)
_BYTES_PER_MONTH = {
    f"{unit}{rate}": size * per
    for unit, size in SIZE.factors.items()
    for rate, per in _rates("month").items()
}
DATA_PER_MONTH = Quantity(
    "an amount of data per month",
    "_bytes_per_month",
    _BYTES_PER_MONTH,
    ("{}GB/month", "{}TB/month"),
    ("500GB/month", "2TB/month"),
)
CARBON_INTENSITY = Quantity(
    "grams of CO2e per kWh",
    "_g_per_kwh",
    {"g/kWh": 1.0, "g/kwh": 1.0, "kg/kWh": 1e3, "kg/MWh": 1.0},
    ("{} g/kWh",),
    ("380 g/kWh",),
    ignored=r"(?i)\s*CO2e?q?",
)
_KG = {
    f"{mass}{rate}": kg * per
    for mass, kg in {"g": 1e-3, "kg": 1.0, "t": 1e3}.items()
    for rate, per in _rates("month").items()
}
CARBON_PER_MONTH = Quantity(
    "CO2e per month",
    "_kg_per_month",
    _KG,
    ("{}kg/month", "{}t/month"),
    ("500kg/month", "2t/month"),
    ignored=r"(?i)\s*CO2e?q?",
)


Ratio = Annotated[float, RATIO]
Seconds = Annotated[float, DURATION]
Bytes = Annotated[float, SIZE]
BytesPerMonth = Annotated[float, DATA_PER_MONTH]
Usd = Annotated[float, MONEY]
UsdPerHour = Annotated[float, MONEY_PER_HOUR]
UsdPerMonth = Annotated[float, MONEY_PER_MONTH]
UsdPerKwh = Annotated[float, MONEY_PER_KWH]
Count = Annotated[float, COUNT]
RequestsPerSecond = Annotated[float, RATE]
TokensPerSecond = Annotated[float, TOKEN_RATE]
GramsPerKwh = Annotated[float, CARBON_INTENSITY]
KgPerMonth = Annotated[float, CARBON_PER_MONTH]


@dataclass(frozen=True, slots=True)
class AccuracyLimit:
    """The most accuracy that may be lost: a share of the metric (`1%`) or points of it (`1pp`); exactly one is set."""

    value_ratio: float | None = None
    """Share of the baseline's metric: 0.01 keeps 99 % of it."""
    value_points: float | None = None
    """Percentage points of the metric: 1.0 allows 75 % where the baseline has 76 %."""

    @classmethod
    def read(cls, value: object) -> Self:
        """Return the limit written as `1%`, `0.01` or `1pp`.

        Raises:
            InputError: It is none of these, or 100 % or more.

        Example:
            >>> AccuracyLimit.read("1pp")
            AccuracyLimit(value_ratio=None, value_points=1.0)
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, str) and re.search(r"\d\s*p(p|oint|ercentage)", value):
            return cls(value_points=_below_all(POINTS.read(value), 100.0, value))
        return cls(value_ratio=_below_all(LOSS.read(value), 1.0, value))

    def relative(self, baseline_ratio: float | None = None) -> float:
        """Return the limit as a share of the baseline's metric.

        Args:
            baseline_ratio: The baseline's metric between 0 and 1; needed for a limit in points.

        Raises:
            InputError: The limit is in points and the baseline's metric is not known.

        Example:
            >>> AccuracyLimit.read("1.9pp").relative(0.76)
            0.025
        """
        if self.value_ratio is not None:
            return self.value_ratio
        if not baseline_ratio:
            raise InputError(
                f"a limit in points ({self}) needs the baseline's metric; "
                "say accuracy.baseline in the workload, such as 76%, or give the limit as a share, such as 1%"
            )
        return round((self.value_points or 0.0) / 100 / baseline_ratio, 12)

    def __str__(self) -> str:
        return (
            format_ratio(self.value_ratio) if self.value_ratio is not None else f"{self.value_points:.12g}pp"
        )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.read, serialization=core_schema.plain_serializer_function_ser_schema(cls._dumped)
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": ["number", "string"], "examples": ["1%", "1pp", 0.01]}

    def _dumped(self) -> float | str:
        return self.value_ratio if self.value_ratio is not None else f"{self.value_points!r}pp"


def _below_all(number: float, whole: float, given: object) -> float:
    if number >= whole:
        raise InputError(
            f"got {shown(given)}, which allows losing everything; expected less than 100%, such as '1%'"
        )
    return number


def format_usd(usd: float) -> str:
    """Return US dollars as people write them, with cents where they matter.

    Example:
        >>> [format_usd(x) for x in (0.00123, 2.5, 1234.4, -20000.0)]
        ['$0.00123', '$2.50', '$1,234', '-$20,000']
    """
    sign, amount = ("-" if usd < 0 else ""), abs(usd)
    if amount >= 100:
        return f"{sign}${amount:,.0f}"
    return f"{sign}${amount:.2f}" if amount >= 0.995 or amount == 0 else f"{sign}${_digits(amount)}"


def format_seconds(seconds: float) -> str:
    """Return a duration with the unit people would use, to three digits.

    Example:
        >>> [format_seconds(x) for x in (0.00025, 0.3, 1.5, 120.0, 5400.0)]
        ['250 µs', '300 ms', '1.5 s', '2 min', '1.5 h']
    """
    if seconds < 0.001:
        return f"{_digits(1e6 * seconds)} µs" if seconds else "0 s"
    if seconds < 1:
        return f"{_digits(1e3 * seconds)} ms"
    steps = (("h", 3600.0), ("min", 60.0), ("s", 1.0))
    unit, size = next(step for step in steps if seconds >= step[1])
    return f"{_digits(seconds / size)} {unit}"


def format_ratio(ratio: float) -> str:
    """Return a share in percent, to three digits.

    Example:
        >>> [format_ratio(x) for x in (0.01, 0.1234, -0.5)]
        ['1%', '12.3%', '-50%']
    """
    return f"{_digits(100 * ratio)}%"


def format_probability(ratio: float) -> str:
    """Return a probability in whole percents, never claiming certainty that a sample cannot give.

    Example:
        >>> [format_probability(x) for x in (0.934, 0.999, 1.0, 0.001)]
        ['93%', 'over 99%', 'over 99%', 'under 1%']
    """
    if ratio > 0.99:
        return "over 99%"
    return "under 1%" if ratio < 0.01 else f"{100.0 * ratio:.0f}%"


def format_bytes(size_bytes: float) -> str:
    """Return a size in binary units, to three digits.

    Example:
        >>> [format_bytes(x) for x in (512.0, 16 * 2**30)]
        ['512 B', '16 GiB']
    """
    for unit, size in (("TiB", 2.0**40), ("GiB", 2.0**30), ("MiB", 2.0**20), ("KiB", 2.0**10)):
        if abs(size_bytes) >= size:
            return f"{_digits(size_bytes / size)} {unit}"
    return f"{_digits(size_bytes)} B"


def format_count(count: float) -> str:
    """Return a count with k, M, B or T, to three digits.

    Example:
        >>> [format_count(x) for x in (950.0, 11.7e6, 70.6e9)]
        ['950', '11.7M', '70.6B']
    """
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(count) >= size:
            return f"{_digits(count / size)}{unit}"
    return _digits(count)


def format_rate(requests_per_s: float) -> str:
    """Return a rate per second, to three digits.

    Example:
        >>> format_rate(120.0)
        '120/s'
    """
    return f"{format_count(requests_per_s)}/s"


def _digits(number: float) -> str:
    """Return three significant digits without an exponent or trailing zeros."""
    if number == 0 or not math.isfinite(number):
        return f"{number:g}"
    decimals = max(0, 2 - math.floor(math.log10(abs(number))))
    text = f"{number:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
