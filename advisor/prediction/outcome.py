"""What is known after predicting rows of one kind: values where there are any, and a reason where there are none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

Z_90_PERCENT = 1.2815515655446004
"""Standard deviations from the median to the 90 % quantile of a normal variable."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Predictions of rows; every sequence has one entry for each row, in their order."""

    values: Mapping[str, Array]
    """Predicted numbers by name of the output column; NaN where there is no prediction."""
    basis: tuple[str, ...]
    """`calibrated`, or `extrapolated` and what was not measured; empty where there is no prediction."""
    reason: tuple[str, ...]
    """Why there is no prediction; empty where there is one."""
    family: tuple[str, ...]
    """Family of the model, as error tables group it, such as `dense` or `cnn`."""
    backend: tuple[str, ...]
    chip: tuple[str, ...]


def with_interval(name: str, middle: Array, low: Array, high: Array) -> dict[str, Array]:
    """Return the three output columns of a predicted number: the number, its 10 % and its 90 % end."""
    return {name: middle, f"{name}_p10": low, f"{name}_p90": high}


def columns_with_interval(*names: str) -> tuple[str, ...]:
    """Return the names of the output columns of predicted numbers.

    Example:
        >>> columns_with_interval("ttft_ms")
        ('ttft_ms', 'ttft_ms_p10', 'ttft_ms_p90')
    """
    return tuple(column for name in names for column in (name, f"{name}_p10", f"{name}_p90"))


def basis_of(absent: str) -> str:
    """Return the words of the `basis` column for what was not measured; nothing absent is calibrated.

    Example:
        >>> basis_of(""), basis_of("GLM-5 was not measured")
        ('calibrated', 'extrapolated: GLM-5 was not measured')
    """
    return f"extrapolated: {absent}" if absent else "calibrated"
