"""Neural networks as the numbers that serving depends on: by name, or from a few fields."""

import csv
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from advisor.errors import InputError, UnknownName
from advisor.inputs import Input, Spelled
from advisor.units import Count, format_count

Family = Literal["cnn", "encoder", "decoder"]
Dtype = Literal["fp32", "fp16", "bf16", "fp8", "int8", "int4", "fp4"]

DTYPE_ALIASES = {
    "float32": "fp32", "float": "fp32", "float16": "fp16", "half": "fp16", "bfloat16": "bf16", "nvfp4": "fp4",
    "mxfp4": "fp4", "float8_e4m3fn": "fp8", "w4a16": "int4", "w8a8": "int8",
}  # fmt: skip
_FAMILY_ALIASES = {"llm": "decoder", "vision": "cnn", "embedding": "encoder", "bert": "encoder"}
_NEEDS = {
    "decoder": ("layers", "hidden_size", "attention_heads"),
    "encoder": ("layers", "hidden_size", "attention_heads"),
    "cnn": ("macs_per_item",),
}
ASSUMED_ACTIVATIONS_PER_MAC = 0.0027
"""Activation elements for each multiply-accumulate where nobody states them: assumed, as in ResNet-50 (timm)."""


def _parameters(given: Mapping[str, Any]) -> float:
    return float(given["parameters"])


def _heads(given: Mapping[str, Any]) -> int | None:
    return given["attention_heads"]  # type: ignore[no-any-return]


def _head_dim(given: Mapping[str, Any]) -> int | None:
    width, heads = given["hidden_size"], given["attention_heads"]
    return width // heads if width and heads else None


def _intermediate(given: Mapping[str, Any]) -> int | None:
    return 4 * given["hidden_size"] if given["hidden_size"] else None


