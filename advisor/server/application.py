"""The application: addresses, limits on what comes in, and words for what is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from advisor import __version__
from advisor.errors import InputError
from advisor.server.bodies import Health
from advisor.server.description import OPERATIONS, openapi
from advisor.server.limits import Limits
from advisor.server.problems import Answer, problem
from advisor.server.workers import Workers

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

BUSY_RETRY_S = 1
"""When a client should come again where all workers are busy: an answer takes a second or two."""
_UNCACHED = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def application(limits: Limits | None = None, *, catalogs: Sequence[str] = ()) -> FastAPI:
    """Return the application, for any ASGI server.

    Args:
        limits: On bodies, time, memory and requests at one time.
        catalogs: CSV files with machines and prices over the embedded ones.

    Raises:
        InputError: FastAPI is not installed.
    """
    try:
        from fastapi import FastAPI  # noqa: PLC0415 - an extra
        from starlette.exceptions import HTTPException  # noqa: PLC0415
    except ImportError:
        raise InputError(
            "serving over HTTP needs FastAPI; install it: pip install 'inference-advisor[server]'"
        ) from None
    limits = limits or Limits()
    workers = Workers(limits, catalogs)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        workers.start()
        try:
            yield
        finally:
            workers.close()

    app = FastAPI(title="advisor", version=__version__, lifespan=lifespan, openapi_url=None)
    app.add_exception_handler(HTTPException, _refused)
    for operation in OPERATIONS:
        app.add_route(f"/v1/{operation}", _computed(operation, workers, limits), methods=["POST"])
    app.add_route("/openapi.json", _description, methods=["GET"])
    app.add_route("/healthz", _healthy, methods=["GET"])
    app.add_route("/readyz", _readiness(workers), methods=["GET"])
    return app


def _computed(operation: str, workers: Workers, limits: Limits) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if not _is_json(request.headers.get("content-type", "")):
            return _response(problem(415, "send JSON, with the header Content-Type: application/json"))
        try:
            async with asyncio.timeout(limits.receive_s):
                body = await _body(request, limits.body_bytes)
        except TimeoutError:
            return _response(problem(408, f"the body did not arrive within {limits.receive_s:g} s"))
        if body is None:
            size = f"{limits.body_bytes / 1e6:g} MB"
            return _response(problem(413, f"the body is larger than {size}; a workload has a few kB"))
        found = await workers.answer(operation, body)
        if found is None:
            state = f"{_several(limits.workers)} at work" if workers.ready else "the server is starting"
            busy = problem(503, f"{state}; come again in a moment")
            return _response(busy, {"Retry-After": str(BUSY_RETRY_S)})
        return _response(found)

    return endpoint


def _several(workers: int) -> str:
    return "the one worker is" if workers == 1 else f"all {workers} workers are"


async def _body(request: Request, limit_bytes: int) -> bytes | None:
    """Return the body; `None`, without reading on, where it is larger than it may be."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit_bytes:
            return None
        parts.append(part)
    return b"".join(parts)


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


async def _description(_: Request) -> Response:
    return _response(Answer(200, json.dumps(openapi()).encode()))


async def _healthy(_: Request) -> Response:
    return _response(_health("ok"))


def _readiness(workers: Workers) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(_: Request) -> Response:
        if workers.ready:
            return _response(_health("ok"))
        starting = Answer(503, _health("starting").content, media_type="application/json")
        return _response(starting, {"Retry-After": str(BUSY_RETRY_S)})

    return endpoint


def _health(status: str) -> Answer:
    return Answer(200, Health(status=status, version=__version__).model_dump_json().encode())


async def _refused(request: Request, error: Exception) -> Response:
    """Return a problem for what the router refuses: an unknown address or method."""
    status, headers = getattr(error, "status_code", 500), getattr(error, "headers", None)
    known = ", ".join(f"/v1/{name}" for name in OPERATIONS)
    words = {
        404: f"there is no '{request.url.path[:60]}'; expected {known}, /healthz, /readyz or /openapi.json",
        405: f"{request.method[:20]} is not answered at '{request.url.path[:60]}'",
    }
    return _response(problem(status, words.get(status, "this request is refused")), headers)


def _response(answer: Answer, headers: dict[str, str] | None = None) -> Response:
    from starlette.responses import Response  # noqa: PLC0415 - an extra

    return Response(answer.content, answer.status, _UNCACHED | (headers or {}), answer.media_type)
