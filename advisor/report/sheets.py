"""Chapters of text and tables that a terminal and a Markdown page print alike; every text is ready to be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from advisor.report.pages import fenced, markdown_text
from advisor.report.terminal import NARROW, bullets, numbered, rendered, ruled
from advisor.report.words import clean, pasted


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    heading: str
    right: bool = False
    """Whether it holds numbers."""
    spare: bool = False
    """Whether a narrow terminal leaves it out; Markdown never does."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """A list of sentences."""

    items: tuple[str, ...]
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Paste:
    """A text to paste."""

    place: str
    text: str


@dataclass(frozen=True, slots=True)
class Chapter:
    """A heading with what is below it: sentences, tables, lists, texts to paste, and chapters of its own."""

    title: str
    blocks: tuple[str | Grid | Lines | Paste | Chapter, ...]


def terminal_sheet(chapters: Iterable[Chapter], *, width: int, colour: bool) -> str:
    """Return chapters as lines of at most `width` columns, with ANSI colours where asked for."""
    return rendered(terminal_chapters(chapters, width=width), width=width, colour=colour)


def terminal_chapters(chapters: Iterable[Chapter], *, width: int, depth: int = 0) -> Iterator[RenderableType]:
    """Yield chapters for a terminal."""
    for chapter in chapters:
        yield Text(f"\n{clean(chapter.title)}", style="bold" if depth else "bold cyan")
        for block in chapter.blocks:
            if isinstance(block, Chapter):
                yield from terminal_chapters((block,), width=width, depth=depth + 1)
            else:
                yield from _terminal_block(block, width)


def _terminal_block(block: str | Grid | Lines | Paste, width: int) -> Iterator[RenderableType]:
    if isinstance(block, str):
        yield Text(clean(block))
    elif isinstance(block, Lines):
        lines = [clean(item) for item in block.items]
        yield numbered(lines) if block.ordered else bullets(lines, mark="-")
    elif isinstance(block, Paste):
        yield Text(f"{clean(block.place)}:", style="dim")
        yield Padding(Text(pasted(block.text), style="cyan"), (0, 0, 0, 2))
    else:
        shown = [at for at, column in enumerate(block.columns) if width >= NARROW or not column.spare]
        found = ruled(
            *(
                (clean(block.columns[at].heading), "right" if block.columns[at].right else "left")
                for at in shown
            )
        )
        for row in block.rows:
            found.add_row(*(Text(clean(row[at])) for at in shown))
        yield found


def markdown_sheet(chapters: Iterable[Chapter], *, level: int = 3) -> str:
    """Return chapters as Markdown, everything from outside escaped.

    Args:
        chapters: What to write.
        level: Of the headings, 3 for `###`.
    """
    return "\n\n".join(part for chapter in chapters for part in _markdown_chapter(chapter, level)) + "\n"


def _markdown_chapter(chapter: Chapter, level: int) -> Iterator[str]:
    yield f"{'#' * level} {_text(chapter.title)}"
    for block in chapter.blocks:
        if isinstance(block, Chapter):
            yield from _markdown_chapter(block, min(level + 1, 6))
        else:
            yield _markdown_block(block)


def _markdown_block(block: str | Grid | Lines | Paste) -> str:
    if isinstance(block, str):
        return _text(block)
    if isinstance(block, Lines):
        marks = (f"{at}." if block.ordered else "-" for at in range(1, len(block.items) + 1))
        return "\n".join(f"{mark} {_text(item)}" for mark, item in zip(marks, block.items, strict=True))
    if isinstance(block, Paste):
        return f"{_text(block.place)}:\n\n{fenced(pasted(block.text))}"
    head = _markdown_row(column.heading for column in block.columns)
    rule = f"| {' | '.join('---:' if column.right else '---' for column in block.columns)} |"
    return "\n".join((head, rule, *(_markdown_row(row) for row in block.rows)))


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(_text(cell) for cell in cells)} |"


def _text(text: str) -> str:
    return str(markdown_text(clean(text)))
