"""Rows of language models under a fixed concurrency: time to first token, time per output token, tokens per second."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from advisor.calibration import Calibration, DecoderFactors
from advisor.calibration.factors import narrowed
from advisor.performance.decoder import closed_loop, first_token_s
from advisor.performance.decoder_coefficients import interval_factor
from advisor.performance.decoder_neighbours import Nearby, OperatingPoints, measured_neighbours
from advisor.prediction.deployments import (
    Deployment,
    Deployments,
    Target,
    has_measured_chip,
    is_measured,
    size_log_sigma,
)
from advisor.prediction.inputs import Inputs, Row, cell
from advisor.prediction.outcome import (
    Z_90_PERCENT,
    Array,
    Outcome,
    basis_of,
    columns_with_interval,
    with_interval,
)

OUTPUTS = columns_with_interval("ttft_ms", "tpot_ms", "throughput_tokens_per_s")
INPUT_TOKENS = ("isl_tokens", "isl", "input_tokens", "input_len")
OUTPUT_TOKENS = ("osl_tokens", "osl", "output_tokens", "output_len")
CONCURRENCY = ("concurrency", "max_concurrency", "concurrency_used", "batch_size")
TARGETS: tuple[Target, ...] = ("ttft", "tpot")
_MOST_TOKENS, _MOST_CONCURRENCY = 2e6, 1e6
MEASURED_UP_TO = {"input_tokens": 8192.0, "output_tokens": 8192.0, "concurrency": 2048.0}
"""Largest values of the measurements that the model was fitted to."""
BEYOND_LOG_SIGMA = 0.2
"""Further standard deviation of the logarithm of measured / predicted for each factor of e beyond those; assumed."""
_BEYOND_WORDS = {
    "input_tokens": "prompts longer than 8,192 tokens were not measured",
    "output_tokens": "answers longer than 8,192 tokens were not measured",
    "concurrency": "more than 2,048 requests in flight were not measured",
}


def recognises(row: Row) -> bool:
    """Return whether a row is about the serving of a language model: it has a prompt's length."""
    return bool(cell(row, *INPUT_TOKENS))


def predict(rows: Sequence[Row], calibration: Calibration | None = None) -> Outcome:
    """Return TTFT and TPOT in milliseconds and output tokens per second of the whole replica, each with its interval.

    Args:
        rows: Mappings with `model, system, backend, precision, isl_tokens, osl_tokens, concurrency` and, where
            they are not 1, `tp_size, pp_size, moe_tp_size, moe_ep_size, attention_dp_size`; `params_b` for a model
            that is not built in; `max_num_seqs` where the engine admits fewer sequences than its memory holds.
        calibration: What the user measured; rows to which it applies move and are surer.

    Assumes:
        Measurements are a closed loop: a finished request is replaced at once. Throughput follows by Little's
        law: concurrency x output tokens / (TTFT + TPOT x (output tokens - 1)).
    """
    inputs = Inputs.of(rows)
    shape = shape_of(inputs)
    deployments = Deployments.of(inputs)
    usable = deployments.usable
    values = {name: np.full(len(rows), np.nan) for name in OUTPUTS}
    if usable.size:
        for name, found in _predicted(deployments, shape, usable, calibration).items():
            values[name][usable] = found
    return _outcome(deployments, shape, values, calibration)


def shape_of(inputs: Inputs) -> dict[str, Array]:
    """Return concurrency, lengths and limit of rows; rows without them are refused."""
    return {
        "concurrency": inputs.numbers(*CONCURRENCY, least=1.0, most=_MOST_CONCURRENCY),
        "input_tokens": inputs.numbers(*INPUT_TOKENS, least=1.0, most=_MOST_TOKENS),
        "output_tokens": inputs.numbers(*OUTPUT_TOKENS, least=1.0, most=_MOST_TOKENS),
        "max_sequences": inputs.numbers(
            "max_num_seqs", "max_batch_size", least=1.0, most=_MOST_CONCURRENCY, default=np.inf
        ),
    }


