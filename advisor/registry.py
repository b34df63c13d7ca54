"""Finds the installed strategies through the entry-point group `advisor.strategies`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points

from advisor.errors import StrategyError, UnknownName
from advisor.strategy import Strategy

GROUP = "advisor.strategies"


def installed_strategies() -> tuple[Strategy, ...]:
    """Return every installed strategy, in alphabetical order of names.

    Raises:
        StrategyError: Two packages provide the same name, or one cannot be imported or is no strategy.
    """
    found: dict[str, tuple[EntryPoint, Strategy]] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        strategy = _loaded(point)
        if strategy.name in found:
            other = found[strategy.name][0]
            if other.value == point.value:
                continue
            raise StrategyError.breaks(
                strategy.name, "may be provided once", f"{other.value} and {point.value}"
            )
        found[strategy.name] = (point, strategy)
    return tuple(found[name][1] for name in sorted(found))


def _loaded(point: EntryPoint) -> Strategy:
    try:
        strategy = point.load()
    except Exception as error:
        raise StrategyError.not_loadable(
            point.name, point.value, f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(strategy, Strategy):
        raise StrategyError.breaks(point.name, "must have a name, a title and options()", point.value)
    return strategy


def strategy_named(name: str, strategies: Sequence[Strategy] | None = None) -> Strategy:
    """Return the strategy of that name.

    Raises:
        UnknownName: None is called so; the message says which there are.
    """
    known = {
        strategy.name: strategy for strategy in (installed_strategies() if strategies is None else strategies)
    }
    if name not in known:
        raise UnknownName.among("strategy", name, known, "is installed")
    return known[name]
