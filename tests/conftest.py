"""Fixtures that several test modules share."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="Write the golden files anew instead of comparing."
    )


@pytest.fixture(scope="session")
def measurements() -> Path:
    """Folder of measurement files beside the checkout; tests that need it are skipped where it is absent."""
    folder = REPOSITORY.parent / "shared" / "measurements"
    if not folder.is_dir():
        pytest.skip(f"the measurement files are not beside this checkout ({folder})")
    return folder
