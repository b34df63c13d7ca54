"""The OpenAPI description of the server, made from the models of its bodies and answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from advisor import __version__
from advisor.checking import CheckResult
from advisor.insight.outcomes import Explanation
from advisor.recommendation import Recommendation
from advisor.server.bodies import (
    CheckBody,
    ExplainBody,
    Health,
    PredictBody,
    Predictions,
    Problem,
    RecommendBody,
)
from advisor.server.problems import PROBLEM_JSON


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be asked."""

    summary: str
    body: type[BaseModel]
    answer: type[BaseModel]
    example: Mapping[str, Any]
    """A body that is answered."""


_EXAMPLE = {"workload": "small-cnn", "requirements": {"max_accuracy_loss": "1%"}}
_ROW = {"device": "a100", "model": "resnet50", "batch_size": 64, "precision": "fp16"}
OPERATIONS: Mapping[str, Operation] = {
    "recommend": Operation(
        "Recommend the cheapest way to serve a workload", RecommendBody, Recommendation, _EXAMPLE
    ),
    "explain": Operation("Recommend, and explain the recommendation", ExplainBody, Explanation, _EXAMPLE),
    "predict": Operation(
        "Predict latency, throughput or accuracy for rows", PredictBody, Predictions, {"rows": [_ROW]}
    ),
    "check": Operation("Check a stored plan against today", CheckBody, CheckResult, {}),
}
"""What can be asked, by the last part of its address."""
_REFUSALS = {
    "400": "The body is no JSON object.",
    "408": "The body did not arrive in time.",
    "413": "The body is too large.",
    "415": "The body is not called JSON.",
    "422": "The request cannot be used; `detail` says where, what was expected and what to do.",
    "500": "A fault of advisor.",
    "503": "Every worker is busy, or the answer took too long; `Retry-After` says when to come again, if it helps.",
}
_REF = "#/components/schemas/{model}"


@cache
def openapi() -> dict[str, Any]:
    """Return the description of every address."""
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        *((operation.body, "validation") for operation in OPERATIONS.values()),
        *((operation.answer, "serialization") for operation in OPERATIONS.values()),
        (Health, "serialization"),
        (Problem, "serialization"),
    ]
    refs, defined = models_json_schema(models, ref_template=_REF)
    health, problem = refs[Health, "serialization"], refs[Problem, "serialization"]
    paths: dict[str, Any] = {
        f"/v1/{name}": {
            "post": _described(
                name, one, refs[one.body, "validation"], refs[one.answer, "serialization"], problem
            )
        }
        for name, one in OPERATIONS.items()
    }
    paths["/healthz"] = {"get": _state("healthz", "Whether the server runs", {"200": health})}
    paths["/readyz"] = {"get": _state("readyz", "Whether it can compute", {"200": health, "503": health})}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "advisor",
            "version": __version__,
            "description": "The cheapest way to serve an AI model within its accuracy and latency limits.",
        },
        "paths": paths,
        "components": {"schemas": defined["$defs"]},
    }


def _described(name: str, operation: Operation, body: Any, answer: Any, problem: Any) -> dict[str, Any]:
    refusals = {
        status: {"description": text, "content": {PROBLEM_JSON: {"schema": problem}}}
        for status, text in _REFUSALS.items()
    }
    refusals["503"]["headers"] = {
        "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}, "required": False}
    }
    example = {"example": operation.example} if operation.example else {}
    return {
        "operationId": name,
        "summary": operation.summary,
        "requestBody": {"required": True, "content": {"application/json": {"schema": body, **example}}},
        "responses": {"200": _json("The answer.", answer), **refusals},
    }


def _state(name: str, summary: str, states: Mapping[str, Any]) -> dict[str, Any]:
    responses = {status: _json("The state.", schema) for status, schema in states.items()}
    return {"operationId": name, "summary": summary, "responses": responses}


def _json(description: str, schema: Any) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
