"""Drives a headless Chromium over its debugging pipe, with nothing but the standard library."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

AXE_PACKAGES = ("axe_playwright_python", "axe_core_python")
"""Packages that carry axe-core (MPL-2.0), the newer first; the second one is in the extra `test`."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--remote-debugging-pipe",
)
# The pipe must be descriptors 3 and 4 of the browser, whatever numbers they have here.
AS_THREE_AND_FOUR = "import os, sys; os.dup2(int(sys.argv[1]), 63); os.dup2(int(sys.argv[2]), 64); os.dup2(63, 3); os.dup2(64, 4); os.execv(sys.argv[3], sys.argv[3:])"


def executable() -> str | None:
    """Where a browser is installed, if one is."""
    return os.environ.get("ADVISOR_CHROMIUM") or next(
        (path for name in NAMES if (path := shutil.which(name))), None
    )


def axe() -> Path | None:
    """The script of axe-core: of the environment variable AXE_CORE, else of an installed package."""
    named = os.environ.get("AXE_CORE", "")
    folders = [spec.submodule_search_locations for name in AXE_PACKAGES if (spec := find_spec(name))]
    places = [Path(folder) / "axe.min.js" for found in folders for folder in found or ()]
    return next((path for path in (Path(named), *places) if path.is_file()), None)


@dataclass
class Page:
    """One tab: what it asked for and what it said."""

    send: Callable[[str, dict[str, Any], str], dict[str, Any]]
    session: str
    requests: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    loaded: bool = False

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        return self.send(method, parameters, self.session)

    def heard(self, method: str, parameters: dict[str, Any]) -> None:
        """Note an event."""
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method in {
            "Log.entryAdded",
            "Runtime.consoleAPICalled",
            "Runtime.exceptionThrown",
            "Page.javascriptDialogOpening",
        }:
            self.said.append(json.dumps(parameters))
        elif method == "Page.loadEventFired":
            self.loaded = True

    def run(self, script: str) -> Any:
        """Return what a script returns."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def open(self, path: Path, *, width: int = 1280, dark: bool = False, media: str = "") -> None:
        """Load a file and wait until it is there."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
        )
        self.loaded = False
        self.call("Page.navigate", url=path.as_uri())
        while not self.loaded:
            self.run("1")


class Browser:
    """A running browser."""

    def __init__(self, reader: Any, writer: Any) -> None:
        self.reader, self.writer, self.number = reader, writer, 0
        self.pages: dict[str, Page] = {}

    def send(self, method: str, parameters: dict[str, Any], session: str = "") -> dict[str, Any]:
        """Send a command and return its result; events on the way go to their pages."""
        self.number += 1
        message = {
            "id": self.number,
            "method": method,
            "params": parameters,
            **({"sessionId": session} if session else {}),
        }
        self.writer.write(json.dumps(message).encode() + b"\0")
        self.writer.flush()
        while True:
            answer = self._next()
            if answer.get("id") == self.number:
                assert "error" not in answer, (method, answer["error"])
                return dict(answer["result"])
            if answer.get("sessionId") in self.pages:
                self.pages[answer["sessionId"]].heard(answer["method"], answer["params"])

    def _next(self) -> dict[str, Any]:
        read = bytearray()
        while (byte := self.reader.read(1)) != b"\0":
            assert byte, "the browser has gone"
            read += byte
        return dict(json.loads(read))

    @contextmanager
    def page(self) -> Iterator[Page]:
        """A new tab that is closed afterwards."""
        context = self.send("Target.createBrowserContext", {})["browserContextId"]
        target = self.send("Target.createTarget", {"url": "about:blank", "browserContextId": context})[
            "targetId"
        ]
        session = self.send("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        page = self.pages[session] = Page(self.send, session)
        for domain in ("Page", "Network", "Log", "Runtime"):
            page.call(f"{domain}.enable")
        yield page
        self.send("Target.disposeBrowserContext", {"browserContextId": context})


@contextmanager
def started(path: str, profile: Path) -> Iterator[Browser]:
    """A browser with an empty profile, ended afterwards."""
    its_read, our_write = os.pipe()
    our_read, its_write = os.pipe()
    command = [
        sys.executable,
        "-c",
        AS_THREE_AND_FOUR,
        str(its_read),
        str(its_write),
        path,
        *FLAGS,
        f"--user-data-dir={profile}",
    ]
    process = subprocess.Popen(
        command, pass_fds=(its_read, its_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(its_read)
    os.close(its_write)
    with os.fdopen(our_read, "rb") as reader, os.fdopen(our_write, "wb") as writer:
        browser = Browser(reader, writer)
        try:
            yield browser
            browser.send("Browser.close", {})
        finally:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
