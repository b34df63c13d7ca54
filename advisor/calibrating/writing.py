"""A calibration as text: the YAML file, and what it says in a few lines."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from advisor.calibration import Calibration, Engine

_HEAD = """\
# What your own benchmarks say about speed, relative to what advisor {version} ships.
# ratio: time on your machine over the shipped prediction (dimensionless; 1 changes nothing)
# log_sigma: how uncertain the logarithm of the ratio still is; prior_log_sigma: the same before your runs
# It holds for the model, accelerator, runtime and precision named; everything else stays as shipped.
# Use it: advisor recommend advisor.yaml --calibration THIS_FILE
"""
_MEANING = {
    "step": "a decode step",
    "sequence": "what each further sequence adds to it",
    "prefill": "a prompt",
    "first_token": "the rest before the first token",
    "fixed": "the fixed part of a batch",
    "item": "each item of a batch",
}


class _Dumper(yaml.SafeDumper):
    """Writes rows of numbers on one line."""


def _sequence(dumper: _Dumper, values: list[object]) -> yaml.SequenceNode:
    flat = all(isinstance(value, int | float | str) for value in values)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=flat)


_Dumper.add_representer(list, _sequence)


def as_yaml(calibration: Calibration) -> str:
    """Return the file that `Calibration.load` reads again."""
    data = calibration.model_dump(mode="json")
    text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return _HEAD.format(version=calibration.advisor_version) + str(text)


def summary(calibration: Calibration) -> Iterator[str]:
    """Yield what was read, what it changed and what was set aside, a line each."""
    for source in calibration.sources:
        yield f"{source.file}: {source.format}, {source.used} of {source.runs} runs used"
    for engine in calibration.engines:
        yield f"{engine.key}:"
        yield from (f"  {line}" for line in _engine(engine))
    for aside in calibration.set_aside:
        runs = "1 run" if aside.runs == 1 else f"{aside.runs} runs"
        yield f"not used, {aside.file}, {runs}: {aside.reason}"


def _engine(engine: Engine) -> Iterator[str]:
    for name, error in engine.errors.items():
        runs = "1 run" if error.runs == 1 else f"{error.runs} runs"
        yield f"{name}, {runs}: off by {error.before:.0%} as shipped, by {error.after:.0%} now (median)"
    for name, factor in engine.factors.items():
        spread = f"within {factor.log_sigma:.0%}, before {factor.prior_log_sigma:.0%}"
        yield f"{_MEANING[name]}: {factor.ratio:.2f} times the prediction ({spread})"
