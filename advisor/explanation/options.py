"""The options of a candidate in words, with what was published about them, and what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from advisor.evidence import evidence as records
from advisor.plans import Plans
from advisor.recommendation import (
    Choice,
    EvidenceNote,
    Exclusion,
)
from advisor.strategy import NONE, Option

if TYPE_CHECKING:
    from advisor.evaluation import Evaluation
    from advisor.evidence import Evidence


def chosen_options(evaluation: Evaluation, plans: Plans, position: int) -> tuple[tuple[str, Option], ...]:
    """Return the candidate's option of each strategy, in alphabetical order of strategies."""
    block = evaluation.candidates.blocks[int(evaluation.engines.block[plans.engine[position]])]
    engine = block.engines[int(evaluation.engines.row[plans.engine[position]])]
    policy = block.policies[int(plans.policy[position])]
    pairs = [
        *((axis.strategy, axis.options[i]) for axis, i in zip(block.engine_axes, engine, strict=True)),
        *((axis.strategy, axis.options[i]) for axis, i in zip(block.policy_axes, policy, strict=True)),
    ]
    return tuple(sorted(pairs, key=lambda pair: pair[0]))


def option_codes(evaluation: Evaluation, plans: Plans) -> dict[str, np.ndarray]:
    """Return for each candidate its machine, and its option of each strategy, as names; keys say which."""
    blocks = evaluation.candidates.blocks
    number = evaluation.engines.block[plans.engine]
    row = evaluation.engines.row[plans.engine]
    machines = np.array([block.instance_type.id for block in blocks])
    codes = {"machine": machines[number]}
    for block_number, block in enumerate(blocks):
        mine = number == block_number
        for axes, table, index in (
            (block.engine_axes, block.engines, row),
            (block.policy_axes, block.policies, plans.policy),
        ):
            for at, axis in enumerate(axes):
                names = np.array([option.id for option in axis.options], dtype=object)
                values = codes.setdefault(axis.strategy, np.full(len(plans), "", dtype=object))
                values[mine] = names[table[index[mine], at]]
    return codes


def choices(evaluation: Evaluation, plans: Plans, position: int) -> tuple[Choice, ...]:
    """Return the candidate's choices with their steps and evidence."""
    return tuple(
        Choice(
            strategy=strategy,
            option=option.id,
            title=option.title,
            changed=option.id != NONE,
            steps=option.steps,
            artefacts=dict(option.artefacts),
            risk=option.risk,
            sources=option.sources,
            evidence=evidence_notes(option.evidence),
        )
        for strategy, option in chosen_options(evaluation, plans, position)
    )


def evidence_notes(ids: Sequence[str]) -> tuple[EvidenceNote, ...]:
    """Return the records with these identifiers as notes for a reader."""
    return tuple(
        EvidenceNote(
            id=r.id,
            title=r.source_title,
            url=r.source_url,
            year=r.source_year,
            finding=finding(r),
            grade=r.grade,
        )
        for r in records(*dict.fromkeys(ids))
    )


def finding(record: Evidence) -> str:
    """Return what a record measured, in one line."""
    quality = (
        f"{record.recovery_percent:.1f} % of {record.benchmark or record.metric} kept"
        if record.recovery_percent
        else ""
    )
    ratios = (
        ("throughput", record.throughput_ratio),
        ("latency", record.latency_ratio),
        ("memory", record.memory_ratio),
        ("arithmetic", record.compute_ratio),
        ("cost", record.cost_ratio),
    )
    measured = [quality, *(f"{name} x {ratio:.2f}" for name, ratio in ratios if ratio)]
    place = [text for text in (record.model, record.hardware, record.load) if text]
    return f"{record.variant}: {', '.join(part for part in measured if part)} ({'; '.join(place)})"


def exclusions(evaluations: Sequence[Evaluation]) -> tuple[Exclusion, ...]:
    """Return what was left out, one entry for each strategy and reason."""
    grouped: dict[tuple[str, str], tuple[set[str], set[str]]] = {}
    for found in (found for one in evaluations for found in one.candidates.exclusions):
        options, machines = grouped.setdefault((found.strategy, found.reason), (set(), set()))
        options.add(found.option)
        machines.add(found.instance_type.rpartition("/")[2])
    return tuple(
        Exclusion(
            strategy=strategy,
            reason=reason,
            options=tuple(sorted(options)),
            instance_types=tuple(sorted(machines)),
        )
        for (strategy, reason), (options, machines) in sorted(grouped.items())
    )
