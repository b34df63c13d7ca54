"""A first advisor.yaml: the questions, and the commented document that the answers make."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from advisor.catalog import Catalog
from advisor.models import named_model
from advisor.workload import Workload

Ask = Callable[[str, str], str]
"""Asks a question with a default answer and returns what was said."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a user said; `None` where nothing was."""

    model: str | None = None
    instance: str | None = None
    instances: int | None = None
    requests_per_s: str | None = None

    def completed(self, ask: Ask) -> Answers:
        """Return the answers with a question asked for each that is missing."""
        return replace(
            self,
            model=self.model
            or ask("Model (built-in name, or path of a config.json or .onnx file)", "llama-3.1-70b"),
            instance=self.instance or ask("Machine that serves it today", "p5.48xlarge"),
            instances=self.instances or int(ask("How many of them", "1")),
            requests_per_s=self.requests_per_s or ask("Requests per second in the busiest hour", "5"),
        )


_LENGTHS = {
    "decoder": "  input_tokens: {mean: 1000, cv: 1.0}    # assumed; measure yours\n  output_tokens: {mean: 250, cv: 1.0}    # assumed; measure yours",
    "encoder": "  input_tokens: {mean: 128, cv: 0.5}     # assumed; measure yours",
    "cnn": "  image_size_px: 224                     # side of the image as the model sees it",
}
_LIMITS = {
    "decoder": "  ttft_p99: 2s                           # time to first token\n  tpot_p99: 100ms                        # time per output token",
    "encoder": "  latency_p99: 500ms",
    "cnn": "  latency_p99: 500ms",
}


def workload_text(answers: Answers, *, folder: Path | None = None) -> str:
    """Return a commented workload document, checked by reading it.

    Args:
        answers: What the user said; a model that is a path starts at the working directory.
        folder: Where the document will lie; none: the working directory.

    Raises:
        InputError: An answer cannot be used, such as an unknown machine.
    """
    name = answers.model or "llama-3.1-70b"
    machine = answers.instance or "p5.48xlarge"
    spec = named_model(name)
    if folder is not None and Path(name).exists():
        name = os.path.relpath(name, folder)
    text = _document(answers, _scalar(name), spec.family, *_place(machine))
    from advisor.documents import parse_document
    from advisor.inputs import validated

    validated(Workload, parse_document(text, source="advisor.yaml", folder=folder))
    return text


def _scalar(text: str) -> str:
    """Return text as a value of YAML, quoted where it would be read as something else."""
    return (
        text
        if re.fullmatch(r"[A-Za-z0-9./][A-Za-z0-9._/+-]*(:[A-Za-z0-9._/+-]+)?", text)
        else json.dumps(text)
    )


def _place(machine: str) -> tuple[str, str, str]:
    """Return the machine's name with provider and region: the first in the catalogue where it is sold in several."""
    catalog = Catalog.load()
    offers = [offer for offer in catalog.instances if offer.name.lower() == machine.lower()] or [
        catalog.instance(machine)
    ]
    return offers[0].name, offers[0].provider, offers[0].region


def _document(answers: Answers, model: str, family: str, machine: str, provider: str, region: str) -> str:
    count = f"  instances: {answers.instances or 1}" + (
        "" if answers.instances else "                           # assumed; how many do you pay for?"
    )
    return f"""# What advisor needs to know about your service. `advisor schema workload` lists every key.

name: my-service
model: {model}

requests:
{_LENGTHS[family]}

traffic:
  requests_per_s: {answers.requests_per_s or 5}      # one number, or 24 hourly values from midnight, or {{p50: 2, p99: 9}}
  # arrival_cv: 1.5                      # burstiness; 1 (Poisson) is assumed

limits:                                  # what your users are promised; assumed
{_LIMITS[family]}

serving:                                 # what serves it today: the baseline of every saving
  provider: {provider}
  region: {region}
  instance_type: {machine}
{count}
  # precision: bf16                      # number format as served
  # purchase: on-demand                  # or spot, reserved-1y, reserved-3y
  # price: $2.50/h                       # what one machine really costs you; the catalogue's price if not given

# accuracy: {{metric: MMLU, baseline: 83%}}   # needed for limits in points, such as 1pp
# lifecycle:                             # beside serving, for the whole bill: advisor bill
#   fine_tuning: {{tokens: 500M, per_month: 1, method: lora}}
#   storage: {{datasets: 2TB, replicas: 2, checkpoints: {{kept: 5}}}}
horizon_months: 12                       # one-time costs are spread over a year
"""
