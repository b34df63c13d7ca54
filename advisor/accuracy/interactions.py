"""What happens to quality when treatments meet: declared rules, and the combination of loss distributions.

Rules live in `advisor/data/interactions.yaml` with their evidence; nothing here knows a strategy by name. A pair
without a rule is *unknown*: it is widened and listed.
"""

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np

from advisor.accuracy.distribution import (
    NORMAL_QUANTILES,
    PROBABILITIES,
    LossDistribution,
    Vector,
    permutation,
)
from advisor.accuracy.treatments import TREATMENTS
from advisor.errors import InputError

FORMS = ("sum", "factor", "repair", "exclude")


@dataclass(frozen=True, slots=True)
class Rule:
    """How two treatments, or two groups of them, interact.

    Attributes:
        id: Name of the rule.
        between: Two treatment ids or groups; `*` is any.
        form: One of `FORMS`.
        low: Lower end of the factor (or of the absorbed share).
        high: Upper end.
        speed: Factor on the product of both speed-ups; 1 where physics or nothing says otherwise.
        families: Model families it holds for; empty for all.
        grade: `A` to `C`, `N` or `S` as explained in the file.
        evidence: Ids of records.
        note: In words.
    """

    id: str
    between: tuple[str, str]
    form: str
    low: float
    high: float
    speed: float
    families: tuple[str, ...]
    grade: str
    evidence: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Interactions:
    """All rules, with what holds where there is none.

    Attributes:
        rules: The rules; the most specific that fits wins.
        unknown_low: Lower end of the factor on the sum of a pair without a rule.
        unknown_high: Upper end of that factor.
        correlation: Rank correlation between the losses of two treatments on the same model.
    """

    rules: tuple[Rule, ...]
    unknown_low: float
    unknown_high: float
    correlation: float

    @staticmethod
    def load() -> "Interactions":
        """The rules shipped with the package."""
        return _embedded()

    def between(self, first: str, second: str, *, family: str = "") -> Rule | None:
        """The rule for two treatments, or None where nothing is published.

        Args:
            first: Treatment id.
            second: Treatment id.
            family: Model family; rules of other families are passed over.

        Returns:
            The most specific rule that fits: ids before groups before `*`, with family before without.

        Example:
            >>> Interactions.load().between("int8-w8a8", "unstructured-50", family="cnn").high
            1.4
            >>> Interactions.load().between("early-exit", "int8-w8a8") is None
            True
        """
        fits = [(score, rule) for rule in self.rules if (score := _specificity(rule, first, second, family))]
        return max(fits, key=lambda pair: (pair[0], pair[1].id))[1] if fits else None

    def speed_factor(self, treatments: Sequence[str], *, family: str = "") -> float:
        """Product of the declared speed interactions among treatments.

        Example:
            >>> Interactions.load().speed_factor(["int4-w4a16", "speculative-eagle"], family="decoder")
            0.81
        """
        rules = (self.between(a, b, family=family) for a, b in itertools.combinations(sorted(treatments), 2))
        return float(np.prod([rule.speed for rule in rules if rule is not None] or [1.0]))


@functools.cache
def _embedded() -> Interactions:
    import yaml  # noqa: PLC0415  - needed once, on first combination

    text = (resources.files("advisor") / "data" / "interactions.yaml").read_text(encoding="utf-8")
    return parse(yaml.safe_load(text))


def parse(document: Mapping[str, object]) -> Interactions:
    """Read rules from a parsed document in the shape of `interactions.yaml`.

    Raises:
        InputError: A rule has an unknown form or misses a field.
    """
    rows, unknown, correlation = document.get("rules"), document.get("unknown"), document.get("correlation")
    if not isinstance(rows, list) or not isinstance(unknown, Mapping) or not isinstance(correlation, Mapping):
        raise InputError("interactions: expected the keys 'rules' (a list), 'unknown' and 'correlation'.")
    return Interactions(
        tuple(_rule(row) for row in rows),
        float(unknown["low"]),
        float(unknown["high"]),
        float(correlation["value"]),
    )


def _rule(row: Mapping[str, object]) -> Rule:
    name = str(row.get("id", "?"))
    between, loss = row.get("between"), row.get("loss")
    if not isinstance(between, list) or len(between) != 2 or not isinstance(loss, Mapping):
        raise InputError(
            f"interactions, rule {name!r}: expected 'between' with two names and 'loss' with a form."
        )
    form = str(loss.get("form"))
    if form not in FORMS:
        raise InputError(
            f"interactions, rule {name!r}: form is {form!r}; expected one of {', '.join(FORMS)}."
        )
    return Rule(
        name, (str(between[0]), str(between[1])), form, float(loss.get("low", 1.0)), float(loss.get("high", 1.0)),
        float(str(row.get("speed", 1.0))), _strings(row.get("families")), str(row.get("grade", "N")),
        _strings(row.get("evidence")), str(row.get("note", "")).strip(),
    )  # fmt: skip


