"""Launch arguments of vLLM, SGLang and TensorRT-LLM, and the recipe of llm-compressor."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from advisor.export.facts import Facts, NotInPlan
from advisor.export.writing import Flag, Noted, commented, to_script, to_yaml

VLLM, SGLANG, TRTLLM, LLM_COMPRESSOR = "vLLM 0.33", "SGLang 0.5", "TensorRT-LLM 1.2", "llm-compressor 0.14"
"""Versions whose argument parsers and schemas have the names and values in an export; see tests/test_export.py."""
_BEFORE_QUANTIZED = "MODEL is the checkpoint quantized by: advisor export plan.json --to llm-compressor"
_PLACEHOLDER = re.compile(r"<[^<>]+>")
_DRAFT = "<draft head>"
_DRAFT_TOKENS = {"ngram": 4, "eagle": 3}


def vllm(facts: Facts) -> str:
    """Return a script that starts vLLM as planned."""
    _served_by(facts, "vllm")
    flags = vllm_flags(facts)
    return to_script('vllm serve "$MODEL"', flags, _head(facts, VLLM, flags))


def vllm_flags(facts: Facts) -> list[Flag]:
    """Return the launch arguments of vLLM; what an option of another package gives to paste is kept as it is."""
    found = {"--tensor-parallel-size": _parallel(facts, "--tensor-parallel-size")}
    if facts.max_batch:
        found["--max-num-seqs"] = Flag("--max-num-seqs", str(facts.max_batch), facts.why_batch())
    if facts.kv_is_fp8:
        found["--kv-cache-dtype"] = Flag("--kv-cache-dtype", "fp8", "8-bit keys and values, as planned")
    for choice, words in facts.flags("vllm"):
        for name, value in _pairs(words):
            known = found.get(name)
            found[name] = Flag(name, value, known.why if known else choice.title)
    return list(found.values())


def _pairs(words: Sequence[str]) -> list[tuple[str, str | None]]:
    pairs: list[tuple[str, str | None]] = []
    for word in words:
        name, equals, value = word.partition("=")
        if word.startswith("--"):
            pairs.append((name, value if equals else None))
        elif pairs:
            pairs[-1] = (pairs[-1][0], word)
    return pairs


def sglang(facts: Facts) -> str:
    """Return a script that starts SGLang as planned."""
    _served_by(facts, "sglang")
    flags = sglang_flags(facts)
    return to_script(
        'python3 -m sglang.launch_server --model-path "$MODEL"', flags, _head(facts, SGLANG, flags)
    )


def sglang_flags(facts: Facts) -> list[Flag]:
    """Return the launch arguments of SGLang; it keeps shared prompts without being told."""
    flags = [_parallel(facts, "--tp-size")]
    if facts.max_batch:
        flags.append(Flag("--max-running-requests", str(facts.max_batch), facts.why_batch()))
    if facts.kv_is_fp8:
        flags.append(Flag("--kv-cache-dtype", "fp8_e4m3", "8-bit keys and values, as planned"))
    if facts.speculation:
        flags += _sglang_speculation(facts)
    return flags


def _sglang_speculation(facts: Facts) -> list[Flag]:
    tokens, why = str(_DRAFT_TOKENS[facts.speculation]), _title(facts, "adaptive_inference")
    if facts.speculation == "ngram":
        return [
            Flag("--speculative-algorithm", "NGRAM", why),
            Flag("--speculative-num-draft-tokens", tokens, why),
        ]
    return [
        Flag("--speculative-algorithm", "EAGLE3", why),
        Flag("--speculative-draft-model-path", _DRAFT, "published or trained for this model"),
        Flag("--speculative-num-steps", tokens, f"{tokens} draft tokens a step, as planned"),
        Flag("--speculative-eagle-topk", "1", "one draft, as planned"),
        Flag(
            "--speculative-num-draft-tokens", str(int(tokens) + 1), "the drafts and the token that is checked"
        ),
    ]


def trtllm(facts: Facts) -> str:
    """Return the options file of trtllm-serve."""
    _served_by(facts, "trtllm")
    options: dict[str, Any] = {
        "tensor_parallel_size": Noted(facts.plan.accelerators_per_replica, facts.why_accelerators())
    }
    if facts.max_batch:
        options["max_batch_size"] = Noted(facts.max_batch, facts.why_batch())
    cache: dict[str, Any] = {}
    if facts.kv_is_fp8:
        cache["dtype"] = Noted("fp8", "8-bit keys and values, as planned")
    if facts.caches_prefixes:
        cache["enable_block_reuse"] = Noted(True, _title(facts, "batching"))
    if cache:
        options["kv_cache_config"] = cache
    if facts.speculation:
        options["speculative_config"] = _trtllm_speculation(facts)
    head = _head(facts, TRTLLM, [], 'Start: trtllm-serve "$MODEL" --extra_llm_api_options THIS_FILE')
    return commented(head) + to_yaml(options)


def _trtllm_speculation(facts: Facts) -> dict[str, Any]:
    tokens = Noted(_DRAFT_TOKENS[facts.speculation], _title(facts, "adaptive_inference"))
    if facts.speculation == "ngram":
        return {"decoding_type": "NGram", "max_draft_len": tokens, "max_matching_ngram_size": 4}
    draft = Noted(_DRAFT, "published or trained for this model")
    return {"decoding_type": "Eagle3", "max_draft_len": tokens, "speculative_model": draft}


SMOOTHED = ("W8A8",)
GROUPED = ("W4A16", "W4AFP8")
"""Schemes whose weights are rounded group by group against calibration data."""


def llm_compressor(facts: Facts) -> str:
    """Return the recipe that quantizes the checkpoint."""
    recipes = facts.artefacts("llm-compressor")
    if not recipes:
        keeps = f"the plan keeps the weights in {facts.workload.serving.precision}"
        raise NotInPlan.of("llm-compressor", facts.name, f"{keeps}; it quantizes nothing with this tool")
    choice, text = recipes[0]
    scheme = text.partition(":")[2].strip()
    ignored = ["lm_head", *(["re:.*mlp.gate$"] if facts.workload.model.is_moe else [])]
    last = {
        "targets": ["Linear"],
        "ignore": Noted(ignored, "stay in 16 bits: small, and they cost most accuracy"),
        "scheme": Noted(scheme, f"{choice.title}: {facts.why_accuracy()}"),
    }
    modifiers: dict[str, Any] = {}
    if scheme in SMOOTHED:
        why = "moves outliers of activations into the weights"
        modifiers["SmoothQuantModifier"] = {"smoothing_strength": Noted(0.8, why)}
    calibrated = scheme in (*SMOOTHED, *GROUPED)
    modifiers["GPTQModifier" if calibrated else "QuantizationModifier"] = last
    notes = ["Calibrate on a few hundred samples of real traffic."] if scheme != "FP8_DYNAMIC" else []
    if choice.option.removesuffix("+kv-fp8").endswith("-qat"):
        notes.append("Retrain with quantization-aware training first; this recipe only fixes the format.")
    head = facts.head(f"recipe for {LLM_COMPRESSOR}", *notes)
    return commented(head) + to_yaml({"quant_stage": {"quant_modifiers": modifiers}})


def _served_by(facts: Facts, engine: str) -> None:
    if facts.runtime != engine:
        other = "'--to triton' or '--to kserve'" if not facts.is_decoder else f"'--to {facts.runtime}'"
        raise NotInPlan.of(
            engine,
            facts.name,
            f"it is served by {facts.runtime}, and the plan was evaluated for that engine; try {other}",
        )


def _head(facts: Facts, version: str, flags: Sequence[Flag], *more: str) -> list[str]:
    head = facts.head(f"launch arguments for {version}", *more)
    if facts.artefacts("llm-compressor"):
        head.append(_BEFORE_QUANTIZED)
    needed = [place for flag in flags for place in _PLACEHOLDER.findall(flag.value or "")]
    if not flags and facts.speculation == "eagle":
        needed = [_DRAFT]
    return head + [f"Fill in {place} before you start it." for place in dict.fromkeys(needed)]


def _parallel(facts: Facts, name: str) -> Flag:
    return Flag(name, str(facts.plan.accelerators_per_replica), facts.why_accelerators())


def _title(facts: Facts, strategy: str) -> str:
    choice = facts.choice(strategy)
    return choice.title if choice else "as today"


def arguments(flags: Sequence[Flag]) -> list[Noted]:
    """Return launch arguments as entries of a list of container arguments, each `name=value`."""
    return [
        Noted(flag.name if flag.value is None else f"{flag.name}={flag.value}", flag.why) for flag in flags
    ]