class ModelSpec(Input):
    """A network's size and shape. Counts are plain numbers; `70.6B` is read too."""

    name: str = "custom"
    """What to call the network."""
    family: Annotated[Family, Spelled(_FAMILY_ALIASES)]
    """`decoder` writes token after token; `encoder` reads tokens in one pass; `cnn` reads an image in one pass."""
    parameters: Count = Field(gt=0)
    """Weights in total, such as 70.6B."""
    active_parameters: Count = Field(default_factory=_parameters, gt=0)
    """Weights used for one token or item; fewer than `parameters` in a mixture of experts."""
    layers: int | None = Field(None, gt=0)
    """Transformer blocks."""
    hidden_size: int | None = Field(None, gt=0)
    """Width of the residual stream, in elements."""
    intermediate_size: int | None = Field(default_factory=_intermediate, gt=0)
    """Width inside the feed-forward part, in elements; 4 x `hidden_size` where not given."""
    attention_heads: int | None = Field(None, gt=0)
    """Query heads of a layer."""
    kv_heads: int | None = Field(default_factory=_heads, gt=0)
    """Key and value heads of a layer; as many as query heads where not given."""
    head_dim: int | None = Field(default_factory=_head_dim, gt=0)
    """Width of one head, in elements; `hidden_size` / `attention_heads` where not given."""
    kv_latent_dim: int | None = Field(None, gt=0)
    """Elements cached for each token and layer by latent attention (MLA); it replaces keys and values."""
    full_attention_layers: int | None = Field(None, gt=0)
    """Layers whose cache grows with the context; all where not given."""
    vocab_size: int | None = Field(None, gt=0)
    """Distinct tokens."""
    experts: int = Field(0, ge=0)
    """Routed experts of a layer; 0: dense."""
    experts_per_token: int = Field(0, ge=0)
    """Routed experts that one token uses."""
    expert_parameters: Count = 0.0
    """Weights inside all routed experts of all layers."""
    macs_per_item: Count | None = None
    """Multiply-accumulates of one item at `reference_item`; a CNN needs it."""
    activations_per_item: Count | None = None
    """Elements that layers write for one item at `reference_item`."""
    reference_item: str = ""
    """The item that the two numbers above are for, such as `224 px` or `128 tokens`."""
    weight_dtype: Annotated[Dtype, Spelled(DTYPE_ALIASES)] = Field(
        default_factory=lambda given: "bf16" if given.get("family") == "decoder" else "fp32"
    )
    """Number format of the weights as published; bf16 for decoders and fp32 for others where not given."""
    estimated: bool = False
    """Whether `parameters` follow from the shape by formula instead of being stated."""
    source: str = "given by the user"
    """Where these numbers come from."""

    @model_validator(mode="after")
    def _consistent(self) -> "ModelSpec":
        if self.active_parameters > self.parameters:
            raise InputError(_more("active_parameters", self.active_parameters, self.parameters))
        if self.expert_parameters > self.parameters:
            raise InputError(_more("expert_parameters", self.expert_parameters, self.parameters))
        if self.experts_per_token > self.experts:
            raise InputError(
                f"experts_per_token is {self.experts_per_token}, more than the {self.experts} experts"
            )
        return self

    @property
    def is_moe(self) -> bool:
        """Whether tokens are routed to some of many experts."""
        return self.experts > 0

    @property
    def dense_parameters(self) -> float:
        """Weights outside routed experts."""
        return self.parameters - self.expert_parameters

    @property
    def kv_elements_per_token(self) -> float:
        """Elements that the whole model caches for one token; 0 where nothing is cached.

        Example:
            >>> llama = find_model("llama-3.1-8b")  # 2 x 32 layers x 8 heads x 128
            >>> llama.kv_elements_per_token
            65536.0
        """
        layers = self.full_attention_layers or self.layers
        if self.family != "decoder" or not layers:
            return 0.0
        if self.kv_latent_dim:
            return float(layers * self.kv_latent_dim)
        return 2.0 * layers * (self.kv_heads or 0) * (self.head_dim or 0)

    @property
    def reference_size(self) -> float:
        """Side of the reference image in px, or tokens of the reference text; 224 and 128 where not stated."""
        stated = re.search(r"\d+", self.reference_item)
        return float(stated[0]) if stated else 224.0 if self.family == "cnn" else 128.0

    @property
    def flops_per_item(self) -> float:
        """Operations of one item at its reference size; of one generated token, without attention, for a decoder."""
        return self.flops(size=self.reference_size)

    def flops(self, *, size: float) -> float:
        r"""Return the floating-point operations of one forward pass over one item.

        A CNN's grow with the area of the image. For $t$ tokens through $L$ layers of width $h$ and inner width $i$:
        $$2 L (4 h^2 + 2 h i) t + 4 L h t^2$$

        Args:
            size: Side of the image in px, or tokens of the text; ignored for a decoder, which counts one token.

        Source:
            Kaplan et al., "Scaling Laws for Neural Language Models", 2020, table 1 (two operations for each weight).

        Example:
            >>> net = ModelSpec(family="cnn", parameters="25M", macs_per_item=4.1e9, reference_item="224 px")
            >>> net.flops(size=448)
            32800000000.0
        """
        if self.family == "decoder":
            return 2.0 * self.active_parameters
        if self.family == "cnn" or not (self.layers and self.hidden_size and self.intermediate_size):
            power = 2 if self.family == "cnn" else 1
            return 2.0 * (self.macs_per_item or 0.0) * (size / self.reference_size) ** power
        weights = 4.0 * self.hidden_size**2 + 2.0 * self.hidden_size * self.intermediate_size
        return self.layers * (2.0 * weights * size + 4.0 * self.hidden_size * size**2)

    def activations(self, *, size: float) -> float:
        """Return the elements that layers write in one forward pass over one item.

        Args:
            size: Side of the image in px, or tokens of the text.

        Assumes:
            In proportion to area or tokens; where nobody states them, 2.7 for each thousand
            multiply-accumulates of a CNN, and 8 widths and 2 inner widths for each token and layer of an encoder.

        Example:
            >>> ModelSpec(family="cnn", parameters="25M", macs_per_item=4e9).activations(size=224)
            10800000.0
        """
        share = size / self.reference_size
        if self.family == "cnn":
            stated = self.activations_per_item or ASSUMED_ACTIVATIONS_PER_MAC * (self.macs_per_item or 0.0)
            return stated * share**2
        if self.activations_per_item:
            return self.activations_per_item * share
        return (
            size * (self.layers or 0) * (8.0 * (self.hidden_size or 0) + 2.0 * (self.intermediate_size or 0))
        )


