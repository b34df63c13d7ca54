"""Two results files of the evaluation harness become a measurement, or a reason why not."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from advisor.accuracy.lm_eval import discordant, read
from advisor.errors import InputError

BASELINE: dict[str, Any] = {
    "results": {
        "gsm8k": {"alias": "gsm8k", "exact_match,strict-match": 0.80, "exact_match_stderr,strict-match": 0.011, "exact_match,flexible-extract": 0.81},
        "arc_challenge": {"alias": "arc_challenge", "acc,none": 0.55, "acc_stderr,none": 0.0145, "acc_norm,none": 0.58, "acc_norm_stderr,none": "N/A"},
    },
    "higher_is_better": {"gsm8k": {"exact_match": True}, "arc_challenge": {"acc": True, "acc_norm": True}},
    "n-samples": {"gsm8k": {"original": 1319, "effective": 1319}, "arc_challenge": {"original": 1172, "effective": 1172}},
    "versions": {"gsm8k": 3.0, "arc_challenge": 1.0},
    "n-shot": {"gsm8k": 5, "arc_challenge": 25},
    "task_hashes": {"gsm8k": "aa", "arc_challenge": "bb"},
    "model_name": "meta/base", "lm_eval_version": "0.4.13",
}  # fmt: skip


def files(tmp_path: Path, change: dict[str, Any] | None = None) -> tuple[Path, Path]:
    variant = copy.deepcopy(BASELINE)
    variant["results"]["gsm8k"]["exact_match,strict-match"] = 0.78
    for section, values in (change or {}).items():
        variant[section].update(values)
    paths = tmp_path / "base.json", tmp_path / "variant.json"
    for path, document in zip(paths, (BASELINE, variant), strict=True):
        path.write_text(json.dumps(document), encoding="utf-8")
    return paths


def test_the_main_metric_of_each_common_task_is_read(tmp_path: Path) -> None:
    maths, science = read(*files(tmp_path))
    assert (maths.metric, maths.baseline, maths.optimized, maths.samples) == (
        "gsm8k exact_match",
        0.80,
        0.78,
        1319,
    )
    assert (maths.task, maths.standard_errors) == ("maths-code", (0.011, 0.011))
    assert (science.metric, science.baseline) == ("arc_challenge acc_norm", 0.58)


def test_a_standard_error_that_is_not_available_falls_back_to_the_sample_size(tmp_path: Path) -> None:
    (science,) = read(*files(tmp_path), tasks=["arc_challenge"])
    assert science.standard_errors is None
    assert pytest.approx((2 * 0.42 / 0.58 / 1172) ** 0.5) == science.standard_error_ratio


def test_a_metric_may_be_chosen(tmp_path: Path) -> None:
    (science,) = read(*files(tmp_path), tasks=["arc_challenge"], metric="acc")
    assert science.baseline == 0.55


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"versions": {"gsm8k": 2.0}}, "gsm8k: task version 3.0 against 2.0"),
        ({"n-shot": {"gsm8k": 0}}, "gsm8k: number of shots 5 against 0"),
        ({"task_hashes": {"gsm8k": "zz"}}, "gsm8k: task hash aa against zz"),
        ({"n-samples": {"gsm8k": {"original": 1319, "effective": 100}}}, "gsm8k: 1319 samples against 100"),
    ],
)
def test_runs_that_asked_different_questions_are_not_compared(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read(*files(tmp_path, change))


def test_a_task_that_one_file_lacks_is_named_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no result for mmlu in common; the first has: gsm8k, arc_challenge"):
        read(*files(tmp_path), tasks=["mmlu"])


def test_a_metric_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="metric 'bleu' is not in both files"):
        read(*files(tmp_path), metric="bleu")


def test_subtasks_of_a_group_are_not_counted_twice(tmp_path: Path) -> None:
    document = {
        "results": {"mmlu": {"acc,none": 0.7}, "mmlu_law": {"acc,none": 0.6}, "mmlu_art": {"acc,none": 0.8}},
        "group_subtasks": {"mmlu": ["mmlu_law", "mmlu_art"]},
        "n-samples": {"mmlu_law": {"effective": 100}, "mmlu_art": {"effective": 50}},
    }
    path = tmp_path / "r.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    (found,) = read(path, path)
    assert (found.metric, found.samples) == ("mmlu acc", 150)


@pytest.mark.parametrize("text", ["not json", "[]", '{"config": {}}'])
def test_a_file_that_is_no_results_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="results_"):
        read(path, path)


def test_answers_are_compared_one_by_one(tmp_path: Path) -> None:
    one, two = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    one.write_text(
        "\n".join(json.dumps({"doc_id": i, "acc": a}) for i, a in enumerate([1.0, 1.0, 0.0, 1.0])),
        encoding="utf-8",
    )
    two.write_text(
        "\n".join(json.dumps({"doc_id": i, "acc": a}) for i, a in enumerate([1.0, 0.0, 1.0, 0.0])),
        encoding="utf-8",
    )
    assert discordant(one, two, metric="acc") == (2, 1, 4)


def test_answers_to_different_questions_are_not_compared(tmp_path: Path) -> None:
    one, two = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    one.write_text(json.dumps({"doc_id": 1, "acc": 1.0}), encoding="utf-8")
    two.write_text(json.dumps({"doc_id": 2, "acc": 1.0}), encoding="utf-8")
    with pytest.raises(InputError, match="answer different questions"):
        discordant(one, two, metric="acc")
    with pytest.raises(InputError, match="no per-sample 'f1'"):
        discordant(one, one, metric="f1")
