"""`advisor example`, `advisor init` and `advisor schema`: what one needs to write a workload of one's own."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from advisor.cli.application import DEFAULT_FILE, Example, app


@app.command()
def example(name: Annotated[Example, typer.Argument(help="Which one.")] = Example.LARGE_LLM) -> None:
    """Print a built-in workload as YAML, to start from.

    Example: advisor example large-llm > advisor.yaml
    """
    from advisor.examples import example_text

    typer.echo(example_text(name.value), nl=False)


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = DEFAULT_FILE,
    *,
    model: Annotated[
        str | None, typer.Option("--model", help="Built-in name, or a folder, config.json or .onnx file.")
    ] = None,
    instance: Annotated[
        str | None, typer.Option("--instance", help="Machine that serves it today, such as p5.48xlarge.")
    ] = None,
    instances: Annotated[int | None, typer.Option("--instances", help="How many of them.", min=1)] = None,
    requests_per_s: Annotated[
        str | None, typer.Option("--requests-per-s", help="Requests per second, such as 12.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Write a commented advisor.yaml from a few questions, or from flags where there is no terminal.

    Example: advisor init --model llama-3.1-8b --instance p5.48xlarge --instances 1 --requests-per-s 12
    """
    from advisor.errors import FileExists
    from advisor.starting import Answers, workload_text

    if path.exists() and not force:
        raise FileExists.at(path)
    answers = Answers(model=model, instance=instance, instances=instances, requests_per_s=requests_per_s)
    if sys.stdin.isatty():
        answers = answers.completed(
            lambda question, default: str(typer.prompt(question, default=default, err=True))
        )
    text = workload_text(answers, folder=path.parent)
    from advisor.report import write_text

    write_text(text, path, force=force)
    typer.echo(f"Wrote {path}. Edit it, then: advisor recommend {path}", err=True)


class Schema(StrEnum):
    """Documents with a JSON Schema."""

    WORKLOAD = "workload"
    REQUIREMENTS = "requirements"
    RECOMMENDATION = "recommendation"
    CALIBRATION = "calibration"


@app.command()
def schema(document: Annotated[Schema, typer.Argument(help="Which document.")]) -> None:
    """Print the JSON Schema of a document.

    Example: advisor schema workload > workload.schema.json
    """
    import json

    from advisor import Calibration, Recommendation, Requirements, Workload

    models: dict[Schema, Any] = {
        Schema.WORKLOAD: Workload,
        Schema.REQUIREMENTS: Requirements,
        Schema.RECOMMENDATION: Recommendation,
        Schema.CALIBRATION: Calibration,
    }
    mode = "serialization" if document is Schema.RECOMMENDATION else "validation"
    typer.echo(json.dumps(models[document].model_json_schema(mode=mode), indent=2))
