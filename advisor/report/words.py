"""Numbers and names as a reader wants them: short, with their unit, and safe to print anywhere."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from advisor.units import format_seconds, format_usd

NOT_KNOWN = "–"
_PERCENT = re.compile(r"(?<=\d) %")
_MONTH_DAYS = 30.4
_SMALLEST_SHARE = 5e-5
_SMALLEST_UNIT_COST_USD = 0.01
_LATENCIES = {
    "ttft": "Time to first token",
    "tpot": "Time per output token",
    "latency": "Whole request",
    "e2e": "Whole request",
}
_REQUIREMENTS = {
    "max_accuracy_loss": "Accuracy loss",
    "accuracy loss": "Accuracy loss",
    "cost": "Budget a month",
    "cost budget": "Budget a month",
    "one-time": "One-time budget",
    "one-time budget": "One-time budget",
    "carbon": "Carbon a month",
    "memory": "Memory a replica",
}
_BETTER = {
    "cost": "cheaper",
    "accuracy": "more accurate",
    "latency": "faster",
    "carbon": "lower in carbon",
}


def clean(text: str) -> str:
    r"""Return text from outside without control, bidirectional or other invisible characters.

    Example:
        >>> clean("chat\x1b[31m\u202e v2")
        'chat [31m  v2'
    """
    return "".join(" " if unicodedata.category(sign)[0] == "C" else sign for sign in text)


def pasted(text: str) -> str:
    """Return a text to paste, line by line as it was."""
    return "\n".join(clean(line) for line in text.splitlines())


def plainly(text: str) -> str:
    """Return a sentence in the way in which a report writes numbers.

    Example:
        >>> plainly("8 x H100 at 10 % more")
        '8 × H100 at 10% more'
    """
    return _PERCENT.sub("%", crossed(text))


def sentence(text: str) -> str:
    """Return text as the beginning of a sentence.

    Example:
        >>> sentence("every limit holds with 54 % probability")
        'Every limit holds with 54% probability'
    """
    text = plainly(text)
    return text[:1].upper() + text[1:]


def monthly(usd: float) -> str:
    """Return US dollars per month.

    Example:
        >>> monthly(52341.2)
        '$52,341/month'
    """
    return f"{format_usd(usd)}/month"


def hourly(usd: float) -> str:
    """Return US dollars per hour.

    Example:
        >>> hourly(98.32)
        '$98.32/h'
    """
    return f"{format_usd(usd)}/h"


def duration(seconds: float | None) -> str:
    """Return a time, or a dash where there is none.

    Example:
        >>> duration(0.0412), duration(None)
        ('41.2 ms', '–')
    """
    return NOT_KNOWN if seconds is None else format_seconds(seconds)


def share(ratio: float) -> str:
    """Return a share in percent, to two digits or whole percents.

    Example:
        >>> [share(x) for x in (0.632, 0.0412, 0.00061, 1e-9, 0.0, -0.05, 0.0999, 12.5)]
        ['63%', '4.1%', '0.06%', 'under 0.01%', '0%', '-5%', '10%', '1,250%']
    """
    percent = abs(100.0 * ratio)
    if percent and percent < 100.0 * _SMALLEST_SHARE:
        return "under 0.01%"
    decimals = 0 if percent >= 9.95 else 1 if percent >= 0.95 else 2
    text = f"{percent:,.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{'-' if ratio < 0 else ''}{text}%"


def gap(ratio: float) -> str:
    """Return how far a proven bound is away; below a billionth it is rounding.

    Example:
        >>> gap(1.2e-12), gap(0.0267)
        ('0%', '2.7%')
    """
    return share(0.0 if abs(ratio) < 1e-9 else ratio)


def change(before: float, after: float) -> str:
    """Return how much more or less `after` is than `before`.

    Example:
        >>> change(100.0, 37.0), change(100.0, 112.0), change(100.0, 100.0), change(0.0, 5.0)
        ('-63%', '+12%', 'unchanged', '–')
    """
    if not before:
        return "unchanged" if before == after else NOT_KNOWN
    ratio = after / before - 1.0
    if abs(ratio) < _SMALLEST_SHARE:
        return "unchanged"
    return f"{'+' if ratio > 0 else ''}{share(ratio)}"


def signed(usd: float) -> str:
    """Return a difference in US dollars with its sign, below a cent none.

    Example:
        >>> signed(1234.0), signed(-20.0), signed(0.002)
        ('+$1,234', '-$20.00', 'none')
    """
    return "none" if abs(usd) < 0.005 else f"{'+' if usd > 0 else ''}{format_usd(usd)}"


def readable_unit(unit: str, costs: Sequence[float]) -> tuple[float, str]:
    """Return by what to multiply unit costs, and the larger unit they are then of, so that none is a tiny fraction.

    Example:
        >>> readable_unit("thousand inferences", [0.000536, 0.0000641])
        (1000.0, 'million inferences')
        >>> readable_unit("million tokens", [1.25, 0.41])
        (1.0, 'million tokens')
    """
    factor, unit = 1.0, clean(unit)
    least = min((cost for cost in costs if cost > 0.0), default=1.0)
    for small, large in (("thousand", "million"), ("million", "billion")):
        if least * factor < _SMALLEST_UNIT_COST_USD and unit.startswith(f"{small} "):
            factor, unit = factor * 1000.0, unit.replace(small, large, 1)
    return factor, unit


def months(count: float) -> str:
    """Return a time to pay back in months, in days below two of them.

    Example:
        >>> months(2.34), months(0.5), months(1.0), months(0.01), months(30.0)
        ('2.3 months', '15 days', '30 days', '1 day', '30 months')
    """
    if count < 2.0:
        days = max(1, round(count * _MONTH_DAYS))
        return f"{days} day{'s' if days != 1 else ''}"
    return f"{count:.0f} months" if count >= 10 else f"{count:.1f} months"


def energy(kwh: float, *, beside_kwh: float = 0.0) -> str:
    """Return an amount of energy, in the unit that suits the larger of it and the one beside it.

    Example:
        >>> energy(12.34), energy(48210.0), energy(3470.0, beside_kwh=48210.0)
        ('12.3 kWh', '48.2 MWh', '3.47 MWh')
    """
    return f"{_three(kwh / 1e3)} MWh" if max(kwh, beside_kwh) >= 1e4 else f"{_three(kwh)} kWh"


def carbon(kg: float, *, beside_kg: float = 0.0) -> str:
    """Return a mass of carbon dioxide, in the unit that suits the larger of it and the one beside it.

    Example:
        >>> carbon(412.3), carbon(18240.0), carbon(412.3, beside_kg=18240.0)
        ('412 kg CO2e', '18.2 t CO2e', '0.41 t CO2e')
    """
    return f"{_three(kg / 1e3)} t CO2e" if max(kg, beside_kg) >= 1e3 else f"{_three(kg)} kg CO2e"


def rate(requests_per_s: float) -> str:
    """Return a rate of requests.

    Example:
        >>> rate(4.1), rate(1312.4)
        ('4.10 requests/s', '1,312 requests/s')
    """
    return f"{_three(requests_per_s)} requests/s"


def counted(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun.

    Example:
        >>> counted(1, "replica"), counted(3, "replica"), counted(1200, "candidate")
        ('1 replica', '3 replicas', '1,200 candidates')
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def machines(count: int, name: str) -> str:
    """Return a number of machines.

    Example:
        >>> machines(2, "p5.48xlarge")
        '2 × p5.48xlarge'
    """
    return f"{count:,} × {clean(name)}"


def crossed(text: str) -> str:
    """Return `8 x H100` with the sign for times.

    Example:
        >>> crossed("8 x H100")
        '8 × H100'
    """
    return clean(text).replace(" x ", " × ")


def latency_name(metric: str) -> str:
    """Return the name of a latency such as `ttft_p99`, or the name itself where it is another requirement.

    Example:
        >>> latency_name("ttft_p99"), latency_name("latency_mean"), latency_name("quota p5.48xlarge")
        ('Time to first token, p99', 'Whole request, mean', 'Quota p5.48xlarge')
    """
    kind, _, statistic = clean(metric).partition("_")
    if kind in _LATENCIES and statistic:
        return f"{_LATENCIES[kind]}, {statistic}"
    return capital(kind + (f" {statistic}" if statistic else ""))


def requirement_name(key: str) -> str:
    """Return the name of a requirement.

    Example:
        >>> requirement_name("max_accuracy_loss"), requirement_name("ttft_p99")
        ('Accuracy loss', 'Time to first token, p99')
    """
    return _REQUIREMENTS.get(key) or latency_name(key)


def better(objective: str) -> str:
    """Return in what a plan that beats another is better.

    Example:
        >>> better("cost"), better("beauty")
        ('cheaper', 'better')
    """
    return _BETTER.get(objective, "better")


def capital(text: str) -> str:
    """Return the text with a capital first letter and blanks for underscores.

    Example:
        >>> capital("adaptive_inference")
        'Adaptive inference'
    """
    spaced = clean(text).replace("_", " ")
    return spaced[:1].upper() + spaced[1:]


def uncapital(text: str) -> str:
    """Return the text for the middle of a sentence: a small first letter, unless it begins an abbreviation.

    Example:
        >>> uncapital("At most 64 sequences"), uncapital("FP8 weights"), uncapital("2 chips a replica")
        ('at most 64 sequences', 'FP8 weights', '2 chips a replica')
    """
    text = clean(text)
    return text[:1].lower() + text[1:] if text[1:2].islower() or text[1:2] == " " else text


def listed(parts: Sequence[str], *, most: int = 3) -> str:
    """Return the first few of the parts, and how many more there are.

    Example:
        >>> listed(["a", "b"]), listed(["a", "b", "c", "d", "e"])
        ('a and b', 'a, b, c and 2 more')
    """
    shown = [clean(part) for part in parts[:most]]
    rest = len(parts) - len(shown)
    if rest:
        shown.append(f"{rest:,} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else ""


def _three(number: float) -> str:
    """Return three significant digits."""
    decimals = 0 if number >= 99.5 else 1 if number >= 9.95 else 2
    return f"{number:,.{decimals}f}"
