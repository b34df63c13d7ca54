"""Serving time of decoder language models: a calibrated roofline in closed form, vectorised over candidates."""

from __future__ import annotations

import dataclasses

import numpy as np

from advisor.performance.decoder_coefficients import (
    Array,
    Coefficients,
    Values,
    coefficients,
    compute_dtype,
    interval_factor,
)

__all__ = [
    "Coefficients",
    "DecoderEngine",
    "closed_loop",
    "coefficients",
    "compute_dtype",
    "decode_step_s",
    "first_token_s",
    "interval_factor",
    "prefill_s",
    "sequences_admitted",
]

_FEWEST_EXPERTS = 128.0  # routed experts in a layer of the smallest mixtures that were measured


@dataclasses.dataclass(frozen=True, slots=True)
class DecoderEngine:
    """One replica of a language model; every field is one value or an array with one entry for each candidate."""

    dense_params: Values
    """Parameters outside the routed experts, embedding tables included, count."""
    expert_params: Values
    """Parameters inside routed experts, all of them, count; 0 for a dense model."""
    experts: Values
    """Routed experts in a layer, count; 0 for a dense model."""
    experts_per_token: Values
    """Routed experts that one token visits in a layer, count."""
    layers: Values
    hidden_size: Values
    kv_bytes_per_token: Values
    """Key-value cache of one token over all layers at the cache's data type, in bytes."""
    attention_flops_per_token_squared: Values
    """4 x layers with full attention x heads x head dimension: attention of one token over one token, in FLOP."""
    weight_bytes_per_param: Values
    """Size of one weight as read from memory, scales included, in bytes."""
    peak_flops: Values
    """Peak rate of one accelerator at the compute data type, in FLOP/s."""
    attention_peak_flops: Values
    """Peak rate of one accelerator at 16 bits, in which attention is computed whatever the weights have, in FLOP/s."""
    memory_bandwidth_bytes_per_s: Values
    interconnect_bytes_per_s: Values
    """One direction, between accelerators of one replica, in bytes per second."""
    tensor_parallel: Values
    """Accelerators that share one copy of the weights outside the experts."""
    data_parallel: Values
    """Copies of the attention in the replica; the experts are spread over all of them."""
    pipeline_parallel: Values
    coefficients: Coefficients
    embedding_params: Values = 0.0
    """Part of `dense_params` in the input and output tables: looked up or kept at 16 bits, count."""
    head_params: Values = 0.0
    """Vocabulary x hidden size: the output table, read at 16 bits in every step, count."""
    expert_weight_ratio: Values = 1.0
    """Size of a weight inside an expert against `weight_bytes_per_param`, dimensionless."""
    kv_heads: Values = np.inf
    """Key-value heads: accelerators beyond them hold copies of the cache; 1 for latent attention."""
    memory_bytes: Values = np.inf
    """Memory of one accelerator; the default admits every request."""
    max_sequences: Values = np.inf
    """Sequences that the engine admits for each copy of the attention, count."""

    @property
    def accelerators(self) -> Values:
        """Accelerators of the replica, count."""
        return self.tensor_parallel * self.data_parallel * self.pipeline_parallel

    @property
    def weight_bytes_per_accelerator(self) -> Values:
        """Memory that the weights take on one accelerator, in bytes."""
        dense = (
            self.dense_params - self.embedding_params
        ) * self.weight_bytes_per_param + 2.0 * self.embedding_params
        experts = self.expert_params * self.weight_bytes_per_param * self.expert_weight_ratio
        return (dense / self.tensor_parallel / self.pipeline_parallel) + experts / self.accelerators

    @property
    def kv_bytes_per_token_and_accelerator(self) -> Values:
        """Memory that one token of a sequence takes on each accelerator of its attention copy, in bytes."""
        shards = np.minimum(self.tensor_parallel, self.kv_heads) * self.pipeline_parallel
        return self.kv_bytes_per_token / shards


