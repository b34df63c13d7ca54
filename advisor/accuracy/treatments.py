"""The treatments whose loss the accuracy model knows, and where each id comes from.

A treatment is what an option does to a model's outputs. Strategies name treatments by id; `loss` turns an id into a
distribution. Ids:

| strategy | ids |
| --- | --- |
| none | `none` |
| quantization | `fp8-w8a8`, `int8-w8a8`, `int8-w8a8-dynamic`, `int8-w8a8-qat`, `int8-w8a16`, `int4-w4a16`, `int4-w4a16-rtn`, `int4-w4a16-qat`, `int4-w4a8`, `int4-w4a8-int8`, `int4-w4a8-qat`, `nvfp4`, `nvfp4-qat`, `mxfp4`, `int3-w3a16`, `int2-w2a16`, `kv-fp8`, `kv-int8`, `kv-int4` |
| pruning | `2:4-finetuned`, `2:4-oneshot`, `unstructured-50`, `unstructured-80`, `block-4x1-80`, `structured-30`, `structured-50`, `width-33-distill`, `depth-25-distill`, `experts-25`, `experts-50` |
| distillation | `distill-6layer`, `distill-student`, `distill-reasoning` |
| adaptive inference | `early-exit`, `token-merging`, `cascade`, `router`, `speculative`, `speculative-ngram`, `speculative-draft`, `speculative-eagle`, `speculative-mtp` |
"""

from dataclasses import dataclass

from advisor.errors import UnknownName


@dataclass(frozen=True, slots=True)
class Recipe:
    """One published way of applying a treatment; a treatment's loss is an even mixture of its recipes.

    Attributes:
        variant: Variant label the evidence model reads.
        effort: `none`, `calibration`, `finetune`, `retrain`, or empty where the records do not say.
        families: Families it is for.
    """

    variant: str
    effort: str
    families: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Treatment:
    """Something done to a model that may change its outputs.

    Attributes:
        id: Name used by options.
        title: In words.
        strategy: Strategy column of the evidence it belongs to.
        group: How it interacts: `weights-quantization`, `qat`, `kv`, `pruning`, `distillation`, `exit`, `routing`, `lossless`.
        variant: Variant label the evidence model reads where no recipe is given.
        families: Model families it applies to.
        effort: `none`, `calibration`, `finetune` or `retrain`.
        evidence: Ids of records about its quality.
        assumed: Relative-loss quantiles (p10, p50, p90) where nothing fits is published; else None.
        assumed_for: Families the assumption is for; empty for all.
        student_ratio: Parameters after / before, where the treatment fixes them; else None.
        recipes: Published ways of applying it, by family.
        no_better_than: Treatments that change strictly less (INT4 weights against INT4 weights with 8-bit activations): a floor.
        no_worse_than: Treatments that change strictly more (fewer bits, no training): a ceiling.
    """

    id: str
    title: str
    strategy: str
    group: str
    variant: str
    families: tuple[str, ...]
    effort: str
    evidence: tuple[str, ...] = ()
    assumed: tuple[float, float, float] | None = None
    assumed_for: tuple[str, ...] = ()
    student_ratio: float | None = None
    recipes: tuple[Recipe, ...] = ()
    no_better_than: tuple[str, ...] = ()
    no_worse_than: tuple[str, ...] = ()

    def is_assumed(self, family: str) -> bool:
        """Whether its loss on a family is an assumption instead of a fit."""
        return self.assumed is not None and (not self.assumed_for or family in self.assumed_for)

    def recipes_for(self, family: str) -> tuple[Recipe, ...]:
        """The recipes for a family; the treatment's own label where none is given."""
        return tuple(recipe for recipe in self.recipes if family in recipe.families) or (
            Recipe(self.variant, self.effort, self.families),
        )


_ALL = ("cnn", "encoder", "decoder", "diffusion")
_LLM = ("decoder",)

_NETS = ("cnn", "encoder")
_FP8 = (Recipe("fp8-w8a8", "calibration", _ALL), Recipe("fp8-w8a8-block-rtn", "none", _ALL))
_INT8 = (
    Recipe("int8-w8a8-ptq-static", "calibration", _NETS),
    Recipe("int8-w8a8-aimet", "", _NETS),
    Recipe("int8-w8a8-smoothquant", "calibration", ("decoder", "diffusion")),
)
_INT4 = tuple(
    Recipe(f"int4-w4a16-{name}", "calibration", ("decoder", "diffusion"))
    for name in ("g128-awq", "gptq", "autoround")
)
_W8 = (Recipe("int8-w8a16-gptq", "calibration", _LLM), Recipe("int8-w8a16-rtn", "none", _LLM))
_W4A8 = (
    Recipe("int4-w4a8-aimet", "", ("cnn",)), Recipe("int4-w4a8-awq", "calibration", _LLM), Recipe("int4-w4a8int-spinquant", "calibration", _LLM),
)  # fmt: skip
_SPARSE = (Recipe("structured-2of4+distill-13Btokens", "retrain", _LLM),)

