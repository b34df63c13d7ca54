"""Refuses files that a document names, where the document comes from a network and files are not its sender's to read."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from advisor.errors import InputError

_SEALED: ContextVar[bool] = ContextVar("sealed", default=False)


@contextmanager
def without_files() -> Iterator[None]:
    """Refuse every file that a document names while the block runs, before anything is known about the path.

    Example:
        >>> with without_files():
        ...     require_files("/etc/passwd")
        Traceback (most recent call last):
        advisor.errors.InputError: '/etc/passwd': no file is read here; give its contents instead of its name
    """
    token = _SEALED.set(True)
    try:
        yield
    finally:
        _SEALED.reset(token)


def is_sealed() -> bool:
    """Return whether files are refused."""
    return _SEALED.get()


def require_files(name: str) -> None:
    """Return where files may be read.

    Args:
        name: What the document calls the file.

    Raises:
        InputError: This is inside of `without_files`.
    """
    if _SEALED.get():
        shown = name if len(name) <= 60 else f"{name[:60]}..."
        raise InputError(f"'{shown}': no file is read here; give its contents instead of its name")
