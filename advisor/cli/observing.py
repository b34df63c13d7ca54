"""`advisor observe`: a workload from what Prometheus, or a dump of metrics, knows about a running service."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli.application import DEFAULT_FILE, app

if TYPE_CHECKING:
    from advisor.observing import Given, Observation, Prometheus

TOKEN_VARIABLE = "ADVISOR_PROMETHEUS_TOKEN"  # noqa: S105 - the name of the variable
PASSWORD_VARIABLE = "ADVISOR_PROMETHEUS_PASSWORD"  # noqa: S105

_ACCESS = "How to be let in"
_OUTPUT = "What to write"


class EngineName(StrEnum):
    """Serving engines whose metrics are known."""

    VLLM = "vllm"
    SGLANG = "sglang"
    TGI = "tgi"
    TRITON = "triton"
    KSERVE = "kserve"


@app.command()
def observe(
    *,
    prometheus: Annotated[
        str | None, typer.Option("--prometheus", help="Its address, such as http://prometheus:9090.")
    ] = None,
    dump: Annotated[
        list[Path] | None,
        typer.Option(
            "--dump", help="What /metrics answered, saved as a file; an earlier and a later one give rates."
        ),
    ] = None,
    selector: Annotated[
        str | None, typer.Option("--selector", help="""Which service, such as 'model_name="x"'.""")
    ] = None,
    engine: Annotated[
        EngineName | None, typer.Option("--engine", help="Which engine, where several are there.")
    ] = None,
    window: Annotated[str, typer.Option("--window", help="How far to look back, such as 7d.")] = "7d",
    step: Annotated[
        str, typer.Option("--step", help="Over how long each rate is taken; at least four scrapes.")
    ] = "1h",
    between: Annotated[
        str | None,
        typer.Option("--between", help="Time between two dumps; that between the files if not given."),
    ] = None,
    timeout: Annotated[str, typer.Option("--timeout", help="Longest wait for one answer.")] = "10s",
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file", help=f"File with a bearer token; or {TOKEN_VARIABLE}.", rich_help_panel=_ACCESS
        ),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(
            "--user", help=f"Name, with the password in {PASSWORD_VARIABLE}.", rich_help_panel=_ACCESS
        ),
    ] = None,
    ca_file: Annotated[
        Path | None,
        typer.Option("--ca-file", help="PEM file of the authority to trust.", rich_help_panel=_ACCESS),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="Built-in name or path of a config.json.", rich_help_panel=_OUTPUT),
    ] = None,
    instance: Annotated[
        str | None,
        typer.Option(
            "--instance", help="Machine that serves it, such as p5.48xlarge.", rich_help_panel=_OUTPUT
        ),
    ] = None,
    instances: Annotated[
        int | None, typer.Option("--instances", help="How many of them.", min=1, rich_help_panel=_OUTPUT)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="File to write; the terminal if not given.", rich_help_panel=_OUTPUT
        ),
    ] = None,
    update: Annotated[
        bool,
        typer.Option(
            "--update", help="Put the observed values into the file that is there.", rich_help_panel=_OUTPUT
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the output file if it exists.", rich_help_panel=_OUTPUT)
    ] = False,
) -> None:
    """Write the workload of a running service: rates, token lengths and latencies from its metrics.

    Asks only the server that you name, and changes nothing there. Reads vLLM, SGLang, TGI, Triton and KServe.

    Examples:
      advisor observe --prometheus http://prometheus:9090 --selector 'model_name="chat"' -o advisor.yaml

      advisor observe --prometheus http://prometheus:9090 --window 30d --update

      curl -s http://engine:8000/metrics > later.txt && advisor observe --dump earlier.txt --dump later.txt
    """
    from advisor.errors import FileExists, InputError
    from advisor.observing import Given

    if (prometheus is None) == (not dump):
        raise InputError("say where to look: --prometheus http://prometheus:9090, or --dump metrics.txt")
    if update and (model or instance or instances):
        raise InputError(
            "--update keeps the model and the machines of the file; leave out --model and --instance"
        )
    target = output or (DEFAULT_FILE if update else None)
    if target is not None and target.exists() and not (force or update):
        raise FileExists.at(target)
    if update:
        assert target is not None  # noqa: S101 - for the type checker
        _readable(target)
    if prometheus is not None:
        from advisor.observing import Span, observe_prometheus

        server = _server(prometheus, timeout, token_file=token_file, user=user, ca_file=ca_file)
        found = observe_prometheus(
            server, span=Span.read(window, step), selector=selector, engine=engine and engine.value
        )
    else:
        found = _dumped(dump or [], selector, engine and engine.value, between)
    folder = Path() if target is None else target.parent
    if model is not None and Path(model).exists():
        model = os.path.relpath(model, folder)
    given = Given(model=model, instance=instance, instances=instances)
    if update and target is not None:
        _update(found, target)
    else:
        _write(found, given, target, force=force)


def _server(
    url: str, timeout: str, *, token_file: Path | None, user: str | None, ca_file: Path | None
) -> Prometheus:
    from advisor.observing import Access, Prometheus
    from advisor.observing.access import checked_token, read_token
    from advisor.observing.spans import duration_s

    token = os.environ.get(TOKEN_VARIABLE)
    if token_file is not None:
        token = read_token(token_file)
    elif token is not None:
        token = checked_token(token, TOKEN_VARIABLE)
    if user is not None:
        token = None if token_file is None else token
    access = Access(token=token, user=user, password=os.environ.get(PASSWORD_VARIABLE), ca_file=ca_file)
    return Prometheus(url, access, timeout_s=duration_s(timeout, "--timeout"))


def _dumped(dump: list[Path], selector: str | None, engine: str | None, between: str | None) -> Observation:
    from advisor.observing import observe_dumps
    from advisor.observing.spans import duration_s

    between_s = None if between is None else duration_s(between, "--between")
    return observe_dumps(dump, selector=selector, engine=engine, between_s=between_s)


def _readable(target: Path) -> None:
    """Refuse a document that cannot be read before anything is asked of a server."""
    from advisor.documents import read_document

    read_document(target)


def _write(found: Observation, given: Given, target: Path | None, *, force: bool) -> None:
    from advisor.observing import open_questions, workload_text

    folder = None if target is None else target.parent
    text = workload_text(found, given, folder)
    if target is None:
        typer.echo(text, nl=False)
    else:
        from advisor.report import write_text

        write_text(text, target, force=force)
        typer.echo(f"Wrote {target}", err=True)
    from advisor.documents import parse_document

    _tell_questions(open_questions(parse_document(text, source="advisor.yaml").data, folder), target)


def _update(found: Observation, target: Path) -> None:
    from advisor.documents import parse_document, read_document
    from advisor.inputs import validated
    from advisor.observing import open_questions, updated_text
    from advisor.observing.fields import fields_for
    from advisor.report import write_text
    from advisor.workload import Workload

    document = read_document(target)
    text = target.read_text(encoding="utf-8-sig")
    done = updated_text(text, document, fields_for(found, document))
    after = parse_document(done.text, source=document.source, folder=document.folder)
    questions = open_questions(after.data, after.folder)
    if not questions:
        validated(Workload, after)
    if not done.changes:
        typer.echo(f"{target} says already what was observed; it stays as it is", err=True)
        return
    write_text(done.text, target, force=True)
    for change in done.changes:
        typer.echo(f"  {change}", err=True)
    lost = "" if done.keeps_comments else ", anew: its layout and comments could not be kept"
    typer.echo(f"Updated {target}{lost}", err=True)
    _tell_questions(questions, target)


def _tell_questions(questions: tuple[str, ...], target: Path | None) -> None:
    if questions:
        typer.echo(f"Still for you to answer: {', '.join(questions)}", err=True)
    elif target is not None:
        typer.echo(f"Next: advisor recommend {target}", err=True)
