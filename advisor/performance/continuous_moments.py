"""Cumulants and waits of a request under continuous batching: from where the replica settles to how latency spreads."""

from __future__ import annotations

import numpy as np

from advisor.performance.continuous_state import ContinuousBatching, Load
from advisor.performance.latency_shapes import Moments
from advisor.performance.queueing import Array, Wait, delay_probability, point_memory


def step_wait(replica: ContinuousBatching, load: Load) -> Moments:
    r"""Return the cumulants of the rest of the running step and of the other prompts in a request's own step.

    With prefill load $r = \lambda P$, a step lasts $T = s / (1 - r)$ on average and its variance follows
    $Var T = \lambda T E[P^2] + r^2 Var T$. An arrival sees a length-biased step $L$, waits a uniform part of it and then
    its own step, which also prefills the others that arrived during $L$.
    """
    mean_s, stall_s, own_load = load.cycle_s, load.stall_s, load.prefill_load
    prompt_square = np.square(stall_s) * (1.0 + np.square(replica.prefill_cv))
    arriving = np.square(stall_s) * (load.cycle_dispersion + np.square(replica.prefill_cv))
    relative = load.rate * arriving / ((1.0 - own_load * own_load) * mean_s)
    biased_s = mean_s * (1.0 + relative)
    square, excess = np.minimum(np.square(load.arrival_cv), 1.0), np.maximum(load.excess, 0.0)
    steady = square / np.maximum(square + (1.0 - square) * (1.0 - own_load), 1e-9)
    regular = np.maximum(load.rate * mean_s - 1.0, 0.0)
    window = load.rate * (biased_s + 0.5 * stall_s)
    near = point_memory(0.5 * window, arrival_cv=load.arrival_cv)
    far = point_memory(1.5 * window, arrival_cv=load.arrival_cv)
    seen_s = (
        steady * biased_s
        + (1.0 - steady) * (load.step_s + regular * stall_s)
        + 0.5 * excess * (far - near) * stall_s
    )
    others = steady * load.rate * seen_s + (1.0 - steady) * regular + excess * near
    spread = seen_s * mean_s * relative * steady
    reach, tenth = 0.5 + own_load, seen_s * (1.0 / 12.0)
    mean = 0.5 * seen_s + others * stall_s
    noise = others * np.maximum(load.cycle_dispersion, 0.25) * prompt_square
    variance = reach * reach * spread + seen_s * tenth + noise
    third = (
        spread * reach * (2.0 * reach * reach * mean_s * relative + 3.0 * (noise / seen_s + 2.0 * tenth))
        + noise * stall_s * (1.0 + np.square(replica.prefill_cv)) ** 2
    )
    return Moments(mean, variance, third, -seen_s * seen_s * tenth * tenth * 1.2)


def busy_share(load: Load) -> Array:
    """Return the share of arrivals that find the engine in a step: 1 - P(nobody in flight)."""
    slowdown = np.maximum(load.growth - 1.0, 1e-9)
    poisson = 1.0 - np.exp(-load.in_flight * np.log1p(slowdown) / slowdown)
    even = np.minimum(load.in_flight, 1.0)
    weight = np.minimum(load.lifetime_dispersion, 1.0)
    return np.asarray(weight * poisson + (1.0 - weight) * even)


def prefill_queue(replica: ContinuousBatching, load: Load) -> tuple[Wait, Array]:
    """Return the wait for a step with room in its token budget, and the steps that one prompt takes."""
    fitting = np.maximum(np.minimum(replica.prompts_per_step, 1e9), 1e-9)
    chunks = np.maximum(1.0 / fitting, 1.0)
    prompts = np.maximum(fitting, 1.0)
    full_s = chunks * load.step_s + prompts * load.stall_s
    busy = load.rate * full_s / prompts
    spare = np.maximum(1.0 - busy, 1e-9)
    probability = np.minimum(busy, 1.0) ** (np.sqrt(2.0 * (prompts + 1.0)) - 1.0)
    noise = 0.5 * (load.excess + 1.0 + np.square(replica.prefill_cv))
    conditional_s = np.where(busy < 1.0, noise * full_s / (prompts * spare), np.inf)
    return Wait(probability, conditional_s), np.asarray(chunks)


def admission(replica: ContinuousBatching, load: Load) -> Wait:
    """Return the wait for one of `max_sequences` places (a queue with as many servers as places)."""
    spare = np.maximum(1.0 - load.utilization, 1e-9)
    probability = delay_probability(
        servers=np.minimum(replica.max_sequences, 1e9),
        mean=np.maximum(load.unlimited + load.dispersion - 1.0, 1e-9),
        variance=load.unlimited * load.dispersion * load.growth,
        drain_ratio=np.minimum(spare / np.maximum(0.5 * (1.0 + load.lifetime_dispersion), 0.1), 1.0),
    )
    work_s = load.utilization / np.maximum(load.rate, 1e-12)
    decode = np.square((work_s - load.stall_s) * replica.output_cv)
    varied = (decode + np.square(load.stall_s * replica.prefill_cv)) / np.square(work_s)
    noise = np.maximum(0.5 * (load.lifetime_dispersion + varied), 1e-3)
    return Wait(probability, noise * work_s / spare)


def tpot_moments(replica: ContinuousBatching, load: Load) -> tuple[Moments, Moments]:
    """Return cumulants of one request's mean time between tokens: from sequences in flight, and from prefills."""
    free = 1.0 - load.prefill_load
    window = 1.0 / load.growth
    averaged = 2.0 * (window - 1.0 + np.exp(-window)) / (window * window)
    variance = np.maximum(load.in_flight * load.dispersion * load.growth, 1e-9)
    in_flight = np.square(load.slope_s / free) * variance * averaged
    skewness = np.minimum((2.0 * load.growth - 1.0) / np.sqrt(variance), 4.0)
    varied = 1.0 + np.square(replica.prefill_cv)
    lengths = np.square(replica.output_cv)
    shorter = (1.0 + lengths) / replica.output_tokens
    stall_s = load.stall_s / free
    interrupted = load.lifetime_dispersion * load.rate * load.cycle_s * shorter * stall_s * stall_s * varied
    unequal = lengths * (1.0 + lengths)
    clumped = np.square(load.clumped_s * (1.0 + lengths)) * lengths
    third = interrupted * (
        stall_s * varied * varied * shorter * (1.0 + lengths) + 3.0 * load.clumped_s * unequal
    )
    return (
        Moments(load.cycle_s, in_flight, in_flight**1.5 * skewness),
        Moments(load.clumped_s * lengths, interrupted + clumped, third),
    )


def first_token_moments(replica: ContinuousBatching, load: Load, chunks: Array) -> Moments:
    """Return the cumulants of the time to first token of a request whose step starts at once."""
    prompt = np.square(replica.prefill_s * replica.prefill_cv)
    varied = np.square(replica.prefill_cv)
    return Moments(
        replica.first_token_s + replica.prefill_s + chunks * load.step_s,
        prompt + np.square(load.slope_s) * load.in_flight * load.dispersion * load.growth,
        prompt * replica.prefill_s * varied * (3.0 + varied),
    )


def end_to_end_moments(replica: ContinuousBatching, ttft: Moments, tpot: Moments) -> Moments:
    """Return mean and variance of the time to the last token: the first, then a varying number of steps."""
    steps = replica.output_tokens - 1.0
    lengths = np.square(replica.output_tokens * replica.output_cv)
    decode = tpot.variance * steps * steps + lengths * tpot.mean * tpot.mean
    return Moments(ttft.mean + steps * tpot.mean, ttft.variance + decode)
