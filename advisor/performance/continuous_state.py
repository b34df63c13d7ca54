"""Where a replica with continuous batching settles under a load: sequences in flight, length of a step, burstiness."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from advisor.performance.queueing import Array, Values, normal_cdf, windowed_memory


@dataclasses.dataclass(frozen=True, slots=True)
class StepCurve:
    """Time of one decode step against sequences in flight: straight lines between a few evaluated batches."""

    batches: tuple[float, ...]
    """Batches at which the step was evaluated, ascending, at least two; beyond the ends the lines go on."""
    step_s: tuple[Values, ...]
    """Time of one step at each of the batches, in seconds: one value or an array over the candidates."""

    @classmethod
    def affine(cls, *, base_s: Values, per_sequence_s: Values) -> StepCurve:
        """Return the curve $a + c B$ of one straight line.

        Args:
            base_s: Time $a$ of a step beyond its sequences, in seconds.
            per_sequence_s: Time $c$ that each sequence in flight adds, in seconds.
        """
        return cls((0.0, 1.0), (base_s, base_s + per_sequence_s))

    def lines(self) -> list[tuple[Values, Values, float]]:
        """Return (intercept in seconds, slope in seconds a sequence, last batch) of each straight line."""
        found: list[tuple[Values, Values, float]] = []
        last = len(self.batches) - 2
        for index in range(last + 1):
            low, high = self.batches[index], self.batches[index + 1]
            slope = np.maximum((self.step_s[index + 1] - self.step_s[index]) / (high - low), 0.0)
            found.append((self.step_s[index] - slope * low, slope, np.inf if index == last else high))
        return found

    def at(self, batch: Values) -> Array:
        """Return the time of one step with `batch` sequences in flight, in seconds.

        Example:
            >>> round(float(StepCurve((1.0, 11.0), (0.010, 0.020)).at(6.0)), 6)
            0.015
        """
        lines = self.lines()
        step = np.asarray(lines[0][0] + lines[0][1] * batch)
        for (_, _, end), (base, slope, _) in itertools.pairwise(lines):
            step = np.where(np.asarray(batch) > end, base + slope * batch, step)
        return step


@dataclasses.dataclass(frozen=True, slots=True)
class ContinuousBatching:
    """One replica and its requests; every field is one value or an array with one entry for each candidate."""

    step: StepCurve
    prefill_s: Values
    """Time of the mean prompt in a step of its own, or what it adds to a step, in seconds."""
    output_tokens: Values
    """Mean tokens of an answer; at least 1."""
    max_sequences: Values = np.inf
    """Sequences in flight at most: the smaller of the engine's limit and what the key-value cache holds."""
    output_cv: Values = 0.0
    """Coefficient of variation of the answers' lengths (taken as lognormal), dimensionless."""
    prefill_cv: Values = 0.0
    """Coefficient of variation of the prompts' prefill times (taken as lognormal), dimensionless."""
    prefill_stall_s: Values | None = None
    """Time by which one mean prompt holds up the running sequences, in seconds; `prefill_s` when None."""
    first_token_s: Values = 0.0
    """Time before the scheduler sees a request: HTTP, tokenizer, in seconds."""
    prompts_per_step: Values = np.inf
    """Mean prompts that fit into one step's token budget; below 1, a prompt takes several steps."""


@dataclasses.dataclass(frozen=True, slots=True)
class Load:
    """Where the replica settles: means and fluctuation of steps and sequences in flight."""

    rate: Values
    arrival_cv: Values
    excess: Values  # squared arrival cv - 1
    stall_s: Values
    prefill_load: Array
    lifetime_dispersion: Values  # variance / mean of the arrivals during one request
    cycle_dispersion: Values  # and during the few steps that remember a prefill
    unlimited: Array  # others in flight if there were no limit
    in_flight: Array
    clumped_s: Values  # longer steps that follow a request's own prefill, spread over its answer
    step_s: Array
    slope_s: Values
    cycle_s: Array  # mean step with prefills
    full_cycle_s: Array  # the same with max_sequences in flight
    growth: Array
    dispersion: Values
    utilization: Array


def _length_overlap(output_cv: Values) -> Values:
    """Return E[min of two lengths] / E[length] of a lognormal: 1 for constant lengths, less for varied ones."""
    return 2.0 * normal_cdf(-np.sqrt(0.5 * np.log1p(np.square(output_cv))))


