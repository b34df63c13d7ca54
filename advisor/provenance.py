"""What a result rests on: the workload in a line, everything assumed, and what it was computed from."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from hashlib import sha256
from importlib.metadata import version

from advisor import __version__, cost
from advisor.calibration import EngineKey
from advisor.evaluation import Evaluation
from advisor.recommendation import Assumption, CalibrationNote, Deployment, Inputs, Provenance
from advisor.solver import RANDOM_SEED
from advisor.terms import Terms
from advisor.units import format_count, format_rate
from advisor.workload import Workload

_COMPUTES = ("pulp", "highspy", "numpy")
"""Distributions whose version can change a result."""


def assumptions(evaluation: Evaluation, terms: Terms) -> tuple[Assumption, ...]:
    """Return everything that was neither given by the user nor measured."""
    workload = evaluation.workload
    own = [
        Assumption(what=a.field, value=a.value, why=a.text)
        for a in (*workload.assumptions(), *terms.assumptions)
    ]
    engine = (
        Assumption(
            what="price of a GPU-hour for one-time work",
            value=f"${evaluation.gpu_hour_usd:.2f}/h",
            why="cheapest H100 in the catalogue",
        ),
        Assumption(
            what="time until a new replica answers",
            value=f"{cost.DETECTION_S + cost.PROVISION_S + cost.ENGINE_START_S:.0f} s and the "
            "loading of the weights",
            why="assumed 157 s to react; 3 min for a node and 40 s for the engine are published",
        ),
        Assumption(what="room of a schedule for busier days", value=f"{cost.FORECAST_MARGIN_RATIO:.0%}"),
        Assumption(what="largest part of a service on spot", value=f"{cost.SPOT_SHARE:.0%}"),
        Assumption(
            what="work outside the model",
            value="none",
            why="decoding of images, tokenising and the network are not in the times",
        ),
    )
    return (*own, *engine)


def calibration_notes(
    evaluations: Sequence[Evaluation], served: Sequence[Deployment]
) -> tuple[CalibrationNote, ...]:
    """Return what each engine of the user's calibration changed: the plan, candidates beside it, or nothing.

    Args:
        evaluations: Of every service.
        served: What is recommended for each; empty where there is no plan.
    """
    calibration = evaluations[0].calibration
    if calibration is None:
        return ()
    considered = frozenset[EngineKey]().union(*(one.calibration_keys for one in evaluations))
    found = []
    for engine in calibration.engines:
        names = [one.name for one in served if one.calibration == engine.words]
        where = "plan" if names else "candidates" if engine.key in considered else "nothing"
        rests = f"the predicted speed of {', '.join(names)} rests on it" if names else _APPLIES[where]
        found.append(
            CalibrationNote(engine=str(engine.key), applies_to=where, text=f"{engine.words}; {rests}.")
        )
    return tuple(found)


_APPLIES = {
    "candidates": "candidates with this runtime, chip and number format were predicted with it, but the plan is none of them "
    "and is predicted as shipped",
    "nothing": "no candidate has this model, runtime, chip and number format, so it changes nothing here",
}


def described(workload: Workload) -> str:
    """Return the workload in one line."""
    model, requests, traffic = workload.model, workload.requests, workload.traffic
    size = f"{model.name}, {format_count(model.parameters)} parameters"
    if model.family == "decoder":
        size += f"; {requests.input_tokens.mean:,.0f} tokens in, {requests.output_tokens.mean:,.0f} out"
    return f"{size}; {format_rate(traffic.mean_requests_per_s)} on average, {format_rate(traffic.peak_requests_per_s)} at the peak"


def provenance(evaluations: Sequence[Evaluation], today_date: str, asked: Inputs) -> Provenance:
    """Return what the result was computed from.

    Args:
        evaluations: One for each service.
        today_date: To say which prices are old; empty says nothing.
        asked: What was asked.
    """
    evaluation = evaluations[0]
    machines = [block.instance_type for one in evaluations for block in one.candidates.blocks]
    digests = [one.workload.digest() for one in evaluations]
    dates = sorted({price.date for machine in machines for price in machine.prices.values() if price.date})
    stale = evaluation.catalog.stale_prices(today_date) if today_date else ()
    mine = {machine.id for machine in machines}
    return Provenance(
        advisor_version=__version__,
        catalog_version=evaluation.catalog.version,
        workload_digest=digests[0] if len(digests) == 1 else sha256("".join(digests).encode()).hexdigest(),
        price_dates=tuple(dates),
        stale_prices=tuple(
            f"{machine.id} {purchase} {price.date or 'undated'}"
            for machine, purchase, price in stale
            if machine.id in mine
        ),
        inputs_digest=inputs_digest(asked),
        versions={"python": platform.python_version()} | {name: version(name) for name in _COMPUTES},
        seed=RANDOM_SEED,
    )


def inputs_digest(asked: Inputs) -> str:
    """Return the SHA-256, in hexadecimal, of everything that was asked."""
    text = json.dumps(asked.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()
