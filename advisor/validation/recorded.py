"""Errors on what the fits had not seen, as they were recorded beside the coefficients."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

from advisor.accuracy import prior
from advisor.performance.decoder_coefficients import fitted_table
from advisor.performance.decoder_load import fitted_load
from advisor.validation.document import ChoiceRow, HeldOutRow, PromiseRow, ReliabilityRow

KIND_WORDS = {"dense": "dense LLM", "moe": "MoE LLM"}
_DECODER_CASES = {
    "held_out_configurations": "setting",
    "left_out_models": "model",
    "left_out_chips": "chip",
    "left_out_models_and_chips": "model and chip",
}
_LOAD_CASES = {"leave_one_model_out_error": "model", "transfer_error": "lab"}
_PASS_KINDS = {
    "gpu": "one pass, GPU",
    "cpu": "one pass, CPU",
    "int8": "INT8, CPU",
}
_PASS_CASES = {"row": "row", "model": "model", "family": "model family", "chip": "chip"}

Errors = Mapping[str, Any]


def held_out() -> Iterator[HeldOutRow]:
    """Yield the recorded errors of every kind of prediction."""
    yield from _decoder()
    yield from _load()
    yield from _passes()


def _decoder() -> Iterator[HeldOutRow]:
    for kind, table in fitted_table()["kinds"].items():
        for name, case in _DECODER_CASES.items():
            found = table["errors"].get(name)
            for target, errors in (found or {}).get("all", {}).items():
                yield HeldOutRow(
                    kind=KIND_WORDS[kind],
                    target=f"{target}_ms",
                    held_out=case,
                    measurements=errors["rows"],
                    median_ape_ratio=errors["median_ape"],
                    mean_ape_ratio=errors["mean_ape"],
                    p90_ape_ratio=errors["p90_ape"],
                    bias_ratio=errors.get("median_log_bias"),
                    coverage_ratio=found.get("coverage", {}).get(target),
                )


def _load() -> Iterator[HeldOutRow]:
    for backend, table in fitted_load()["backends"].items():
        for name, case in _LOAD_CASES.items():
            for target, errors in table.get(name, {}).items():
                yield HeldOutRow(
                    kind=f"{backend}, rate",
                    target=f"{target}_ms",
                    held_out=case,
                    measurements=errors["count"],
                    median_ape_ratio=errors["median_ape"],
                    mean_ape_ratio=errors.get("mean_ape_of_finite", errors.get("mean_ape")),
                    p90_ape_ratio=errors.get("p90_ape"),
                    bias_ratio=errors.get("bias"),
                    predicted_overloaded=errors.get("predicted_overloaded", 0),
                )


def _passes() -> Iterator[HeldOutRow]:
    text = resources.files("advisor").joinpath("data/pass_coefficients.json").read_text(encoding="utf-8")
    tables: Mapping[str, Errors] = json.loads(text)["errors"]
    for kind, table in tables.items():
        for name, case in _PASS_CASES.items():
            for source, errors in table.get(name, {}).items():
                own, naive = errors["model"], errors["naive"]
                yield HeldOutRow(
                    kind=_PASS_KINDS[kind],
                    target="speed-up" if kind == "int8" else f"items/s, {source}",
                    held_out=case,
                    measurements=own["rows"],
                    median_ape_ratio=own["median"] / 100.0,
                    mean_ape_ratio=own["mean"] / 100.0,
                    p90_ape_ratio=own["p90"] / 100.0,
                    coverage_ratio=table.get("coverage_of_80_percent", {}).get(name, {}).get(source),
                    baseline_median_ape_ratio=naive["median"] / 100.0,
                )


def recorded_choices() -> Iterator[ChoiceRow]:
    """Yield how well fits that had not seen a model chose among its measured configurations."""
    for kind, table in fitted_table()["kinds"].items():
        for case in ("held_out_configurations", "left_out_models"):
            for words, found in table["errors"][case]["choice"].items():
                yield ChoiceRow(
                    kind=kind,
                    held_out=_DECODER_CASES[case],
                    limits_met_by=words,
                    cases=found["cases"],
                    mean_regret_ratio=found["mean_regret"],
                    violated_ratio=found["violated"],
                    no_choice=found["no_choice"],
                )


def promises() -> Iterator[PromiseRow]:
    """Yield how often options accepted at 90 % confidence broke their limit on accuracy."""
    for limit, found in prior().promises.items():
        yield PromiseRow(
            limit_percent=float(limit),
            asked=int(found["asked"]),
            accepted=int(found["accepted"]),
            broken_ratio=float(found["broken"]),
        )


def reliability() -> Iterator[ReliabilityRow]:
    """Yield stated against observed probabilities of keeping a limit on accuracy."""
    for limit, tenths in prior().reliability.items():
        for stated, kept, records in tenths:
            yield ReliabilityRow(
                limit_percent=float(limit), records=int(records), stated_ratio=stated, kept_ratio=kept
            )
