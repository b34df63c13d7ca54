"""ONNX files read into model shapes: weights from their shapes alone, arithmetic by shape inference.

No weight is loaded that lies in a file beside the model, and the values of those inside it are dropped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.errors import InputError
from advisor.models import ModelSpec
from advisor.onnx_arithmetic import Graph, Layer, layers

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

LIMIT_BYTES = 600_000_000
"""Largest file that is read."""
_LIMIT_NODES = 100_000
_KEPT_BYTES = 4_096
"""Largest constant whose values are kept: shapes are such constants, weights are not."""
_ASSUMED_TOKENS = 128
_ASSUMED_SIDE_PX = 224
_CHANNELS = {1, 3, 4}
_DTYPES = {
    "FLOAT": "fp32",
    "FLOAT16": "fp16",
    "BFLOAT16": "bf16",
    "FLOAT8E4M3FN": "fp8",
    "FLOAT8E5M2": "fp8",
    "INT8": "int8",
    "UINT8": "int8",
    "INT4": "int4",
    "UINT4": "int4",
    "FLOAT4E2M1": "fp4",
}


def read_onnx(path: Path) -> ModelSpec:
    """Return the model in an ONNX file: one that reads an image, or an encoder of tokens.

    Where the file leaves the size of its input open, it is 224 px or 128 tokens.

    Args:
        path: A file that ends in `.onnx`; weights beside it are not needed.

    Raises:
        InputError: The file cannot be read, shapes do not follow from it, or it writes tokens.
    """
    model = _loaded(path)
    counts = _weights(model)
    if not counts:
        raise InputError.unreadable_file(path, "it holds no weights")
    size = _fix_inputs(model, path)
    graph = _inferred(model, path)
    found = layers(graph, path)
    batch = graph.batch
    shape = {
        "name": path.stem,
        "parameters": float(sum(counts.values())),
        "weight_dtype": max(counts, key=lambda dtype: counts[dtype]),
        "macs_per_item": sum(layer.macs for layer in found) / batch,
        "activations_per_item": sum(layer.elements for layer in found) / batch,
        "source": f"{path.name}, by shape inference",
    }
    if graph.reads_images:
        return ModelSpec(family="cnn", reference_item=f"{size} px", **shape)
    return ModelSpec(
        family="encoder", reference_item=f"{size} tokens", **shape, **_encoder(graph, found, path)
    )


def _loaded(path: Path) -> ModelProto:
    try:
        import onnx  # noqa: PLC0415 - an extra, and heavy
        from google.protobuf.message import DecodeError  # noqa: PLC0415
    except ImportError:
        raise InputError(
            f"reading '{path.name}' needs ONNX; install it: pip install 'inference-advisor[onnx]'"
        ) from None
    try:
        if path.stat().st_size > LIMIT_BYTES:
            raise InputError.unreadable_file(
                path,
                f"it is larger than {LIMIT_BYTES / 1e6:g} MB; save its weights beside it "
                "(onnx.save(..., save_as_external_data=True)): they are not needed here",
            )
        model = onnx.load(str(path), load_external_data=False)
    except FileNotFoundError:
        raise InputError.missing_file(path) from None
    except OSError as error:
        raise InputError.unreadable_file(path, error.strerror or str(error)) from None
    except DecodeError:
        raise InputError.unreadable_file(path, "it is not an ONNX model, or was cut off") from None
    if model.functions:
        raise InputError.unreadable_file(
            path, "it calls functions of its own; write them out first (onnx.inliner.inline_local_functions)"
        )
    if not model.graph.node or len(model.graph.node) > _LIMIT_NODES:
        count = len(model.graph.node)
        raise InputError.unreadable_file(path, f"it has {count:,} nodes; expected 1 to {_LIMIT_NODES:,}")
    return model


def _weights(model: ModelProto) -> dict[str, int]:
    """Return the elements of all weights by number format, and drop their values."""
    import onnx  # noqa: PLC0415

    counts: dict[str, int] = {}
    for tensor in _tensors(model):
        elements = math.prod(tensor.dims)
        name = _DTYPES.get(onnx.TensorProto.DataType.Name(tensor.data_type))
        if name and elements > 1:
            counts[name] = counts.get(name, 0) + elements
        if tensor.ByteSize() > _KEPT_BYTES:
            kept = onnx.TensorProto(name=tensor.name, dims=tensor.dims, data_type=tensor.data_type)
            tensor.CopyFrom(kept)
    return counts


def _tensors(model: ModelProto) -> Iterator[Any]:
    yield from model.graph.initializer
    for node in model.graph.node:
        if node.op_type == "Constant":
            yield from (a.t for a in node.attribute if a.name == "value" and a.HasField("t"))


def _fix_inputs(model: ModelProto, path: Path) -> int:
    """Give every open side of an input a size, and return that of one item: px of an image, or tokens."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    main = inputs[0] if inputs else None
    rank = len(main.type.tensor_type.shape.dim) if main else 0
    if main is None or rank not in {2, 3, 4}:
        raise InputError.unreadable_file(
            path, "its first input is no batch of images or of tokens; give the fields of the model instead"
        )
    if any("past" in value.name for value in inputs):
        raise InputError.unreadable_file(
            path, "it writes tokens, with a cache of keys and values; give its config.json instead"
        )
    for value in inputs:
        _fix(value, image=rank == 4)
    del model.graph.value_info[:]  # shapes of before
    sides = [dim.dim_value for dim in main.type.tensor_type.shape.dim]
    return _side(sides) if rank == 4 else sides[1]


def _fix(value: ValueInfoProto, *, image: bool) -> None:
    dims = value.type.tensor_type.shape.dim
    channels = 3 if image and len(dims) == 4 and dims[3].dim_value in _CHANNELS else 1
    for place, dim in enumerate(dims):
        if dim.dim_value > 0:
            continue
        if place == 0:
            dim.dim_value = 1
        elif image:
            dim.dim_value = 3 if place == channels else _ASSUMED_SIDE_PX
        else:
            dim.dim_value = _ASSUMED_TOKENS


def _side(sides: Sequence[int]) -> int:
    """Return the side of an image, channels first or last."""
    last = sides[3] in _CHANNELS and sides[1] not in _CHANNELS
    area = sides[1] * sides[2] if last else sides[2] * sides[3]
    return round(math.sqrt(area))


def _inferred(model: ModelProto, path: Path) -> Graph:
    import onnx  # noqa: PLC0415

    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except (RuntimeError, ValueError, onnx.shape_inference.InferenceError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError.unreadable_file(path, f"its shapes cannot be inferred: {reason}") from None
    return Graph.of(inferred.graph)


def _encoder(graph: Graph, found: Sequence[Layer], path: Path) -> dict[str, int]:
    """Return the shape of an encoder: each layer has one softmax over heads x tokens x tokens."""
    attention = [shape for shape in graph.softmax_shapes if len(shape) == 4]
    weighted = [layer for layer in found if layer.weight]
    if not attention or not weighted:
        raise InputError.unreadable_file(
            path,
            "no attention was found in it; for a network that reads tokens give layers, hidden_size and attention_heads",
        )
    widths = [layer.weight[0] for layer in weighted]
    width = max(sorted(set(widths)), key=widths.count)
    others = [rows for rows in widths if rows != width]
    inner = max(sorted(set(others)), key=others.count, default=4 * width)
    return {
        "layers": len(attention),
        "attention_heads": attention[0][1],
        "hidden_size": width,
        "intermediate_size": inner,
    }
