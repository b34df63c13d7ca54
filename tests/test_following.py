"""What following the load costs, without a simulation; tests/test_replay.py replays it."""

from __future__ import annotations

import numpy as np
import pytest

from advisor import cost
from advisor.following import machines_paid

DAY = cost.Periods(np.linspace(1.0, 10.0, 24), np.full(24, 730.0 / 24.0))


def paid(capacity_requests_per_s: float, dispersion: float = 4.0) -> float:
    counted = machines_paid(
        DAY,
        capacity_requests_per_s=np.array([[capacity_requests_per_s]]),
        per_instance=np.array([1.0]),
        at_least=np.array([1.0]),
        dispersion=dispersion,
    )
    return float(counted.sum())


def test_machines_that_carry_next_to_nothing_are_counted_in_groups_and_not_one_by_one() -> None:
    assert 1000.0 * paid(1e-3) == pytest.approx(paid(1e-6), rel=1e-3)


def test_burstier_arrivals_never_pay_for_fewer_machines() -> None:
    assert sorted(paid(0.5, dispersion) for dispersion in (0.01, 1.0, 4.0, 16.0)) == [
        paid(0.5, dispersion) for dispersion in (0.01, 1.0, 4.0, 16.0)
    ]
