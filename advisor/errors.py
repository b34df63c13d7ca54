"""Every message the product refuses with, worded once: what was given, where; what was expected; what to do."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar, Self

_LISTED_NAMES = 12
_LONGEST_PATH = 200


class AdvisorError(Exception):
    """What the product could not do, in words for the person who asked.

    `exit_code` is what the command line returns for it: 2 for wrong usage or input, 3 when nothing meets the
    requirements.
    """

    exit_code: ClassVar[int] = 2

    @property
    def message(self) -> str:
        """The whole text, without a traceback."""
        return str(self)


class InputError(AdvisorError, ValueError):
    """A document, a flag or an argument that cannot be used as given."""

    location: tuple[str | int, ...] = ()
    """Keys from the checked value to the one at fault, where a check of the whole found it."""

    def within(self, *location: str | int) -> Self:
        """Return this error, pointing at a key inside the checked value."""
        self.location = location
        return self

    @classmethod
    def listing(cls, source: str, problems: Sequence[str]) -> Self:
        """Return one error for all `problems` of `source`, in the order found.

        Example:
            >>> print(InputError.listing("chat.yaml", ["chat.yaml line 2: a", "chat.yaml line 9: b"]))
            chat.yaml has 2 problems:
              - chat.yaml line 2: a
              - chat.yaml line 9: b
        """
        if len(problems) == 1:
            return cls(problems[0])
        return cls("\n  - ".join([f"{source} has {len(problems)} problems:", *problems]))

    @classmethod
    def missing_file(cls, path: Path, known: Iterable[str] = ()) -> Self:
        """Return the error for a path where nothing lies, pointing at the nearest of the `known` names."""
        return cls(f"there is no file '{_cut(path)}'{suggestion(path.name, known)}")

    @classmethod
    def unreadable_file(cls, path: Path, reason: str) -> Self:
        """Return the error for a file that is there but cannot be read as a document."""
        return cls(f"cannot read '{_cut(path)}': {reason}")

    @classmethod
    def too_large(cls, source: str, *, limit_bytes: int) -> Self:
        """Return the error for a document above the size limit; the rest of it was not read."""
        return cls(
            f"{source} is larger than {limit_bytes / 1e6:g} MB; a workload is a few kB of text, "
            "so this is probably the wrong file"
        )


class UnknownName(InputError):
    """A name that is not among the known ones."""

    @classmethod
    def among(cls, kind: str, name: str, known: Iterable[str], where: str = "") -> Self:
        """Return the error for the unknown `name` of a `kind`, with the nearest of the `known` names.

        Args:
            kind: What is named, such as `strategy` or `model`.
            name: What was given.
            known: All names that would have worked.
            where: Where the known names live, in words such as `is installed`; empty: `is known`.

        Example:
            >>> print(UnknownName.among("strategy", "prunning", ["pruning", "batching"], "is installed"))
            no strategy 'prunning' is installed; did you mean 'pruning'? (known: batching, pruning)
        """
        names = sorted(set(known))
        return cls(f"no {kind} '{name}' {where or 'is known'}{suggestion(name, names)}{_listing(names)}")


class StrategyError(AdvisorError):
    """A strategy package that breaks its contract."""

    @classmethod
    def breaks(cls, strategy: str, rule: str, given: str) -> Self:
        """Return the error for the `strategy` that breaks a `rule`, with what it gave instead."""
        return cls(f"strategy '{strategy}' {rule}; it gave {given}. Report this to whoever made the strategy")

    @classmethod
    def not_loadable(cls, strategy: str, entry_point: str, reason: str) -> Self:
        """Return the error for an installed strategy whose code does not load."""
        return cls(
            f"strategy '{strategy}' ({entry_point}) does not load: {reason}. Reinstall or remove its package"
        )


class CatalogError(AdvisorError):
    """A catalogue table or row that cannot be used."""

    @classmethod
    def bad_row(cls, table: str, line: int, problem: str) -> Self:
        """Return the error for one row of a table; `line` counts from 1 with the header as line 1."""
        return cls(f"{table} line {line}: {problem}")


class InfeasibleError(AdvisorError):
    """Nothing meets the requirements; raised only where an answer was demanded."""

    exit_code: ClassVar[int] = 3

    @classmethod
    def because(cls, reasons: Sequence[str]) -> Self:
        """Return the error with each reason why no plan meets the requirements."""
        return cls("\n  - ".join(["nothing meets the requirements:", *reasons]))


class FileExists(AdvisorError):
    """A file that is already there and stays as it is."""

    @classmethod
    def at(cls, path: Path) -> Self:
        """Return the error for a path that would have been overwritten."""
        return cls(f"'{path}' already exists and stays as it is; give --force to replace it, or another name")


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest of the `known` names, or nothing when none is near.

    Example:
        >>> suggestion("trafic", ["traffic", "model"])
        "; did you mean 'traffic'?"
        >>> suggestion("zebra", ["traffic", "model"])
        ''
    """
    by_fold: dict[str, str] = {}
    for candidate in known:
        by_fold.setdefault(candidate.casefold(), candidate)
    near = get_close_matches(name.casefold(), list(by_fold), n=2, cutoff=0.6)
    if not near:
        return ""
    return f"; did you mean {' or '.join(repr(by_fold[match]) for match in near)}?"


def _cut(path: Path) -> str:
    text = str(path)
    return text if len(text) <= _LONGEST_PATH else f"{text[:_LONGEST_PATH]}..."


def _listing(names: Sequence[str]) -> str:
    if not names:
        return ""
    rest = len(names) - _LISTED_NAMES
    return f" (known: {', '.join(names[:_LISTED_NAMES])}{f' and {rest} more' if rest > 0 else ''})"
