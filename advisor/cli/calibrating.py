"""`advisor calibrate`: own benchmark results become a calibration, which other commands take with --calibration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli.application import app
from advisor.cli.output import check_output

if TYPE_CHECKING:
    from advisor.calibration import Calibration

CalibrationFile = Annotated[
    Path | None,
    typer.Option("--calibration", help="Own benchmarks, as `advisor calibrate` wrote them."),
]
"""The option of commands that predict."""
_PANEL = "What files do not say; it wins over what they say"


def loaded_calibration(path: Path | None) -> Calibration | None:
    """Return the calibration of a command line; `None` where none is given."""
    if path is None:
        return None
    from advisor.calibration import Calibration

    return Calibration.load(path)


@app.command()
def calibrate(
    results: Annotated[
        list[Path],
        typer.Argument(
            help="Results of vllm bench serve, guidellm, aiperf, genai-perf, llm-d-benchmark, perf_analyzer, Model Analyzer "
            "or MLPerf, or CSV with the columns of `advisor predict` and measured ones."
        ),
    ],
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="YAML to write; the terminal if not given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the output file if it exists.")] = False,
    workload: Annotated[
        Path | None,
        typer.Option(
            "--workload",
            help="advisor.yaml: its model and what serves it today answer what the files leave open.",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", help="Model, such as llama-3.1-70b.", rich_help_panel=_PANEL)
    ] = "",
    accelerator: Annotated[
        str, typer.Option("--accelerator", help="Chip, such as h100-sxm.", rich_help_panel=_PANEL)
    ] = "",
    runtime: Annotated[
        str, typer.Option("--runtime", help="Such as vllm or tensorrt.", rich_help_panel=_PANEL)
    ] = "",
    precision: Annotated[
        str, typer.Option("--precision", help="Number format, such as bf16.", rich_help_panel=_PANEL)
    ] = "",
    tensor_parallel: Annotated[
        int | None,
        typer.Option("--tensor-parallel", help="Chips of one replica.", min=1, rich_help_panel=_PANEL),
    ] = None,
    input_tokens: Annotated[
        float | None,
        typer.Option("--input-tokens", help="Mean tokens of a prompt.", min=1.0, rich_help_panel=_PANEL),
    ] = None,
    output_tokens: Annotated[
        float | None,
        typer.Option("--output-tokens", help="Mean tokens of an answer.", min=1.0, rich_help_panel=_PANEL),
    ] = None,
    batch_size: Annotated[
        float | None,
        typer.Option(
            "--batch-size",
            help="Items computed together, or in one request.",
            min=1.0,
            rich_help_panel=_PANEL,
        ),
    ] = None,
) -> None:
    """Learn from own benchmarks how fast your machine is: a few runs move predictions and make them surer.

    Which tool wrote a file is detected. The shipped fit is where it starts from, so one run moves a prediction a little, two at
    different loads say what a step costs and what each sequence adds, and one that cannot be is set aside. Measure without
    speculative decoding and without shared prompts: what those save is predicted on top.

    Examples:
      advisor calibrate low.json high.json --workload advisor.yaml -o calibration.yaml

      advisor recommend advisor.yaml --max-accuracy-loss 1% --calibration calibration.yaml
    """
    from advisor.calibrating import Stated, as_yaml, summary
    from advisor.calibrating import calibrate as calibrated

    if output is not None:
        check_output(output, (".yaml", ".yml"), force=force)
    found = calibrated(
        results,
        workload=workload,
        stated=Stated(
            model=model,
            accelerator=accelerator,
            runtime=runtime,
            precision=precision,
            tensor_parallel=tensor_parallel,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            batch_size=batch_size,
        ),
    )
    typer.echo("\n".join(summary(found)), err=True)
    if output is None:
        typer.echo(as_yaml(found), nl=False)
        return
    from advisor.report import write_text

    write_text(as_yaml(found), output, force=force)
    typer.echo(f"Wrote {output}", err=True)
