"""What benchmark files leave out, taken from a workload or stated by the user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from advisor.catalog import Catalog
from advisor.errors import UnknownName
from advisor.models import ModelSpec
from advisor.performance.decoder_coefficients import BACKENDS
from advisor.prediction.inputs import Row
from advisor.prediction.names import find_chip, find_network
from advisor.prediction.sizes import billions_in_name
from advisor.workload import Workload


@dataclass(frozen=True, slots=True)
class Setting:
    """What files do not say about what they measured.

    Args:
        given: Columns that the user states; they win over the file.
        otherwise: Columns for what neither the user nor the file states, such as those of a workload.
    """

    given: Mapping[str, object] = field(default_factory=dict)
    otherwise: Mapping[str, object] = field(default_factory=dict)

    def completed(self, row: Row) -> dict[str, object]:
        """Return a row with what it leaves out; the name of a model that nobody knows, such as a path, says nothing.

        Example:
            >>> Setting({"tp_size": 2}, {"system": "l4", "tp_size": 1}).completed({"tp_size": 4, "model": "m-7b"})
            {'system': 'l4', 'tp_size': 2, 'model': 'm-7b'}
        """
        stated = {name: value for name, value in row.items() if value not in {None, ""}}
        if "model" in self.otherwise and not _is_known(str(stated.get("model", ""))):
            stated.pop("model", None)
        return {**self.otherwise, **stated, **self.given}


def _is_known(model: str) -> bool:
    return find_network(model) is not None or any(billions_in_name(model))


@dataclass(frozen=True, slots=True)
class Stated:
    """What the user says about all files; an empty value says nothing."""

    model: str = ""
    """Name of the model, such as llama-3.1-70b."""
    accelerator: str = ""
    """Chip, such as h100-sxm."""
    runtime: str = ""
    """Such as vllm or tensorrt."""
    precision: str = ""
    """Number format as served, such as bf16."""
    tensor_parallel: int | None = None
    """Chips of one replica."""
    input_tokens: float | None = None
    """Mean tokens of a prompt."""
    output_tokens: float | None = None
    """Mean tokens of an answer."""
    batch_size: float | None = None
    """Items that the client sent in one request, or that were computed together."""

    def columns(self) -> dict[str, object]:
        """Return what is stated under the names of columns, for both kinds of rows.

        Raises:
            UnknownName: The chip is not in the catalogue.
        """
        chip = find_chip(self.accelerator) if self.accelerator else None
        if self.accelerator and chip is None:
            raise UnknownName.among("accelerator", self.accelerator, Catalog.load().accelerators)
        found = {
            "model": self.model,
            "system": chip.id if chip else "",
            "device": chip.id if chip else "",
            "backend": self.runtime,
            "runtime": self.runtime,
            "precision": self.precision,
            "tp_size": self.tensor_parallel,
            "isl_tokens": self.input_tokens,
            "osl_tokens": self.output_tokens,
            "batch_size": self.batch_size,
        }
        return {name: value for name, value in found.items() if value not in {"", None}}


def setting_of(stated: Stated, workload: Workload | None) -> tuple[Setting, Mapping[str, ModelSpec]]:
    """Return what completes rows, and the models of the user's own by name.

    Args:
        stated: Wins over what a file says.
        workload: Answers what neither says: its model, and what serves it today.
    """
    if workload is None:
        return Setting(stated.columns()), {}
    spec = workload.model
    otherwise = _decoder(workload) if spec.family == "decoder" else _one_pass(workload)
    own = {} if find_network(spec.name) else {spec.name: spec}
    return Setting(stated.columns(), otherwise), own


def _decoder(workload: Workload) -> dict[str, object]:
    serving, requests = workload.serving, workload.requests
    return {
        "model": workload.model.name,
        "system": _chip(workload),
        "backend": serving.runtime if serving.runtime in BACKENDS else "vllm",
        "precision": serving.precision,
        "tp_size": serving.accelerators_per_replica,
        "isl_tokens": requests.input_tokens.mean,
        "osl_tokens": requests.output_tokens.mean,
    }


def _one_pass(workload: Workload) -> dict[str, object]:
    model, requests, serving = workload.model, workload.requests, workload.serving
    size = (requests.image_size_px if model.family == "cnn" else requests.input_tokens).mean
    table = float((model.vocab_size or 0) * (model.hidden_size or 0))
    return {
        "model": model.name,
        "device": _chip(workload),
        "runtime": serving.runtime,
        "precision": serving.precision,
        "params_millions": (model.parameters - table) / 1e6,
        "gmacs_per_image": model.flops(size=size) / 2e9,
        "macts_millions_per_image": model.activations(size=size) / 1e6,
    }


def _chip(workload: Workload) -> str:
    serving = workload.serving
    return Catalog.load().instance(serving.instance_type, serving.provider, serving.region).accelerator.id
