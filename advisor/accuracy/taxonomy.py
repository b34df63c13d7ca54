"""What a published row is about, read from its labels: kind of compression, task class, model.

Published tables name things freely (`int4-w4a16-g128-awq`, `MMLU 5-shot`, `Llama 3.2 1B Instruct`). The accuracy
model needs a few shared words instead. Everything here is plain string work: same labels in, same words out.
"""

import math
import re
from dataclasses import dataclass

TASK_CLASSES: tuple[str, ...] = (
    "mixed",
    "knowledge",
    "commonsense",
    "instruction",
    "maths-code",
    "tool-use",
    "multilingual",
    "long-context",
    "cloze",
    "multimodal",
    "summarisation",
    "classification",
    "detection",
    "segmentation",
    "language-understanding",
    "question-answering",
    "translation",
    "retrieval",
    "image-generation",
)
"""Task classes the accuracy model knows; `mixed` is an average over several benchmarks."""

_TASK_PATTERNS: tuple[tuple[str, str], ...] = (
    ("tool-use", r"bfcl|nexus|tool|function.?call|tau.?bench"),
    ("long-context", r"needle|long.?context|128k|256k|ruler|mrcr|longbench|infinitebench"),
    ("multilingual", r"mgsm|xnli|mmmlu|multilingual|xquad"),
    ("mixed", r"\bavg\b|average|mean|openllm|gauntlet|\d+ tasks|reasoning benchmarks|lambada, hella"),
    ("maths-code", r"gsm|math|aime|humaneval|mbpp|livecode|code|gpqa|bbh|mmlu.?pro|reasoning"),
    ("instruction", r"ifeval|mt.?bench|alpaca|arena|rewrite|instruction"),
    ("summarisation", r"tldr|cnn|xsum|summar|rouge"),
    ("multimodal", r"vqa|mmbench|scienceqa|chartqa|docvqa|mmmu"),
    ("knowledge", r"mmlu|c-?eval|cmmlu|truthful|triviaqa|naturalq"),
    ("commonsense", r"hella|winogrande|\barc|piqa|boolq|openbook|commonsense|siqa"),
    ("cloze", r"lambada|wikitext"),
    ("translation", r"wmt|newstest|bleu"),
    ("question-answering", r"squad"),
    ("language-understanding", r"mrpc|sst|rte|cola|mnli|qnli|qqp|sts|glue|clue|funsd|wnli|imdb"),
    ("segmentation", r"miou|\biou|cityscapes|camvid|kitti|segment|\bvoc\b.*iou"),
    ("detection", r"\bmap\b|box ap|coco|\bap0|pascal ?voc|\bvoc\b|\bmar\b|yolo"),
    ("image-generation", r"clip|imagereward|lpips|fid|prompts, 30 steps|tiif"),
    ("retrieval", r"retriev|msmarco|beir|ndcg|recall@"),
)

_TASK_OF_MODEL: tuple[tuple[str, str], ...] = (
    (
        "detection",
        r"yolo|\bssd|rcnn|r-cnn|retinanet|efficientdet|detr\b|picodet|mobiledet|centernet|pose|ppyolo|pp-yolo",
    ),
    (
        "segmentation",
        r"deeplab|unet\b|u-net|segnet|\bseg|humanseg|liteseg|salsanext|rangenet|fast-?scnn|pspnet|ocrnet|\bsam\b",
    ),
    ("question-answering", r"squad"),
    ("classification", r"\bvit|swin|deit|beit|mobilevit"),
)


def usual_task(model: str, family: str) -> str:
    """Name the task class a model is usually asked for, from its name and family.

    Example:
        >>> usual_task("YOLOv5s", "cnn"), usual_task("ResNet50", "cnn"), usual_task("bert-base", "encoder")
        ('detection', 'classification', 'language-understanding')
    """
    if family in {"cnn", "encoder"}:
        for name, pattern in _TASK_OF_MODEL:
            if re.search(pattern, model.lower()):
                return name
    usual = {"cnn": "classification", "encoder": "language-understanding", "diffusion": "image-generation"}
    return usual.get(family, "mixed")


_SMALL_BENCHMARK = re.compile(
    r"rte|cola|mrpc|sts|wnli|aime|gpqa|humaneval|math.?500|funsd|nexus|bfcl|mgsm|ifeval|5% subset"
)
"""Benchmarks with at most about 1,500 items, where one run differs from the next by 0.5 points or more."""


