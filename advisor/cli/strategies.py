"""`advisor strategies`: what is installed, with its numbers and evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from advisor.cli.application import Example, app


@app.command()
def strategies(
    name: Annotated[
        str | None, typer.Argument(help="Show one strategy with its options and evidence.")
    ] = None,
    example: Annotated[
        Example, typer.Option("--example", help="Workload for which options are shown.")
    ] = Example.LARGE_LLM,
    workload: Annotated[Path | None, typer.Option("--workload", help="Your own workload instead.")] = None,
) -> None:
    """List the installed strategies, or show one with its evidence.

    Example: advisor strategies quantization --example small-cnn
    """
    from advisor.cards import strategy_card, strategy_list

    source = str(workload) if workload else example.value
    typer.echo(strategy_card(name, source) if name else strategy_list(source), nl=False)