@dataclasses.dataclass(frozen=True, slots=True)
class Times:
    """Times of usable rows in seconds, and of which parts they consist."""

    ttft_s: Array
    tpot_s: Array
    prompt_share: Array
    """Share of the time to first token that is prompt or queue."""
    sequences_share: Array
    """Share of the time per output token that sequences beyond the first add."""


def times(
    deployments: Deployments,
    shape: Mapping[str, Array],
    rows: npt.NDArray[np.int64],
    factors: DecoderFactors | None = None,
) -> Times:
    """Return the times of usable rows under their concurrency.

    Args:
        deployments: What the rows serve.
        shape: Columns of all rows, see `shape_of`.
        rows: Usable rows, by position.
        factors: Own factors, one entry for each of `rows`.
    """
    columns = {name: values[rows] for name, values in shape.items()}
    limit = columns.pop("max_sequences")
    engine = dataclasses.replace(deployments.engine(rows), max_sequences=limit)
    ttft, tpot = closed_loop(engine, **columns)
    alone = closed_loop(engine, **{**columns, "concurrency": np.ones(len(rows))})[1]
    before = np.broadcast_to(np.asarray(first_token_s(engine), dtype=float), ttft.shape)
    prompt, sequences = 1.0 - before / ttft, 1.0 - alone / tpot
    if factors is not None:
        ttft, tpot = factors.on_closed_loop(ttft, tpot, alone_tpot_s=alone, first_token_s=before)
    return Times(ttft, tpot, prompt, sequences)


def _predicted(
    deployments: Deployments,
    shape: Mapping[str, Array],
    rows: npt.NDArray[np.int64],
    calibration: Calibration | None,
) -> dict[str, Array]:
    applied = deployments.applied(calibration, rows)
    found = times(deployments, shape, rows, DecoderFactors.gather(applied.engines, applied.index))
    columns = {name: values[rows] for name, values in shape.items()}
    near = _neighbours(deployments, columns, rows, own=applied.mask)
    ttft, tpot = found.ttft_s * near["ttft"].ratio, found.tpot_s * near["tpot"].ratio
    wider = BEYOND_LOG_SIGMA * _log_beyond(columns)
    size = deployments.accelerators(rows)
    prompt = found.prompt_share
    learnt = {
        "ttft": applied.learnt(0.0, 0.0, prompt, 1.0 - prompt, accelerators=size),
        "tpot": applied.learnt(1.0, found.sequences_share, 0.0, 0.0, accelerators=size),
    }
    ttft_ends, tpot_ends = (
        _ends(deployments, target, rows, near[target].spread, wider, learnt[target]) for target in TARGETS
    )
    later = columns["output_tokens"] - 1.0
    total = ttft + tpot * later
    rate = columns["concurrency"] * columns["output_tokens"] / total
    share = ttft / total
    slow, fast = (
        np.exp(np.hypot(share * np.log(ttft_ends[end]), (1.0 - share) * np.log(tpot_ends[end])))
        for end in (1, 0)
    )
    return {
        **with_interval("ttft_ms", 1e3 * ttft, 1e3 * ttft * ttft_ends[0], 1e3 * ttft * ttft_ends[1]),
        **with_interval("tpot_ms", 1e3 * tpot, 1e3 * tpot * tpot_ends[0], 1e3 * tpot * tpot_ends[1]),
        **with_interval("throughput_tokens_per_s", rate, rate / slow, rate * fast),
    }


def _neighbours(
    deployments: Deployments,
    columns: Mapping[str, Array],
    rows: npt.NDArray[np.int64],
    *,
    own: npt.NDArray[np.bool_],
) -> dict[Target, Nearby]:
    """Return what measurements of others say.

    Where there are none of that model and backend, and where the user's `own` runs teach instead, the spread is NaN.
    """
    found, index = np.unique(deployments.index[rows], return_inverse=True)
    served = [row for place in found if (row := deployments.distinct[place].row)]
    load = {name: columns[name] for name in ("input_tokens", "output_tokens", "concurrency")}
    points, known = OperatingPoints.of(served).take(index).at(**load), measured_neighbours()
    silent = own | ~np.isin(points.group, known.points.group)
    near = {target: known.near(points, target) for target in TARGETS}
    return {
        target: Nearby(np.where(silent, 1.0, one.ratio), np.where(silent, np.nan, one.spread))
        for target, one in near.items()
    }


