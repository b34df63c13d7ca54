"""Seals a worker: it opens no file but those of installed code, starts no process, connects nowhere, and has bounded memory.

Documents that name files are refused before (`advisor.sealed`); this is the wall behind it, for a reader that forgets.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

from advisor.errors import InputError

_REFUSED = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "socket.connect",
    "socket.bind",
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def seal(memory_bytes: int) -> None:
    """Seal this process for the rest of its life.

    Args:
        memory_bytes: Most data that it may hold.
    """
    _bound_memory(memory_bytes)
    roots = _code_folders()

    def refuse(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            writes = isinstance(flags, int) and flags & _WRITING
            if isinstance(path, int):  # a file that is open already
                return
            if writes or not _inside(os.fsdecode(path), roots):  # type: ignore[arg-type]
                raise InputError("a file was asked for; no file is read or written here")
        elif event in _REFUSED:
            raise InputError(f"{event} was asked for; nothing is started or connected here")

    sys.addaudithook(refuse)


def _inside(path: str, roots: tuple[str, ...]) -> bool:
    return os.path.realpath(path).startswith(roots)


def _code_folders() -> tuple[str, ...]:
    """Return the folders of the standard library, of installed packages, and of code that is loaded."""
    installed = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    loaded = {
        str(Path(file).parent)
        for module in tuple(sys.modules.values())
        if (file := getattr(module, "__file__", None))
    }
    return tuple(sorted(f"{os.path.realpath(folder)}{os.sep}" for folder in installed | loaded))


def _bound_memory(memory_bytes: int) -> None:
    try:
        import resource  # noqa: PLC0415 - Unix only
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