@dataclasses.dataclass(frozen=True, slots=True)
class _Burstiness:
    """How bursty the arrivals look during one request and during the few steps that remember a prefill."""

    excess: Values
    lifetime: Values
    cycle: Values
    dispersion: Values


def _burstiness(
    replica: ContinuousBatching, rate: Values, free: Values, seen: Array, arrival_cv: Values
) -> _Burstiness:
    """Return variance over mean - 1 of the arrivals in both windows, and that of the sequences in flight.

    Prefills stall decoding, so a burst raises the sequences in flight by $1 / (1 - r)$ more than its size.
    """
    excess = np.square(arrival_cv) - 1.0
    bursts = rate * replica.step.at(seen) / free
    lifetime = excess * windowed_memory(bursts * replica.output_tokens, arrival_cv=arrival_cv)
    overlap = _length_overlap(replica.output_cv)
    return _Burstiness(
        excess=excess,
        lifetime=lifetime,
        cycle=excess * windowed_memory(bursts / free, arrival_cv=arrival_cv),
        dispersion=np.maximum((1.0 + lifetime) * overlap / (free * free) + 1.0 - overlap, 0.0),
    )


def settle(replica: ContinuousBatching, rate: Values, arrival_cv: Values) -> Load:
    """Return where the replica settles at an arrival rate: the fixed point of sequences in flight and step time."""
    stall_s = replica.prefill_s if replica.prefill_stall_s is None else replica.prefill_stall_s
    prefill_load = np.minimum(rate * stall_s, 0.999)
    free = 1.0 - prefill_load
    token_rate = rate * replica.output_tokens
    limit = np.maximum(replica.max_sequences, 1.0)
    seen = np.clip(_crossing(replica.step, 0.0, free, token_rate, 1.0)[2], 1.0, limit)
    bursts = _burstiness(replica, rate, free, seen, arrival_cv)
    clumped_s = stall_s * prefill_load * (1.0 + bursts.cycle)
    clumped_s = clumped_s / (replica.output_tokens * free * (1.0 + prefill_load))
    base, slope, unlimited = _crossing(replica.step, clumped_s, free, token_rate, bursts.dispersion)
    step_s = np.asarray(base + slope * np.clip(unlimited, 1.0, limit))
    most = np.minimum(replica.max_sequences, 1e6)
    full_s = replica.step.at(most)
    return Load(
        rate=rate,
        arrival_cv=arrival_cv,
        excess=bursts.excess,
        stall_s=stall_s,
        prefill_load=np.asarray(prefill_load),
        lifetime_dispersion=np.maximum(1.0 + bursts.lifetime, 0.0),
        cycle_dispersion=np.maximum(1.0 + bursts.cycle, 0.0),
        unlimited=np.maximum(unlimited - bursts.dispersion, 1e-9),
        in_flight=np.clip(unlimited - bursts.dispersion, 1e-9, limit),
        clumped_s=clumped_s / free,
        step_s=step_s,
        slope_s=slope,
        cycle_s=step_s / free,
        full_cycle_s=full_s / free,
        growth=np.maximum(step_s / np.maximum(base, 0.02 * step_s), 1.0),
        dispersion=bursts.dispersion,
        utilization=np.asarray(token_rate * full_s / most + rate * stall_s),
    )


def _crossing(
    step: StepCurve, extra_s: Values, free: Values, token_rate: Values, dispersion: Values
) -> tuple[Values, Values, Array]:
    """Return the line on which sequences in flight = token rate x step, and the sequences a request sees there."""
    lines = [(base + extra_s, slope, end) for base, slope, end in step.lines()]
    chosen_base, chosen_slope, chosen = _crossing_on_line(lines[-1], free, token_rate, dispersion)
    for line in reversed(lines[:-1]):
        base, slope, found = _crossing_on_line(line, free, token_rate, dispersion)
        inside = found <= line[2]
        chosen = np.where(inside, found, chosen)
        chosen_base = np.where(inside, base, chosen_base)
        chosen_slope = np.where(inside, slope, chosen_slope)
    return chosen_base, chosen_slope, chosen


def _crossing_on_line(
    line: tuple[Values, Values, float], free: Values, token_rate: Values, dispersion: Values
) -> tuple[Values, Values, Array]:
    base, slope, _ = line
    room = free - token_rate * slope
    seen = (token_rate * base + dispersion * free) / np.maximum(room, 1e-12)
    return base, slope, np.minimum(np.asarray(seen), 1e9)
