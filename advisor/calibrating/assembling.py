"""Own benchmark files to a calibration: read, matched with predictions, and taken together with the shipped fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from advisor import __version__
from advisor.calibrating.collecting import Collected, Observation, collected, unbelievable
from advisor.calibrating.fitting import posterior
from advisor.calibrating.observations import Array, Observed, joined
from advisor.calibrating.reading import read_results
from advisor.calibrating.results import Results
from advisor.calibrating.servers import one_pass_row
from advisor.calibrating.settings import Setting, Stated, setting_of
from advisor.calibration import Calibration, Engine, EngineKey, Factor, MetricError, SetAside, Source
from advisor.calibration.document import DECODER_FACTORS, PASS_FACTORS
from advisor.errors import InputError
from advisor.performance.decoder_coefficients import fitted_table
from advisor.performance.decoder_load import fitted_load
from advisor.performance.pass_table import PassTable
from advisor.prediction.inputs import Row
from advisor.workload import Workload

if TYPE_CHECKING:
    from advisor.models import ModelSpec

_MOST_LOG = float(np.log(20.0))
_WIDER = {"sequence": 1.5, "first_token": 1.5, "fixed": 1.5}
"""Factors of small parts of a time are less certain than the whole, which the shipped errors are about: assumed."""


def calibrate(
    results: Path | str | Sequence[Path | str],
    *,
    workload: Workload | Mapping[str, Any] | Path | str | None = None,
    stated: Stated | None = None,
) -> Calibration:
    """Return what benchmark files say about speed, taken together with the shipped fit.

    Args:
        results: Files of load generators, see `advisor.calibrating`; their order does not matter, and a file that is
            given twice counts once.
        workload: Says what files leave out: model, chip, runtime, number format, lengths.
        stated: The same said directly; wins over the files.

    Raises:
        InputError: A file cannot be read, or none holds a run that can be used; every reason is listed.
    """
    files = [results] if isinstance(results, Path | str) else list(results)
    own = None if workload is None else Workload.load(workload)
    setting, models = setting_of(stated or Stated(), own)
    found = {one.sha256: one for one in map(read_results, files)}
    ordered = sorted(found.values(), key=lambda one: (one.file, one.sha256))
    return calibrated(ordered, setting, models=models)


def calibrated(
    results: Sequence[Results], setting: Setting, *, models: Mapping[str, ModelSpec]
) -> Calibration:
    """Return the calibration of files that were read."""
    runs = [(place, run) for place, result in enumerate(results) for run in result.runs]
    refused = {number: run.refused for number, (_, run) in enumerate(runs) if run.refused}
    rows: list[tuple[int, Row]] = []
    for number, (_, run) in enumerate(runs):
        row, problem = _usable(setting.completed(run.row))
        if problem:
            refused.setdefault(number, problem)
        elif number not in refused:
            rows.append((number, row))
    gathered = collected(rows, models)
    refused |= gathered.refused
    engines: list[Engine] = []
    used: set[int] = set()
    for key in sorted({one.key for one in gathered.observations}, key=str):
        own = [one for one in gathered.observations if one.key == key]
        doubts = [
            unbelievable(one, expected)
            for one, expected in zip(own, _predicted(gathered, own).tolist(), strict=True)
        ]
        kept = [one for one, doubt in zip(own, doubts, strict=True) if not doubt]
        refused |= {one.run: doubt for one, doubt in zip(own, doubts, strict=True) if doubt}
        used |= {one.run for one in kept}
        if kept:
            engines.append(engine_of(key, kept, gathered, days=[runs[one.run][1].day for one in kept]))
    if not engines:
        raise _nothing_usable(results, runs, refused)
    return Calibration(
        advisor_version=__version__,
        prior=_prior(engines),
        engines=tuple(engines),
        sources=tuple(
            _source(result, place, runs, used, gathered.observations) for place, result in enumerate(results)
        ),
        set_aside=_set_aside(results, runs, refused),
    )


def _usable(row: Mapping[str, object]) -> tuple[Row, str]:
    return one_pass_row(row) if "infer_per_s" in row else (row, "")


def _predicted(gathered: Collected, own: Sequence[Observation]) -> Array:
    """Return the logarithms of shipped predictions in the order of observations."""
    parts = gathered.observed(own)
    order = {pair: place for place, pair in enumerate(_labels(parts))}
    found: Array = joined(parts, np.zeros((1, len(own[0].spreads))))[0]
    return found[[order[one.run, one.target] for one in own]]


def _labels(parts: Sequence[Observed]) -> list[tuple[int, str]]:
    return [pair for part in parts for pair in zip(part.runs, part.targets, strict=True)]


def engine_of(
    key: EngineKey, own: Sequence[Observation], gathered: Collected, *, days: Sequence[str]
) -> Engine:
    """Return the factors of one engine.

    Args:
        key: What it is.
        own: Its observations.
        gathered: Predicts them.
        days: Days on which its runs were made; empty where a file does not say.
    """
    names = DECODER_FACTORS if len(own[0].spreads) == len(DECODER_FACTORS) else PASS_FACTORS
    distinct = _averaged(own)
    parts = gathered.observed(distinct)
    prior = np.array(
        [
            _WIDER.get(name, 1.0) * max(one.spreads[place].prior for one in own)
            for place, name in enumerate(names)
        ]
    )
    found = posterior(
        lambda theta: joined(parts, np.clip(theta, -_MOST_LOG, _MOST_LOG)),
        np.concatenate([part.measured for part in parts]),
        log_sigma=np.concatenate([part.log_sigma for part in parts]),
        prior_log_sigma=prior,
    )
    spread = np.sqrt(np.diag(found.covariance))
    correlations = found.covariance / np.outer(spread, spread)
    return Engine(
        kind="decoder" if names is DECODER_FACTORS else "pass",
        model=key.model,
        accelerator=key.accelerator,
        runtime=key.runtime,
        precision=key.precision,
        accelerators_per_replica=tuple(sorted({one.accelerators for one in own})),
        runs=len({one.run for one in own}),
        dates=tuple(sorted(set(filter(None, days)))),
        factors={
            name: Factor(
                ratio=_short(np.exp(found.log_factors[place])),
                log_sigma=_short(spread[place]),
                prior_log_sigma=_short(prior[place]),
            )
            for place, name in enumerate(names)
        },
        correlations=tuple(
            tuple(1.0 if row == column else _short(value) for column, value in enumerate(values))
            for row, values in enumerate(correlations.tolist())
        ),
        errors=_errors(gathered.observed(own), found.log_factors),
    )


def _averaged(own: Sequence[Observation]) -> list[Observation]:
    """Return one observation for each condition: runs that were repeated teach no more than their mean."""
    conditions: dict[tuple[Any, ...], list[Observation]] = {}
    for one in own:
        conditions.setdefault(one.condition, []).append(one)
    found = [
        dataclasses.replace(same[0], measured=float(np.mean(sorted(one.measured for one in same))))
        for same in conditions.values()
    ]
    return sorted(found, key=lambda one: (one.kind, one.target, one.measured, str(one.condition)))


def _errors(parts: Sequence[Observed], log_factors: Array) -> dict[str, MetricError]:
    variants = np.stack([np.zeros(len(log_factors)), log_factors])
    off = np.abs(np.exp(joined(parts, variants) - np.concatenate([part.measured for part in parts])) - 1.0)
    targets = np.array([target for _, target in _labels(parts)])
    return {
        name: MetricError(
            runs=int(np.sum(targets == name)),
            before=_short(np.median(off[0, targets == name])),
            after=_short(np.median(off[1, targets == name])),
        )
        for name in sorted(set(targets.tolist()))
    }


def _short(value: Any) -> float:
    return float(f"{float(value):.4g}")


def _prior(engines: Sequence[Engine]) -> tuple[str, ...]:
    tables = {
        "decoder": {
            "decoder_coefficients.json": fitted_table()["date"],
            "load_coefficients.json": fitted_load()["date"],
        },
        "pass": {"pass_coefficients.json": PassTable.load().document["date"]},
    }
    kinds = sorted({engine.kind for engine in engines})
    return tuple(f"{name} of {date}" for kind in kinds for name, date in tables[kind].items())


def _source(
    result: Results, place: int, runs: Sequence[tuple[int, Any]], used: set[int], found: Sequence[Observation]
) -> Source:
    own = {number for number, (of, _) in enumerate(runs) if of == place}
    read = sorted({one.target for one in found if one.run in own & used})
    return Source(
        file=result.file,
        sha256=result.sha256,
        format=result.format,
        runs=len(own),
        used=len(own & used),
        read=tuple(read),
    )


def _set_aside(
    results: Sequence[Results], runs: Sequence[tuple[int, Any]], refused: Mapping[int, str]
) -> tuple[SetAside, ...]:
    counted: dict[tuple[str, str], int] = {}
    for number, reason in sorted(refused.items()):
        pair = (results[runs[number][0]].file, reason)
        counted[pair] = counted.get(pair, 0) + 1
    return tuple(
        SetAside(file=file, runs=count, reason=why) for (file, why), count in sorted(counted.items())
    )


def _nothing_usable(
    results: Sequence[Results], runs: Sequence[tuple[int, Any]], refused: Mapping[int, str]
) -> InputError:
    aside = _set_aside(results, runs, refused)
    if not aside:
        return InputError("none of the files holds a run; expected the results of a benchmark")
    problems = [f"{one.file}: {one.runs} run{'s' * (one.runs > 1)}: {one.reason}" for one in aside[:10]]
    return InputError("\n  - ".join(["no run can be used:", *problems]))
