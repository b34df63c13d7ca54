"""Strategies whose option in service costs nothing once more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from advisor.catalog import InstanceType
    from advisor.strategy import Option, Strategy
    from advisor.workload import Workload


class Paid:
    """A strategy as one sees it who already has one of its options: the one-time work of that one is done.

    Args:
        strategy: The strategy.
        option: Identifier of the option in service.
    """

    def __init__(self, strategy: Strategy, option: str) -> None:
        self.name, self.title = strategy.name, strategy.title
        self._strategy, self._option = strategy, option

    def options(self, workload: Workload, instance_type: InstanceType) -> Sequence[Option]:
        """Return the options of the strategy; see `advisor.strategy.Strategy`."""
        return [self._paid(option) for option in self._strategy.options(workload, instance_type)]

    def _paid(self, option: Option) -> Option:
        if option.id != self._option:
            return option
        return replace(option, deltas=replace(option.deltas, gpu_hours=0.0, engineer_hours=0.0))


def paid(strategies: Sequence[Strategy], options: Mapping[str, str]) -> tuple[Strategy, ...]:
    """Return the strategies with the one-time work of the options in service done.

    Args:
        strategies: Installed strategies.
        options: Option in service, by the name of its strategy.

    Example:
        >>> from advisor.strategy import Deltas, Option, neutral
        >>> class Kernels:
        ...     name, title = "kernels", "Kernels"
        ...     def options(self, workload, instance_type):
        ...         return [neutral("As today"), Option("fused", "Fused", Deltas(engineer_hours=8.0))]
        >>> [option.deltas.engineer_hours for option in paid([Kernels()], {"kernels": "fused"})[0].options(None, None)]
        [0.0, 0.0]
    """
    return tuple(
        Paid(strategy, options[strategy.name]) if strategy.name in options else strategy
        for strategy in strategies
    )
