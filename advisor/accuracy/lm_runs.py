"""Two runs of the lm-evaluation-harness as its folders hold them: the newest results, and answers compared one by one.

`lm_eval --output_path eval/fp8 --log_samples` writes `eval/fp8/<model>/results_<time>.json` and, beside it, one
`samples_<task>_<time>.jsonl` for each task. Where both runs kept the samples, the test is a paired one, which needs
several times fewer of them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from advisor.accuracy.lm_eval import discordant, read
from advisor.accuracy.measured import Measurement
from advisor.errors import InputError

_RIGHT_OR_WRONG = {"acc", "acc_norm", "exact_match", "prompt_level_strict_acc"}
"""Metrics for which an answer is right or wrong, so that disagreements can be counted."""


def read_runs(
    baseline: Path, optimized: Path, *, tasks: Sequence[str] = (), metric: str | None = None
) -> tuple[Measurement, ...]:
    """Read what two runs measured; see `advisor.accuracy.lm_eval.read`.

    Args:
        baseline: Results file of the unchanged model, or the folder of `--output_path`.
        optimized: The same of the variant.
        tasks: Tasks to read; by default all that both have.
        metric: Metric to read; by default the harness's main one.

    Returns:
        One measurement a task, with the disagreements counted where both runs kept their samples.

    Raises:
        InputError: No results are there, or the runs cannot be compared.
    """
    before, after = results_file(baseline), results_file(optimized)
    return tuple(_paired(one, before, after) for one in read(before, after, tasks=tasks, metric=metric))


def results_file(path: Path) -> Path:
    """Return the results file at a path, or the newest one within a folder.

    Raises:
        InputError: The folder holds none.
    """
    if not path.is_dir():
        return path
    found = sorted(path.rglob("results_*.json"), key=lambda file: (file.name, str(file)))
    if not found:
        raise InputError(
            f"there is no results_*.json in the folder '{path}'; give the --output_path of lm_eval"
        )
    return found[-1]


def _paired(measurement: Measurement, before: Path, after: Path) -> Measurement:
    task, _, metric = measurement.metric.rpartition(" ")
    if metric not in _RIGHT_OR_WRONG:
        return measurement
    counts = []
    for leaf in _leaves(_subtasks(before), task):
        one, two = _samples(before, leaf), _samples(after, leaf)
        if not (one.is_file() and two.is_file()):
            return measurement
        counts.append(discordant(one, two, metric=metric))
    only_before, only_after, samples = (sum(column) for column in zip(*counts, strict=True))
    if (
        samples != measurement.samples
    ):  # several answers are kept for one question, such as filters of a generation
        return measurement
    return replace(measurement, discordant=(only_before, only_after))


def _samples(results: Path, task: str) -> Path:
    return results.with_name(f"samples_{task}_{results.stem.removeprefix('results_')}.jsonl")


def _subtasks(results: Path) -> Mapping[str, Sequence[str]]:
    children = json.loads(results.read_text(encoding="utf-8")).get("group_subtasks")
    return children if isinstance(children, dict) else {}


def _leaves(children: Mapping[str, Sequence[str]], task: str) -> Iterator[str]:
    inner = [name for name in children.get(task) or () if name != task]
    if not inner:
        yield task
    for name in inner:
        yield from _leaves(children, name)
