"""ONNX files: weights, arithmetic and shapes, counted by hand and against the built-in models."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from advisor import InputError, Workload
from advisor.models import find_model
from advisor.onnx_models import read_onnx

onnx = pytest.importorskip("onnx", reason="needs pip install 'inference-advisor[onnx]'")
from onnx import TensorProto, helper  # noqa: E402 - only where it is installed

OPSETS = {"": 17, "com.microsoft": 1, "my.own": 1}


class Network:
    """A graph under construction; weights are stored as shapes with zeros, or as names of a file beside it."""

    def __init__(self, *, kind: int = TensorProto.FLOAT, external: bool = False) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.kind, self.external = kind, external

    def weight(self, *shape: int) -> str:
        name = f"w{len(self.weights)}"
        tensor = TensorProto(name=name, dims=shape, data_type=self.kind)
        if self.external:
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="nowhere.bin")
        else:
            size = {TensorProto.FLOAT: 4, TensorProto.FLOAT16: 2}[self.kind]
            count = 1
            for side in shape:
                count *= side
            tensor.raw_data = bytes(count * size)
        self.weights.append(tensor)
        return name

    def add(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        output = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def shape(self, *sides: int) -> str:
        name = f"s{len(self.weights)}"
        self.weights.append(helper.make_tensor(name, TensorProto.INT64, [len(sides)], sides))
        return name

    def conv(self, data: str, inputs: int, outputs: int, window: int, stride: int = 1) -> str:
        pad = window // 2
        return self.add(
            "Conv", data, self.weight(outputs, inputs, window, window), self.weight(outputs),
            strides=[stride, stride], pads=[pad] * 4,
        )  # fmt: skip

    def save(self, path: Path, sides: Sequence[int | str], *, kind: int = TensorProto.FLOAT) -> Path:
        graph = helper.make_graph(
            self.nodes,
            "network",
            [helper.make_tensor_value_info("input", kind, sides)],
            [helper.make_tensor_value_info(self.nodes[-1].output[0], self.kind, None)],
            self.weights,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid(name, version) for name, version in OPSETS.items()]
        )
        path.write_bytes(model.SerializeToString())
        return path


def resnet18(network: Network) -> None:
    """He et al. 2015, with batch normalisation folded into the convolutions."""
    data = network.add("Relu", network.conv("input", 3, 64, 7, 2))
    data = network.add("MaxPool", data, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    width = 64
    for outputs in (64, 128, 256, 512):
        for block in range(2):
            stride = 2 if block == 0 and outputs != 64 else 1
            inner = network.add("Relu", network.conv(data, width, outputs, 3, stride))
            short = network.conv(data, width, outputs, 1, stride) if stride == 2 else data
            data = network.add("Relu", network.add("Add", network.conv(inner, outputs, outputs, 3), short))
            width = outputs
    pooled = network.add("Flatten", network.add("GlobalAveragePool", data))
    network.add("Gemm", pooled, network.weight(1000, 512), network.weight(1000), transB=1)


def encoder(network: Network, *, layers: int = 2, width: int = 64, heads: int = 4, inner: int = 256) -> None:
    """A plain encoder without biases and norms."""
    data = network.add("Gather", network.weight(1000, width), "input")
    for _ in range(layers):
        split = network.shape(0, 0, heads, width // heads)
        queries, keys, values = (
            network.add(
                "Transpose",
                network.add("Reshape", network.add("MatMul", data, network.weight(width, width)), split),
                perm=order,
            )
            for order in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
        )
        attention = network.add("Softmax", network.add("MatMul", queries, keys), axis=-1)
        mixed = network.add("Transpose", network.add("MatMul", attention, values), perm=[0, 2, 1, 3])
        joined = network.add("Reshape", mixed, network.shape(0, 0, width))
        data = network.add("Add", data, network.add("MatMul", joined, network.weight(width, width)))
        wide = network.add("Relu", network.add("MatMul", data, network.weight(width, inner)))
        data = network.add("Add", data, network.add("MatMul", wide, network.weight(inner, width)))


def test_a_resnet18_is_the_built_in_one(tmp_path: Path) -> None:
    network = Network()
    resnet18(network)
    found = read_onnx(network.save(tmp_path / "net.onnx", ["batch", 3, 224, 224]))
    known = find_model("resnet18")
    assert ("cnn", "224 px", "fp32") == (found.family, found.reference_item, found.weight_dtype)
    assert known.parameters == pytest.approx(
        found.parameters, rel=0.002
    )  # folded norms have half the weights
    assert known.macs_per_item == pytest.approx(found.macs_per_item, rel=0.005)
    assert known.activations_per_item == pytest.approx(found.activations_per_item, rel=0.02)


def test_arithmetic_is_that_of_one_item_of_the_batch(tmp_path: Path) -> None:
    network = Network(kind=TensorProto.FLOAT16)
    network.conv("input", 3, 8, 3)
    path = network.save(tmp_path / "net.onnx", [4, 3, 10, 10], kind=TensorProto.FLOAT16)
    found = read_onnx(path)
    assert 8 * 10 * 10 * 3 * 3 * 3 == found.macs_per_item
    assert 8 * 10 * 10 == found.activations_per_item
    assert (3 * 3 * 3 * 8 + 8, "fp16", "10 px") == (
        found.parameters,
        found.weight_dtype,
        found.reference_item,
    )


def test_an_encoder_gets_its_layers_heads_and_widths(tmp_path: Path) -> None:
    network = Network()
    encoder(network)
    found = read_onnx(network.save(tmp_path / "net.onnx", ["batch", "tokens"], kind=TensorProto.INT64))
    assert ("encoder", 2, 64, 256, 4) == (
        found.family, found.layers, found.hidden_size, found.intermediate_size, found.attention_heads,
    )  # fmt: skip
    assert 1000 * 64 + 2 * (4 * 64 * 64 + 2 * 64 * 256) == found.parameters
    assert found.flops(size=128) == pytest.approx(2 * (found.macs_per_item or 0))


def test_weights_in_a_file_beside_it_are_not_needed(tmp_path: Path) -> None:
    network = Network(external=True)
    resnet18(network)
    path = network.save(tmp_path / "net.onnx", ["batch", 3, "height", "width"])
    assert path.stat().st_size < 20_000
    assert read_onnx(path).parameters == pytest.approx(11.7e6, rel=0.01)


def test_init_and_recommend_take_the_file(tmp_path: Path) -> None:
    network = Network()
    resnet18(network)
    network.save(tmp_path / "net.onnx", ["batch", 3, 224, 224])
    command = [sys.executable, "-m", "advisor", "init", "--model", "net.onnx", "--instance", "g4dn.xlarge"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert 1.82e9 == pytest.approx(Workload.load(tmp_path / "advisor.yaml").model.macs_per_item, rel=0.01)


class TestRefusals:
    @pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"no model at all", b"\x08\x07"])
    def test_junk(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "net.onnx").write_bytes(content)
        with pytest.raises(InputError, match=r"cannot read .*net.onnx"):
            read_onnx(tmp_path / "net.onnx")

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="there is no file"):
            read_onnx(tmp_path / "net.onnx")

    @pytest.mark.parametrize(
        ("kind", "domain"), [("LSTM", ""), ("Attention", "com.microsoft"), ("FusedMatMul", "com.microsoft")]
    )
    def test_arithmetic_that_is_not_counted(self, tmp_path: Path, kind: str, domain: str) -> None:
        network = Network()
        network.add(kind, network.conv("input", 3, 8, 3), domain=domain)
        with pytest.raises(InputError, match=f"{kind} is not counted"):
            read_onnx(network.save(tmp_path / "net.onnx", [1, 3, 8, 8]))

    def test_a_shape_that_does_not_follow(self, tmp_path: Path) -> None:
        network = Network()
        network.add("MatMul", network.add("Mystery", "input", domain="my.own"), network.weight(8, 8))
        with pytest.raises(InputError, match="do not follow"):
            read_onnx(network.save(tmp_path / "net.onnx", [1, 3, 8, 8]))

    def test_more_than_half_a_gigabyte_is_not_read(self, tmp_path: Path) -> None:
        with (tmp_path / "net.onnx").open("wb") as file:
            file.truncate(700_000_000)
        with pytest.raises(InputError, match="larger than 600 MB"):
            read_onnx(tmp_path / "net.onnx")
