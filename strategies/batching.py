"""Batching: how many requests a replica works on at once, how long it waits for them, and prompts computed once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from advisor.strategy import Deltas, Option, Requires, neutral

if TYPE_CHECKING:
    from advisor.catalog import InstanceType
    from advisor.workload import Workload

SEQUENCES = (8, 16, 32, 64, 128, 256, 512)
"""Most sequences in flight that an engine is offered."""
BATCHES = (1, 2, 4, 8, 16, 32, 64)
DELAYS_S = (0.0, 0.002, 0.005, 0.010)
"""Longest waits for a batch to fill, in seconds."""


class Batching:
    """Continuous batching and prefix caching for decoders; dynamic batching for models of one pass."""

    name = "batching"
    title = "Batching"

    def options(self, workload: Workload, instance_type: InstanceType) -> Sequence[Option]:  # noqa: ARG002 - one list for every machine
        """Return today's batching, then the ladder of sizes; see `advisor.strategy.Strategy`."""
        today = workload.serving.max_batch
        keep = neutral(f"Keep at most {today} in flight" if today else "Keep today's batching")
        if workload.model.family != "decoder":
            return [
                keep,
                *(
                    _dynamic(size, delay)
                    for size in BATCHES
                    for delay in DELAYS_S
                    if size > 1 or delay == 0.0
                ),
            ]
        plain = [_continuous(size) for size in SEQUENCES]
        share = workload.requests.prefix_share
        if not share:
            return [keep, *plain]
        return [keep, *plain, *(_continuous(size, prefix_share=share) for size in SEQUENCES)]


@lru_cache(maxsize=1024)
def _continuous(size: int, *, prefix_share: float = 0.0) -> Option:
    cached = prefix_share > 0.0
    flags = f"--max-num-seqs {size}" + (" --enable-prefix-caching" if cached else "")
    return Option(
        id=f"continuous-{size}" + ("+prefix-cache" if cached else ""),
        title=f"At most {size} sequences in flight" + (", shared prompts computed once" if cached else ""),
        deltas=Deltas(
            max_batch=size, prefill_ratio=1.0 - 0.999 * prefix_share, engineer_hours=16.0 if cached else 4.0
        ),
        requires=Requires(
            families=("decoder",),
            runtimes=("vllm", "trtllm", "sglang", "tgi"),
            source="documentation of the engines",
        ),
        evidence=("BA-0001", "BA-0003", "PX-0001", "PX-0003") if cached else ("BA-0001", "BA-0003"),
        sources=("assumed: working hours to change and watch one engine setting",)
        + (("the share of the prompt that repeats is the workload's own prefix_share",) if cached else ()),
        steps=(f"Set the engine's limit of sequences to {size}.",)
        + (
            ("Put the shared part of the prompt first, and route a tenant to the same replica.",)
            if cached
            else ()
        ),
        artefacts=(("vllm", flags),),
        risk="Cold replicas have empty caches." if cached else "",
    )


@cache
def _dynamic(size: int, delay_s: float) -> Option:
    return Option(
        id=f"dynamic-{size}:{delay_s * 1000:.0f}ms",
        title=f"Batches of up to {size}, waiting at most {delay_s * 1000:.0f} ms",
        deltas=Deltas(max_batch=size, max_queue_delay_s=delay_s, engineer_hours=8.0),
        requires=Requires(families=("cnn", "encoder")),
        evidence=("BA-0005", "BA-0007", "BA-0009", "BA-0010"),
        sources=("assumed: working hours to change and watch one server setting",),
        steps=(f"Set max_batch_size to {size} and the queue delay to {delay_s * 1000:.0f} ms.",),
        artefacts=(
            (
                "triton",
                f"max_batch_size: {size}\ndynamic_batching {{ max_queue_delay_microseconds: {delay_s * 1e6:.0f} }}",
            ),
        ),
    )


strategy = Batching()
