r"""Divides the saving among the strategies that change: Shapley values, so that the order of the changes does not matter.

The value of a set S of strategies is what the best plan saves that changes nothing else. A strategy's part is its mean
marginal value over all orders:

$$\phi_i = \sum_{S \not\ni i} \frac{|S|! (n - |S| - 1)!}{n!} (v(S \cup i) - v(S))$$

Source: Shapley, "A value for n-person games", 1953.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import factorial
from typing import TYPE_CHECKING

from advisor.insight.results import Attribution, SavingPart

if TYPE_CHECKING:
    from advisor.insight.space import Space

RIGHT_SIZING = "right-sizing"
NOTE = (
    "Shapley values: each strategy's mean contribution over every order of the changes. Every set of strategies is solved "
    "for its own cheapest plan; a set with which no plan keeps the limits counts as staying with today's deployment."
)


def attribution(space: Space, *, baseline_usd_per_month: float) -> Attribution:
    """Return the parts of the saving against today's deployment."""
    saved = baseline_usd_per_month - space.chosen_cost

    def value(strategies: frozenset[str]) -> float:
        if strategies == frozenset(space.changed):
            return saved
        best = space.best(space.only(strategies))
        return 0.0 if best is None else baseline_usd_per_month - float(space.cost[best])

    alone = value(frozenset())
    parts = shapley_values(space.changed, value)
    if alone or not parts:
        parts[RIGHT_SIZING] = alone
    ranked = sorted(parts.items(), key=lambda part: (-part[1], part[0]))
    return Attribution(
        baseline_usd_per_month=baseline_usd_per_month,
        plan_usd_per_month=space.chosen_cost,
        savings_usd_per_month=saved,
        parts=tuple(SavingPart(strategy=name, title=_title(name), usd_per_month=usd) for name, usd in ranked),
        note=NOTE,
    )


def shapley_values(players: Sequence[str], value: Callable[[frozenset[str]], float]) -> dict[str, float]:
    """Return each player's mean marginal value; together they make `value(all) - value(none)`.

    Args:
        players: Names, each once.
        value: Of a set of players.

    Example:
        >>> worth = {"": 0.0, "a": 10.0, "b": 20.0, "ab": 50.0}
        >>> shapley_values("ab", lambda some: worth["".join(sorted(some))])  # 20 more than the sum, half to each
        {'a': 20.0, 'b': 30.0}
    """
    count = len(players)
    known = {
        numbers: value(frozenset(player for at, player in enumerate(players) if numbers >> at & 1))
        for numbers in range(2**count)
    }
    parts = {}
    for at, player in enumerate(players):
        without = [numbers for numbers in known if not numbers >> at & 1]
        parts[player] = sum(
            _weight(numbers.bit_count(), count) * (known[numbers | 1 << at] - known[numbers])
            for numbers in without
        )
    return parts


def _weight(before: int, count: int) -> float:
    return factorial(before) * factorial(count - before - 1) / factorial(count)


def _title(strategy: str) -> str:
    if strategy == RIGHT_SIZING:
        return "Right-sizing: the same machines and settings, as many as are needed"
    return strategy.replace("_", " ").capitalize()
