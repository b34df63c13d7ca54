"""The one Typer application that every command joins."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import typer

app = typer.Typer(
    name="advisor",
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