def task_class(benchmark: str, metric: str = "", family: str = "") -> str:
    """Name the task class of a benchmark.

    Args:
        benchmark: Data set or benchmark as printed, e.g. `MMLU 5-shot`; may be empty.
        metric: Metric as printed, used where the benchmark says nothing.
        family: Model family, used where both say nothing.

    Returns:
        One of `TASK_CLASSES`.

    Example:
        >>> task_class("BFCL V2"), task_class("", "(COCO) mAP"), task_class("", "", "cnn"), task_class("MGSM (CoT)")
        ('tool-use', 'detection', 'classification', 'multilingual')
    """
    for text in (benchmark.lower(), metric.lower()):
        if not text:
            continue
        for name, pattern in _TASK_PATTERNS:
            if re.search(pattern, text):
                return name
    if family == "encoder" and re.search(r"imagenet|top-?1", (benchmark + metric).lower()) is None:
        return "language-understanding"
    return "mixed" if family == "decoder" else "classification"


def is_small_benchmark(benchmark: str) -> bool:
    """Tell whether a benchmark is so small that a single run is noisy (about 1,500 items or fewer).

    Example:
        >>> is_small_benchmark("RTE"), is_small_benchmark("MMLU")
        (True, False)
    """
    return _SMALL_BENCHMARK.search(benchmark.lower()) is not None


@dataclass(frozen=True, slots=True)
class Kind:
    """What was done to a model.

    Attributes:
        name: Shared word, e.g. `int4-weights`; treatments and published variants meet here.
        method: Recipe inside the kind where it matters (`rtn`, `qat`, `spinquant`, ...), else empty.
        intensity: How hard, 0 to 1: share of weights, filters or experts removed; 0 where it has no meaning.
    """

    name: str
    method: str = ""
    intensity: float = 0.0


_KIND_PATTERNS: tuple[tuple[str, str], ...] = (
    ("other-cpu", r"amd|c6a"),
    ("distil-reasoning", r"reasoning-distil"),
    ("prune+int8", r"(prune|unstructured|2of4|clustering).*\+?int8"),
    ("prune+int4", r"2of4\+int4"),
    ("kv-8bit", r"(fp8|int8|k8v8?).*kv|kv.*(fp8|int8)"),
    ("kv-4bit", r"(int4|4bit|fp4).*-kv|kv.*(int4|4bit|fp4)|turboquant-(4|k8v4)"),
    ("kv-2bit", r"kivi|turboquant-3|(int2|2bit|3bit).*-kv"),
    ("2-bit-weights", r"int2|w2a16|q2k(?!.*q4)"),
    ("3-bit-weights", r"int3|w3a16|3\.5bit"),
    ("nvfp4", r"nvfp4"),
    ("mxfp-mixed", r"mxfp4/8|mxfp6|mxfp8"),
    ("mxfp4", r"mxfp4"),
    ("int4-mixed", r"int4/8-mixed"),
    ("int4-activations", r"w4a4"),
    ("w4a8", r"w4a8"),
    ("int4-weights", r"int4|w4a16|nf4|awq|gptq-4|q4_|4-bit"),
    ("fp8", r"fp8|8-bit"),
    ("fp6", r"fp6|w6a"),
    ("int8-weights", r"int8-w8a16|w8a16|weight.only.*8"),
    ("int8", r"int8|w8a8"),
    ("2:4", r"2of4|2:4|4of8"),
    ("unstructured", r"unstructured"),
    ("block", r"block-|semi-structured"),
    ("experts", r"expert|reap"),
    ("depth", r"depth-"),
    ("width", r"width|minitron|ofa|cofi"),
    ("filters", r"filter|channel|structured|depgraph|group-"),
    ("distil-half", r"distil-|6layer"),
    ("distil-student", r"logit-kd|tinybert|distill?$|kd$|\bkd\b"),
    ("token-merging", r"token-merging|tome"),
    ("early-exit", r"pabee|exit|deebert|calm|layerskip"),
    ("router", r"router|cascade|frugal|automix|mixture-of-thought|committee"),
)

