"""Plans almost as cheap that are really different."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from advisor.examples import EXAMPLES
from advisor.insight.alternatives import near_optimal


@pytest.mark.parametrize("name", EXAMPLES)
class TestEveryExample:
    def test_they_are_within_five_percent_and_rise(self, name: str, found: Callable[[str], Any]) -> None:
        extra = [other.extra_ratio for other in found(name).near_optimal]
        assert sorted(extra) == extra
        assert all(-1e-9 <= ratio <= 0.05 for ratio in extra)

    def test_each_differs_from_every_other_in_machine_or_treatment(
        self, name: str, case: Callable[[str], Any]
    ) -> None:
        others = near_optimal(case(name).space, within_ratio=1.0, most=8)
        model = {"quantization", "pruning", "adaptive_inference"}
        kinds = [
            (
                other.plan.instance_type,
                other.plan.region,
                tuple((c.strategy, c.option) for c in other.plan.choices if c.strategy in model),
            )
            for other in others
        ]
        assert len(others) >= 1
        assert len(set(kinds)) == len(kinds)
        assert all(other.differs for other in others)
        assert not any("none" in other.differs.split() for other in others)