def _strings(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _specificity(rule: Rule, first: str, second: str, family: str) -> int:
    if rule.families and family not in rule.families:
        return 0
    one, two = rule.between
    straight = _match(one, first) * _match(two, second)
    crossed = _match(one, second) * _match(two, first)
    best = max(straight, crossed)
    return best * 2 + bool(rule.families) if best else 0


def _match(pattern: str, treatment: str) -> int:
    if pattern == treatment:
        return 5
    known = TREATMENTS.get(treatment)
    if known is not None and pattern == known.group:
        return 3
    return 1 if pattern == "*" else 0


def combine(
    distributions: Mapping[str, LossDistribution],
    interactions: Interactions | None = None,
    *,
    family: str = "",
) -> LossDistribution:
    """Combine the losses of several treatments on one model.

    Losses add; declared interactions change the sum of a pair; a pair without published evidence is widened and listed. Samples
    of different treatments are matched by a fixed shuffle seeded by the treatment's id, with a common rank correlation, so the
    result does not depend on the order and is bit-identical for equal inputs.

    Args:
        distributions: Loss distribution by treatment id.
        interactions: Rules; the shipped ones by default.
        family: Model family, for rules that hold for one family only.

    Returns:
        The distribution of the total loss.

    Raises:
        InputError: Two treatments exclude each other.

    Example:
        >>> from advisor.accuracy.distribution import from_quantiles
        >>> alone = {"fp8-w8a8": from_quantiles([0, 1], [0.0, 0.02]), "kv-fp8": from_quantiles([0, 1], [0.0, 0.04])}
        >>> round(combine(alone).expected_ratio, 4)
        0.03
    """
    rules = Interactions.load() if interactions is None else interactions
    names = sorted(distributions)
    if not names:
        return LossDistribution(np.zeros_like(PROBABILITIES), (), "lossless")
    if len(names) == 1:
        return distributions[names[0]]
    drawn = {name: distributions[name].samples[_ranks(name, rules.correlation)] for name in names}
    total = np.sum([drawn[name] for name in names], axis=0)
    unknown: list[tuple[str, str]] = []
    for first, second in itertools.combinations(names, 2):
        extra, is_unknown = _extra(rules, first, second, drawn, family)
        total = total + extra
        if is_unknown:
            unknown.append((first, second))
    return _summary(distributions, names, np.sort(np.clip(total, 0.0, 1.0)), unknown)


def _extra(
    rules: Interactions, first: str, second: str, drawn: Mapping[str, Vector], family: str
) -> tuple[Vector | float, bool]:
    a, b = drawn[first], drawn[second]
    if not a.any() or not b.any():
        return 0.0, False
    rule = rules.between(first, second, family=family)
    if rule is None:
        return (_spread(first, second, rules.unknown_low, rules.unknown_high) - 1) * (a + b), True
    if rule.form == "exclude":
        raise InputError(
            f"treatments {first!r} and {second!r} cannot be combined: {rule.note} Choose one of them."
        )
    if rule.form == "repair":
        return (_spread(first, second, rule.low, rule.high) - 1) * np.minimum(a, b), False
    if rule.form == "factor":
        return (_spread(first, second, rule.low, rule.high) - 1) * (a + b), False
    return 0.0, False


@functools.lru_cache(maxsize=4096)
def _spread(first: str, second: str, low: float, high: float) -> Vector:
    spread: Vector = low + (high - low) * PROBABILITIES[permutation(f"{first}|{second}")]
    return spread


@functools.lru_cache(maxsize=1024)
def _ranks(name: str, correlation: float) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    own = NORMAL_QUANTILES[permutation(name)]
    score = np.sqrt(correlation) * NORMAL_QUANTILES + np.sqrt(1 - correlation) * own
    return np.argsort(np.argsort(score, kind="stable"), kind="stable")


def _summary(
    distributions: Mapping[str, LossDistribution],
    names: Sequence[str],
    samples: Vector,
    unknown: Sequence[tuple[str, str]],
) -> LossDistribution:
    parts = [distributions[name] for name in names]
    means = {name: distributions[name].expected_ratio for name in names}
    whole = sum(means.values()) or 1.0
    bases = {part.basis for part in parts if part.basis != "lossless"}
    basis = next((name for name in ("assumed", "fitted", "measured") if name in bases), "lossless")
    return LossDistribution(
        samples,
        tuple(names),
        basis,
        tuple(dict.fromkeys(itertools.chain.from_iterable(part.evidence for part in parts))),
        tuple(unknown),
        tuple(dict.fromkeys(itertools.chain.from_iterable(part.notes for part in parts))),
        {name: mean / whole for name, mean in means.items()},
    )