def _smooth_maximum(left: Values, right: Values) -> Values:
    squares, others = left * left, right * right
    return np.sqrt(np.sqrt(squares * squares + others * others))


def _weights_s(engine: DecoderEngine, *, tokens: Values) -> Values:
    fit = engine.coefficients
    share = -np.expm1(
        tokens
        * fit.expert_coverage_ratio
        * np.log1p(-engine.experts_per_token / np.maximum(engine.experts, 1.0001))
    )
    unpacked = 1.0 / (1.0 + (fit.dequantization_tokens / tokens) ** 2.0)
    size = engine.weight_bytes_per_param + fit.dequantization_bytes_per_param * unpacked
    layers = (engine.dense_params - engine.embedding_params) * size + 2.0 * engine.head_params
    dense = layers / engine.tensor_parallel
    sparse = (
        engine.expert_params
        * size
        * engine.expert_weight_ratio
        * share
        / (engine.tensor_parallel * engine.data_parallel)
    )
    rate = engine.memory_bandwidth_bytes_per_s * fit.bandwidth_efficiency
    return (dense + sparse) / rate


def _gemm_s(engine: DecoderEngine, *, tokens: Values) -> Values:
    chips = engine.tensor_parallel * engine.data_parallel
    used = engine.experts_per_token / np.maximum(engine.experts, 1.0)
    active = engine.dense_params - engine.embedding_params + engine.expert_params * used
    rate = chips * engine.peak_flops * engine.coefficients.compute_efficiency
    return _smooth_maximum(2.0 * active * tokens / rate, _weights_s(engine, tokens=tokens))


def _allreduce_s(engine: DecoderEngine, *, tokens: Values) -> Values:
    fit = engine.coefficients
    chips = engine.tensor_parallel * engine.data_parallel
    ring = 2.0 * (engine.tensor_parallel - 1.0) / engine.tensor_parallel
    wire_s = (
        tokens * engine.hidden_size * (2.0 * ring) / (engine.interconnect_bytes_per_s * fit.link_efficiency)
    )
    return 2.0 * engine.layers * (np.log2(chips) * fit.allreduce_latency_s + wire_s)


def _expert_overhead_ratio(engine: DecoderEngine) -> Values:
    """Return by how much routing among many experts raises the overhead of a layer; 1 up to the fewest measured."""
    return np.maximum(engine.experts / _FEWEST_EXPERTS, 1.0) ** engine.coefficients.expert_overhead_exponent


def _decode_step_s(engine: DecoderEngine, *, local: Values, context_tokens: Values) -> Values:
    fit = engine.coefficients
    overhead = fit.layer_overhead_s * _expert_overhead_ratio(engine)
    cache_s = (
        local
        * context_tokens
        * (engine.kv_bytes_per_token_and_accelerator * engine.pipeline_parallel)
        / (engine.memory_bandwidth_bytes_per_s * fit.kv_efficiency)
    )
    return (
        _gemm_s(engine, tokens=local * engine.data_parallel)
        + cache_s
        + engine.layers * overhead
        + local * fit.host_s_per_sequence
        + _allreduce_s(engine, tokens=local)
    )


def decode_step_s(engine: DecoderEngine, *, batch: Values, context_tokens: Values) -> Values:
    r"""Return the time of one step that gives every running sequence its next token, in seconds.

    $$s = \sqrt[4]{c^4 + w^4} + \frac{b\,n\,k}{\beta_k} + L o \max(E / 128, 1)^g + b h + 2 L a$$

    with compute $c$, weights $w$, cache bytes $b n k$, layer overhead $o$, experts $E$, host cost $h$, all-reduce $a$.

    Args:
        engine: Replicas to time.
        batch: Sequences in flight in the whole replica.
        context_tokens: Mean tokens in the cache of a running sequence.

    Assumes:
        Pipeline stages work one after the other for one token, so they share memory but not time.

    Source:
        Roofline: Williams, Waterman, Patterson, Communications of the ACM 52(4), 2009; experts woken by a
        batch of t tokens: $E (1 - (1 - k/E)^t)$, expected distinct choices.
    """
    local = np.maximum(batch / engine.data_parallel, 1.0)
    return _decode_step_s(engine, local=local, context_tokens=context_tokens) * engine.coefficients.tpot_ratio


