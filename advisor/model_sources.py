"""Models that a document names by where they are described: a folder, a file, or an installed package."""

from __future__ import annotations

from pathlib import Path

from advisor.errors import InputError
from advisor.models import ModelSpec, find_model
from advisor.sealed import is_sealed, require_files

_LONGEST_NAME = 255
"""Bytes in the name of a file."""
PACKAGES = ("timm:", "transformers:")
"""What a name begins with that an installed package knows."""


def described_model(text: str, folder: Path | None) -> ModelSpec:
    """Return the model that a text points at.

    Args:
        text: The path of a `config.json`, of a folder with one, of the index beside it, or of an `.onnx` file; or
            `timm:NAME` or `transformers:NAME`.
        folder: Where relative paths start; none: the working directory.

    Raises:
        InputError: It points at nothing, or at something that cannot be read.
    """
    if text.startswith(PACKAGES):
        require_files(text)
        from advisor.package_models import package_model  # noqa: PLC0415 - heavy packages, only where they are meant

        return package_model(text)
    path = (folder or Path()) / text
    if any(len(part.encode("utf-8", "replace")) > _LONGEST_NAME for part in path.parts):
        raise InputError.unreadable_file(path, "its name is too long")
    ending = path.suffix.lower()
    if (
        ending not in {".json", ".onnx"}
        and not Path(text).is_absolute()
        and (is_sealed() or not path.is_dir())
    ):
        return find_model(text)  # raises, with the nearest name
    require_files(text)
    if ending == ".onnx":
        from advisor.onnx_models import read_onnx  # noqa: PLC0415

        return read_onnx(path)
    from advisor.model_configs import read_config  # noqa: PLC0415

    return read_config(path)
