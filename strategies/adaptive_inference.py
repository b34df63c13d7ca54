"""Adaptive inference: less work for easy requests, by early exits, cascades or speculative decoding."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from advisor.strategy import Deltas, Option, Requires, neutral

if TYPE_CHECKING:
    from advisor.catalog import InstanceType
    from advisor.workload import Workload

_ENGINES = Requires(
    families=("decoder",),
    accelerator_kinds=("gpu",),
    runtimes=("vllm", "trtllm", "sglang"),
    source="documentation of the engines",
)


class AdaptiveInference:
    """Speculative decoding and routing for decoders; early exits and cascades for models of one pass."""

    name = "adaptive_inference"
    title = "Adaptive inference"

    def options(self, workload: Workload, instance_type: InstanceType) -> Sequence[Option]:  # noqa: ARG002 - one list for every machine
        """Return the whole model for every request, then what the family allows; see `advisor.strategy.Strategy`."""
        variants = {"decoder": _decoder, "encoder": _encoder, "cnn": _cnn}[workload.model.family]
        return [neutral("Run the whole model for every request"), *variants(workload.model.parameters / 1e9)]


@lru_cache(maxsize=256)
def _decoder(billions: float) -> tuple[Option, ...]:
    return (
        Option(
            id="speculative-ngram",
            title="Speculative decoding, drafts copied from the prompt",
            deltas=Deltas(
                decode_steps_ratio=1.0 / 1.45,
                decode_steps_decay=0.31,
                treatments=("speculative-ngram",),
                engineer_hours=16.0,
            ),
            requires=_ENGINES,
            evidence=("SP-0062", "SP-0063", "SP-0064", "SP-0025"),
            sources=(
                (
                    "decay: power of the batch through 1.96, 1.64 and 1.33 at batch 1, 4 and 32 (SP-0062 to SP-0064); "
                    "1.45 at batch 1: chat prompts repeat less than summaries (median of prompt-lookup rows, SP-0025 ff.)"
                ),
            ),
            steps=(
                "Turn it on with three to five draft tokens.",
                "Compare tokens per second at your own load; turn it off above it.",
            ),
            artefacts=(
                (
                    "vllm",
                    '--speculative-config \'{"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 4}\'',
                ),
            ),
            risk="Gains come from text that repeats its prompt; under high load it slows down.",
        ),
        Option(
            id="speculative-eagle",
            title="Speculative decoding with a trained draft head (EAGLE-3)",
            deltas=Deltas(
                decode_steps_ratio=1.0 / 1.79,
                decode_steps_decay=0.25,
                weight_bytes_ratio=1.03,
                treatments=("speculative-eagle",),
                gpu_hours=10.0 * billions,
                engineer_hours=60.0,
            ),
            requires=_ENGINES,
            evidence=("SP-0017", "SP-0005", "SP-0006", "SP-0007", "SP-0070"),
            sources=(
                "decay: power of the batch through SP-0005 to SP-0007 and SP-0070",
                "assumed: 10 GPU-hours a billion parameters to train the head, none where one is published",
            ),
            steps=(
                "Use a published head for the model or train one on your own traffic.",
                "Measure acceptance and tokens per second at your own load before switching it on.",
            ),
            artefacts=(
                (
                    "vllm",
                    '--speculative-config \'{"method": "eagle3", "model": "<draft head>", "num_speculative_tokens": 3}\'',
                ),
            ),
            risk="A head that the traffic does not suit costs time instead of saving it.",
        ),
        Option(
            id="router-small-model",
            title="Route easy requests to a model of about a tenth of the size",
            deltas=Deltas(
                escalation_share=0.38,
                first_stage_ratio=0.12,
                routed_ahead=True,
                weight_bytes_ratio=1.12,
                treatments=("router",),
                engineer_hours=160.0,
            ),
            requires=_ENGINES,
            evidence=("CA-0001", "CA-0002", "CA-0003", "CA-0009"),
            sources=(
                "assumed: 62 % of requests stay with the small model, which gives the published cost of 45 to 50 % for 95 % of the quality",
            ),
            steps=(
                "Label a sample of requests with both models.",
                "Train the router and set its threshold on held-out requests.",
                "Watch the share routed each day: out of its distribution a router is random.",
            ),
            conflicts=("pruning=*-*",),
            risk="A router trained on other traffic is near random on yours.",
        ),
        Option(
            id="early-exit",
            title="Early exit a token (LayerSkip-trained model)",
            deltas=Deltas(
                exit_share=0.5,
                exit_depth_ratio=0.6,
                treatments=("early-exit",),
                gpu_hours=100.0 * billions,
                engineer_hours=240.0,
            ),
            requires=Requires(
                families=("decoder",),
                accelerator_kinds=("gpu",),
                runtimes=("pytorch",),
                source="EE-0042, EE-0043: engines that batch must wait for the deepest sequence",
            ),
            evidence=("EE-0031", "EE-0042", "EE-0043"),
            sources=("assumed: half of the tokens leave at 60 % depth",),
            risk="Batching takes the gain away unless the engine re-batches.",
        ),
    )


def _exit(title: str, *, share: float, depth: float, evidence: tuple[str, ...], hours: float) -> Option:
    return Option(
        id="early-exit",
        title=title,
        deltas=Deltas(
            exit_share=share,
            exit_depth_ratio=depth,
            treatments=("early-exit",),
            gpu_hours=hours,
            engineer_hours=120.0,
        ),
        conflicts=("pruning=half-depth",),
        evidence=evidence,
        sources=("assumed: exit share and depth chosen to give the published speed-up at batch 1",),
        steps=(
            "Add exit heads and fine-tune them.",
            "Choose the exit threshold on your own validation set.",
            "Measure under load: in a batch everyone waits for the deepest.",
        ),
        risk="The gain is for single requests; it vanishes in a batch.",
    )


def _cascade(*, share: float, first: float, evidence: tuple[str, ...]) -> Option:
    return Option(
        id="cascade",
        title="Cascade: a small model first, today's where it is unsure",
        deltas=Deltas(
            escalation_share=share,
            first_stage_ratio=first,
            weight_bytes_ratio=1.0 + first,
            treatments=("cascade",),
            engineer_hours=120.0,
        ),
        conflicts=("adaptive_inference=early-exit",),
        evidence=evidence,
        sources=(
            "assumed: the first model has a quarter of the work and answers two thirds of the requests",
        ),
        steps=(
            "Pick a small model of the same task.",
            "Choose the confidence threshold on your own validation set.",
            "Monitor the share handed on: it is the cost.",
        ),
        risk="Requests that are handed on take the time of both models.",
    )


@lru_cache(maxsize=256)
def _encoder(billions: float) -> tuple[Option, ...]:
    return (
        _exit(
            "Early exit by patience (PABEE)",
            share=0.72,
            depth=0.5,
            evidence=("EE-0012", "EE-0013", "EE-0030"),
            hours=200.0 * billions,
        ),
        _cascade(share=0.35, first=0.25, evidence=("CA-0012",)),
    )


@lru_cache(maxsize=256)
def _cnn(billions: float) -> tuple[Option, ...]:
    return (
        _exit(
            "Early exit with confidence heads",
            share=0.6,
            depth=0.5,
            evidence=("EE-0038", "EE-0045"),
            hours=4000.0 * billions,
        ),
        _cascade(share=0.35, first=0.25, evidence=("CA-0011", "CA-0013", "CA-0014")),
    )


strategy = AdaptiveInference()
