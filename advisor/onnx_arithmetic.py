"""Multiply-accumulates of the nodes of an ONNX graph, from the shapes of their tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.errors import InputError

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """One node that multiplies.

    Attributes:
        macs: Multiply-accumulates of the batch.
        elements: Elements that it writes.
        weight: Rows and columns of its matrix of weights; empty for others.
    """

    macs: float
    elements: float
    weight: Shape


@dataclass(frozen=True)
class Graph:
    """Nodes, and the shape of every tensor that is known.

    Attributes:
        nodes: In the order of the file.
        shapes: By name of the tensor, only where every side is known.
        weights: Names of the tensors that are stored.
        batch: Items that go through together.
        reads_images: Whether the first input has four sides.
        softmax_shapes: Shape of the result of each softmax.
    """

    nodes: Sequence[NodeProto]
    shapes: Mapping[str, Shape]
    weights: frozenset[str]
    batch: int
    reads_images: bool
    softmax_shapes: tuple[Shape, ...]

    @classmethod
    def of(cls, graph: GraphProto) -> Graph:
        """Return the graph of an ONNX model whose shapes were inferred."""
        weights = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
        constants = {
            node.output[0]: tuple(attribute.t.dims)
            for node in graph.node
            if node.op_type == "Constant"
            for attribute in node.attribute
            if attribute.name == "value"
        }
        shapes = {
            value.name: shape
            for value in (*graph.input, *graph.value_info, *graph.output)
            if (shape := _shape(value)) is not None
        }
        shapes |= weights | constants
        first = next(shapes[value.name] for value in graph.input if value.name not in weights)
        stored = set(weights | constants)
        for node in graph.node:
            if node.op_type in _PASSES_ON and node.input[0] in stored:
                stored.update(node.output)
        softmax = (shapes.get(node.output[0], ()) for node in graph.node if node.op_type == "Softmax")
        return cls(tuple(graph.node), shapes, frozenset(stored), first[0], len(first) == 4, tuple(softmax))


def layers(graph: Graph, path: Path) -> list[Layer]:
    """Return the nodes of a graph that multiply.

    Raises:
        InputError: A shape is not known, or a node multiplies in a way that is not counted.
    """
    found = []
    for node in graph.nodes:
        if node.op_type in _COUNTED and node.domain in {"", "ai.onnx"}:
            found.append(_layer(node, graph, path))
        elif node.op_type in _NOT_COUNTED or (node.domain and any(word in node.op_type for word in _FUSED)):
            name = f"{node.domain}.{node.op_type}".lstrip(".")
            raise InputError.unreadable_file(
                path,
                f"the arithmetic of its node {name} is not counted; export the model without fused nodes and loops, or give "
                "its fields instead",
            )
    return found


def _layer(node: NodeProto, graph: Graph, path: Path) -> Layer:
    operands = [graph.shapes.get(name) for name in node.input]
    output = graph.shapes.get(node.output[0])
    try:
        first, second = (operands[place] for place in _OPERANDS.get(node.op_type, (0, 1)))
        if first is None or second is None or output is None:
            raise ValueError
        macs = float(_macs(node, first, second, output))
        stored = node.input[_OPERANDS.get(node.op_type, (0, 1))[1]] in graph.weights
    except (IndexError, ValueError):
        raise InputError.unreadable_file(
            path, f"the shapes around its node '{node.name[:60] or node.op_type}' do not follow from it"
        ) from None
    matrix = second[-2:] if stored and len(second) == 2 else ()
    if matrix and _attribute(node, "transB", 0):
        matrix = matrix[::-1]
    return Layer(macs, float(math.prod(output)), matrix)


def _macs(node: NodeProto, first: Shape, second: Shape, output: Shape) -> int:
    """Return the multiply-accumulates of one node.

    Each element that a convolution or a product writes is a sum over what it goes over: the channels of its group and
    the window, or the inner side. Each element that a transposed convolution reads is spread over as much.
    """
    kind = node.op_type
    if kind in _CONVOLUTIONS:
        return math.prod(output) * math.prod(second[1:])
    if kind == "ConvTranspose":
        return math.prod(first) * math.prod(second[1:])
    if kind == "Gemm":
        return math.prod(output) * first[0 if _attribute(node, "transA", 0) else 1]
    return math.prod(output) * first[-1] if kind in _PRODUCTS else _combinations(node, first, second)


def _combinations(node: NodeProto, first: Shape, second: Shape) -> int:
    """Return the products of an `Einsum`: one for every combination of its indices."""
    terms = str(_attribute(node, "equation", b"").decode()).replace(" ", "").partition("->")[0].split(",")
    if [len(term) for term in terms] != [len(first), len(second)]:
        raise ValueError(terms)
    return math.prod(dict(zip("".join(terms), (*first, *second), strict=True)).values())


def _attribute(node: NodeProto, name: str, default: Any) -> Any:
    found = next((one for one in node.attribute if one.name == name), None)
    if found is None:
        return default
    return found.i if isinstance(default, int) else found.s


_CONVOLUTIONS = {"Conv", "ConvInteger", "QLinearConv"}
_PRODUCTS = {"MatMul", "MatMulInteger", "QLinearMatMul"}
_COUNTED = {*_CONVOLUTIONS, *_PRODUCTS, "ConvTranspose", "Gemm", "Einsum"}
_OPERANDS = {"QLinearConv": (0, 3), "QLinearMatMul": (0, 3)}
_NOT_COUNTED = {"LSTM", "GRU", "RNN", "Attention", "If", "Loop", "Scan", "DeformConv"}
_FUSED = ("Attention", "MatMul", "Conv", "Gemm", "LayerNormalization", "MoE")
_PASSES_ON = {"DequantizeLinear", "Transpose", "Identity", "Cast"}
"""What comes out of these is a weight where what goes in is one."""


def _shape(value: Any) -> Shape | None:
    if not value.type.tensor_type.HasField("shape"):
        return None
    dims = value.type.tensor_type.shape.dim
    sides = tuple(dim.dim_value for dim in dims if dim.HasField("dim_value"))
    return sides if len(sides) == len(dims) else None