def prefill_s(engine: DecoderEngine, *, tokens: Values) -> Values:
    """Return the time to process one prompt on each copy of the attention of an idle replica, in seconds.

    Args:
        engine: Replicas to time.
        tokens: Tokens of the prompt.
    """
    fit = engine.coefficients
    attention = engine.attention_flops_per_token_squared * tokens * tokens / 2.0
    attention_s = attention / (
        engine.tensor_parallel * engine.attention_peak_flops * fit.attention_efficiency
    )
    return (
        _gemm_s(engine, tokens=tokens * engine.data_parallel)
        + attention_s
        + engine.layers * fit.prefill_layer_overhead_s * _expert_overhead_ratio(engine)
        + _allreduce_s(engine, tokens=tokens)
    )


def first_token_s(engine: DecoderEngine) -> Values:
    """Return the time before a first token that is neither prefill nor queue, in seconds."""
    fit = engine.coefficients
    return (fit.ttft_constant_s + engine.layers * fit.ttft_layer_s) * fit.ttft_ratio


def sequences_admitted(engine: DecoderEngine, *, input_tokens: Values, output_tokens: Values) -> Values:
    """Return how many sequences each copy of the attention can hold at once, count, at least 1.

    Args:
        engine: Replicas; `memory_bytes` and `max_sequences` bound it.
        input_tokens: Tokens of a prompt.
        output_tokens: Tokens of an answer.
    """
    fit = engine.coefficients
    free = engine.memory_bytes * fit.memory_share - engine.weight_bytes_per_accelerator
    held_tokens = input_tokens + fit.reserved_output_ratio * output_tokens
    room = np.maximum(free, 0.02 * engine.memory_bytes) / (
        engine.kv_bytes_per_token_and_accelerator * held_tokens
    )
    return np.maximum(np.minimum(room, engine.max_sequences), 1.0)


def closed_loop(
    engine: DecoderEngine, *, concurrency: Values, input_tokens: Values, output_tokens: Values
) -> tuple[Array, Array]:
    r"""Return mean time to first token and mean time per output token under a fixed concurrency, in seconds.

    With $b$ sequences in flight on a copy of the attention, step $s$, prefill $p$ and $m$ output tokens:
    $$TPOT = s + \mu p \frac{b - 1}{m} \qquad TTFT = f + p (1 + q (\tfrac{b - 1}{2})^e) + n s$$
    Requests beyond those that the memory holds wait their turn outside: $(N - b) / b$ residence times.

    Args:
        engine: Replicas to time.
        concurrency: Requests in flight or waiting in the whole replica; a finished one is replaced at once.
        input_tokens: Tokens of a prompt.
        output_tokens: Tokens of an answer.
    """
    fit = engine.coefficients
    present = np.maximum(concurrency / engine.data_parallel, 1.0)
    admitted = sequences_admitted(engine, input_tokens=input_tokens, output_tokens=output_tokens)
    local = np.minimum(present, admitted)
    others = local - 1.0
    step = _decode_step_s(engine, local=local, context_tokens=input_tokens + output_tokens / 2.0)
    prefill = prefill_s(engine, tokens=input_tokens)
    tpot = (step + fit.prefill_mixing_ratio * prefill * others / output_tokens) * fit.tpot_ratio
    wait = fit.queue_slope * (others / 2.0) ** fit.queue_exponent
    ttft = first_token_s(engine) + (prefill * (1.0 + wait) + fit.ttft_steps * step) * fit.ttft_ratio
    outside = (present - local) / local
    ttft = ttft + outside * (ttft + output_tokens * tpot)
    return np.asarray(ttft, dtype=float), np.asarray(tpot, dtype=float)
