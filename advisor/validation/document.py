"""What a validation says, as it is printed, written and read: shares are 1.0 for 100 %."""

from __future__ import annotations

from advisor.results import Result


class ErrorRow(Result):
    """How far predictions of one number were from measurements of one group."""

    target: str
    """Predicted column, such as `tpot_ms`."""
    by: str
    """What the group is: `all`, `family`, `backend` or `chip`."""
    group: str
    """The group, such as `dense` or `h100-sxm`; empty for all rows."""
    measurements: int
    median_ape_ratio: float
    """Absolute error over the measured value that half of the predictions stay within."""
    mean_ape_ratio: float
    p90_ape_ratio: float
    """Absolute error over the measured value that nine in ten predictions stay within."""
    bias_ratio: float
    """Median of predicted over measured, less 1; positive: predicted too high."""
    coverage_ratio: float
    """Share of the measurements inside the 10-90 % interval; 0.8 is right."""


class HeldOutRow(Result):
    """How far predictions were from measurements that had no part in the fit, as recorded when it was made."""

    kind: str
    """What was predicted, in words."""
    target: str
    held_out: str
    """What the fit had not seen of each measurement, such as `model` or `setting` (lengths, concurrency, parallelism)."""
    measurements: int
    median_ape_ratio: float
    mean_ape_ratio: float | None
    """Over the finite predictions."""
    p90_ape_ratio: float | None
    """None where more than a tenth of the predictions are infinite."""
    bias_ratio: float | None = None
    coverage_ratio: float | None = None
    predicted_overloaded: int = 0
    """Measurements for which the prediction is infinite: the model says that the replica cannot keep up."""
    baseline_median_ape_ratio: float | None = None
    """The same for one constant for each device, where that was tried."""


class ChoiceRow(Result):
    """How well the cheapest configuration was chosen among measured ones, under limits on TTFT and TPOT."""

    kind: str
    held_out: str
    """What the fit had not seen of the measurements; empty for the predictions of this validation."""
    limits_met_by: str
    """What had to keep both limits: the `prediction`, or a probability such as `60 % sure`."""
    cases: int
    """Limits times models and lengths for which some configuration keeps the limits."""
    mean_regret_ratio: float | None
    """Further cost of the chosen configuration over the cheapest that keeps the limits, where it keeps them too."""
    violated_ratio: float | None
    """Share of the chosen configurations that break a limit when measured."""
    no_choice: int
    """Cases in which no configuration was predicted to keep the limits."""


class PromiseRow(Result):
    """How often options that were accepted at 90 % confidence broke their limit, each model left out of the fit."""

    limit_percent: float
    """Most accuracy that may be lost, in percent of the baseline's metric."""
    asked: int
    accepted: int
    broken_ratio: float


class ReliabilityRow(Result):
    """Stated probability of keeping a limit on accuracy against how often it was kept."""

    limit_percent: float
    records: int
    stated_ratio: float
    kept_ratio: float


class SkippedRow(Result):
    """Why rows were left out."""

    reason: str
    rows: int


class ValidationReport(Result):
    """Predictions against measurements."""

    source: str
    """Where the measurements come from."""
    note: str
    """What the errors below mean for these measurements."""
    rows: int
    compared: int
    """Rows with a prediction and a measurement."""
    errors: tuple[ErrorRow, ...]
    skipped: tuple[SkippedRow, ...]
    held_out: tuple[HeldOutRow, ...]
    choices: tuple[ChoiceRow, ...]
    promises: tuple[PromiseRow, ...]
    reliability: tuple[ReliabilityRow, ...]
