"""How many weights a model's safetensors files hold, and in which number format; only headers are read."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisor.errors import InputError

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
LIMIT_BYTES = 64_000_000
"""Largest index or header that is read; that of a model with 90,000 tensors is 9 MB."""
_MOST_SHARDS = 2_000
_DTYPES = {"F32": "fp32", "F16": "fp16", "BF16": "bf16", "F8_E4M3": "fp8", "F8_E5M2": "fp8"}
_BYTES = {4.0: "fp32", 2.0: "bf16", 1.0: "fp8"}
_TOLERANCE_RATIO = 0.25
"""How far the size of all weights may lie from a format's bytes times the weights expected, and still mean it."""


@dataclass(frozen=True, slots=True)
class StoredWeights:
    """What the files beside a configuration say.

    Attributes:
        parameters: Weights in all files.
        dtype: Number format of most of them.
        source: Which file said so.
        is_exact: Whether headers were read; a size cannot tell bf16 from fp16.
    """

    parameters: float
    dtype: str
    source: str
    is_exact: bool


def stored_weights(folder: Path, *, expected: float) -> StoredWeights | None:
    """Return what lies in a folder; None where there are no weights, or packed ones that cannot be counted.

    The headers of the files count where all files are there; else the index gives the bytes of all weights, and the
    format is the one of 4, 2 or 1 bytes that comes nearest to the weights expected.

    Args:
        folder: Where `model.safetensors.index.json` or `model.safetensors` lies.
        expected: Weights that follow from the shape.

    Raises:
        InputError: A file is there and is not what its name says.
    """
    index = folder / INDEX
    if index.is_file():
        stated = _json(_start(index, LIMIT_BYTES + 1), index)
        return _from_headers(folder, _shards(stated, index), INDEX) or _from_size(stated, index, expected)
    return _from_headers(folder, [SINGLE], SINGLE) if (folder / SINGLE).is_file() else None


def _shards(stated: Mapping[str, Any], index: Path) -> list[str]:
    names = stated.get("weight_map")
    if not isinstance(names, Mapping):
        raise InputError.unreadable_file(
            index, "it has no weight_map; expected the index that safetensors writes"
        )
    shards = sorted({str(name) for name in names.values()})
    beside = all(Path(name).name == name for name in shards)  # an index must not point elsewhere
    return shards if beside and len(shards) <= _MOST_SHARDS else []


def _from_headers(folder: Path, shards: Sequence[str], source: str) -> StoredWeights | None:
    if not shards or not all((folder / name).is_file() for name in shards):
        return None
    counts: dict[str, int] = {}
    for name in shards:
        for dtype, elements in _tensors(folder / name):
            counts[dtype] = counts.get(dtype, 0) + elements
    most = max(counts, key=lambda dtype: counts[dtype], default="")
    if most not in _DTYPES:
        return None
    return StoredWeights(float(sum(counts.values())), _DTYPES[most], source, is_exact=True)


def _tensors(path: Path) -> list[tuple[str, int]]:
    """Return the format and the elements of each tensor of a file: 8 bytes with a length, then that much JSON."""
    head = _start(path, 8)
    length = int.from_bytes(head, "little")
    if len(head) < 8 or not 2 <= length <= LIMIT_BYTES:
        raise InputError.unreadable_file(path, "it does not begin with a header of safetensors")
    raw = _start(path, 8 + length)[8:]
    header = _json(raw if len(raw) == length else b"", path)
    rows = [row for name, row in header.items() if name != "__metadata__"]
    try:
        return [(str(row["dtype"]), math.prod(_size(side) for side in row["shape"])) for row in rows]
    except (TypeError, KeyError, ValueError):
        raise InputError.unreadable_file(path, "a tensor in its header has no dtype and shape") from None


def _size(side: object) -> int:
    if isinstance(side, bool) or not isinstance(side, int) or not 0 <= side < 2**48:
        raise ValueError(side)
    return side


def _from_size(stated: Mapping[str, Any], index: Path, expected: float) -> StoredWeights | None:
    about = stated.get("metadata")
    size = about.get("total_size") if isinstance(about, Mapping) else None
    if isinstance(size, bool) or not isinstance(size, int | float) or not 0 < size < math.inf:
        return None
    each = min(_BYTES, key=lambda bytes_: abs(math.log(size / expected / bytes_)))
    if abs(size / expected / each - 1) > _TOLERANCE_RATIO:
        return None
    return StoredWeights(size / each, _BYTES[each], index.name, is_exact=False)


def _start(path: Path, count: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise InputError.unreadable_file(path, error.strerror or str(error)) from None


def _json(raw: bytes, path: Path) -> Mapping[str, Any]:
    if len(raw) > LIMIT_BYTES:
        raise InputError.unreadable_file(path, f"it is larger than {LIMIT_BYTES / 1e6:g} MB")
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        raise InputError.unreadable_file(path, "it is not JSON, or was cut off") from None
    if not isinstance(found, Mapping):
        raise InputError.unreadable_file(path, "it holds no keys with values")
    return found
