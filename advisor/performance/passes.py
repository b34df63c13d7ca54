"""Time of one forward pass over a batch: CNNs, vision transformers and encoders, on GPUs and CPUs.

A batch takes `a + c * batch` seconds. `a` is what does not grow with the batch: host time, the launch of
every operator, reading the weights once. `c` is one item's share of the roofline: its arithmetic at the rate
the chip reaches, plus its activations as often as they cross the memory bus.

Sequence length: an encoder of P parameters without embeddings, L layers and hidden size h does
`P * tokens + 2 * L * h * tokens**2` multiply-accumulates a sequence (`encoder_macs`); the first part is the
weights, the second the attention: a share of `tokens / (6 h)` of the first, 3 % for BERT-base at 128 tokens. Its
activations grow alike (`encoder_activations`).
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from advisor.performance.pass_coefficients import REFERENCE_FLOPS_PER_ACTIVATION, PassCoefficients

Array = npt.NDArray[np.float64]
Values = float | Array

_WEIGHT_BANDWIDTH_EFFICIENCY = 0.8
_Z_80_PERCENT = 1.2815515655446004


@dataclasses.dataclass(frozen=True, slots=True)
class PassEngine:
    """One model on one machine; every field is one value or an array with one entry for each candidate."""

    parameters: Values
    """Weights read in one pass (without embedding tables), count."""
    flops_per_item: Values
    """Floating-point operations for one image or sequence: two for each multiply-accumulate."""
    activations_per_item: Values
    """Elements that the convolutions and linear layers write for one item, count."""
    layers: Values
    """Convolutions of a CNN or blocks of a transformer, count."""
    weight_bytes_per_param: Values
    activation_bytes: Values
    """Bytes of one activation: 2 under 16-bit or autocast, 4 under FP32 and TF32, 1 under INT8."""
    peak_flops: Values
    """Dense rate of all accelerators or cores of the replica at the compute type, in operations per second."""
    memory_bandwidth_bytes_per_s: Values
    coefficients: PassCoefficients


def fixed_s(engine: PassEngine, /) -> Values:
    r"""Return the part of a batch's time that does not grow with the batch.

    $$a = t_0 + L t_l + \frac{P\,b_w}{0.8\,B}$$

    Args:
        engine: Model, machine and coefficients.

    Returns:
        $a$ in seconds: fixed time, launch of $L$ layers, and reading $P$ weights of $b_w$ bytes at 80 %
        of the memory bandwidth $B$.

    Source:
        Williams, Waterman and Patterson, "Roofline", CACM 52(4), 2009; the constants are fitted
        (`pass_coefficients.json`), the 80 % is assumed.

    Example:
        >>> from advisor.performance.pass_coefficients import PassCoefficients
        >>> fit = PassCoefficients(fixed_s=0.001, launch_s_per_layer=1e-5, compute_efficiency=0.5, activation_passes=4)
        >>> engine = PassEngine(8e6, 8e9, 1e7, 50, 2, 2, 1e14, 1e12, fit)
        >>> round(fixed_s(engine), 6)
        0.00152
    """
    fit = engine.coefficients
    weights = engine.parameters * engine.weight_bytes_per_param
    read_s = weights / (_WEIGHT_BANDWIDTH_EFFICIENCY * engine.memory_bandwidth_bytes_per_s)
    return fit.fixed_s + fit.launch_s_per_layer * engine.layers + read_s


def item_s(engine: PassEngine, /) -> Values:
    r"""Return the time that each item adds to a batch.

    $$c = r \left( \frac{F}{e\,R} \left(\frac{F}{400 A}\right)^{g} + \frac{n A b_a}{B} \right)$$

    Args:
        engine: Model, machine and coefficients.

    Returns:
        $c$ in seconds: $F$ operations at the share $e$ of the peak $R$, corrected for the operations per
        activation with exponent $g$; $A$ activations of $b_a$ bytes crossing the memory bus $n$ times;
        all times the ratio $r$ of the model's family.

    Assumes:
        Arithmetic and memory traffic do not overlap: operators alternate between them.

    Source:
        Roofline as in `fixed_s`; $e$, $g$, $n$ and $r$ are fitted (`pass_coefficients.json`).

    Example:
        >>> from advisor.performance.pass_coefficients import PassCoefficients
        >>> fit = PassCoefficients(fixed_s=0.001, launch_s_per_layer=1e-5, compute_efficiency=0.5, activation_passes=4)
        >>> engine = PassEngine(8e6, 8e9, 2e7, 50, 2, 2, 1e14, 1e12, fit)
        >>> round(item_s(engine), 9)
        0.00032
    """
    fit = engine.coefficients
    intensity = engine.flops_per_item / (REFERENCE_FLOPS_PER_ACTIVATION * engine.activations_per_item)
    compute = engine.flops_per_item / (fit.compute_efficiency * engine.peak_flops)
    traffic = fit.activation_passes * engine.activations_per_item * engine.activation_bytes
    memory = traffic / engine.memory_bandwidth_bytes_per_s
    return fit.architecture_ratio * (compute * intensity**fit.intensity_exponent + memory)


def batch_s(engine: PassEngine, /, *, batch: Values) -> Values:
    """Return the time of one forward pass over a batch, in seconds.

    Args:
        engine: Model, machine and coefficients.
        batch: Items in the batch, at least 1.

    Returns:
        `fixed_s + item_s * batch`: the median of what was measured. Data loading, tokenising and the
        network are not in it.

    Example:
        >>> from advisor.performance.pass_coefficients import PassCoefficients
        >>> fit = PassCoefficients(fixed_s=0.001, launch_s_per_layer=1e-5, compute_efficiency=0.5, activation_passes=4)
        >>> engine = PassEngine(8e6, 8e9, 2e7, 50, 2, 2, 1e14, 1e12, fit)
        >>> round(batch_s(engine, batch=8), 6)
        0.00408
    """
    return fixed_s(engine) + item_s(engine) * batch


def throughput_items_per_s(engine: PassEngine, /, *, batch: Values) -> Values:
    """Return the items a replica finishes in a second when it always runs full batches.

    Args:
        engine: Model, machine and coefficients.
        batch: Items in every batch, at least 1.

    Returns:
        `batch / batch_s`, in items per second.

    Example:
        >>> from advisor.performance.pass_coefficients import PassCoefficients
        >>> fit = PassCoefficients(fixed_s=0.001, launch_s_per_layer=1e-5, compute_efficiency=0.5, activation_passes=4)
        >>> engine = PassEngine(8e6, 8e9, 2e7, 50, 2, 2, 1e14, 1e12, fit)
        >>> round(throughput_items_per_s(engine, batch=8))
        1961
    """
    return batch / batch_s(engine, batch=batch)


def interval_factor(coefficients: PassCoefficients, /, *, quantile: float = 0.9) -> Values:
    """Return what to multiply a predicted time with to get its quantile.

    Args:
        coefficients: As used for the prediction.
        quantile: Between 0 and 1; 0.9 is the pessimistic end of the 10-90 % interval of a time. A
            throughput's 10 % end is the time's 90 % end.

    Returns:
        Ratio to the median, more than 1 above the median.

    Raises:
        ValueError: `quantile` is not strictly between 0 and 1.

    Assumes:
        Measured / predicted is log-normal; its deviation is fitted so that 80 % of held-out measurements
        fall between the 10 % and the 90 % end.

    Example:
        >>> from advisor.performance.pass_coefficients import PassCoefficients
        >>> fit = PassCoefficients(log_sigma=0.2)
        >>> round(float(interval_factor(fit)), 3), round(float(interval_factor(fit, quantile=0.1)), 3)
        (1.292, 0.774)
    """
    import statistics  # noqa: PLC0415 - slow to import and needed for other quantiles only

    if not 0.0 < quantile < 1.0:
        message = f"quantile must lie between 0 and 1, both excluded, but is {quantile}"
        raise ValueError(message)
    z = _Z_80_PERCENT if quantile == 0.9 else statistics.NormalDist().inv_cdf(quantile)
    return np.exp(z * np.asarray(coefficients.log_sigma, dtype=float))


def encoder_macs(*, parameters: Values, layers: Values, hidden_size: Values, tokens: Values) -> Values:
    r"""Return the multiply-accumulates of one sequence in an encoder.

    $$M = P\,s + 2 L h s^2$$

    Args:
        parameters: $P$, weights without the embedding tables, count.
        layers: $L$, transformer blocks, count.
        hidden_size: $h$, width of the residual stream.
        tokens: $s$, tokens of the sequence after padding.

    Returns:
        Count of multiply-accumulates; twice that in floating-point operations.

    Source:
        Kaplan et al., "Scaling Laws for Neural Language Models", 2020, section 2.1, for full attention.

    Example:
        >>> bert_base = {"parameters": 85e6, "layers": 12, "hidden_size": 768}
        >>> f"{encoder_macs(tokens=128, **bert_base):.4g}"
        '1.118e+10'
    """
    return parameters * tokens + 2.0 * layers * hidden_size * tokens * tokens


def encoder_activations(
    *, layers: Values, hidden_size: Values, attention_heads: Values, tokens: Values
) -> Values:
    r"""Return the elements that the matrix products of an encoder write for one sequence.

    $$A = 10 L h s + L n s^2$$

    Args:
        layers: $L$, transformer blocks, count.
        hidden_size: $h$, width of the residual stream.
        attention_heads: $n$, heads of a block; `hidden_size / 64` in most encoders.
        tokens: $s$, tokens of the sequence after padding.

    Returns:
        Count of elements: for every token 3 for query, key and value, 1 for the attention's output, 1 for
        the projection, 5 for a feed-forward part four times as wide; and the attention scores.

    Source:
        Counts as the timm benchmark does: ViT-B/16 at 224 px, 197 tokens, has 23.9 million.

    Example:
        >>> round(encoder_activations(layers=12, hidden_size=768, attention_heads=12, tokens=197) / 1e6, 1)
        23.7
    """
    return layers * tokens * (10.0 * hidden_size + attention_heads * tokens)


def cpu_peak_flops(*, vcpus: Values, operations_per_cycle: Values, clock_hz: Values) -> Values:
    """Return the peak rate of the vCPUs of a rented machine.

    Args:
        vcpus: Hyper-threads; two share one core (on machines whose vCPU is a whole core, as Graviton's,
            pass twice the number).
        operations_per_cycle: Of one core: FP32 64 with two AVX-512 units, 32 with AVX2 or Neoverse;
            INT8 256 with VNNI, 2,048 with AMX; BF16 1,024 with AMX.
        clock_hz: Clock when all cores compute, in hertz.

    Returns:
        Operations per second.

    Source:
        Operations per cycle: Intel's and Arm's optimisation manuals, as in the accelerator catalogue.

    Example:
        >>> f"{cpu_peak_flops(vcpus=8, operations_per_cycle=64, clock_hz=2.6e9):.4g}"
        '6.656e+11'
    """
    return 0.5 * vcpus * operations_per_cycle * clock_hz
