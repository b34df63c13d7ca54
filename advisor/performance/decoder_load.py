"""From a decoder engine and its requests to a queue: what one prompt adds to a step, calibrated under offered rates.

Prompts are prefilled inside the steps that decode the others (chunked prefill, in-flight batching), so a prompt adds
less than its time alone: the weights are read once for both. Nodes of the lengths' distribution give mean and spread.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np

from advisor.performance.continuous_state import ContinuousBatching, StepCurve
from advisor.performance.decoder import DecoderEngine, decode_step_s, prefill_s
from advisor.performance.queueing import Array, Values

STEP_BATCHES = (1.0, 8.0, 32.0, 128.0, 512.0)
"""Sequences in flight at which a decode step is evaluated; straight lines between them."""
_NODES = ((-(3.0**0.5), 1.0 / 6.0), (0.0, 2.0 / 3.0), (3.0**0.5, 1.0 / 6.0))  # Gauss-Hermite, three points
_DECODING = 32.0  # sequences that decode in the step into which a prompt is mixed: a usual number


@dataclasses.dataclass(frozen=True, slots=True)
class LoadCoefficients:
    """How a serving engine behaves under an offered rate; one value or an array with one entry for each candidate."""

    step_ratio: Values = 1.0
    """Measured over modelled time of a decode step with one sequence, dimensionless."""
    sequence_ratio: Values = 1.0
    """Measured over modelled time that further sequences add to a step, dimensionless."""
    prefill_ratio: Values = 1.0
    """Measured over modelled time that a prompt adds to its own step, dimensionless."""
    stall_ratio: Values = 1.0
    """Time that a prompt takes from the running sequences against what it adds to its own first token, dimensionless."""
    first_token_s: Values = 0.005
    """Time before the scheduler sees a request: HTTP, tokenizer, in seconds."""
    log_sigma: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Standard deviation of ln(measured / predicted) for each 'ttft_p99' and so on, on models left out of the fit."""
    basis: str = "extrapolated"
    """'calibrated': this backend was measured under offered rates; 'extrapolated': another one was."""
    source: str = ""


@functools.cache
def fitted_load() -> Mapping[str, Any]:
    """Return the shipped calibration: coefficients, fit errors, sources and date."""
    text = resources.files("advisor").joinpath("data/load_coefficients.json").read_text(encoding="utf-8")
    table: Mapping[str, Any] = json.loads(text)
    return table


@functools.cache
def load_coefficients(backend: str) -> LoadCoefficients:
    """Return the coefficients of one backend; those of vLLM, called extrapolated, for a backend not measured.

    Args:
        backend: 'vllm', 'trtllm' or another.
    """
    table = fitted_load()
    measured = backend in table["backends"]
    entry = table["backends"][backend if measured else "vllm"]
    return LoadCoefficients(
        **entry["coefficients"],
        log_sigma=entry["log_sigma"],
        basis="calibrated" if measured else "extrapolated",
        source=entry["source"],
    )


def decoder_queue(
    engine: DecoderEngine,
    *,
    fit: LoadCoefficients,
    input_tokens: Values,
    output_tokens: Values,
    input_cv: Values = 0.0,
    output_cv: Values = 0.0,
    max_sequences: Values = np.inf,
    tokens_per_step: Values = 2048.0,
    prefill_ratio: Values = 1.0,
    step_ratios: Sequence[Values] | None = None,
) -> ContinuousBatching:
    r"""Return the queue of one replica of each engine.

    A prompt of $l$ tokens in a step with 32 decoding sequences adds $P(l + 32) - P(32)$, with $P$ the time of so many
    tokens alone: the weights are read once for all, so short prompts are nearly free.

    Args:
        engine: Replicas.
        fit: Calibration under offered rates.
        input_tokens: Mean tokens of a prompt.
        output_tokens: Mean tokens of an answer.
        input_cv: Coefficient of variation of the prompts' lengths (taken as lognormal).
        output_cv: Coefficient of variation of the answers' lengths.
        max_sequences: Sequences in flight at most.
        tokens_per_step: Token budget of one step; vLLM calls it `max_num_batched_tokens`.
        prefill_ratio: Share of the prompts' tokens that is prefilled, less than 1 where a prefix is cached.
        step_ratios: For each of `STEP_BATCHES`, time of a step against plain decoding (speculation, early exit).
    """
    context = np.asarray(input_tokens + output_tokens / 2.0, dtype=float)
    plain = [np.asarray(decode_step_s(engine, batch=batch, context_tokens=context)) for batch in STEP_BATCHES]
    steps = [fit.step_ratio * (plain[0] + fit.sequence_ratio * (step - plain[0])) for step in plain]
    if step_ratios is not None:
        steps = [step * ratio for step, ratio in zip(steps, step_ratios, strict=True)]
    prefilled = np.asarray(input_tokens * prefill_ratio, dtype=float)
    added_s, added_cv = _added_by_prompts(engine, fit, prefilled, input_cv)
    return ContinuousBatching(
        step=StepCurve(STEP_BATCHES, tuple(steps)),
        prefill_s=added_s,
        output_tokens=output_tokens,
        max_sequences=max_sequences,
        output_cv=output_cv,
        prefill_cv=added_cv,
        prefill_stall_s=added_s * fit.stall_ratio,
        first_token_s=fit.first_token_s,
        prompts_per_step=np.asarray(tokens_per_step / prefilled),
    )


def _added_by_prompts(
    engine: DecoderEngine, fit: LoadCoefficients, tokens: Array, cv: Values
) -> tuple[Array, Array]:
    """Return mean and coefficient of variation of what a prompt adds to its step, over the prompts' lengths."""
    sigma_squared = np.log1p(np.square(cv))
    decoding_s = np.asarray(prefill_s(engine, tokens=_DECODING))
    mean, square = np.zeros(()), np.zeros(())
    for node, weight in _NODES:
        length = tokens * np.exp(np.sqrt(sigma_squared) * node - sigma_squared / 2.0)
        mixed_s = np.asarray(prefill_s(engine, tokens=length + _DECODING)) - decoding_s
        added_s = mixed_s * fit.prefill_ratio
        mean, square = mean + weight * added_s, square + weight * added_s * added_s
    return np.asarray(mean), np.asarray(np.sqrt(np.maximum(square / np.square(mean) - 1.0, 0.0)))
