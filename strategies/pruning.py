"""Pruning: fewer weights, layers or channels, usually with distillation or fine-tuning afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from advisor.strategy import Deltas, Option, Requires, neutral

if TYPE_CHECKING:
    from advisor.catalog import InstanceType
    from advisor.workload import Workload

EFFORT = "assumed: working hours to prune, retrain, evaluate and roll out"
FLOPS_ARE_NOT_LATENCY = 0.6
"""Share of the saved arithmetic that is saved time: 0.34 to 0.98 in PR-0043, PR-0044, PR-0140 to PR-0144."""


class Pruning:
    """Unstructured, 2:4 and structured pruning; what each saves depends on the family and the chip."""

    name = "pruning"
    title = "Pruning"

    def options(self, workload: Workload, instance_type: InstanceType) -> Sequence[Option]:  # noqa: ARG002 - one list for every machine
        """Return the dense model, then every way to prune the family; see `advisor.strategy.Strategy`."""
        variants = {"decoder": _decoder, "encoder": _encoder, "cnn": _cnn}[workload.model.family]
        return [neutral("Keep the dense model"), *variants(workload.model.parameters / 1e9)]


_SPARSE = Requires(
    accelerator_kinds=("gpu",),
    min_compute_capability=8.0,
    runtimes=("trtllm", "tensorrt", "triton", "pytorch"),
    sparsity_2_4=True,
    source="sparse kernels: Ampere or newer in TensorRT and torchao; no longer supported by vLLM and llm-compressor",
)


def _retrained(
    option_id: str,
    title: str,
    *,
    deltas: Deltas,
    evidence: tuple[str, ...],
    requires: Requires | None = None,
    risk: str = "Never transfers between models: measure on your own test set.",
) -> Option:
    return Option(
        id=option_id,
        title=title,
        deltas=deltas,
        requires=requires or Requires(),
        evidence=evidence,
        sources=(EFFORT,),
        steps=(
            "Prune the model with a sensitivity analysis on your own data.",
            "Retrain or distil from today's model until the loss levels off.",
            "Evaluate it on your own test set, then serve it to 5 % of the traffic for a day.",
        ),
        conflicts=("adaptive_inference=early-exit*",),
        risk=risk,
    )


def _unstructured(percent: int, evidence: tuple[str, ...]) -> Option:
    treatment = f"unstructured-{percent}"
    return _retrained(
        treatment,
        f"{percent} % of the weights zeroed, anywhere",
        deltas=Deltas(treatments=(treatment,), engineer_hours=80.0),
        evidence=evidence,
        risk="Saves no time on GPUs: there are no kernels for scattered zeros.",
    )


@lru_cache(maxsize=256)
def _decoder(billions: float) -> tuple[Option, ...]:
    return (
        _retrained(
            "2:4",
            "2:4 sparsity with distillation",
            deltas=Deltas(
                compute_ratio=0.75,
                weight_bytes_ratio=0.5625,
                treatments=("2:4-finetuned",),
                gpu_hours=750.0 * billions,
                engineer_hours=240.0,
            ),
            evidence=("PR-0117", "PR-0118", "PR-0128", "PR-0193", "PR-0194"),
            requires=_SPARSE,
        ),
        _retrained(
            "width-30",
            "30 % narrower, distilled from today's model",
            deltas=Deltas(
                compute_ratio=0.70,
                weight_bytes_ratio=0.70,
                treatments=("width-33-distill",),
                gpu_hours=750.0 * billions,
                engineer_hours=320.0,
            ),
            evidence=("PR-0186", "PR-0187", "PR-0123"),
        ),
        _retrained(
            "depth-25",
            "A quarter of the layers removed, distilled",
            deltas=Deltas(
                compute_ratio=0.75,
                weight_bytes_ratio=0.75,
                kv_bytes_ratio=0.75,
                layers_ratio=0.75,
                treatments=("depth-25-distill",),
                gpu_hours=750.0 * billions,
                engineer_hours=320.0,
            ),
            evidence=("PR-0123", "PR-0181", "PR-0182"),
        ),
        _unstructured(50, ("PR-0154", "PR-0168")),
    )


@lru_cache(maxsize=256)
def _encoder(billions: float) -> tuple[Option, ...]:
    return (
        _retrained(
            "2:4",
            "2:4 sparsity with fine-tuning",
            deltas=Deltas(
                compute_ratio=0.917,
                weight_bytes_ratio=0.5625,
                treatments=("2:4-finetuned",),
                gpu_hours=100.0 * billions,
                engineer_hours=80.0,
            ),
            evidence=("PR-0003", "PR-0005", "PR-0007", "PR-0125"),
            requires=_SPARSE,
        ),
        _retrained(
            "width-26",
            "26 % narrower (once-for-all distillation)",
            deltas=Deltas(
                compute_ratio=0.68,
                weight_bytes_ratio=0.7364,
                activation_bytes_ratio=0.74,
                treatments=("structured-30",),
                gpu_hours=100.0 * billions,
                engineer_hours=120.0,
            ),
            evidence=("PR-0076", "PR-0083", "PR-0084", "PR-0085"),
        ),
        _retrained(
            "half-depth",
            "Half of the layers, distilled",
            deltas=Deltas(
                compute_ratio=0.5,
                weight_bytes_ratio=0.65,
                activation_bytes_ratio=0.5,
                layers_ratio=0.5,
                treatments=("distill-6layer",),
                gpu_hours=1000.0 * billions,
                engineer_hours=160.0,
            ),
            evidence=("DI-0026", "DI-0027", "DI-0063"),
        ),
        _unstructured(80, ("PR-0103", "PR-0106")),
    )


@lru_cache(maxsize=256)
def _cnn(billions: float) -> tuple[Option, ...]:
    def filters(percent: int, evidence: tuple[str, ...], treatment: str) -> Option:
        saved = percent / 100.0
        return _retrained(
            f"filters-{percent}",
            f"{percent} % of the arithmetic removed, whole filters at a time",
            deltas=Deltas(
                compute_ratio=1.0 - saved * FLOPS_ARE_NOT_LATENCY,
                activation_bytes_ratio=1.0 - saved * FLOPS_ARE_NOT_LATENCY,
                weight_bytes_ratio=1.0 - saved,
                treatments=(treatment,),
                gpu_hours=4000.0 * billions,
                engineer_hours=80.0,
            ),
            evidence=evidence,
        )

    return (
        filters(30, ("PR-0141",), "structured-30"),
        filters(50, ("PR-0043", "PR-0142", "PR-0052"), "structured-50"),
        _retrained(
            "2:4",
            "2:4 sparsity with fine-tuning",
            deltas=Deltas(
                compute_ratio=0.917,
                weight_bytes_ratio=0.5625,
                treatments=("2:4-finetuned",),
                gpu_hours=4000.0 * billions,
                engineer_hours=80.0,
            ),
            evidence=("PR-0100", "PR-0101", "PR-0102"),
            requires=_SPARSE,
        ),
        _unstructured(50, ("PR-0095", "PR-0098")),
    )


strategy = Pruning()
