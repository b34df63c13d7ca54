"""Files are written whole or not at all, also when the writer is killed in the middle; every command writes that way."""

from __future__ import annotations

import ast
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from advisor.errors import FileExists
from advisor.examples import example_text
from advisor.whole_file import whole_file, write_text

sys.path.insert(0, str(Path(__file__).parent))
from killed_writer import MOMENTS, command, writer

ADVISOR = Path(__file__).resolve().parents[1] / "advisor"
OLD = "model: llama-3.1-8b\nserving: {instance_type: g6e.xlarge}\n"
POINTS = "id,model,system,backend,precision,isl_tokens,osl_tokens,concurrency,tp_size\n1,Llama-3.1-8B,h100_sxm,vllm,fp8,1024,128,8,1\n"
COMMANDS = {
    "report": ("recommend", "images.yaml", "--max-accuracy-loss", "1%", "-o", "out.html", "--force"),
    "plan": ("recommend", "images.yaml", "--max-accuracy-loss", "1%", "-o", "out.json", "--force"),
    "predictions": ("predict", "points.csv", "-o", "out.csv", "--force"),
    "first workload": ("init", "out.yaml", "--model", "resnet50", "--instance", "g6e.xlarge", "--force"),
    "observed workload": ("observe", "--dump", "dump.txt", "--update", "-o", "out.yaml"),
}


def ended(target: Callable[..., None], *arguments: object) -> int | None:
    """The exit code of a process that had loaded everything before."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["advisor.cli", "advisor.api", "advisor.observing", "advisor.report.pages"]
    )
    process = context.Process(target=target, args=arguments)
    process.start()
    process.join(timeout=120)
    return process.exitcode


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what the commands read."""
    metrics_exporter = pytest.importorskip("metrics_exporter", reason="the exporter needs prometheus_client")
    (tmp_path / "images.yaml").write_text(example_text("small-cnn"))
    (tmp_path / "points.csv").write_text(POINTS)
    exporter = metrics_exporter.VllmExporter()
    exporter.answer(50)
    (tmp_path / "dump.txt").write_text(exporter.text())
    return tmp_path


def output_of(arguments: tuple[str, ...]) -> str:
    return next(word for word in arguments if word.startswith("out."))


@pytest.mark.parametrize("what", COMMANDS)
def test_a_killed_command_leaves_the_old_file_or_the_new_one(folder: Path, what: str) -> None:
    arguments = COMMANDS[what]
    target = folder / output_of(arguments)
    target.write_text(OLD)
    for moment in MOMENTS if what in {"plan", "observed workload"} else MOMENTS[:1]:
        assert -signal.SIGKILL == ended(command, folder, arguments, moment), moment
        text = target.read_text()
        if moment == MOMENTS[2]:
            assert OLD != text
        else:
            assert OLD == text, moment
    if what == "plan":
        whole = target.read_text()
        assert 0 == ended(command, folder, arguments, None)
        assert whole == target.read_text()


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    texts = {letter * 2_000_000 for letter in "ab"}
    path = tmp_path / "plan.json"
    path.write_text("a" * 2_000_000)
    context = multiprocessing.get_context("forkserver")
    for number in range(6):
        process = context.Process(target=writer, args=(path, "ab"[number % 2] * 2_000_000))
        process.start()
        process.join(timeout=0.15 + 0.013 * number)
        process.kill()
        process.join()
        assert path.read_text() in texts


def test_an_error_in_the_middle_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = write_text("old", tmp_path / "a.txt")

    def interrupted() -> None:
        with whole_file(path, force=True) as file:
            file.write("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert "old" == path.read_text()
    assert ["a.txt"] == [found.name for found in tmp_path.iterdir()]


def test_nothing_is_replaced_without_force_not_even_what_appears_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"

    def late() -> None:
        with whole_file(path) as file:
            file.write("mine")
            path.write_text("somebody else's")

    with pytest.raises(FileExists):
        late()
    assert "somebody else's" == path.read_text()
    with pytest.raises(FileExists):
        write_text("mine", path)


def test_a_file_that_is_replaced_keeps_who_may_read_it(tmp_path: Path) -> None:
    path = write_text("old", tmp_path / "a.txt")
    path.chmod(0o640)
    write_text("new", path, force=True)
    assert ("new", 0o640) == (path.read_text(), path.stat().st_mode & 0o777)


def test_a_link_stays_a_link_and_a_pipe_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    write_text("new", tmp_path / "link.txt", force=True)
    assert (tmp_path / "link.txt").is_symlink()
    assert "new" == (tmp_path / "real.txt").read_text()
    os.mkfifo(tmp_path / "pipe")
    reader = threading.Thread(target=lambda: received.append((tmp_path / "pipe").read_text()))
    received: list[str] = []
    reader.start()
    write_text("through", tmp_path / "pipe", force=True)
    reader.join(timeout=10)
    assert ["through"] == received


def writes(tree: ast.AST) -> Iterator[int]:
    """Lines that open a file to write, or write one in one go."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        texts = [
            one.value
            for one in (*node.args, *(k.value for k in node.keywords))
            if isinstance(one, ast.Constant)
        ]
        modes = [text for text in texts if isinstance(text, str) and set(text) <= set("rwaxbt+") and text]
        if (name in {"open", "fdopen"} and any(set(mode) & set("wax+") for mode in modes)) or (
            name in {"write_text", "write_bytes"} and owner is not None and not is_module(owner)
        ):
            yield node.lineno


def is_module(owner: ast.expr) -> bool:
    return isinstance(owner, ast.Name) and owner.id in {"report", "whole_file"}


def test_no_other_code_opens_a_file_to_write() -> None:
    found = {
        f"{path.relative_to(ADVISOR)}:{line}"
        for path in ADVISOR.rglob("*.py")
        if path.name != "whole_file.py"
        for line in writes(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert set() == found
    assert [1, 2, 3] == list(writes(ast.parse("open(p, 'w')\np.open(mode='a')\nPath(p).write_text('x')")))
