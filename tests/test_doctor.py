"""`advisor doctor`: it looks at everything, whatever is broken."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from advisor import doctor
from advisor.doctor import Finding, doctor_text, examined


def by_topic(findings: tuple[Finding, ...], topic: str) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings if finding.topic == topic}


def test_versions_solvers_and_strategies_are_named() -> None:
    findings = examined(today="2026-11-24")
    packages = by_topic(findings, "package")
    assert metadata.version("pulp") == packages["pulp"].found
    assert metadata.version("highspy") == packages["highspy"].found
    assert "the default" == by_topic(findings, "solver")["highs"].found
    assert "(inference-advisor" in by_topic(findings, "strategy")["quantization"].found
    assert not [finding for finding in findings if finding.mark == "problem"]


def test_prices_are_aged_against_the_day_that_is_given() -> None:
    young = by_topic(examined(today="2026-09-07"), "catalogue")["prices"]
    old = by_topic(examined(today="2030-01-01"), "catalogue")["prices"]
    assert young.found.split(",")[0] == old.found.split(",")[0]
    assert "note" == old.mark
    count = old.found.split(",")[0]
    assert f"{count} undated or older than 180 days" in old.found


def test_a_missing_package_and_an_extra_without_its_packages_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name in {"highspy", "polars"}:
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(doctor.metadata, "version", version)
    monkeypatch.setattr(doctor, "_requirements_by_extra", lambda: {"traces": ["polars"], "dev": ["polars"]})
    findings = examined(today="2026-11-24")
    assert "problem" == by_topic(findings, "package")["highspy"].mark
    assert "pip install 'inference-advisor[traces]'" == by_topic(findings, "extra")["traces"].advice
    assert "ok" == by_topic(findings, "extra")["dev"].mark


def test_a_broken_strategy_and_a_broken_solver_keep_nothing_from_being_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = metadata.entry_points(group=doctor.GROUP)
    broken = metadata.EntryPoint("mine", "no.such.module:strategy", doctor.GROUP)
    wrong = metadata.EntryPoint("wrong", "json:dumps", doctor.GROUP)
    monkeypatch.setattr(doctor.metadata, "entry_points", lambda group: (*real, broken, wrong))

    def no_solvers() -> tuple[str, ...]:
        raise ImportError("pulp is gone")

    monkeypatch.setattr(doctor, "available_solvers", no_solvers)
    findings = examined(today="2026-11-24")
    strategies = by_topic(findings, "strategy")
    assert "does not load: ModuleNotFoundError" in strategies["mine"].found
    assert "json:dumps is no strategy" == strategies["wrong"].found
    assert "ok" == strategies["pruning"].mark
    assert "ImportError: pulp is gone" in by_topic(findings, "solver")["pulp"].found
    assert "3 problems" in doctor_text(findings)


@pytest.mark.parametrize("format_", ["table", "json"])
def test_the_command_prints_all_of_it_and_exits_with_0(format_: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "advisor", "doctor", "--format", format_]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (0, "") == (done.returncode, done.stderr)
    if format_ == "json":
        assert {"topic", "name", "found", "mark", "advice"} == set(json.loads(done.stdout)[0])
    else:
        assert "Nothing is broken" in done.stdout
