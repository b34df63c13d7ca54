"""The one Typer application that every command joins."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

INTERRUPTED = 130


class Interruptible(TyperGroup):
    """Commands that end in a line and exit code 130 where they are interrupted from the keyboard."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("advisor: interrupted before there was an answer", err=True)
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    name="advisor",
    cls=Interruptible,
    help="The cheapest way to serve an AI model within its accuracy and latency limits, and how sure that is.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

DEFAULT_FILE = Path("advisor.yaml")


class Example(StrEnum):
    """Built-in workloads."""

    LARGE_LLM = "large-llm"
    MEDIUM_TRANSFORMER = "medium-transformer"
    SMALL_CNN = "small-cnn"


OWN_WORKLOAD = "advisor example large-llm > advisor.yaml   # edit it, then: advisor recommend advisor.yaml"


def workload_source(workload: list[Path] | None, example: Example | None) -> str | list[str]:
    """Return the files of a command; without one `./advisor.yaml` if it is there, else an example.

    Raises:
        InputError: Both files and an example are given.
    """
    from advisor.errors import InputError

    if workload and example is not None:
        raise InputError(f"got both the file '{workload[0]}' and --example {example.value}; give one of them")
    if workload:
        return [str(path) for path in workload] if len(workload) > 1 else str(workload[0])
    if example is None and DEFAULT_FILE.exists():
        return str(DEFAULT_FILE)
    return (example or Example.LARGE_LLM).value


def say_example(source: object, *, is_example: bool) -> None:
    """Say on stderr that the answer is about a built-in example."""
    if is_example:
        typer.echo(f"This is the built-in example '{source}'. For your own: {OWN_WORKLOAD}", err=True)
