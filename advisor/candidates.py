"""Composes candidates: every compatible combination of one option from each strategy, on each instance type.

Combinations are rows of integers, never objects. Strategies that leave the engine alone (scaling, purchase) are kept
apart from those that change it, so that an engine is evaluated once for all the ways to scale and buy it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

from advisor.errors import InputError, StrategyError, UnknownName
from advisor.strategy import NONE, Option, Strategy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.catalog import InstanceType
    from advisor.requirements import Requirements
    from advisor.workload import Workload


@dataclass(frozen=True, slots=True)
class Axis:
    """What one strategy offers on one instance type, after exclusions; `none` first."""

    strategy: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Exclusion:
    """An option that cannot be used on an instance type, and why."""

    strategy: str
    option: str
    instance_type: str
    reason: str


@dataclass(frozen=True, slots=True)
class Block:
    """All candidates on one instance type.

    Args:
        instance_type: The machine.
        engine_axes: Strategies that change the model or its engine, in alphabetical order.
        policy_axes: Strategies that only scale or buy, in alphabetical order.
        engines: Option numbers, shape (engines, engine axes).
        policies: Option numbers, shape (policies, policy axes).
        refused: For each pair of an engine axis and a policy axis that declare conflicts: their numbers, and which
            options may be combined, shape (options of the one, options of the other).
    """

    instance_type: InstanceType
    engine_axes: tuple[Axis, ...]
    policy_axes: tuple[Axis, ...]
    engines: NDArray[np.int64]
    policies: NDArray[np.int64]
    refused: tuple[tuple[int, int, NDArray[np.bool_]], ...] = ()

    @property
    def count(self) -> int:
        """Candidates in the block."""
        if not self.refused:
            return len(self.engines) * len(self.policies)
        return sum(int(self.engines_under(number).sum()) for number in range(len(self.policies)))

    def engines_under(self, policy: int) -> NDArray[np.bool_]:
        """Return which engines may be combined with a policy."""
        keep = np.ones(len(self.engines), dtype=bool)
        for engine_axis, policy_axis, allowed in self.refused:
            keep &= allowed[self.engines[:, engine_axis], self.policies[policy, policy_axis]]
        return keep


@dataclass(frozen=True, slots=True)
class Candidates:
    """Every candidate, in blocks of one instance type, and what was left out."""

    blocks: tuple[Block, ...]
    exclusions: tuple[Exclusion, ...]
    considered: int | None = None
    """Candidates that there were before most of them were left out; `None` where none was."""

    @property
    def count(self) -> int:
        """Number of candidates, with those that were left out."""
        return sum(block.count for block in self.blocks) if self.considered is None else self.considered


@dataclass(frozen=True, slots=True)
class Selection:
    """Which options the user allows: patterns `strategy` or `strategy=option` with `*`.

    Example:
        >>> selection = Selection(only=("quantization=int8*",), without=())
        >>> selection.allows("quantization", "int8-qat"), selection.allows("pruning", "2:4"), selection.allows("pruning", "none")
        (True, False, True)
    """

    only: tuple[str, ...]
    without: tuple[str, ...]

    def allows(self, strategy: str, option: str) -> bool:
        """Return whether the option may be used; `none` always may."""
        if option == NONE:
            return True
        if self.only and not any(_matches(pattern, strategy, option) for pattern in self.only):
            return False
        return not any(_matches(pattern, strategy, option) for pattern in self.without)

    def leaves_alone(self, strategy: str) -> bool:
        """Return whether nothing but `none` may be chosen of the strategy."""
        named = self.only and not any(
            fnmatchcase(strategy, pattern.partition("=")[0]) for pattern in self.only
        )
        return bool(named) or any(
            fnmatchcase(strategy, pattern) for pattern in self.without if "=" not in pattern
        )

    def check(self, strategies: Sequence[Strategy]) -> None:
        """Raise `UnknownName` where a pattern names no installed strategy."""
        known = [strategy.name for strategy in strategies]
        for pattern in (*self.only, *self.without):
            name = pattern.partition("=")[0]
            if name != "*" and not any(fnmatchcase(candidate, name) for candidate in known):
                raise UnknownName.among("strategy", name, known, "is installed")


def _matches(pattern: str, strategy: str, option: str) -> bool:
    name, equals, choice = pattern.partition("=")
    return fnmatchcase(strategy, name) and (not equals or fnmatchcase(option, choice))


def compose(
    workload: Workload,
    requirements: Requirements,
    strategies: Sequence[Strategy],
    instance_types: Sequence[InstanceType],
) -> Candidates:
    """Return every compatible candidate.

    Args:
        workload: What is served, and what serves it today.
        requirements: Which strategies and options are allowed.
        strategies: Installed strategies, in any order.
        instance_types: Machines to consider, in any order.

    Raises:
        StrategyError: A strategy breaks its contract.
        UnknownName: A pattern of the requirements names no installed strategy or option.
        InputError: No machine is left to consider.
    """
    if not instance_types:
        raise InputError("no instance type is left to consider; widen --provider, --region or --instance")
    ordered = sorted(strategies, key=lambda strategy: strategy.name)
    selection = Selection(tuple(requirements.only), tuple(requirements.without))
    selection.check(ordered)
    exclusions: list[Exclusion] = []
    machines = [
        machine
        for machine in sorted(instance_types, key=lambda m: m.id)
        if _serves(workload, machine, exclusions)
    ]
    if not machines:
        raise InputError(
            f"none of the {len(instance_types)} instance types considered can serve this model: {exclusions[0].reason}"
        )
    blocks = tuple(_block(workload, selection, ordered, machine, exclusions) for machine in machines)
    return Candidates(blocks, tuple(exclusions))


SERVING_KINDS = {"decoder": ("gpu",), "encoder": ("gpu", "cpu"), "cnn": ("gpu", "cpu")}
"""Kinds of accelerator for which there are measurements of serving a family."""


def _serves(workload: Workload, machine: InstanceType, exclusions: list[Exclusion]) -> bool:
    kind, family = machine.accelerator.kind, workload.model.family
    if kind in SERVING_KINDS[family]:
        return True
    exclusions.append(
        Exclusion("", "", machine.id, f"there are no measurements of serving a {family} on a {kind}")
    )
    return False


def _block(
    workload: Workload,
    selection: Selection,
    strategies: Sequence[Strategy],
    instance_type: InstanceType,
    exclusions: list[Exclusion],
) -> Block:
    axes = [_axis(workload, selection, strategy, instance_type, exclusions) for strategy in strategies]
    engine_axes = tuple(axis for axis in axes if not _is_policy(axis))
    policy_axes = tuple(axis for axis in axes if _is_policy(axis))
    refused = tuple(
        (i, j, allowed)
        for i, engine in enumerate(engine_axes)
        for j, policy in enumerate(policy_axes)
        if not (allowed := _allowed(engine, policy)).all()
    )
    return Block(
        instance_type,
        engine_axes,
        policy_axes,
        _combinations(engine_axes),
        _combinations(policy_axes),
        refused,
    )


def _axis(
    workload: Workload,
    selection: Selection,
    strategy: Strategy,
    instance_type: InstanceType,
    exclusions: list[Exclusion],
) -> Axis:
    offered = tuple(strategy.options(workload, instance_type))
    _check(strategy.name, offered)
    kept = []
    for option in offered:
        if not selection.allows(strategy.name, option.id):
            continue
        reason = option.requires.refusal(
            family=workload.model.family, runtime=workload.serving.runtime, instance_type=instance_type
        )
        if reason is None:
            kept.append(option)
        else:
            exclusions.append(Exclusion(strategy.name, option.id, instance_type.id, reason))
    return Axis(strategy.name, tuple(kept))


def _check(strategy: str, options: Sequence[Option]) -> None:
    names = [option.id for option in options]
    if (
        names[:1] != [NONE]
        or not options[0].deltas.is_policy
        or options[0].deltas.gpu_hours
        or options[0].deltas.treatments
    ):
        raise StrategyError.breaks(
            strategy, f"must offer the neutral option '{NONE}' first", ", ".join(names) or "nothing"
        )
    if len(set(names)) < len(names):
        raise StrategyError.breaks(strategy, "must give each option its own name", ", ".join(names))


def _is_policy(axis: Axis) -> bool:
    """Return whether a strategy only scales or buys.

    Raises:
        StrategyError: It does that and changes the engine too.
    """
    is_policy = all(option.deltas.is_policy for option in axis.options)
    if not is_policy and any(option.deltas.scaling or option.deltas.purchase for option in axis.options):
        raise StrategyError.breaks(
            axis.strategy,
            "must either change the engine or set scaling and purchase; make it two strategies",
            "both",
        )
    return is_policy


def _allowed(first: Axis, second: Axis) -> NDArray[np.bool_]:
    """Return which options of two strategies may be combined, shape (options of first, options of second)."""
    allowed = np.ones((len(first.options), len(second.options)), dtype=bool)
    for i, option in enumerate(first.options):
        if option.conflicts:
            allowed[i] &= [not _refuses(option, second.strategy, other) for other in second.options]
    for j, option in enumerate(second.options):
        if option.conflicts:
            allowed[:, j] &= [not _refuses(option, first.strategy, other) for other in first.options]
    return allowed


def _refuses(option: Option, strategy: str, other: Option) -> bool:
    return other.id != NONE and any(_matches(pattern, strategy, other.id) for pattern in option.conflicts)


def _combinations(axes: Sequence[Axis]) -> NDArray[np.int64]:
    """Return every allowed combination of option numbers, shape (combinations, axes)."""
    shape = tuple(len(axis.options) for axis in axes)
    if not shape:
        return np.zeros((1, 0), dtype=np.int64)
    grid = np.indices(shape).reshape(len(shape), -1)
    keep = np.ones(grid.shape[1], dtype=bool)
    for i, j in _pairs(len(axes)):
        allowed = _allowed(axes[i], axes[j])
        if not allowed.all():
            keep &= allowed[grid[i], grid[j]]
    return np.ascontiguousarray(grid[:, keep].T)


def _pairs(count: int) -> Iterator[tuple[int, int]]:
    return ((i, j) for i in range(count) for j in range(i + 1, count))
