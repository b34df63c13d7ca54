"""The whole result: what to do, what it saves, why, and how sure we are; pydantic, frozen, picklable, and nothing computed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from advisor.billing.results import WholeBill
from advisor.errors import InfeasibleError
from advisor.recommendation.certainty import CalibrationNote, NextMeasurement, RobustChoice, SolverSummary
from advisor.recommendation.comparison import Alternative, Binding, Commitment, Exclusion, Mixing, MixPart
from advisor.recommendation.conflict import Conflict, Miss, NearestPlan, Repair
from advisor.recommendation.origin import Assumption, Inputs, Provenance, ServiceInputs
from advisor.recommendation.plan import (
    AccuracyLoss,
    Baseline,
    Bill,
    Choice,
    Deployment,
    EvidenceNote,
    LatencyCheck,
    Plan,
    PurchaseLine,
    ServicePlan,
)
from advisor.results import Result
from advisor.switch import Switch

__all__ = [
    "SCHEMA_VERSION",
    "AccuracyLoss",
    "Alternative",
    "Assumption",
    "Baseline",
    "Bill",
    "Binding",
    "CalibrationNote",
    "Choice",
    "Commitment",
    "Conflict",
    "Deployment",
    "EvidenceNote",
    "Exclusion",
    "Inputs",
    "LatencyCheck",
    "Miss",
    "MixPart",
    "Mixing",
    "NearestPlan",
    "NextMeasurement",
    "Plan",
    "Provenance",
    "PurchaseLine",
    "Recommendation",
    "Repair",
    "RobustChoice",
    "ServiceInputs",
    "ServicePlan",
    "SolverSummary",
]

SCHEMA_VERSION = "1.0"


class Recommendation(Result):
    """What to do, what it saves, and how sure we are; or why nothing fits."""

    schema_version: str = SCHEMA_VERSION
    status: Literal["optimal", "feasible", "infeasible", "undetermined"]
    """`optimal`: proven cheapest; `feasible`: best found before the solver was stopped; `infeasible`: see `conflict`."""
    objective: str
    workload: str
    example: bool
    """Whether this is the built-in example and not the user's own workload."""
    example_name: str = ""
    """Name of the example, for `advisor example NAME`."""
    description: str
    baseline: Baseline
    plan: Plan | None
    savings_usd_per_month: float | None
    savings_ratio: float | None
    """Share of today's cost saved; negative where the plan costs more."""
    accuracy_loss: AccuracyLoss | None
    binding: tuple[Binding, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    commitments: tuple[Commitment, ...] = ()
    """From when on each commitment pays that the plan's machines are sold with."""
    mixing: tuple[Mixing, ...] = ()
    """For each service, where mixed machines were asked for."""
    conflict: Conflict | None = None
    switch: Switch | None = None
    """Where a plan in service was given: whether to change it; `baseline` is that plan then."""
    measured: tuple[str, ...] = ()
    """What each of your own measurements says, and whether it settles the limits, whether or not its option is chosen."""
    calibrations: tuple[CalibrationNote, ...] = ()
    """What each engine of the calibration given changed here."""
    next_measurement: NextMeasurement | None = None
    """Null where nothing that could be measured would change the decision."""
    robust: RobustChoice | None = None
    """Null where the cheapest plan as predicted was asked for."""
    solver: SolverSummary
    candidates_considered: int
    exclusions: tuple[Exclusion, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    warnings: tuple[str, ...] = ()
    provenance: Provenance
    inputs: Inputs | None = None
    """What was asked, so that the plan can be checked again and exported."""
    bill: WholeBill | None = None
    """What running the model costs from end to end; null where the workload says nothing of its lifecycle."""

    def require(self) -> Recommendation:
        """Return the recommendation itself, for pipelines that want an exception where nothing fits.

        Raises:
            InfeasibleError: Nothing meets the requirements; the message says why and what would.
        """
        if self.plan is None:
            reasons = (
                [self.conflict.text, *(repair.text for repair in self.conflict.repairs)]
                if self.conflict
                else [self.status]
            )
            raise InfeasibleError.because(reasons)
        return self

    def to_html(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the report as one self-contained HTML file and return its path.

        Raises:
            FileExists: The file is there and `force` is false.
        """
        from advisor.report import write_html

        return write_html(self, Path(path), force=force)