def _log_beyond(columns: Mapping[str, Array]) -> Array:
    """Return by how many factors of e each row lies beyond what was measured, 0 inside."""
    ratios = [np.log(np.maximum(columns[name] / most, 1.0)) for name, most in MEASURED_UP_TO.items()]
    return np.asarray(np.hypot.reduce(ratios))


def _ends(
    deployments: Deployments,
    target: Target,
    rows: npt.NDArray[np.int64],
    spread: Array,
    log_sigma: Array,
    learnt: tuple[Array, Array],
) -> tuple[Array, Array]:
    """Return what to multiply predictions by for their two ends.

    Args:
        deployments: What the rows serve.
        target: 'ttft' or 'tpot'.
        rows: Usable rows, by position.
        spread: Width against that without measured neighbours; NaN where neighbours have no say.
        log_sigma: Further deviation of each row, which widens.
        learnt: What the user's runs taught, which narrows and centres.
    """
    alone, near = (
        [
            deployments.column(
                [log_ends(found, target, neighbours=say)[side] for found in deployments.distinct], rows
            )
            for side in (0, 1)
        ]
        for say in (False, True)
    )
    low, high = (
        np.where(np.isnan(spread), one, spread * other) for one, other in zip(alone, near, strict=True)
    )
    shipped = (high - low) / 2.0
    own = Z_90_PERCENT * narrowed(shipped / Z_90_PERCENT, *learnt)
    middle = (low + high) / 2.0 * own / np.maximum(shipped, 1e-12)
    half = np.hypot(own, Z_90_PERCENT * log_sigma)
    return np.exp(middle - half), np.exp(middle + half)


def log_ends(found: Deployment, target: Target, *, neighbours: bool = False) -> tuple[float, float]:
    """Return the logarithms of both ends over the prediction, widened for a shape known by its size alone.

    Args:
        found: Deployment.
        target: 'ttft' or 'tpot'.
        neighbours: Whether the prediction takes in measured neighbours, see `interval_factor`.
    """
    if found.row is None or found.reason:
        return 0.0, 0.0
    ends = interval_factor(
        target,
        backend=found.row.backend,
        mixture_of_experts=found.row.model.is_moe,
        seen_model=is_measured(found.row) and not found.sized,
        seen_chip=has_measured_chip(found.row),
        accelerator_id=found.row.accelerator.id,
        neighbours=neighbours,
    )
    low, high = map(math.log, ends)
    middle = (low + high) / 2.0
    half = math.hypot((high - low) / 2.0, Z_90_PERCENT * size_log_sigma(found, target))
    return middle - half, middle + half


def _outcome(
    deployments: Deployments,
    shape: Mapping[str, Array],
    values: dict[str, Array],
    calibration: Calibration | None,
) -> Outcome:
    reasons = tuple(deployments.inputs.reasons)
    of_row = [deployments.distinct[number] for number in deployments.index.tolist()]
    absent = [found.absent for found in of_row]
    for name, words in _BEYOND_WORDS.items():
        for place in np.flatnonzero(shape[name] > MEASURED_UP_TO[name]).tolist():
            absent[place] = ", ".join(filter(None, (absent[place], words)))
    return Outcome(
        values,
        tuple(
            "" if reason else deployments.own_basis(place, calibration) or basis_of(absent[place])
            for place, reason in enumerate(reasons)
        ),
        reasons,
        family=tuple(found.family for found in of_row),
        backend=tuple(found.row.backend if found.row else "" for found in of_row),
        chip=tuple(found.row.accelerator.id if found.row else "" for found in of_row),
    )
