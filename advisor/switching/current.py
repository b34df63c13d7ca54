"""The plan in service as a user gives it, and as the services of today find it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from advisor.errors import InputError
from advisor.fleet import Fleet
from advisor.recommendation import Recommendation, ServicePlan
from advisor.stored import load_unmixed
from advisor.switching.rebasing import matched, rebased

TOLERANCE_RATIO = 0.02
"""Saving, as a share of the running cost in service, below which a cheaper plan is not worth a change: assumed."""
SURE_RATIO = 0.9
"""Probability with which a saving must be real: nine of ten outcomes, as the report's intervals."""


@dataclass(frozen=True, slots=True)
class Current:
    """The plan in service, and what a change must bring.

    Args:
        plan: A recommendation, or the file of one.
        tolerance_ratio: Share of the running cost that is not worth a change, 0.02 for 2 %.
        sure_ratio: Probability with which a saving must be real; 0.5 is on average.
        months_left: Months that remain to be paid of what the plan reserved; 0 where nothing is committed.

    Raises:
        InputError: A value is out of its range.
    """

    plan: Recommendation | str | Path
    tolerance_ratio: float = TOLERANCE_RATIO
    sure_ratio: float = SURE_RATIO
    months_left: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.tolerance_ratio < 1.0:
            raise InputError(
                f"tolerance: got {self.tolerance_ratio:g}; expected a share from 0 to 1, such as 2%"
            )
        if not 0.5 <= self.sure_ratio <= 0.999:
            raise InputError(f"sure: got {self.sure_ratio:g}; expected a probability from 50% to 99.9%")
        if not 0.0 <= self.months_left <= 120.0:
            raise InputError(f"months left: got {self.months_left:g}; expected 0 to 120 months")


@dataclass(frozen=True, slots=True)
class InService:
    """A plan in service, found among the services of today.

    Args:
        current: What a change must bring.
        plans: Service plans in service, by name.
        notes: What to know about it.
    """

    current: Current
    plans: Mapping[str, ServicePlan]
    notes: tuple[str, ...] = ()


def in_service(current: Current | Recommendation | str | Path, fleet: Fleet) -> tuple[Fleet, InService]:
    """Return today's services on the baseline of the plan in service, and that plan.

    Services that the plan has not got are new; those that it has and nobody asks about are left out.

    Raises:
        InputError: The plan cannot be read.
    """
    asked = current if isinstance(current, Current) else Current(current)
    stored = load_unmixed(asked.plan)
    assert stored.plan is not None  # noqa: S101 - `load_plan` refuses others
    today, notes = rebased(matched(fleet, stored), stored)
    names = {one.workload.name for one in today.services}
    plans = {one.name: one for one in stored.plan.services if one.name in names}
    gone = sorted({one.name for one in stored.plan.services} - names)
    notes += [f"{name} is in service and was not asked about; it is left out here." for name in gone]
    return today, InService(asked, plans, tuple(notes))