def find_model(name: str) -> ModelSpec:
    """Return the built-in model of that name or Hugging Face identifier, whatever the case.

    Raises:
        UnknownName: No built-in model is called so.

    Example:
        >>> format_count(find_model("meta-llama/Llama-3.1-70B-Instruct").parameters)
        '70.5B'
    """
    found = _index().get(_key(name))
    if found is None:
        hint = "is built in (give the path of its config.json or .onnx file, or its fields)"
        raise UnknownName.among("model", name, (spec.name for spec in builtin_models()), hint)
    return found


def hugging_face_name(name: str) -> str | None:
    """Return the identifier of a built-in model on Hugging Face, that of its instruction-tuned form first; `None` where there is none.

    Example:
        >>> hugging_face_name("llama-3.1-70b"), hugging_face_name("my-own-model")
        ('meta-llama/Llama-3.1-70B-Instruct', None)
    """
    key = _key(name)
    found = next((aliases for row, aliases in _rows() if key in {_key(row["name"]), *map(_key, aliases)}), ())
    hosted = [alias for alias in found if "/" in alias]
    return next(
        (alias for alias in hosted if alias.casefold().endswith("-instruct")), next(iter(hosted), None)
    )


@cache
def builtin_models() -> tuple[ModelSpec, ...]:
    """Return every built-in model, in the order of the table."""
    return tuple(ModelSpec.model_validate(row) for row, _ in _rows())


def read_model(value: object, info: ValidationInfo) -> object:
    """Return what a document says of a model as something that becomes a `ModelSpec`.

    Args:
        value: A built-in name, a path or another name that `model_sources.described_model` takes, or fields: all of
            them, or those that change beside `name` or `config`.
        info: Its context may hold the folder where relative paths start.
    """
    folder = (info.context or {}).get("folder")
    if isinstance(value, str):
        return named_model(value, folder)
    if not isinstance(value, Mapping):
        return value
    from advisor.model_sources import described_model

    changes = {key: field for key, field in value.items() if key != "config"}
    if "config" in value:
        return _given(described_model(str(value["config"]), folder)) | changes
    if "name" in value and not {"family", "parameters"} & set(value):
        return _given(find_model(str(value["name"]))) | changes
    return value


def named_model(text: str, folder: Path | None = None) -> ModelSpec:
    """Return the model that is built in under a name, or else described where the text points at.

    Args:
        text: Built-in name, path, or name that a package knows.
        folder: Where relative paths start; none: the working directory.

    Raises:
        InputError: There is no such model.
    """
    if _key(text) in _index():
        return find_model(text)
    from advisor.model_sources import described_model

    return described_model(text, folder)


def _given(spec: ModelSpec) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in spec.model_fields_set}


def _key(name: str) -> str:
    return re.sub(r"[\s_]+", "-", name.strip().casefold())


@cache
def _index() -> dict[str, ModelSpec]:
    """Return the models by name, then by alias, then by the alias without its organisation."""
    pairs = list(zip(builtin_models(), (aliases for _, aliases in _rows()), strict=True))
    index: dict[str, ModelSpec] = {}
    for short in (False, True):
        for spec, aliases in pairs:
            for name in (spec.name, *aliases):
                index.setdefault(_key(name.rpartition("/")[2] if short else name), spec)
    return index


@cache
def _rows() -> list[tuple[dict[str, str], tuple[str, ...]]]:
    text = (files("advisor") / "data" / "models.csv").read_text(encoding="utf-8")
    rows = []
    for row in csv.DictReader(text.splitlines()):
        aliases = tuple(filter(None, row.pop("aliases").split(";")))
        rows.append(({key: value for key, value in row.items() if value}, aliases))
    return rows


def _more(name: str, count: float, total: float) -> str:
    return f"{name} is {format_count(count)}, more than the {format_count(total)} parameters in total"


def complete(spec: ModelSpec) -> ModelSpec:
    """Return `spec` if it has all that serving it depends on.

    Raises:
        InputError: It lacks a field that its family needs.
    """
    missing = [name for name in _NEEDS[spec.family] if getattr(spec, name) is None]
    if missing:
        raise InputError(
            f"the {spec.family} '{spec.name}' lacks {', '.join(missing)}; add them, or name a built-in model"
        )
    return spec


Model = Annotated[
    ModelSpec, AfterValidator(complete), BeforeValidator(read_model, json_schema_input_type=str | ModelSpec)
]
"""A field that takes a built-in name, a path or fields."""
