"""Measurements from two results files of the lm-evaluation-harness: the baseline's and the variant's.

Two runs are compared only if they asked the same questions in the same way: same task version, same number of shots, same task hash,
same number of samples. Anything else is refused with the reason.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from advisor.accuracy.measured import Measurement
from advisor.accuracy.taxonomy import task_class
from advisor.errors import InputError

_PREFERRED = (
    "exact_match",
    "acc_norm",
    "acc",
    "pass@1",
    "pass_at_1",
    "f1",
    "prompt_level_strict_acc",
    "em",
    "mc2",
    "rouge",
    "bleu",
)
_MUST_AGREE = {"versions": "task version", "n-shot": "number of shots", "task_hashes": "task hash"}


def read(
    baseline: str | Path, optimized: str | Path, *, tasks: Sequence[str] = (), metric: str | None = None
) -> tuple[Measurement, ...]:
    """Read the tasks that two results files have in common.

    Args:
        baseline: Results file (`results_*.json`) of the unchanged model.
        optimized: Results file of the variant.
        tasks: Tasks to read; by default all that both files have, without the subtasks of a group.
        metric: Metric such as `acc` or `acc,none`; by default the harness's main one.

    Returns:
        One measurement a task, in the order of the baseline's file.

    Raises:
        InputError: A file is no results file, no task is common, or the runs differ in version, shots, hash or samples.
    """
    before, after = _document(Path(baseline)), _document(Path(optimized))
    names = tuple(tasks) or _common(before, after)
    missing = [
        name
        for name in names
        if name not in _section(before, "results") or name not in _section(after, "results")
    ]
    if missing or not names:
        have = ", ".join(_section(before, "results")) or "none"
        raise InputError(
            f"{baseline} and {optimized} have no result for {', '.join(missing) or 'a common task'} in common; the first has: {have}."
        )
    _refuse_different_questions(before, after, names)
    return tuple(_measurement(before, after, name, metric, f"{baseline} and {optimized}") for name in names)


def _document(path: Path) -> Mapping[str, object]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(
            f"{path} is not JSON: {error}. Give the results_*.json that lm_eval --output_path writes."
        ) from error
    if not isinstance(document, dict) or not isinstance(document.get("results"), dict):
        raise InputError(
            f"{path} has no 'results'. Give the results_*.json that lm_eval --output_path writes."
        )
    return document


def _section(document: Mapping[str, object], name: str) -> Mapping[str, object]:
    section = document.get(name)
    return section if isinstance(section, dict) else {}


def _common(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[str, ...]:
    subtasks = {
        name
        for children in _section(before, "group_subtasks").values()
        if isinstance(children, list)
        for name in map(str, children)
    }
    shared = [name for name in _section(before, "results") if name in _section(after, "results")]
    return tuple(name for name in shared if name not in subtasks) or tuple(shared)


def _refuse_different_questions(
    before: Mapping[str, object], after: Mapping[str, object], names: Sequence[str]
) -> None:
    problems = []
    for name in names:
        for section, words in _MUST_AGREE.items():
            one, two = _section(before, section).get(name), _section(after, section).get(name)
            if one is not None and two is not None and one != two:
                problems.append(f"{name}: {words} {one} against {two}")
        one, two = _samples(before, name), _samples(after, name)
        if one is not None and two is not None and one != two:
            problems.append(f"{name}: {one} samples against {two}")
    if problems:
        raise InputError(
            "the two runs did not ask the same questions: "
            + "; ".join(problems)
            + ". Run both models with the same harness version and flags."
        )


def _samples(document: Mapping[str, object], task: str) -> int | None:
    counts = _section(document, "n-samples").get(task)
    if isinstance(counts, dict):
        value = counts.get("effective", counts.get("original"))
        return value if isinstance(value, int) else None
    children = _section(document, "group_subtasks").get(task)
    parts = [_samples(document, str(child)) for child in children] if isinstance(children, list) else []
    return sum(part or 0 for part in parts) or None


def _measurement(
    before: Mapping[str, object], after: Mapping[str, object], task: str, metric: str | None, source: str
) -> Measurement:
    one, two = _section(_section(before, "results"), task), _section(_section(after, "results"), task)
    key = _metric_key(one, two, task, metric)
    name, _, scheme = key.partition(",")
    error_key = f"{name}_stderr,{scheme}" if scheme else f"{name}_stderr"
    direction = _section(_section(before, "higher_is_better"), task).get(name)
    return Measurement(
        metric=f"{task} {name}",
        baseline=_value(one, key, task),
        optimized=_value(two, key, task),
        samples=_samples(before, task),
        higher_is_better=direction if isinstance(direction, bool) else not name.endswith("perplexity"),
        task=task_class(task, "", "decoder"),
        standard_errors=_pair(one.get(error_key), two.get(error_key)),
        source=source,
    )


def _pair(one: object, two: object) -> tuple[float, float] | None:
    """Both standard errors, or None where the harness wrote `N/A`."""
    return (float(one), float(two)) if isinstance(one, int | float) and isinstance(two, int | float) else None


def _value(row: Mapping[str, object], key: str, task: str) -> float:
    value = row[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{task}: {key} is {value!r}; expected a number.")
    return float(value)


def _metric_key(one: Mapping[str, object], two: Mapping[str, object], task: str, metric: str | None) -> str:
    keys = [
        key
        for key in one
        if key in two and key not in {"alias", "name", "sample_len", "sample_count"} and "_stderr" not in key
    ]
    if metric is not None:
        keys = [key for key in keys if metric in {key, key.partition(",")[0]}]
    if not keys:
        raise InputError(
            f"{task}: metric {metric or ''!r} is not in both files. They have: {', '.join(one)}."
        )
    return min(keys, key=lambda key: (_rank(key.partition(",")[0]), keys.index(key)))


def _rank(name: str) -> int:
    return next((rank for rank, wanted in enumerate(_PREFERRED) if name == wanted), len(_PREFERRED))


def discordant(baseline: str | Path, optimized: str | Path, *, metric: str) -> tuple[int, int, int]:
    """Count the samples on which two runs disagree, from the files that `--log_samples` writes.

    Args:
        baseline: `samples_*.jsonl` of the unchanged model.
        optimized: `samples_*.jsonl` of the variant.
        metric: Key of the per-sample score, e.g. `acc`.

    Returns:
        Samples where only the baseline was right, samples where only the variant was right, samples in all.

    Raises:
        InputError: The files answer different questions or lack the metric.
    """
    one, two = _scores(Path(baseline), metric), _scores(Path(optimized), metric)
    if one.keys() != two.keys():
        raise InputError(
            f"{baseline} and {optimized} answer different questions ({len(one)} and {len(two)} documents). Run both on the same ones."
        )
    only_before = sum(one[key] > two[key] for key in one)
    only_after = sum(one[key] < two[key] for key in one)
    return only_before, only_after, len(one)


def _scores(path: Path, metric: str) -> dict[tuple[str, str], float]:
    scores: dict[tuple[str, str], float] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        row = json.loads(line)
        if not isinstance(row.get(metric), int | float):
            raise InputError(
                f"{path}, line {number}: no per-sample {metric!r}. It has: {', '.join(map(str, row))}."
            )
        scores[f"{row.get('doc_id', number)} {row.get('doc_hash', '')}", str(row.get("filter", ""))] = float(
            row[metric]
        )
    return scores
