"""Answers to requests, as a worker computes them: bytes in, a status and bytes out, and never an exception."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from pydantic import BaseModel

from advisor.api import recommend
from advisor.catalog import Catalog
from advisor.checking import check
from advisor.documents import Document
from advisor.errors import AdvisorError, InputError
from advisor.examples import EXAMPLES, is_example
from advisor.inputs import validated
from advisor.prediction import predict
from advisor.questions import explain
from advisor.requirements import Requirements
from advisor.sealed import without_files
from advisor.server.bodies import CheckBody, ExplainBody, PredictBody, Predictions, RecommendBody
from advisor.server.problems import Answer, problem
from advisor.solver import SolverSettings
from advisor.stored import parsed_plan

_BODY = "request"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the server decides for every request.

    Args:
        catalog: Machines and prices; none: the embedded ones.
        solver: Solver and its time limit.
    """

    catalog: Catalog | None
    solver: SolverSettings


def answer(operation: str, body: bytes, settings: Settings) -> Answer:
    """Return the answer to one request; files that it names are not read.

    Args:
        operation: One of `OPERATIONS`.
        body: JSON.
        settings: Catalogue and solver.
    """
    try:
        with without_files():
            found = OPERATIONS[operation](_parsed(body), settings)
        return Answer(200, found.model_dump_json().encode())
    except _NotJson as error:
        return problem(400, str(error))
    except AdvisorError as error:
        return problem(422, str(error))
    except MemoryError:
        return problem(
            422, "this request needs more memory than the server allows; ask for less in one request"
        )
    except Exception as error:  # noqa: BLE001 - the server goes on, and its log tells what happened
        traceback.print_exception(error, file=sys.stderr)
        return problem(
            500, f"internal error, {type(error).__name__}; the server's log says more. Please report it"
        )


class _NotJson(Exception):
    """The body is no JSON object."""


def _parsed(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise _NotJson(f"the body is not JSON: {str(error)[:100]}") from None
    if not isinstance(found, dict):
        raise _NotJson(
            'the body is JSON but no object; expected keys with values, such as {"workload": {...}}'
        )
    return found


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _recommended(data: Mapping[str, Any], settings: Settings) -> BaseModel:
    body = validated(RecommendBody, Document(_BODY, data))
    return recommend(
        _source(body.workload),
        Requirements.load(body.requirements),
        catalog=settings.catalog,
        solver=settings.solver,
        today_date=date.today().isoformat(),
    )


def _explained(data: Mapping[str, Any], settings: Settings) -> BaseModel:
    body = validated(ExplainBody, Document(_BODY, data))
    return explain(
        _source(body.workload),
        Requirements.load(body.requirements),
        full=body.full,
        catalog=settings.catalog,
        solver=settings.solver,
        today_date=date.today().isoformat(),
    )


def _predicted(data: Mapping[str, Any], settings: Settings) -> BaseModel:  # noqa: ARG001 - as the others
    rows = validated(PredictBody, Document(_BODY, data)).rows
    return Predictions.model_validate({"rows": predict(rows)})


def _checked(data: Mapping[str, Any], settings: Settings) -> BaseModel:
    body = validated(CheckBody, Document(_BODY, data))
    return check(
        parsed_plan(body.plan, name="the plan"),
        None if body.workload is None else _source(body.workload),
        requirements=None if body.requirements is None else Requirements.load(body.requirements),
        tolerance_ratio=body.tolerance,
        catalog=settings.catalog,
        solver=settings.solver,
    )


def _source(workload: str | Mapping[str, Any]) -> str | Mapping[str, Any]:
    """Return the workload; text must be the name of an example, because files are not read."""
    if isinstance(workload, str) and not is_example(workload):
        raise InputError(
            f"workload: got '{workload[:60]}'; expected keys such as model, traffic and serving, or the name of an "
            f"example ({', '.join(EXAMPLES)}); no file is read here"
        )
    return workload


OPERATIONS: Mapping[str, Callable[[Mapping[str, Any], Settings], BaseModel]] = {
    "recommend": _recommended,
    "explain": _explained,
    "predict": _predicted,
    "check": _checked,
}
"""What can be asked, by the last part of the address."""
