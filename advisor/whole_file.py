"""Writes a file whole or not at all: whoever reads it, and whatever happens, finds the old one or the new one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from advisor.errors import FileExists


@contextmanager
def whole_file(path: Path | str, *, force: bool = False) -> Iterator[TextIO]:
    """Open a file that takes its name when the block ends, in one step.

    The text goes to a new file beside `path`, with the permissions of the one that it replaces. A run that is interrupted, even by `kill -9`, leaves what was there
    before; a killed one may leave the unfinished file, whose name begins with a dot and ends in `.part`.

    Args:
        path: Of the file; a link is followed and stays a link, a pipe or a device is written to directly.
        force: Whether to replace a file that is there.

    Raises:
        FileExists: The file is there and `force` is false.
        OSError: The folder cannot be written.
    """
    path = Path(path)
    if not force and path.exists():
        raise FileExists.at(path)
    path = path.resolve()
    if path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8", newline="\n") as file:
            yield file
        return
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".part")
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        _named(part, path, force=force)
    finally:
        part.unlink(missing_ok=True)


def write_text(text: str, path: Path | str, *, force: bool = False) -> Path:
    """Write a text whole or not at all, and return the path it has.

    Args:
        text: What the file will hold.
        path: Of the file.
        force: Whether to replace a file that is there.

    Raises:
        FileExists: The file is there and `force` is false.
        OSError: The folder cannot be written.
    """
    with whole_file(path, force=force) as file:
        file.write(text)
    return Path(path).resolve()


def _named(part: Path, path: Path, *, force: bool) -> None:
    """Give the finished file its name; without `force` not even one that appeared meanwhile is replaced."""
    if force:
        part.replace(path)
        return
    try:
        path.hardlink_to(part)
    except FileExistsError:
        raise FileExists.at(path) from None
    except OSError:  # a file system without links
        part.replace(path)


def _umask() -> int:
    """Return the process's mask; reading it means setting it for a moment."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