_METHODS: tuple[tuple[str, str], ...] = (
    ("qat", r"qat|pqat|cqat|qlora|lora-?qat"),
    ("distil", r"distil"),
    ("spinquant", r"spinquant"),
    ("rtn", r"rtn|dynamic-quant|nf4|data-free"),
    ("smoothquant", r"smoothquant"),
    ("dynamic", r"dynamic"),
    ("perchannel", r"perchannel|g-1"),
    ("aimet", r"aimet"),
    ("act", r"-act|act\b"),
    ("gptq", r"gptq"),
    ("awq", r"awq"),
    ("autoround", r"autoround"),
)


def kind(variant: str, strategy: str = "") -> Kind:
    """Read the kind of compression from a variant label.

    Args:
        variant: Variant as printed in a table or the id of a treatment.
        strategy: Strategy of the row, used where the label says nothing.

    Returns:
        The kind; its name is the strategy (or `unknown`) where no pattern fits.

    Example:
        >>> kind("int4-w4a16-g128-autoround-best")
        Kind(name='int4-weights', method='autoround', intensity=0.0)
        >>> kind("unstructured-87.5").intensity
        0.875
    """
    text = variant.lower()
    name = next((n for n, pattern in _KIND_PATTERNS if re.search(pattern, text)), strategy or "unknown")
    method = next((m for m, pattern in _METHODS if re.search(pattern, text)), "")
    return Kind(name, method, _intensity(name, text))


def _intensity(name: str, text: str) -> float:
    if name in {
        "2:4",
        "experts",
        "unstructured",
        "block",
        "filters",
        "width",
        "depth",
        "prune+int8",
        "prune+int4",
    }:
        if "2of4" in text or "2:4" in text:
            return 0.5
        found = re.search(r"(?<![\dxtp])(\d{1,2}(?:\.\d+)?)(?![\dbx.]|of|to)", text)
        if found and float(found.group(1)) >= 5:
            return float(found.group(1)) / 100
        return {"depth": 0.4, "width": 0.35, "filters": 0.5, "unstructured": 0.5}.get(name, 0.5)
    return 0.0


_DEPTHWISE = re.compile(
    r"mobilenet|efficientnet|efficientdet|ghostnet|shufflenet|mnasnet|lcnet|picodet|mobilevit|ds-cnn|dscnn"
)


def is_depthwise(model: str) -> bool:
    """Tell whether a vision model is built on depthwise convolutions, which quantize and prune worse.

    Example:
        >>> is_depthwise("MobileNetV2"), is_depthwise("ResNet50")
        (True, False)
    """
    return _DEPTHWISE.search(model.lower()) is not None


def parameters_from_name(model: str) -> float | None:
    """Read a parameter count from a model's name; of `teacher -> student` the first is meant.

    Returns:
        Number of parameters, or None where the name carries none.

    Example:
        >>> parameters_from_name("Qwen2.5-0.5B-Instruct"), parameters_from_name("opt-125m"), parameters_from_name("VGG16")
        (500000000.0, 125000000.0, None)
    """
    found = re.search(r"(?<![\d.a-z])(\d+(?:\.\d+)?)\s?([bm])(?![a-z0-9])", model.lower())
    return float(found.group(1)) * {"b": 1e9, "m": 1e6}[found.group(2)] if found else None


def halvings(model: str, parameters: float | None = None) -> float | None:
    """How often a student's (or pruned model's) parameters fit into its teacher's, in powers of two.

    Args:
        model: Name of the form `teacher -> student` with both sizes in it.
        parameters: The teacher's parameters, where its name does not carry them.

    Returns:
        log2(teacher / student), or None where a size is unknown.

    Example:
        >>> halvings("Llama 3.1 8B -> Minitron-4B"), halvings("ResNet50 -> ResNet18")
        (1.0, None)
    """
    teacher, arrow, student = model.partition("->")
    large, small = parameters_from_name(teacher) or parameters, parameters_from_name(student)
    return math.log2(large / small) if arrow and large and small else None


def model_key(model: str) -> str:
    """Reduce a model's name to the letters and digits that tell it apart, so that spellings meet.

    Example:
        >>> model_key("meta-llama/Llama-3.1-8B-Instruct") == model_key("Llama 3.1 8B Instruct")
        True
    """
    text = model.lower().rsplit("/", maxsplit=1)[-1]
    text = re.sub(r"^meta-", "", text)
    return re.sub(r"[^a-z0-9.>]+", "", text)
