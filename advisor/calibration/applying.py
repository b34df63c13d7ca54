"""A calibration on the candidates of a workload: those it applies to move, all others stay as shipped."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from advisor.calibration.applied import Applied, less_certain
from advisor.calibration.document import Calibration
from advisor.calibration.factors import DecoderFactors, PassFactors, narrowed
from advisor.calibration.matching import EngineKey, decoder_key, pass_key
from advisor.performance.decoder_serving import DecoderServing
from advisor.performance.pass_serving import PassServing
from advisor.performance.serving import Array, Replica, ServingModel, cells

if TYPE_CHECKING:
    from advisor.candidates import Candidates
    from advisor.columns import EngineColumns
    from advisor.workload import Workload


def calibrated_serving(
    serving: ServingModel,
    calibration: Calibration,
    workload: Workload,
    candidates: Candidates,
    columns: EngineColumns,
) -> ServingModel:
    """Return the serving model of every engine with the user's own factors where they apply.

    Args:
        serving: As shipped, one entry for each engine.
        calibration: What the user measured.
        workload: Its model and runtime must agree.
        candidates: Give the chip of each block.
        columns: Deltas of the engines, which give the number format.
    """
    applied = applied_to(calibration, workload, candidates, columns)
    if not applied.any:
        return serving
    if isinstance(serving, DecoderServing):
        return _decoder(serving, applied, workload)
    assert isinstance(serving, PassServing)  # noqa: S101 - there are two kinds
    return _one_pass(serving, applied)


def engine_key(workload: Workload, accelerator: str, precision: str) -> EngineKey:
    """Return what a calibration of the workload's model on a chip at a number format is filed under."""
    key = decoder_key if workload.model.family == "decoder" else pass_key
    return key(workload.model.name, accelerator, workload.serving.runtime, precision)


def applied_to(
    calibration: Calibration, workload: Workload, candidates: Candidates, columns: EngineColumns
) -> Applied:
    """Return which part of a calibration each engine of a workload gets."""
    distinct, index = cells(columns, workload.serving.precision)
    chips = [block.instance_type.accelerator.id for block in candidates.blocks]
    keys = [engine_key(workload, chips[block], precision) for block, precision, _ in distinct]
    return Applied(tuple(calibration.of(key) for key in keys), index)


def _decoder(serving: DecoderServing, applied: Applied, workload: Workload) -> DecoderServing:
    queue, size = serving.queue, serving.replica.accelerators
    alone, full = (np.asarray(queue.step.at(batch)) for batch in (1.0, np.minimum(queue.max_sequences, 1e6)))
    before_s = queue.prefill_s + queue.first_token_s
    prompt = queue.prefill_s / np.maximum(before_s, 1e-12)
    first = applied.learnt(0.0, 0.0, prompt, 1.0 - prompt, accelerators=size)
    token = less_certain(
        applied.learnt(1.0, 0.0, 0.0, 0.0, accelerators=size),
        applied.learnt(1.0, 1.0 - alone / full, 0.0, 0.0, accelerators=size),
    )
    steps_s = alone * workload.requests.output_tokens.mean
    share = np.square(steps_s / (steps_s + before_s))
    whole = tuple(share * token[side] + (1.0 - share) * first[side] for side in (0, 1))
    factors = DecoderFactors.gather(applied.engines, applied.index)
    learnt = {"ttft": first, "tpot": token, "e2e": whole}
    return dataclasses.replace(
        serving, queue=factors.on_queue(queue), replica=_narrower(serving.replica, applied, learnt)
    )


def _one_pass(serving: PassServing, applied: Applied) -> PassServing:
    server, size = serving.server, serving.replica.accelerators
    base, item = (np.asarray(part) for part in (server.batch_base_s, server.batch_per_item_s))
    shares = [item * batch / np.maximum(base + item * batch, 1e-30) for batch in (1.0, server.max_batch)]
    learnt = less_certain(*(applied.learnt(1.0 - share, share, accelerators=size) for share in shares))
    factors = PassFactors.gather(applied.engines, applied.index)
    return dataclasses.replace(
        serving,
        server=factors.on_server(server),
        replica=_narrower(serving.replica, applied, {"e2e": learnt}),
    )


def _narrower(replica: Replica, applied: Applied, learnt: Mapping[str, tuple[Array, ...]]) -> Replica:
    """Return the replica with narrower errors where runs taught something, and called calibrated there."""
    spread = {key: narrowed(sigma, *learnt[key[0]]) for key, sigma in replica.log_sigma.items()}
    return dataclasses.replace(replica, log_sigma=spread, calibrated=replica.calibrated | applied.mask)
