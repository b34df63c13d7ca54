"""Factors on the parts of a predicted time: what they do to a queue, to a closed loop and to batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from advisor.calibration.document import DECODER_FACTORS, PASS_FACTORS, Engine
from advisor.performance.continuous_state import ContinuousBatching, StepCurve
from advisor.performance.dynamic_batching import DynamicBatching
from advisor.performance.queueing import Array, Values

LEARNABLE_SHARE = 0.5
"""Largest share of the variance of a prediction's error that belongs to the model and machine, and can be learnt from
runs; the rest differs from one load to the next. Chosen so that intervals hold on runs that were not calibrated on;
`tests/benchmarks/calibrating.py` shows how often."""


@dataclasses.dataclass(frozen=True, slots=True)
class DecoderFactors:
    """Measured over shipped times of a language model; one value or an array with one entry for each candidate."""

    step: Values = 1.0
    """Of a decode step."""
    sequence: Values = 1.0
    """Further, of what sequences beyond the first add to a step."""
    prefill: Values = 1.0
    """Of what a prompt adds."""
    first_token: Values = 1.0
    """Of the time before the first token that is neither prompt nor queue."""

    @classmethod
    def gather(cls, engines: Sequence[Engine | None], index: npt.NDArray[np.int64]) -> DecoderFactors:
        """Return one entry for each candidate; 1 where no engine applies."""
        return cls(**_gathered(engines, index, DECODER_FACTORS))

    def on_queue(self, queue: ContinuousBatching) -> ContinuousBatching:
        r"""Return the queue with its parts scaled: $s_B' = f_s (s_1 + f_q (s_B - s_1))$ for the step of $B$ sequences."""
        alone = queue.step.step_s[0]
        steps = tuple(self.step * (alone + self.sequence * (step - alone)) for step in queue.step.step_s)
        stall_s = queue.prefill_stall_s
        return dataclasses.replace(
            queue,
            step=StepCurve(queue.step.batches, steps),
            prefill_s=queue.prefill_s * self.prefill,
            prefill_stall_s=None if stall_s is None else stall_s * self.prefill,
            first_token_s=queue.first_token_s * self.first_token,
        )

    def on_closed_loop(
        self, ttft_s: Array, tpot_s: Array, *, alone_tpot_s: Array, first_token_s: Values
    ) -> tuple[Array, Array]:
        """Return time to first token and time per output token under a fixed concurrency, in seconds.

        Args:
            ttft_s: As shipped.
            tpot_s: As shipped.
            alone_tpot_s: The same with one request in flight.
            first_token_s: Part of `ttft_s` that is neither prompt nor queue.
        """
        token_s = self.step * (alone_tpot_s + self.sequence * (tpot_s - alone_tpot_s))
        first_s = self.first_token * first_token_s + self.prefill * (ttft_s - first_token_s)
        return np.asarray(first_s), np.asarray(token_s)


@dataclasses.dataclass(frozen=True, slots=True)
class PassFactors:
    """Measured over shipped times of one pass; one value or an array with one entry for each candidate."""

    fixed: Values = 1.0
    """Of what does not grow with the batch."""
    item: Values = 1.0
    """Of what each item adds."""

    @classmethod
    def gather(cls, engines: Sequence[Engine | None], index: npt.NDArray[np.int64]) -> PassFactors:
        """Return one entry for each candidate; 1 where no engine applies."""
        return cls(**_gathered(engines, index, PASS_FACTORS))

    def on_server(self, server: DynamicBatching) -> DynamicBatching:
        """Return the server with its batch times scaled."""
        return dataclasses.replace(
            server,
            batch_base_s=server.batch_base_s * self.fixed,
            batch_per_item_s=server.batch_per_item_s * self.item,
        )


def _gathered(
    engines: Sequence[Engine | None], index: npt.NDArray[np.int64], names: tuple[str, ...]
) -> dict[str, Values]:
    table = np.array([engine.ratios if engine else np.ones(len(names)) for engine in engines], dtype=float)
    return {name: table[index, column] for column, name in enumerate(names)}


def narrowed(log_sigma: Values, learnable: Values, learnt: Values) -> Array:
    r"""Return the spread that is left: $\sigma \sqrt{1 - L v / w}$, or less narrow where $w < L \sigma^2$.

    Args:
        log_sigma: Standard deviation $\sigma$ of the logarithm of measured / predicted as shipped, dimensionless.
        learnable: Variance $w$ that the factors had before the runs, see `Engine.learnt`.
        learnt: Part $v$ of it that the runs removed.

    Example:
        >>> [round(float(narrowed(0.2, 0.04, learnt)), 3) for learnt in (0.0, 0.02, 0.04)]
        [0.2, 0.173, 0.141]
    """
    variance = np.square(log_sigma)
    part = np.minimum(1.0, LEARNABLE_SHARE * variance / np.maximum(learnable, 1e-12))
    return np.asarray(np.sqrt(np.maximum(variance - learnt * part, 0.0)))
