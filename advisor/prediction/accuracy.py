"""Rows of compressed models: the share of the metric that they keep, as a published table would show it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from advisor.accuracy import predict_recovery, prior
from advisor.accuracy.taxonomy import kind
from advisor.prediction.inputs import Inputs, Row, cell, quoted
from advisor.prediction.outcome import Outcome, basis_of, columns_with_interval

OUTPUTS = columns_with_interval("accuracy_recovery_pct")
COLUMNS = {
    "strategy": ("strategy",),
    "variant": ("variant",),
    "model_family": ("model_family", "family"),
    "model": ("model",),
    "params_b": ("params_b",),
    "dataset_or_benchmark": ("dataset_or_benchmark", "benchmark"),
    "metric_name": ("metric_name", "metric"),
    "baseline_metric": ("baseline_metric", "baseline"),
    "needs_retraining": ("needs_retraining", "effort"),
}
"""Name of each question in the prior, and the columns that may answer it."""
SIZE = list(COLUMNS).index("params_b")


def recognises(row: Row) -> bool:
    """Return whether a row names a treatment of a model."""
    return bool(cell(row, "strategy")) and bool(cell(row, "variant"))


def predict(rows: Sequence[Row]) -> Outcome:
    """Return the accuracy kept, in percent of the baseline's metric, with the interval.

    Args:
        rows: Mappings with `strategy, variant` and, where known, the other columns of published evidence.
    """
    inputs = Inputs.of(rows)
    strategies = {name.partition("|")[0] for name in prior().residuals if name}
    questions = [_question(row) for row in rows]
    for place, question in enumerate(questions):
        if question[0] not in strategies:
            known = ", ".join(sorted(strategies))
            inputs.refuse(place, f"strategy is {quoted(question[0])}; expected one of {known}")
        if (size := question[SIZE]).startswith("-"):
            inputs.refuse(place, f"params_b is {quoted(size)}; expected a number above 0, or nothing")
    asked = list(dict.fromkeys(q for q, reason in zip(questions, inputs.reasons, strict=True) if not reason))
    answers = dict(
        zip(asked, predict_recovery([dict(zip(COLUMNS, q, strict=True)) for q in asked]), strict=True)
    )
    missing = dict.fromkeys(OUTPUTS, np.nan)
    found = [answers.get(question, missing) for question in questions]
    return Outcome(
        {name: np.array([answer[name] for answer in found], dtype=float) for name in OUTPUTS},
        tuple("" if reason else _basis(q) for q, reason in zip(questions, inputs.reasons, strict=True)),
        tuple(inputs.reasons),
        family=tuple(question[2] for question in questions),
        backend=tuple(question[0] for question in questions),
        chip=("",) * len(rows),
    )


def _question(row: Row) -> tuple[str, ...]:
    answers = {name: cell(row, *columns) for name, columns in COLUMNS.items()}
    if not answers["params_b"]:
        answers["params_b"] = _billions(cell(row, "parameters"))
    return tuple(answers.values())


def _billions(count: str) -> str:
    """Return a plain count of parameters in billions, as the prior asks; '' where it is none."""
    try:
        return repr(float(count) / 1e9)
    except ValueError:
        return ""


def _basis(question: tuple[str, ...]) -> str:
    strategy, variant, family = question[:3]
    models = prior().kind_models.get(f"{kind(variant, strategy).name}|{family.lower()}", 0)
    return basis_of(
        ""
        if models
        else f"no published record of such a treatment on {family or 'models of no stated family'}"
    )