_TREATMENTS: tuple[Treatment, ...] = (
    Treatment("none", "No change", "none", "lossless", "none", _ALL, "none"),
    Treatment("fp8-w8a8", "FP8 weights and activations", "quantization", "weights-quantization", "fp8-w8a8-dynamic", ("decoder", "encoder", "diffusion"), "none", ("QU-0412", "QU-0863", "QU-0936"), recipes=_FP8, no_worse_than=("int8-w8a8", "nvfp4")),
    Treatment("int8-w8a8", "INT8 weights and activations, calibrated", "quantization", "weights-quantization", "int8-w8a8-ptq-static", _ALL, "calibration", ("QU-0003", "QU-0005"), recipes=_INT8, no_better_than=("int8-w8a8-qat",)),
    Treatment("int8-w8a8-dynamic", "INT8 weights, activations scaled while running", "quantization", "weights-quantization", "int8-w8a8-ptq-dynamic", ("encoder", "decoder"), "none", ("QU-0109", "QU-0129"), recipes=_INT8[2:]),
    Treatment("int8-w8a8-qat", "INT8 with quantization-aware training", "quantization", "qat", "int8-w8a8-qat", ("cnn", "encoder"), "finetune", ("QU-0329", "PR-0113")),
    Treatment("int8-w8a16", "INT8 weights only", "quantization", "weights-quantization", "int8-w8a16-gptq", _LLM, "calibration", ("QU-0157", "QU-0171"), recipes=_W8, no_worse_than=("int4-w4a16",)),
    Treatment("int4-w4a16", "INT4 weights only, calibrated (GPTQ, AWQ, AutoRound)", "quantization", "weights-quantization", "int4-w4a16-g128-awq", ("decoder", "diffusion"), "calibration", ("QU-0561", "QU-0803", "QU-0809"), recipes=_INT4, no_worse_than=("int3-w3a16",)),
    Treatment("int4-w4a16-rtn", "INT4 weights only, rounded without calibration", "quantization", "weights-quantization", "int4-w4a16-g128-rtn", _LLM, "none", ("QU-0789", "QU-0795"), no_better_than=("int4-w4a16",)),
    Treatment("int4-w4a16-qat", "INT4 weights only, quantization-aware training", "quantization", "qat", "int4-w4a16-qat", _LLM, "finetune", ("QU-0516", "QU-0526"), no_worse_than=("int4-w4a16",)),
    Treatment("int4-w4a8", "INT4 weights, FP8 or INT8 activations, calibrated", "quantization", "weights-quantization", "int4-w4a8-awq", ("decoder", "cnn"), "calibration", ("QU-0241", "QU-0243"), recipes=_W4A8, no_better_than=("int4-w4a16",)),
    Treatment("int4-w4a8-int8", "INT4 weights, INT8 activations, rounded (on-device)", "quantization", "weights-quantization", "int4-w4a8int-ptq-rtn", _LLM, "none", ("QU-0697",), no_better_than=("int4-w4a8",)),
    Treatment("int4-w4a8-qat", "INT4 weights, INT8 activations, quantization-aware training", "quantization", "qat", "int4-w4a8int-qlora-qat", _LLM, "finetune", ("QU-0699", "QU-0702"), no_worse_than=("int4-w4a8-int8",)),
    Treatment("nvfp4", "NVFP4 weights and activations", "quantization", "weights-quantization", "nvfp4-w4a4-ptq", ("decoder", "diffusion"), "calibration", ("QU-0434",)),
    Treatment("nvfp4-qat", "NVFP4 with quantization-aware training", "quantization", "qat", "nvfp4-w4a4-qat", ("decoder", "diffusion"), "finetune", ("QU-0435",), no_worse_than=("nvfp4",)),
    Treatment("mxfp4", "MXFP4 weights and activations", "quantization", "weights-quantization", "mxfp4-rtn", _LLM, "calibration", ("QU-0873", "QU-0877")),
    Treatment("int3-w3a16", "INT3 weights only", "quantization", "weights-quantization", "int3-w3a16-g128-gptq", _LLM, "calibration", ("QU-0830", "QU-0838"), no_worse_than=("int2-w2a16",)),
    Treatment("int2-w2a16", "INT2 weights only", "quantization", "weights-quantization", "int2-w2a16-g128-gptq", _LLM, "calibration", ("QU-0846", "QU-0850")),
    Treatment("kv-fp8", "FP8 KV cache", "kv_cache", "kv", "fp8-kv", _LLM, "none", ("KV-0008", "KV-0009"), no_worse_than=("kv-int4",)),
    Treatment("kv-int8", "INT8 KV cache", "kv_cache", "kv", "int8-kv", _LLM, "calibration"),
    Treatment("kv-int4", "INT4 KV cache", "kv_cache", "kv", "int4-kv", _LLM, "calibration"),
    Treatment("2:4-finetuned", "2:4 sparse weights, fine-tuned", "pruning", "pruning", "structured-2of4", ("cnn", "encoder", "decoder"), "finetune", ("PR-0193", "PR-0005", "PR-0100"), recipes=_SPARSE, no_worse_than=("2:4-oneshot",)),
    Treatment("2:4-oneshot", "2:4 sparse weights, one shot", "pruning", "pruning", "structured-2of4-sparsegpt", _LLM, "calibration", ("PR-0159", "PR-0160"), (0.05, 0.15, 0.35)),
    Treatment("unstructured-50", "Half of the weights zero, unstructured, fine-tuned", "pruning", "pruning", "unstructured-50", ("cnn", "encoder", "decoder"), "finetune", ("PR-0095", "PR-0099"), assumed=(0.01, 0.03, 0.07), assumed_for=_LLM, no_worse_than=("2:4-finetuned", "unstructured-80")),
    Treatment("unstructured-80", "80 % of the weights zero, unstructured, fine-tuned", "pruning", "pruning", "unstructured-80", ("cnn", "encoder"), "finetune", ("PR-0103", "PR-0020")),
    Treatment("block-4x1-80", "80 % zero in 4x1 blocks, fine-tuned", "pruning", "pruning", "block-4x1-80", ("encoder",), "finetune", ("PR-0004", "PR-0006")),
    Treatment("structured-30", "30 % of filters, heads or width removed, fine-tuned", "pruning", "pruning", "structured-filter-30", ("cnn", "encoder"), "finetune", ("PR-0048", "PR-0076"), no_worse_than=("structured-50",)),
    Treatment("structured-50", "50 % of filters, heads or width removed, fine-tuned", "pruning", "pruning", "structured-filter-50", ("cnn", "encoder"), "finetune", ("PR-0043", "PR-0044")),
    Treatment("width-33-distill", "A third of the width removed, distilled", "pruning", "pruning", "structured-width-minitron-33+distill", _LLM, "retrain", ("PR-0186", "PR-0190"), student_ratio=0.67),
    Treatment("depth-25-distill", "A quarter of the layers removed, distilled", "pruning", "pruning", "structured-depth-25+distill", _LLM, "retrain", ("PR-0123", "PR-0181"), student_ratio=0.75),
    Treatment("experts-25", "A quarter of the experts removed", "pruning", "pruning", "structured-moe-expert-25-reap", _LLM, "calibration", ("PR-0149", "PR-0151"), no_worse_than=("experts-50",)),
    Treatment("experts-50", "Half of the experts removed", "pruning", "pruning", "structured-moe-expert-50-reap", _LLM, "calibration", ("PR-0150", "PR-0152")),
    Treatment("distill-6layer", "Half of the layers, distilled", "distillation", "distillation", "distil-6layer", ("encoder",), "retrain", ("DI-0027", "DI-0031")),
    Treatment("distill-student", "Smaller student, distilled", "distillation", "distillation", "logit-kd", ("cnn", "encoder"), "retrain", ("DI-0004", "DI-0016")),
    Treatment("distill-reasoning", "Smaller student, fine-tuned on the teacher's reasoning", "distillation", "distillation", "sft-reasoning-distill", _LLM, "retrain", ("DI-0056", "DI-0048")),
    Treatment("early-exit", "Stop at the layer that is sure", "early_exit", "exit", "pabee", ("encoder", "cnn"), "finetune", ("EE-0013", "EE-0023")),
    Treatment("token-merging", "Merge similar tokens", "early_exit", "exit", "token-merging-tome-r8", ("encoder",), "none", ("EE-0055", "EE-0053")),
    Treatment("cascade", "Small model first, large model where unsure", "cascade", "routing", "confidence-cascade", _ALL, "calibration", ("CA-0001",), (0.0, 0.01, 0.04)),
    Treatment("router", "Route each request to a small or a large model", "cascade", "routing", "router-routellm", _LLM, "calibration", ("CA-0001", "CA-0002"), (0.01, 0.035, 0.08)),
    Treatment("speculative", "Speculative decoding, exact acceptance", "speculative", "lossless", "draft-model", _LLM, "none", ("SP-0079",)),
    Treatment("speculative-ngram", "Speculation from the prompt's n-grams", "speculative", "lossless", "ngram", _LLM, "none", ("SP-0062", "SP-0064")),
    Treatment("speculative-draft", "Speculation with a small draft model", "speculative", "lossless", "draft-model-sps", _LLM, "none", ("SP-0023", "SP-0003")),
    Treatment("speculative-eagle", "Speculation with a trained head (EAGLE)", "speculative", "lossless", "eagle-3", _LLM, "finetune", ("SP-0072", "SP-0070")),
    Treatment("speculative-mtp", "Speculation with the model's own extra heads", "speculative", "lossless", "mtp", _LLM, "none", ("SP-0077", "SP-0078")),
)  # fmt: skip

TREATMENTS: dict[str, Treatment] = {treatment.id: treatment for treatment in _TREATMENTS}
"""Every known treatment by id."""


def treatment(name: str) -> Treatment:
    """Look a treatment up.

    Raises:
        UnknownName: The id is not known.

    Example:
        >>> treatment("fp8-w8a8").effort
        'none'
    """
    try:
        return TREATMENTS[name]
    except KeyError:
        raise UnknownName.among("treatment", name, TREATMENTS) from None
