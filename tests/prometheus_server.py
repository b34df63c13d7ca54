"""A real Prometheus on loopback for the tests, from the Debian package `prometheus`."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def prometheus(
    folder: Path, targets: list[int], *flags: str
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A real server on loopback that scrapes four times a second, and its process."""
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.skip("the binary 'prometheus' (Debian package prometheus) is not installed")
    scraped = ", ".join(f"'127.0.0.1:{port}'" for port in targets)
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 250ms, scrape_timeout: 250ms}\n"
        f"scrape_configs: [{{job_name: engines, static_configs: [{{targets: [{scraped}]}}]}}]\n"
    )
    port = free_port()
    process = subprocess.Popen(
        [
            binary,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            *flags,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/-/ready")
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            with urlopen(url, timeout=1):  # noqa: S310
                return
        except URLError as error:
            if getattr(error, "code", None) == 401:
                return
        except OSError:
            pass
        time.sleep(0.05)
    pytest.fail(f"{url} did not come up within 10 s")
