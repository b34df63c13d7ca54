"""Lets the tests of this folder import `oracles` and `instances`, and rewrites golden files on request."""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
for folder in (str(HERE.parent), str(HERE)):
    if folder not in sys.path:
        sys.path.insert(0, folder)


@pytest.fixture
def golden():
    """Compare a text with a file in golden/; UPDATE_GOLDEN=1 writes the file instead."""

    def compare(name: str, text: str) -> None:
        path = HERE / "golden" / f"{name}.txt"
        if os.environ.get("UPDATE_GOLDEN"):
            path.write_text(text, encoding="utf-8")
        assert path.read_text(encoding="utf-8") == text

    return compare
