"""Strategies in words for the terminal: the list of them, and one with its options, deltas and evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from textwrap import fill

from advisor.catalog import Catalog, InstanceType
from advisor.explanation import evidence_notes
from advisor.registry import installed_strategies, strategy_named
from advisor.strategy import Deltas, Option, Strategy
from advisor.workload import Workload

WIDTH = 80


def strategy_list(source: str) -> str:
    """Return the installed strategies with how many options each has for a workload."""
    workload = Workload.load(source)
    machine = _machine(workload)
    lines = [
        f"Installed strategies, with their options for '{workload.name}' ({workload.model.name}) on {machine.name}:",
        "",
    ]
    for strategy in installed_strategies():
        options = strategy.options(workload, machine)
        usable = [option for option in options if _refusal(option, workload, machine) is None]
        lines.append(f"{strategy.name:<20} {strategy.title} ({len(usable)} of {len(options)} options usable)")
        lines.append(
            fill(
                ", ".join(option.id for option in usable),
                WIDTH,
                initial_indent="    ",
                subsequent_indent="    ",
            )
        )
    return "\n".join([*lines, "", "advisor strategies NAME shows one with its numbers and evidence.", ""])


def strategy_card(name: str, source: str) -> str:
    """Return one strategy with every option: what it changes, what it needs, and the evidence.

    Raises:
        UnknownName: No strategy is installed under that name.
    """
    workload = Workload.load(source)
    machine = _machine(workload)
    strategy = strategy_named(name)
    lines = [
        f"{strategy.name}: {strategy.title}",
        f"for '{workload.name}' ({workload.model.name}) on {machine.name}",
        "",
    ]
    return "\n".join([*lines, *_options(strategy, workload, machine)])


def _machine(workload: Workload) -> InstanceType:
    here = workload.serving
    return Catalog.load().instance(here.instance_type, here.provider, here.region)


def _refusal(option: Option, workload: Workload, machine: InstanceType) -> str | None:
    return option.requires.refusal(
        family=workload.model.family, runtime=workload.serving.runtime, instance_type=machine
    )


def _options(strategy: Strategy, workload: Workload, machine: InstanceType) -> Iterator[str]:
    for option in strategy.options(workload, machine):
        yield f"{option.id}: {option.title}"
        for name, text in _rows(option, _refusal(option, workload, machine)):
            yield fill(f"{name:<9}{text}", WIDTH, initial_indent="    ", subsequent_indent=" " * 13)
        for note in evidence_notes(option.evidence):
            yield fill(
                f"{note.id}  {note.finding} [{note.grade}] {note.title}, {note.year}",
                WIDTH,
                initial_indent="    ",
                subsequent_indent=" " * 13,
            )
        yield ""


def _rows(option: Option, refusal: str | None) -> Iterator[tuple[str, str]]:
    changed = deltas_in_words(option.deltas)
    yield "changes", changed or "nothing"
    if option.requires.source:
        yield "needs", option.requires.source
    if refusal:
        yield "left out", refusal
    if option.conflicts:
        yield "excludes", ", ".join(option.conflicts)
    yield from (("source", source) for source in option.sources)
    if option.risk:
        yield "risk", option.risk


def deltas_in_words(deltas: Deltas) -> str:
    """Return every delta that is not neutral, as `name value`.

    Example:
        >>> deltas_in_words(Deltas(compute_ratio=0.75, treatments=("2:4-finetuned",)))
        'compute_ratio 0.75, treatments 2:4-finetuned'
    """
    words = []
    for item in fields(Deltas):
        value = getattr(deltas, item.name)
        if value != item.default:
            text = (
                " + ".join(value)
                if isinstance(value, tuple)
                else f"{value:.4g}"
                if isinstance(value, float)
                else str(value)
            )
            words.append(f"{item.name} {text}")
    return ", ".join(words)
