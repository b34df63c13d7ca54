"""What is installed: one top-level name, every file, and a command that works beside anybody else's packages."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
INSTALLED_AS = {
    "advisor": "advisor",
    "strategies": "advisor/strategies",
    "solver": "advisor/solver",
    "templates": "advisor/templates",
}
METADATA = ("pyproject.toml", "README.md", "LICENSE", "NOTICE")
RECOMMEND = ("recommend", "--example", "small-cnn", "--max-accuracy-loss", "1%", "--format", "json")


def source_files() -> list[str]:
    """Every file of the checkout that git tracks or would; outside of a checkout, every file on the disk."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return [name for name in listed.stdout.split("\0") if name and (REPOSITORY / name).is_file()]
    return [
        str(path.relative_to(REPOSITORY))
        for folder in INSTALLED_AS
        for path in (REPOSITORY / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ] + list(METADATA)


def run(
    *command: object, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The finished command; its whole output is in the failure if it fails."""
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


def build(folder: Path, *what: str) -> Path:
    """The wheel built from a folder."""
    output = folder / "dist"
    run(sys.executable, "-m", "build", "--no-isolation", *what, "--outdir", output, folder, cwd=folder)
    return next(output.glob("*.whl"))


def contents(wheel: Path) -> dict[str, int]:
    """Checksum of every file in a wheel, its own list of checksums left out."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            item.filename: item.CRC for item in archive.infolist() if not item.filename.endswith("/RECORD")
        }


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source files, so that nothing built earlier gets into the wheel."""
    copy = tmp_path_factory.mktemp("tree")
    for name in source_files():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def wheel(tree: Path) -> Path:
    """The wheel as `pip install .` builds it."""
    return build(tree, "--wheel")


@dataclass(frozen=True)
class Environment:
    """A fresh environment beside a user's own packages."""

    bin: Path
    project: Path

    def advisor(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The installed command, run in the user's project."""
        return run(self.bin / "advisor", *arguments, cwd=self.project, env=self.variables)

    @property
    def variables(self) -> dict[str, str]:
        """The user's project comes first on the path of modules."""
        return {"PATH": os.defpath, "HOME": str(self.project), "PYTHONPATH": str(self.project)}

    def recommend(self, *arguments: str) -> dict[str, Any]:
        """The recommendation that the command prints, and nothing else."""
        found: dict[str, Any] = json.loads(self.advisor(*RECOMMEND, *arguments).stdout)
        return found


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Environment:
    """The wheel and its dependencies, nothing else; the user has a package and a module of names we use in our tree."""
    room = tmp_path_factory.mktemp("room")
    run(sys.executable, "-m", "venv", room / "env", cwd=room)
    bin_ = next(room.glob("env/bin"), room / "env" / "Scripts")
    run(bin_ / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel, cwd=room)
    project = room / "project"
    for module in ("strategies/__init__.py", "solver.py", "templates/__init__.py"):
        (project / module).parent.mkdir(parents=True, exist_ok=True)
        (project / module).write_text("raise ImportError('this belongs to the user, not to advisor')\n")
    return Environment(bin_, project)


@pytest.fixture(scope="module")
def with_plugin(tmp_path_factory: pytest.TempPathFactory, environment: Environment) -> Environment:
    """The same environment with the third party's package of tests/plugin."""
    source = shutil.copytree(REPOSITORY / "tests" / "plugin", tmp_path_factory.mktemp("plugin") / "source")
    install = (
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        build(source, "--wheel"),
    )
    run(environment.bin / "python", *install, cwd=source)
    return environment


def test_the_wheel_has_one_top_level_name(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in contents(wheel)}
    assert {"advisor"} == {top for top in tops if not top.endswith(".dist-info")}
    assert 2 == len(tops)


def test_the_wheel_holds_every_source_file_and_no_other(wheel: Path) -> None:
    links = {name for name in INSTALLED_AS.values() if (REPOSITORY / name).is_symlink()}
    expected = {
        name.replace(folder, place, 1)
        for name in source_files()
        for folder, place in INSTALLED_AS.items()
        if name.startswith(f"{folder}/") and name not in links
    }
    found = {name for name in contents(wheel) if name.startswith("advisor/")}
    assert expected == found


def test_the_wheel_carries_the_licence_the_notice_and_the_readme(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {Path(name).name for name in archive.namelist()}
        metadata = next(name for name in archive.namelist() if name.endswith("/METADATA"))
        text = archive.read(metadata).decode()
    assert {"LICENSE", "NOTICE"} <= names
    assert (REPOSITORY / "README.md").read_text(encoding="utf-8").strip() in text


def test_the_source_archive_builds_the_same_wheel(tree: Path, wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--no-isolation", "--sdist", "--outdir", tmp_path, tree, cwd=tmp_path)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    unpacked = next(path for path in tmp_path.iterdir() if path.is_dir())
    assert contents(wheel) == contents(build(unpacked, "--wheel"))


def test_the_command_prints_json_and_nothing_else_beside_a_users_own_packages(
    environment: Environment,
) -> None:
    found = environment.recommend()
    assert "optimal" == found["status"]
    assert found["plan"]["cost_usd_per_month"] <= found["baseline"]["cost_usd_per_month"]


def test_the_library_works_beside_a_users_own_packages(environment: Environment) -> None:
    program = "import advisor.strategies, advisor.solver, advisor.templates as t; print(t.__file__)"
    done = run(environment.bin / "python", "-c", program, cwd=environment.project, env=environment.variables)
    assert Path(done.stdout.strip()).parts[-3:] == ("advisor", "templates", "__init__.py")


def test_the_installed_command_writes_the_report(environment: Environment, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    environment.advisor(*RECOMMEND, "--output", str(report))
    assert "</html>" in report.read_text(encoding="utf-8")


def test_a_third_partys_strategy_is_listed(with_plugin: Environment) -> None:
    assert "answer_cache" in with_plugin.advisor("strategies").stdout
    assert "exact-match" in with_plugin.advisor("strategies", "answer_cache").stdout


def test_a_third_partys_strategy_is_chosen_where_it_is_cheaper(with_plugin: Environment) -> None:
    ours = with_plugin.recommend("--without", "answer_cache")
    both = with_plugin.recommend()
    choices = [(choice["strategy"], choice["option"]) for choice in both["plan"]["services"][0]["choices"]]
    assert ("answer_cache", "exact-match") in choices
    assert both["plan"]["cost_usd_per_month"] < ours["plan"]["cost_usd_per_month"]
    assert 0.0 == pytest.approx(
        both["accuracy_loss"]["expected_ratio"] - ours["accuracy_loss"]["expected_ratio"], abs=0.01
    )


def test_a_third_partys_strategy_can_be_left_out(with_plugin: Environment) -> None:
    left = with_plugin.recommend("--without", "answer_cache")
    assert "answer_cache" not in {
        choice["strategy"] for choice in left["plan"]["services"][0]["choices"] if choice["changed"]
    }
