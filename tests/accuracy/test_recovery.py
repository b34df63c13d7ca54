"""Predicted recoveries, and how well they did on models left out of the fit."""

import itertools

import pytest

from advisor.accuracy import predict_recovery, prior

ROW = {
    "strategy": "quantization", "variant": "int4-w4a16-awq", "model_family": "decoder", "model": "New-7B", "params_b": "7",
    "dataset_or_benchmark": "MMLU", "metric_name": "accuracy (%)", "baseline_metric": "62.1", "needs_retraining": "calibration",
}  # fmt: skip
JUDGED = [row for row in prior().held_out if int(str(row["rows"])) >= 20 and row["family"] != "all"]


def names(row: dict[str, object]) -> str:
    return f"{row['strategy']}-{row['family']}"


@pytest.mark.parametrize("row", JUDGED, ids=names)
def test_eighty_percent_intervals_cover_75_to_88_percent_of_models_left_out(row: dict[str, float]) -> None:
    assert 0.75 <= row["coverage"] <= 0.88


@pytest.mark.parametrize("row", JUDGED, ids=names)
def test_predictions_beat_the_quantiles_of_the_strategy_by_15_percent_and_those_of_the_family(
    row: dict[str, float],
) -> None:
    assert row["vs_strategy"] >= 0.15
    assert row["vs_family"] > 0


@pytest.mark.parametrize("limit", ["1", "2", "3", "5"])
def test_promises_at_90_percent_confidence_are_broken_by_at_most_12_percent_of_models_left_out(
    limit: str,
) -> None:
    assert prior().promises[limit]["accepted"] >= 20
    assert prior().promises[limit]["broken"] <= 0.12


@pytest.mark.parametrize("limit", ["1", "2", "5"])
def test_stated_probabilities_come_true(limit: str) -> None:
    tenths = [(stated, kept, rows) for stated, kept, rows in prior().reliability[limit] if rows >= 40]
    assert tenths
    for stated, kept, rows in tenths:
        assert abs(stated - kept) <= 0.12 + 1 / rows**0.5, (limit, stated, kept, rows)


def test_quantiles_are_in_order_for_rows_of_any_kind() -> None:
    strategies, families = (
        ("quantization", "pruning", "kv_cache", "alchemy", ""),
        ("cnn", "encoder", "decoder", "diffusion", ""),
    )
    variants = ("fp8-w8a8", "structured-2of4", "int4-kv", "??", "")
    rows = [
        dict(ROW, strategy=s, model_family=f, variant=v)
        for s, f, v in itertools.product(strategies, families, variants)
    ]
    for found in predict_recovery(rows):
        assert (
            0
            <= found["accuracy_recovery_pct_p10"]
            <= found["accuracy_recovery_pct"]
            <= found["accuracy_recovery_pct_p90"]
        )


def test_numbers_may_be_text_and_cells_may_be_empty() -> None:
    as_text, as_numbers = predict_recovery([ROW, dict(ROW, params_b=7.0, baseline_metric=62.1)])
    assert as_text == as_numbers
    assert predict_recovery([dict.fromkeys(ROW, ""), dict.fromkeys(ROW, float("nan"))])


def test_a_batch_gives_what_single_rows_give() -> None:
    other = dict(ROW, variant="fp8-w8a8")
    assert predict_recovery([ROW, other]) == predict_recovery([ROW]) + predict_recovery([other])


def test_two_bits_recover_far_less_than_four() -> None:
    four, two = predict_recovery([ROW, dict(ROW, variant="int2-w2a16-gptq")])
    assert two["accuracy_recovery_pct"] < four["accuracy_recovery_pct"] - 10


def test_a_small_student_recovers_less_of_its_teacher() -> None:
    student = dict(
        ROW,
        strategy="distillation",
        variant="sft-reasoning-distill",
        params_b="671",
        needs_retraining="retrain",
    )
    small, large = predict_recovery(
        [dict(student, model=f"R1 (671B) -> Student-{size}B") for size in (1.5, 32)]
    )
    assert small["accuracy_recovery_pct"] < large["accuracy_recovery_pct"] - 5
