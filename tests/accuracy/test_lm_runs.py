"""The folders that two runs of the evaluation harness leave become measurements, paired where answers were kept."""

import json
from pathlib import Path

import pytest

from advisor.accuracy.lm_runs import read_runs, results_file
from advisor.errors import InputError


def a_run(folder: Path, *, right: list[int], kept: bool = True, time: str = "2026-11-24T10-00-00") -> Path:
    """Write what `lm_eval --output_path folder` leaves for one task with these answers."""
    inner = folder / "some__model"
    inner.mkdir(parents=True, exist_ok=True)
    document = {
        "results": {"arc": {"acc,none": sum(right) / len(right)}},
        "n-samples": {"arc": {"original": len(right), "effective": len(right)}},
    }
    (inner / f"results_{time}.json").write_text(json.dumps(document), encoding="utf-8")
    if kept:
        lines = [json.dumps({"doc_id": number, "acc": float(score)}) for number, score in enumerate(right)]
        (inner / f"samples_arc_{time}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


BEFORE = [1, 1, 1, 1, 0, 0, 1, 1, 1, 1]
AFTER = [1, 0, 1, 1, 1, 0, 1, 0, 1, 1]


def test_answers_that_both_runs_kept_are_compared_one_by_one(tmp_path: Path) -> None:
    (found,) = read_runs(a_run(tmp_path / "a", right=BEFORE), a_run(tmp_path / "b", right=AFTER))
    assert (0.8, 0.7, 10) == (found.baseline, found.optimized, found.samples)
    assert (2, 1) == found.discordant


def test_without_answers_the_two_runs_are_compared_as_wholes(tmp_path: Path) -> None:
    before = a_run(tmp_path / "a", right=BEFORE, kept=False)
    (found,) = read_runs(before, a_run(tmp_path / "b", right=AFTER))
    assert found.discordant is None


def test_answers_kept_twice_for_one_question_are_not_counted(tmp_path: Path) -> None:
    folders = [a_run(tmp_path / name, right=right) for name, right in (("a", BEFORE), ("b", AFTER))]
    for folder in folders:
        (file,) = folder.rglob("samples_*")
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        twice = [row | {"filter": name} for name in ("strict", "flexible") for row in rows]
        file.write_text("\n".join(map(json.dumps, twice)))
    (found,) = read_runs(*folders)
    assert found.discordant is None


def test_the_newest_results_of_a_folder_are_read(tmp_path: Path) -> None:
    a_run(tmp_path, right=BEFORE)
    a_run(tmp_path, right=AFTER, time="2026-11-25T09-00-00")
    assert "results_2026-11-25T09-00-00.json" == results_file(tmp_path).name


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give the --output_path of lm_eval"):
        results_file(tmp_path)


def test_subtasks_of_a_group_are_compared_one_by_one_too(tmp_path: Path) -> None:
    for name, right in (("a", BEFORE), ("b", AFTER)):
        folder = tmp_path / name
        folder.mkdir()
        document = {
            "results": {
                "mmlu": {"acc,none": 0.7},
                "mmlu_law": {"acc,none": 0.6},
                "mmlu_art": {"acc,none": 0.8},
            },
            "group_subtasks": {"mmlu": ["mmlu_law", "mmlu_art"]},
            "n-samples": {"mmlu_law": {"effective": 5}, "mmlu_art": {"effective": 5}},
        }
        (folder / "results_1.json").write_text(json.dumps(document))
        for task, part in (("mmlu_law", right[:5]), ("mmlu_art", right[5:])):
            lines = [json.dumps({"doc_id": number, "acc": float(score)}) for number, score in enumerate(part)]
            (folder / f"samples_{task}_1.jsonl").write_text("\n".join(lines))
    (found,) = read_runs(tmp_path / "a", tmp_path / "b")
    assert ((2, 1), 10) == (found.discordant, found.samples)
