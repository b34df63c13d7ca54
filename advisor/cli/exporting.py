"""`advisor export`: a stored plan as what one pastes into an engine, a cluster or an infrastructure repository."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli.application import app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from advisor.export import Exported


class ExportTarget(StrEnum):
    """What a plan can be written for."""

    VLLM = "vllm"
    SGLANG = "sglang"
    TRTLLM = "trtllm"
    LLM_COMPRESSOR = "llm-compressor"
    TRITON = "triton"
    KSERVE = "kserve"
    DEPLOYMENT = "deployment"
    HPA = "hpa"
    KEDA = "keda"
    KARPENTER = "karpenter"
    TERRAFORM = "terraform"


@app.command()
def export(
    plan: Annotated[
        Path, typer.Argument(help="Stored plan: the file of `advisor recommend ... -o plan.json`.")
    ],
    *,
    to: Annotated[ExportTarget, typer.Option("--to", help="What to write it for.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="File, or folder for one file a service; the terminal if not given."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    catalog: Annotated[
        list[Path] | None, typer.Option("--catalog", help="CSV with your own machines, as for recommend.")
    ] = None,
) -> None:
    """Write a stored plan for an engine or a cluster: only what it needs, each line with its reason.

    Examples:
      advisor export plan.json --to vllm -o serve.sh

      advisor export plan.json --to deployment | kubectl apply -f -
    """
    from advisor.catalog import Catalog
    from advisor.export import export as exported
    from advisor.export import joined

    machines = Catalog.load().with_overrides(*catalog) if catalog else None
    documents = exported(plan, to.value, catalog=machines)
    if output is None:
        typer.echo(joined(documents), nl=False)
    elif output.is_dir() or output.suffix == "":
        _write({output / one.path: one.text for one in documents}, force=force)
    else:
        _write({output: joined(documents)}, force=force)
    _say_left_out(plan, documents)


def _write(files: dict[Path, str], *, force: bool) -> None:
    from advisor.errors import FileExists
    from advisor.report import write_text

    for path in files:
        if path.exists() and not force:
            raise FileExists.at(path)
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(text, path, force=force)
        typer.echo(f"Wrote {path}", err=True)


def _say_left_out(plan: Path, documents: Sequence[Exported]) -> None:
    from advisor.stored import load_plan, served

    names = [service.name for service, _ in served(load_plan(plan))]
    missing = [name for name in names if name not in {one.service for one in documents}]
    if missing:
        typer.echo(f"Nothing to write there for: {', '.join(missing)}", err=True)
