"""How sure a plan is: what was proven, calibrated and tried under uncertainty, and what to measure next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from advisor.results import Result


class SolverSummary(Result):
    """What the solver proved."""

    name: str
    status: Literal["optimal", "feasible", "infeasible", "unbounded", "undetermined"]
    objective: float | None
    bound: float | None
    gap_ratio: float | None
    columns: int
    """Candidates handed to the program; the others were provably no better."""


class CalibrationNote(Result):
    """One engine of your calibration, and what it changed here."""

    engine: str
    """Model, runtime, chip and number format."""
    applies_to: Literal["plan", "candidates", "nothing"]
    text: str


class NextMeasurement(Result):
    """The one measurement that is worth most before deciding."""

    kind: Literal["accuracy", "speed"]
    subject: str
    """What to measure, such as `quantization=fp8`, or the engine on its machine."""
    why: str
    """What hangs on it, in words."""
    value_usd_per_month: float
    """Expected value of knowing the result: what the better decision saves, times how likely it is."""
    probability_changes_plan: float
    """Probability that the result changes the plan or the number of its machines."""
    samples: int | None
    """Samples that settle the claim; null for a benchmark."""
    command: str
    """What to run."""
    record: str
    """What to do with the result, such as the lines to add to the workload."""
    notes: tuple[str, ...] = ()


class RobustChoice(Result):
    """Why this plan where accuracy, speed, traffic and prices are uncertain at once."""

    confidence: float
    """With which all limits are to hold together."""
    draws: int
    considered: int
    """Plans that were tried in every draw: the cheapest kinds, sized with more or less room."""
    all_limits_probability: float
    """That every limit holds with the machines of the plan."""
    limits: Mapping[str, float]
    """The same for each limit alone."""
    headroom_ratio: float
    """Traffic above what was stated that the machines were counted for."""
    expected_usd_per_month: float
    """With machines added until the limits hold, and another plan where the accuracy does not."""
    expected_regret_usd_per_month: float
    """Against knowing the truth beforehand."""
    saving_probability: float
    """That it is cheaper than today's deployment, failures included."""
    cheapest_usd_per_month: float
    """Cost of the plan that is cheapest as predicted."""
    cheapest_all_limits_probability: float
    verdict: Literal["act", "measure first", "hold"]
    reason: str
    rule: str
    assumptions: tuple[str, ...]
