"""Requests made up from the server's own description never find a fault of the server."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import pytest

pytest.importorskip("schemathesis", reason="needs pip install 'inference-advisor[integration]'")
pytest.importorskip("fastapi", reason="needs pip install 'inference-advisor[server]'")

ADDRESS = "http://127.0.0.1:8397"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The command, with one worker."""
    command = [sys.executable, "-m", "advisor", "serve", "--port", "8397", "--workers", "1"]
    log = tmp_path_factory.mktemp("server") / "log"
    with log.open("w") as file, subprocess.Popen(command, stderr=file, stdout=file) as process:
        try:
            for _ in range(300):
                with suppress(OSError), urlopen(f"{ADDRESS}/readyz") as reply:  # noqa: S310 - this machine
                    if reply.status == 200:
                        break
                time.sleep(0.2)
            yield ADDRESS
        finally:
            process.terminate()
    assert "Traceback" not in log.read_text()


def test_made_up_requests_find_no_fault(server: str, tmp_path: Path) -> None:
    """No answer is a fault; each has a status, a content type and a form that the description knows.

    Whether a made-up text such as "1 percent of" is a quantity cannot be said in JSON Schema, so that valid requests
    are accepted, and others refused, is tested by name in tests/test_server.py.
    """
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,unsupported_method"
    command = [
        *("schemathesis", "run", f"{server}/openapi.json", "--checks", checks, "--max-examples", "25"),
        *("--seed", "1", "--no-color", "--request-timeout", "70"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout
    assert "/v1/recommend" in done.stdout or "passed" in done.stdout
