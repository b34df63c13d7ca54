"""What requests carry and what answers hold; the description of the interface is made from these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from advisor.inputs import Input
from advisor.recommendation import Recommendation
from advisor.requirements import Requirements
from advisor.units import Ratio
from advisor.workload import Workload

ROWS = 2_000
"""Most rows of one request for predictions."""


class FleetDocument(BaseModel):
    """Several services that share machines, quotas and budgets."""

    services: list[dict[str, Any]]
    """Workloads, each with a `name`, and `requirements` and `priority` of its own if it has them; `base` names an example."""


def _as_given(value: object) -> object:
    """Leave a document to the readers of the library, so that its mistakes are told in their words."""
    return value


_Source = Annotated[
    str | dict[str, Any],
    BeforeValidator(_as_given, json_schema_input_type=Workload | FleetDocument | str),
]
_Requirements = Annotated[dict[str, Any], BeforeValidator(_as_given, json_schema_input_type=Requirements)]
_Plan = Annotated[dict[str, Any], BeforeValidator(_as_given, json_schema_input_type=Recommendation)]


class RecommendBody(Input):
    """A workload and what a plan for it must keep."""

    workload: _Source
    """What is served: the keys of advisor.yaml, or `services` with several of them, or the name of an example."""
    requirements: _Requirements = Field(default_factory=dict)
    """Limits and objective, such as {"max_accuracy_loss": "1%"}; those of the workload where not given."""


class ExplainBody(RecommendBody):
    """A workload and what a plan for it must keep, to be explained."""

    full: bool = False
    """Whether frontiers, the price of each promise, the sensitivity and the robustness are wanted, too; some seconds."""


class PredictBody(Input):
    """Rows to predict, of any mixture of kinds, as in the CSV file of `advisor predict`."""

    rows: list[dict[str, str | int | float | bool | None]] = Field(max_length=ROWS)
    """Columns by name, such as {"model": "...", "system": "h100_sxm", "isl_tokens": 1024, ...}."""


class CheckBody(Input):
    """A stored plan, and what is different today."""

    plan: _Plan
    """The recommendation that was stored."""
    workload: _Source | None = None
    """Today's workload; the one of the plan where not given."""
    requirements: _Requirements | None = None
    """Today's limits; those of the plan where not given."""
    tolerance: Ratio = Field(0.02, lt=1)
    """Saving that is not worth a change, as a share of the running cost."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Predictions(_Answer):
    """Predictions for rows, one for one."""

    rows: tuple[Mapping[str, str | int | float | bool | None], ...]
    """The columns of each row and, beside them, predictions with intervals, `basis` and `reason`."""


class Health(_Answer):
    """State of the server."""

    status: str
    """`ok`, or `starting` where nothing can be computed yet."""
    version: str
    """Of advisor."""


class Problem(_Answer):
    """What was wrong with a request (RFC 9457)."""

    type: str = "about:blank"
    """What kind of problem; `about:blank` where the status says it."""
    title: str
    """The status in words."""
    status: int
    """The HTTP status."""
    detail: str
    """What was given, where, what was expected, and what to do: the words of the command line."""
