"""What chips, backends, number formats and models are called in public tables, and what they mean here."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from advisor.models import ModelSpec, _index, _key

if TYPE_CHECKING:
    from advisor.catalog import Accelerator

_CHIPS = tuple(
    (re.compile(pattern), chip)
    for pattern, chip in (
        (r"gb300", "gb300"),
        (r"gb200", "gb200"),
        (r"gh200", "gh200-96"),
        (r"\bb300", "b300"),
        (r"\bb200", "b200"),
        (r"\bh200", "h200-sxm"),
        (r"\bh100.*nvl", "h100-nvl"),
        (r"\bh100.*pcie|pcie.*\bh100", "h100-pcie"),
        (r"\bh100", "h100-sxm"),
        (r"\ba100.*(pcie.*80|80.*pcie)", "a100-pcie-80"),
        (r"\ba100.*40", "a100-sxm-40"),
        (r"\ba100", "a100-sxm-80"),
        (r"\bl40s", "l40s"),
        (r"\bl40\b", "l40"),
        (r"\bl4\b", "l4"),
        (r"\ba40\b", "a40"),
        (r"\ba10g\b", "a10g"),
        (r"\ba10\b", "a10"),
        (r"\bt4\b", "t4"),
        (r"\bv100.*pcie", "v100-pcie-16"),
        (r"\bv100.*32", "v100-sxm-32"),
        (r"\bv100", "v100-sxm-16"),
        (r"pro-6000.*server|rtx-pro-6000", "rtx-pro-6000-server"),
        (r"6000-ada", "rtx-6000-ada"),
        (r"\ba6000", "rtx-a6000"),
        (r"5090(?!-?d)", "rtx-5090"),
        (r"4090(?!-?d)", "rtx-4090"),
        (r"3090(?!-?ti)", "rtx-3090"),
        (r"mi355x", "mi355x"),
        (r"mi325x", "mi325x"),
        (r"mi300x", "mi300x"),
        (r"mi250x", "mi250x"),
        (r"mi210", "mi210"),
    )
)
_BACKENDS = {
    "vllm": "vllm",
    "trtllm": "trtllm",
    "tensorrtllm": "trtllm",
    "tensorrtllmbackend": "trtllm",
    "tritontensorrtllmbackend": "trtllm",
    "tensorrt": "trtllm",
    "trt": "trtllm",
    "sglang": "sglang",
}
_PRECISIONS = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"w4a8", "w4a8"),
        (r"w8a16", "w8a16"),
        (r"fp8|float8|w8a8-fp", "fp8"),
        (r"fp4", "fp4"),
        (r"int4|w4a16|awq|gptq|4-?bit", "int4"),
        (r"int8|w8a8|8-?bit", "int8"),
        (r"bf16|fp16|bfloat16|float16|half|16-?bit", "bf16"),
    )
)
_COPIES = re.compile(r"^(\d+)\s*x\s*", re.IGNORECASE)
_DERIVED = re.compile(r"(?:deepseek-r1-distill|nemotron)-", re.IGNORECASE)
_ENDINGS = re.compile(
    r"[-_. ](?:instruct|chat|hf|it|base|preview|dynamic|quantized|fp8|fp4|nvfp4|mxfp4|awq|gptq|int4|int8|bf16|fp16|kv"
    r"|block|w4a16|w8a8|w8a16|w4a8|v\d+(?:\.\d+)?|\d{4}|4bit|8bit|g128|autoround)$",
    re.IGNORECASE,
)


@functools.lru_cache(maxsize=1024)
def find_chip(name: str) -> Accelerator | None:
    """Return the chip of the catalogue that a table calls so; None where there is none.

    Example:
        >>> [find_chip(name).id for name in ("h100_sxm", "8xH100 SXM5 80GB", "NVIDIA-H100-PCIe", "A100-80GB")]
        ['h100-sxm', 'h100-sxm', 'h100-pcie', 'a100-sxm-80']
        >>> find_chip("Abacus") is None
        True
    """
    from advisor.catalog import Catalog  # noqa: PLC0415 - heavier than this module, and needed for the first name

    chips = Catalog.load().accelerators
    key = re.sub(r"[\s_]+", "-", _COPIES.sub("", name.strip()).lower())
    if key in chips:
        return chips[key]
    named = {chip.name.lower().replace(" ", "-"): chip for chip in chips.values()}
    if key in named:
        return named[key]
    found = next((chip for pattern, chip in _CHIPS if pattern.search(key)), "")
    return chips.get(found)


@functools.lru_cache(maxsize=1024)
def backend_id(name: str) -> str:
    """Return the id of a serving backend, or the name itself in lower case.

    Example:
        >>> backend_id("TensorRT-LLM"), backend_id("vLLM 0.11"), backend_id("MyServer")
        ('trtllm', 'vllm', 'myserver')
    """
    key = re.sub(r"[^a-z]", "", name.lower())
    return _BACKENDS.get(key, name.strip().lower())


@functools.lru_cache(maxsize=1024)
def precision_id(name: str) -> str:
    """Return the number format that a table calls so, or the name itself in lower case; '' for ''.

    Example:
        >>> precision_id("FP16/BF16 (checkpoint default)"), precision_id("NVFP4"), precision_id("fp8_block")
        ('bf16', 'fp4', 'fp8')
    """
    key = name.strip().lower()
    return next((found for pattern, found in _PRECISIONS if pattern.search(key)), key)


def known_model(name: str) -> ModelSpec | None:
    """Return the built-in model of that name or alias; None for none, without looking for the nearest name."""
    return _index().get(_key(name))


@functools.lru_cache(maxsize=4096)
def find_network(name: str) -> ModelSpec | None:
    """Return the built-in model whose shape a name means, endings such as `-Instruct-FP8` aside; None for none.

    Example:
        >>> find_network("RedHatAI/Qwen3-32B-FP8-dynamic").name, find_network("LLaMA 3.1 70B").name
        ('Qwen3-32B', 'Llama-3.1-70B')
        >>> find_network("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B").name, find_network("Nobody/New-7B") is None
        ('Qwen2.5-7B', True)
    """
    bare = name.strip().rpartition("/")[2]
    for text in (name, bare, *_shorter(bare)):
        if found := known_model(text):
            return found
    return None


def _shorter(name: str) -> list[str]:
    """Return the name without one ending after another, then the same without the mark of who derived it from what."""
    found, text = [], name
    while _ENDINGS.search(text):
        text = _ENDINGS.sub("", text)
        found += [text, f"{text}-Instruct"]
    origin = _DERIVED.sub("", text)
    if origin not in {text, ""}:
        found += [origin, *_without_version(origin)]
    return found


def _without_version(name: str) -> list[str]:
    """Return what distilled checkpoints leave out: they say Llama-8B for Llama-3.1-8B, Qwen-7B for Qwen2.5-7B."""
    family, _, size = name.partition("-")
    return [f"{family}-3.1-{size}", f"{family}2.5-{size}", f"{family}-3.3-{size}"]
