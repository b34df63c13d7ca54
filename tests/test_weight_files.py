"""Weights counted from safetensors files, or from their index, beside a configuration."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from advisor.errors import InputError
from advisor.model_configs import read_config
from advisor.starting import Answers, workload_text
from advisor.workload import Workload

CONFIG = {
    "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 1000, "torch_dtype": "bfloat16",
}  # fmt: skip
ESTIMATED = 202_048
"""2 x 1000 x 64 + 2 x (2 x 64 x 16 x 6 + 3 x 64 x 128) + 5 x 64."""


def folder(tmp_path: Path, *, index: object = None, **changes: Any) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | changes))
    if index is not None:
        (tmp_path / "model.safetensors.index.json").write_text(
            index if isinstance(index, str) else json.dumps(index)
        )
    return tmp_path


def shard(path: Path, tensors: dict[str, tuple[str, list[int]]]) -> None:
    header = json.dumps(
        {"__metadata__": {"format": "pt"}}
        | {
            name: {"dtype": dtype, "shape": shape, "data_offsets": [0, 0]}
            for name, (dtype, shape) in tensors.items()
        }
    ).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)


def test_without_weights_the_shape_says_how_many(tmp_path: Path) -> None:
    model = read_config(folder(tmp_path))
    assert (ESTIMATED, True) == (model.parameters, model.estimated)


@pytest.mark.parametrize(("bytes_each", "dtype"), [(2, "bf16"), (4, "fp32"), (1, "fp8")])
def test_the_size_in_an_index_gives_parameters_and_format(
    tmp_path: Path, bytes_each: int, dtype: str
) -> None:
    count = ESTIMATED + 1000  # something that the formula does not know
    index = {"metadata": {"total_size": count * bytes_each}, "weight_map": {"a": "model-1.safetensors"}}
    model = read_config(folder(tmp_path, index=index))
    assert (count, dtype, False) == (model.parameters, model.weight_dtype, model.estimated)
    assert "model.safetensors.index.json" in model.source


def test_half_precision_in_the_configuration_is_believed(tmp_path: Path) -> None:
    index = {"metadata": {"total_size": 2 * ESTIMATED}, "weight_map": {}}
    assert "fp16" == read_config(folder(tmp_path, index=index, torch_dtype="float16")).weight_dtype


def test_the_headers_of_the_files_are_exact(tmp_path: Path) -> None:
    index = {"metadata": {"total_size": 1}, "weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
    shard(tmp_path / "one.safetensors", {"a": ("F16", [1000, 200])})
    shard(tmp_path / "two.safetensors", {"b": ("F16", [100]), "c": ("F32", [5])})
    model = read_config(folder(tmp_path, index=index))
    assert (200_105, "fp16") == (model.parameters, model.weight_dtype)


def test_one_file_needs_no_index_and_a_workload_takes_the_folder(tmp_path: Path) -> None:
    shard(tmp_path / "model.safetensors", {"a": ("BF16", [1000, 201])})
    folder(tmp_path)
    workload = Workload.load(
        {
            "model": str(tmp_path), "requests": {"input_tokens": 10, "output_tokens": 5},
            "traffic": {"requests_per_s": 1}, "serving": {"instance_type": "g6e.xlarge"},
        }
    )  # fmt: skip
    assert 201_000 == workload.model.parameters


def test_the_index_itself_names_the_folder_and_init_writes_it_relative_to_its_file(tmp_path: Path) -> None:
    (tmp_path / "net: 1").mkdir()
    (tmp_path / "work").mkdir()
    index = folder(tmp_path / "net: 1", index={"metadata": {"total_size": 2 * ESTIMATED}, "weight_map": {}})
    for name in (index, index / "model.safetensors.index.json"):
        answers = Answers(model=str(name), instance="g6.xlarge", instances=1, requests_per_s="1")
        text = workload_text(answers, folder=tmp_path / "work")
        (tmp_path / "work" / "advisor.yaml").write_text(text)
        found = Workload.load(tmp_path / "work" / "advisor.yaml").model
        assert (ESTIMATED, "bf16") == (found.parameters, found.weight_dtype)
        assert str(tmp_path) not in text


def test_quantised_weights_are_packed_and_not_counted(tmp_path: Path) -> None:
    index = {"metadata": {"total_size": ESTIMATED // 2}, "weight_map": {}}
    model = read_config(folder(tmp_path, index=index, quantization_config={"quant_method": "awq", "bits": 4}))
    assert (ESTIMATED, "int4") == (model.parameters, model.weight_dtype)


def test_a_size_that_fits_no_format_is_not_believed(tmp_path: Path) -> None:
    index = {"metadata": {"total_size": 9 * ESTIMATED}, "weight_map": {}}
    assert ESTIMATED == read_config(folder(tmp_path, index=index)).parameters


def test_an_index_that_points_elsewhere_is_not_followed(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    shard(tmp_path / "x.safetensors", {"a": ("F16", [7])})
    index = {"metadata": {"total_size": 2 * ESTIMATED}, "weight_map": {"a": "../x.safetensors"}}
    assert ESTIMATED == read_config(folder(inner, index=index)).parameters


@pytest.mark.parametrize("index", ["", "{", "[]", "{}", "[" * 100_000, '{"weight_map": 3}'])
def test_an_index_that_is_none_is_named(tmp_path: Path, index: str) -> None:
    with pytest.raises(InputError, match=r"index\.json"):
        read_config(folder(tmp_path, index=index))


@pytest.mark.parametrize(
    "raw",
    [b"", b"abc", struct.pack("<Q", 2**60), struct.pack("<Q", 9) + b"{}", struct.pack("<Q", 10) + b'{"a": 123}',
     struct.pack("<Q", 37) + b'{"a": {"dtype": "F16", "shape": [-1]}}'],
)  # fmt: skip
def test_a_file_that_is_no_safetensors_is_named(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(raw)
    with pytest.raises(InputError, match=r"model\.safetensors"):
        read_config(folder(tmp_path))


@pytest.mark.parametrize("size", [None, "big", True, -1, 0, float("inf")])
def test_a_size_that_is_none_leaves_the_formula(tmp_path: Path, size: object) -> None:
    text = json.dumps({"metadata": {"total_size": size}, "weight_map": {}})
    assert ESTIMATED == read_config(folder(tmp_path, index=text)).parameters
