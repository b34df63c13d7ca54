"""The user's own measurement: what it says about the loss, whether it settles a claim, and how many samples would.

Formulas, with p1 and p2 the metric of baseline and variant on a scale of 0 to 1, n the number of samples, m the claimed
relative loss (0.01 for `<= 1 %`):

- relative loss `L = 1 - p2 / p1`; its variance by the delta method `(p2/p1)^2 (v1/p1^2 + v2/p2^2)` for separate runs, and
  `(b + c - (b - c)^2 / n) / n^2 / p1^2` for paired samples with b, c discordant pairs (McNemar).
- The claim is *kept* at confidence 1 - a if `L + z(1-a) se <= m`, *broken* if `L - z(1-a) se > m`, otherwise unresolved.
- Samples needed to settle a claim whose true loss is zero, at power 1 - b:
  `n = (z(1-a) + z(1-b))^2 k / (m p1)^2` with `k = 2 p1 (1 - p1)` unpaired and `k = discordant share` paired.

Source of the sample-size formula: textbook non-inferiority test of two proportions (e.g. Chow, Shao, Wang: Sample Size
Calculations in Clinical Research, 2008, sections 4.2 and 5.2).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from advisor.accuracy.distribution import PROBABILITIES, LossDistribution, from_normal
from advisor.errors import InputError

CONFIDENCE = 0.95
POWER = 0.80


@dataclass(frozen=True, slots=True)
class Measurement:
    """One metric of the baseline and of the variant, measured by the user.

    Attributes:
        metric: Name, e.g. `mmlu acc`.
        baseline: Value of the unchanged model: 0 to 1 for a proportion.
        optimized: Value of the variant on the same scale.
        samples: Number of samples behind each value; None if unknown.
        higher_is_better: Direction.
        task: Task class, empty if the measurement stands for all.
        standard_errors: Standard errors of both values, where the harness reports them.
        discordant: Pairs where only the baseline was right, and where only the variant was; None if unpaired.
        source: Where it comes from (files, or `stated`).
    """

    metric: str
    baseline: float
    optimized: float
    samples: int | None = None
    higher_is_better: bool = True
    task: str = ""
    standard_errors: tuple[float, float] | None = None
    discordant: tuple[int, int] | None = None
    source: str = "stated"

    def __post_init__(self) -> None:
        """Refuse values from which no relative loss follows."""
        if not (
            math.isfinite(self.baseline)
            and math.isfinite(self.optimized)
            and self.baseline > 0
            and self.optimized >= 0
        ):
            raise InputError(
                f"measurement {self.metric!r}: baseline {self.baseline} and optimized {self.optimized}; expected a baseline above 0 "
                "and an optimized value of at least 0."
            )
        if self.samples is not None and self.samples < 1:
            raise InputError(f"measurement {self.metric!r}: n is {self.samples}; expected at least 1 sample.")

    @staticmethod
    def parse(line: Mapping[str, object], where: str = "measurement") -> "Measurement":
        """Read a line `{metric, baseline, optimized, n}` of a YAML document.

        Values above 1 are read as percent. Optional keys: `task`, `higher_is_better`, `discordant` (a pair).

        Args:
            line: The mapping.
            where: Place to name in messages.

        Returns:
            The measurement.

        Raises:
            InputError: A key is missing, unknown, or no number.

        Example:
            >>> Measurement.parse({"metric": "acc", "baseline": 80, "optimized": 79.2, "n": 1000}).baseline
            0.8
        """
        known = {"metric", "baseline", "optimized", "n", "task", "higher_is_better", "discordant"}
        if unknown := sorted(set(map(str, line)) - known):
            raise InputError(
                f"{where}: unknown key {', '.join(map(repr, unknown))}. Known keys: {', '.join(sorted(known))}."
            )
        before, after = _number(line, "baseline", where), _number(line, "optimized", where)
        higher = bool(line.get("higher_is_better", True))
        scale = 100 if higher and max(before, after) > 1 else 1
        samples = line.get("n")
        return Measurement(
            str(line.get("metric", "metric")), before / scale, after / scale, None if samples is None else int(_number(line, "n", where)),
            higher, str(line.get("task", "")), None, _pair(line.get("discordant"), where),
        )  # fmt: skip

    @property
    def loss_ratio(self) -> float:
        """Relative loss, negative for a gain.

        Example:
            >>> round(Measurement("acc", 0.80, 0.79).loss_ratio, 4)
            0.0125
        """
        change = self.optimized / self.baseline
        return 1 - change if self.higher_is_better else change - 1

    @property
    def standard_error_ratio(self) -> float | None:
        """Standard error of the relative loss, None where neither samples nor standard errors are known.

        Example:
            >>> round(Measurement("acc", 0.8, 0.8, samples=1000).standard_error_ratio, 4)  # sqrt(2 x 0.2 / 0.8 / 1000)
            0.0224
        """
        if self.discordant is not None and self.samples:
            b, c = self.discordant
            return math.sqrt(max(b + c - (b - c) ** 2 / self.samples, 1.0)) / self.samples / self.baseline
        errors = self.standard_errors or self._binomial_errors()
        if errors is None:
            return None
        change = self.optimized / self.baseline
        return math.hypot(change * errors[0] / self.baseline, errors[1] / self.baseline)

    def _binomial_errors(self) -> tuple[float, float] | None:
        if self.samples is None or max(self.baseline, self.optimized) > 1:
            return None
        floor = 1 / (self.samples + 2)  # the rule of succession: a perfect score is not a certain one
        one, two = (min(max(p, floor), 1 - floor) for p in (self.baseline, self.optimized))
        return math.sqrt(one * (1 - one) / self.samples), math.sqrt(two * (1 - two) / self.samples)

    def loss(self, treatment: str = "", *, prior: LossDistribution | None = None) -> LossDistribution:
        """The loss distribution that the measurement supports.

        Args:
            treatment: Id of the treatment (or of the whole candidate) that was measured.
            prior: If given, the prior is updated by the measurement instead of replaced; useful while n is small.

        Returns:
            A distribution with basis `measured`.

        Raises:
            InputError: The measurement has neither a sample size nor standard errors.

        Example:
            >>> Measurement("acc", 0.80, 0.79, samples=20_000).loss().probability_at_most(0.03) > 0.99
            True
        """
        error = self.standard_error_ratio
        if error is None:
            raise InputError(
                f"measurement {self.metric!r}: give n, the number of samples; without it a loss of {self.loss_ratio:.2%} has no error bar."
            )
        if prior is None:
            return from_normal(self.loss_ratio, error, treatment=treatment)
        weights = np.exp(-0.5 * ((prior.samples - self.loss_ratio) / error) ** 2) + 1e-300
        levels = (np.cumsum(weights) - 0.5 * weights) / weights.sum()
        values = np.interp(PROBABILITIES, levels, prior.samples)
        return LossDistribution(values, (treatment,) if treatment else (), "measured", prior.evidence)


def _number(line: Mapping[str, object], key: str, where: str) -> float:
    given = line.get(key)
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise InputError(f"{where}: {key} is {given!r}; expected a number.")
    return float(given)


def _pair(given: object, where: str) -> tuple[int, int] | None:
    if given is None:
        return None
    if isinstance(given, list | tuple) and len(given) == 2:
        return int(given[0]), int(given[1])
    raise InputError(
        f"{where}: discordant is {given!r}; expected two counts: only the baseline right, only the variant right."
    )


@dataclass(frozen=True, slots=True)
class Resolution:
    """Whether a measurement settles a claim.

    Attributes:
        verdict: `kept`, `broken` or `unresolved`.
        limit_ratio: The claim: relative loss at most this.
        probability: Probability that the claim holds, from the measurement alone.
        samples: Samples measured.
        samples_needed: Samples of an unpaired test that would settle a true loss of zero.
        samples_needed_paired: The same when both models answer the same samples and answers are compared one by one.
        sentence: For the report.
    """

    verdict: str
    limit_ratio: float
    probability: float
    samples: int | None
    samples_needed: int
    samples_needed_paired: int
    sentence: str


def resolve(
    measurement: Measurement, *, limit_ratio: float, confidence: float = CONFIDENCE, power: float = POWER
) -> Resolution:
    """Test a claim `relative loss <= limit` for non-inferiority.

    Args:
        measurement: The user's measurement.
        limit_ratio: Claimed relative loss, above 0 (0.01 for 1 %).
        confidence: One-sided confidence of the verdict.
        power: Probability of settling the claim, for the sample sizes.

    Returns:
        The verdict with the sample sizes that would settle it.

    Raises:
        InputError: The limit is not above 0, or the measurement has no error bar.

    Example:
        >>> print(resolve(Measurement("acc", 0.80, 0.796, samples=250), limit_ratio=0.01).sentence)
        n = 250 cannot resolve a loss of 1 %: you need about 31,000 samples, or about 7,700 if both models answer the same samples and answers are compared one by one.
    """
    if limit_ratio <= 0:
        raise InputError(
            f"limit {limit_ratio} cannot be tested; expected a relative loss above 0, e.g. 0.01 for 1 %."
        )
    error = measurement.standard_error_ratio
    if error is None:
        raise InputError(
            f"measurement {measurement.metric!r}: give n, the number of samples, to test a claim with it."
        )
    normal = NormalDist()
    z = normal.inv_cdf(confidence)
    probability = (
        normal.cdf((limit_ratio - measurement.loss_ratio) / error)
        if error > 0
        else float(measurement.loss_ratio <= limit_ratio)
    )
    verdict = _verdict(measurement.loss_ratio, z * error, limit_ratio)
    plain = needed_samples(measurement.baseline, limit_ratio=limit_ratio, confidence=confidence, power=power)
    share = _discordant_share(measurement)
    paired = needed_samples(
        measurement.baseline,
        limit_ratio=limit_ratio,
        confidence=confidence,
        power=power,
        discordant_share=share,
    )
    sentence = _sentence(measurement, verdict, limit_ratio, z * error, plain, paired)
    return Resolution(verdict, limit_ratio, probability, measurement.samples, plain, paired, sentence)


def _verdict(loss_ratio: float, half_width: float, limit_ratio: float) -> str:
    if loss_ratio + half_width <= limit_ratio:
        return "kept"
    return "broken" if loss_ratio - half_width > limit_ratio else "unresolved"


DISCORDANT_SHARE = 0.08
"""Share of samples answered rightly by only one of the two models, assumed where nobody counted."""


def _discordant_share(measurement: Measurement) -> float:
    if measurement.discordant is None or not measurement.samples:
        return DISCORDANT_SHARE
    return max(sum(measurement.discordant), 1) / measurement.samples


def needed_samples(
    baseline: float,
    *,
    limit_ratio: float,
    confidence: float = CONFIDENCE,
    power: float = POWER,
    discordant_share: float | None = None,
) -> int:
    """Samples that settle a claimed relative loss when the true loss is zero.

    Args:
        baseline: Metric of the baseline, 0 to 1.
        limit_ratio: Claimed relative loss.
        confidence: One-sided confidence.
        power: Probability of settling it.
        discordant_share: Share of discordant pairs of a paired test; None for two separate runs.

    Returns:
        Number of samples (pairs, if paired), rounded up.

    Example:
        >>> needed_samples(0.8, limit_ratio=0.01)  # (1.6449 + 0.8416)^2 x 2 x 0.8 x 0.2 / 0.008^2
        30913
        >>> needed_samples(0.8, limit_ratio=0.01, discordant_share=0.05)
        4831
    """
    p = min(max(baseline, 0.02), 0.98)
    spread = 2 * p * (1 - p) if discordant_share is None else discordant_share
    normal = NormalDist()
    z = normal.inv_cdf(confidence) + normal.inv_cdf(power)
    return math.ceil(z**2 * spread / (limit_ratio * p) ** 2)


def _sentence(
    measurement: Measurement, verdict: str, limit: float, half_width: float, plain: int, paired: int
) -> str:
    n = "the sample" if measurement.samples is None else f"n = {measurement.samples:,}"
    low, high = measurement.loss_ratio - half_width, measurement.loss_ratio + half_width
    if verdict == "unresolved":
        return (
            f"{n} cannot resolve a loss of {100 * limit:.3g} %: you need about {_rounded(plain)} samples, "
            f"or about {_rounded(paired)} if both models answer the same samples and answers are compared one by one."
        )
    what = f"at most {100 * high:.2g} %" if verdict == "kept" else f"at least {100 * max(low, 0):.2g} %"
    return f"{n} settles it: the loss is {what}, the limit {100 * limit:.3g} % is {verdict}."


def _rounded(value: int) -> str:
    digits = max(len(str(value)) - 2, 0)
    return f"{round(value, -digits):,}"
