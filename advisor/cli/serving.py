"""`advisor serve`: the same answers over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from advisor.cli.application import app

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@app.command()
def serve(
    *,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; the default is this machine only.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port to listen on.", min=0, max=65535)] = 8321,
    workers: Annotated[
        int,
        typer.Option(
            "--workers", help="Requests computed at one time; others are told to come again.", min=1
        ),
    ] = 2,
    timeout: Annotated[
        str, typer.Option("--timeout", help="Longest that an answer may take, such as 60s.")
    ] = "60s",
    max_body: Annotated[
        str, typer.Option("--max-body", help="Largest body of a request, such as 4MB.")
    ] = "4MB",
    catalog: Annotated[
        list[Path] | None,
        typer.Option("--catalog", help="CSV with your own machines or prices, over the built-in ones."),
    ] = None,
) -> None:
    """Serve recommend, explain, predict and check over HTTP.

    Needs the extra `server`. Bodies are JSON: `workload` holds the keys of advisor.yaml, or the name of an example. No file
    that a request names is read, and nobody is asked who they are: put a proxy in front that does, before others can reach it.
    The addresses are /v1/recommend, /v1/explain, /v1/predict, /v1/check, /healthz, /readyz and /openapi.json.

    Examples:
      advisor serve --port 8321

      curl -s localhost:8321/v1/recommend --json '{"workload": "small-cnn", "requirements": {"max_accuracy_loss": "1%"}}'
    """
    from advisor.catalog import Catalog
    from advisor.server import Limits, application

    limits = Limits(
        body_bytes=int(_read("--max-body", max_body)), answer_s=_read("--timeout", timeout), workers=workers
    )
    if catalog:
        Catalog.load().with_overrides(*catalog)  # a mistake in it ends the command, not each worker
    served = application(limits, catalogs=[str(path.resolve()) for path in catalog or ()])
    _run(served, host, port)


def _read(flag: str, text: str) -> float:
    from advisor.errors import InputError
    from advisor.units import DURATION, SIZE

    quantity = DURATION if flag == "--timeout" else SIZE
    try:
        return float(quantity.read(text))
    except ValueError as error:
        raise InputError(f"{flag}: {error}") from None


def _run(served: Any, host: str, port: int) -> None:
    from advisor.errors import InputError

    try:
        import uvicorn
    except ImportError:
        raise InputError(
            "serving over HTTP needs uvicorn; install it: pip install 'inference-advisor[server]'"
        ) from None
    if host not in _LOOPBACK:
        typer.echo(
            f"advisor: {host} can be reached by others; nobody is asked who they are, and nothing is encrypted",
            err=True,
        )
    uvicorn.run(
        served,
        host=host,
        port=port,
        server_header=False,
        timeout_keep_alive=5,
        h11_max_incomplete_event_size=16384,
    )
