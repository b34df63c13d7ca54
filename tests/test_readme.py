"""The README is current: its output, tables and files are generated, its commands and examples run."""

from __future__ import annotations

import doctest
import html
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer

from advisor import Requirements, Workload, recommend
from advisor.catalog import Catalog
from advisor.cli import app
from advisor.cli.flags import LATENCIES, REQUIREMENT_FLAGS
from advisor.evidence import load
from advisor.examples import EXAMPLES, example_text
from advisor.questions import explain
from advisor.registry import installed_strategies
from advisor.report import render_html, render_terminal
from advisor.strategy import NONE, Strategy
from tests import chromium

REPOSITORY = Path(__file__).resolve().parents[1]
README = REPOSITORY / "README.md"
DATA = REPOSITORY / "advisor" / "data"
PICTURE = re.compile(r"!\[(?P<said>[^\]]*)\]\((?P<path>[\w/.-]+\.png)\)")
GENERATED = re.compile(
    r"(?<=<!-- generated: )(?P<what>[\w/.]+)( -->)(?P<text>.*?)(?=<!-- end -->)", re.DOTALL
)


def table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def excerpt() -> str:
    """What the command prints about the example, as far as the comparison with today."""
    printed = render_terminal(recommend(EXAMPLES[0], Requirements(max_accuracy_loss="1%")), width=80)
    beginning = printed.partition("\nToday and after\n")[0].rstrip()
    beginning = re.sub(r"\nBefore you decide\n.*?\n\n", "\n[...]\n\n", beginning, flags=re.DOTALL)
    return f"```text\n{beginning}\n```"


def requirements() -> str:
    """Every flag that states a requirement, with its help."""
    rows = {name: (f"`--{name.replace('_', '-')}`", text) for name, _, _, text, _ in REQUIREMENT_FLAGS}
    others = [row for name, row in rows.items() if name not in LATENCIES]
    latencies = (
        "`--ttft-p99`, `--tpot-p99`, `--latency-p99`",
        "Limit on the time to first token, per output token, or of the whole request, such as 800ms; also p50, p90 and p95.",
    )
    return table(("flag", "meaning"), iter([*others[:2], latencies, *others[2:]]))


def strategies() -> str:
    """The strategies that advisor ships, and what they offer for the examples."""
    shipped = [one for one in installed_strategies() if type(one).__module__.startswith("advisor.")]
    rows = (
        (f"`{one.name}`", subject(one), ", ".join(f"`{name}`" for name in offered(one))) for one in shipped
    )
    return table(("strategy", "what it is", "options for the examples"), rows)


def subject(strategy: Strategy) -> str:
    """What a strategy is about: the first line of its module, after the name."""
    text = (
        (sys.modules[type(strategy).__module__].__doc__ or "").splitlines()[0].partition(": ")[2].rstrip(".")
    )
    return text[:1].upper() + text[1:]


def offered(strategy: Strategy) -> list[str]:
    """Options for any example, those that differ by a size as one; combinations of them left out."""
    names = []
    for workload in map(Workload.load, EXAMPLES):
        here = workload.serving
        machine = Catalog.load().instance(here.instance_type, here.provider, here.region)
        names += [option.id for option in strategy.options(workload, machine) if "+" not in option.id]
    sizes = (re.sub(r"-\d+(:\d+ms)?$", "-N", name) for name in names if name != NONE)
    return list(dict.fromkeys(sizes))


def subcommands() -> str:
    """Every command with the first sentence of its help."""
    group: Any = typer.main.get_command(app)
    rows = (
        (f"`advisor {name}`", sentence(command.help))
        for name, command in group.commands.items()
        if not command.hidden
    )
    return table(("command", "what it does"), rows)


def sentence(text: str | None) -> str:
    """The first sentence of a help text, on one line."""
    return " ".join((text or "").split("\n\n")[0].split()).partition(". ")[0].rstrip(".")


def percent(ratio: float) -> str:
    """A share as a whole per cent."""
    return f"{ratio:.0%}".replace("%", " %")


def decoder_errors() -> Iterator[tuple[str, ...]]:
    """Errors of the speed of language models: configurations, then whole models, that the fit had not seen."""
    kinds = json.loads((DATA / "decoder_coefficients.json").read_text(encoding="utf-8"))["kinds"]
    names = {"dense": "language models", "moe": "mixture-of-experts language models"}
    seen = {"held_out_configurations": "configurations left out", "left_out_models": "whole models left out"}
    metrics = {"tpot": "time per output token", "ttft": "time to first token"}
    for kind, title in names.items():
        for way, words in seen.items():
            for metric, latency in metrics.items():
                error = kinds[kind]["errors"][way]["all"][metric]
                yield (
                    f"{title}: {latency}",
                    words,
                    f"{error['rows']:,}",
                    percent(error["median_ape"]),
                    percent(error["mean_ape"]),
                )


def load_errors() -> Iterator[tuple[str, ...]]:
    """Errors of percentiles under an arrival rate: whole models left out, and another data set."""
    vllm = json.loads((DATA / "load_coefficients.json").read_text(encoding="utf-8"))["backends"]["vllm"]
    ways = {
        "leave_one_model_out_error": "whole models left out",
        "transfer_error": "another laboratory, no part in the fit",
    }
    names = {"ttft": "time to first token", "tpot": "time per output token", "e2e": "whole request"}
    for way, words in ways.items():
        for metric, latency in names.items():
            if error := vllm[way].get(f"{metric}_p99"):
                title = f"language models under load: {latency}, p99"
                mean = percent(error["mean_ape_of_finite"])
                if error["predicted_overloaded"]:
                    mean += f" without {error['predicted_overloaded']} predicted to overload"
                yield title, words, f"{error['count']:,}", percent(error["median_ape"]), mean


def pass_errors() -> Iterator[tuple[str, ...]]:
    """Errors of the time of a forward pass, models and chips left out."""
    errors = json.loads((DATA / "pass_coefficients.json").read_text(encoding="utf-8"))["errors"]
    for kind, title in {"gpu": "one pass on a GPU", "cpu": "one pass on a CPU"}.items():
        for way, words in {"model": "whole models left out", "chip": "whole chips left out"}.items():
            error = errors[kind][way]["timm"]["model"]
            yield (
                f"{title}: throughput",
                words,
                f"{error['rows']:,}",
                f"{error['median']:.0f} %",
                f"{error['mean']:.0f} %",
            )


def accuracy_errors() -> Iterator[tuple[str, ...]]:
    """How often the interval for eight of ten outcomes held, whole models left out."""
    held_out = json.loads((DATA / "accuracy_prior.json").read_text(encoding="utf-8"))["held_out"]
    for row in held_out:
        if row["models"] >= 10 or row["strategy"] == "all":
            yield (
                row["strategy"],
                row["family"],
                f"{row['models']:,}",
                f"{row['rows']:,}",
                percent(row["coverage"]),
            )


def choice_errors() -> Iterator[tuple[str, ...]]:
    """What choosing by prediction among measured configurations costs, and how often it breaks a limit."""
    kinds = json.loads((DATA / "decoder_coefficients.json").read_text(encoding="utf-8"))["kinds"]
    seen = {"held_out_configurations": "configurations left out", "left_out_models": "whole models left out"}
    for kind, title in {"dense": "language models", "moe": "mixture-of-experts language models"}.items():
        for way, words in seen.items():
            for rule, found in kinds[kind]["errors"][way]["choice"].items():
                numbers = (percent(found[name]) for name in ("mean_regret", "violated"))
                yield title, words, rule, f"{found['cases']:,}", *numbers, f"{found['no_choice']:,}"


def errors() -> str:
    """The tables of errors."""
    speed = table(
        ("speed", "unseen by the fit", "measurements", "median error", "mean error"),
        iter([*decoder_errors(), *load_errors(), *pass_errors()]),
    )
    loss = table(
        ("accuracy loss", "family", "models", "results", "within the interval for 80 %"), accuracy_errors()
    )
    choice = table(
        (
            "cheapest choice",
            "unseen by the fit",
            "limits met by",
            "cases",
            "dearer by",
            "limit broken",
            "no choice",
        ),
        choice_errors(),
    )
    return f"{speed}\n\n{choice}\n\n{loss}"


def file(name: str) -> str:
    """A file of the repository, as a block of code."""
    language = {".py": "python", ".toml": "toml"}[Path(name).suffix]
    return f"```{language}\n{(REPOSITORY / name).read_text(encoding='utf-8').rstrip()}\n```"


BLOCKS: Mapping[str, Callable[[], str]] = {
    "excerpt": excerpt,
    "requirements": requirements,
    "strategies": strategies,
    "errors": errors,
    "commands": subcommands,
    "tests/plugin/answer_cache.py": lambda: file("tests/plugin/answer_cache.py"),
    "tests/plugin/pyproject.toml": lambda: file("tests/plugin/pyproject.toml"),
}
NUMBERS: Mapping[str, Callable[[], str]] = {"evidence": lambda: f"{len(load()):,}"}


def generated(what: str) -> str:
    """What belongs between the two comments."""
    return f"\n{BLOCKS[what]()}\n" if what in BLOCKS else NUMBERS[what]()


def readme() -> str:
    """The README as it is."""
    return README.read_text(encoding="utf-8")


def commands() -> list[str]:
    """Every command of ours in the README's shell blocks, in order."""
    blocks = re.findall(r"^```sh\n(.*?)^```", readme(), re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines() if line.startswith("advisor ")]


def options() -> set[str]:
    """Every long option of the command line."""
    group: Any = typer.main.get_command(app)
    commands = list(group.commands.values())
    every = [
        group,
        *commands,
        *(inner for one in commands for inner in getattr(one, "commands", {}).values()),
    ]
    return {name for command in every for parameter in command.params for name in parameter.opts} | {"--help"}


def test_the_readme_generates_all_that_can_be_generated() -> None:
    assert {*BLOCKS, *NUMBERS} == {match["what"] for match in GENERATED.finditer(readme())}


@pytest.mark.parametrize("what", [*BLOCKS, *NUMBERS])
def test_the_readme_is_current(what: str, request: pytest.FixtureRequest) -> None:
    expected = generated(what)
    if request.config.getoption("--update-golden"):
        text = GENERATED.sub(
            lambda m: f"{m['what']} -->{expected if m['what'] == what else m['text']}", readme()
        )
        README.write_text(text, encoding="utf-8")
    found = {match["what"]: match["text"] for match in GENERATED.finditer(readme())}
    assert expected == found[what], "pytest tests/test_readme.py --update-golden writes it anew"


def test_the_examples_of_the_readme_run() -> None:
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    result = doctest.testfile(str(README), module_relative=False, optionflags=flags, encoding="utf-8")
    assert result.attempted > 5
    assert 0 == result.failed


def test_the_workload_of_the_readme_gets_a_recommendation(tmp_path: Path) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", readme(), re.DOTALL | re.MULTILINE)
    assert 3 == len(blocks)
    path = tmp_path / "advisor.yaml"
    path.write_text("".join(blocks[:2]), encoding="utf-8")  # the second is a section for the first
    recommendation = recommend(str(path), Requirements(max_accuracy_loss="1%"))
    assert "optimal" == recommendation.status
    assert recommendation.bill is not None
    path.write_text(example_text("large-llm") + blocks[2], encoding="utf-8")  # the third needs a larger model
    cascade = Workload.load(path).cascade
    assert cascade is not None
    assert "llama-3.1-8b" == cascade.model.name.lower()


def test_the_commands_of_the_readme_run_one_after_the_other(tmp_path: Path) -> None:
    assert len(commands()) >= 6
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    for command in commands():
        words = ["sh", "-c", command]
        done = subprocess.run(
            words,
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert 0 == done.returncode, f"{command}\n{done.stderr}"
        assert "Traceback" not in done.stderr


def test_the_readme_names_only_options_that_exist() -> None:
    ours = re.sub(r"```(toml|python|text).*?```", "", readme(), flags=re.DOTALL)
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", ours))
    generated_flags = {"--max-num-seqs", "--enable-prefix-caching", "--update-golden"}
    assert named <= options() | generated_flags


def test_the_picture_shows_what_the_report_says_today(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    found = explain(EXAMPLES[0], Requirements(max_accuracy_loss="1%"))
    page = render_html(found.recommendation, found.insights)
    headline = re.search(r"<h1[^>]*>(.*?)</h1>", page, re.DOTALL)
    assert headline is not None
    said = " ".join(html.unescape(headline[1]).split())
    if request.config.getoption("--update-golden"):
        take_picture(page, tmp_path)
        README.write_text(PICTURE.sub(lambda m: f"![{said}]({m['path']})", readme()), encoding="utf-8")
    shown = PICTURE.search(readme())
    assert shown is not None
    assert said == shown["said"], "pytest -n0 tests/test_readme.py --update-golden takes the picture anew"
    picture = (REPOSITORY / shown["path"]).read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 200_000


def take_picture(page: str, folder: Path) -> None:
    """Draw the top of the report as a person sees it."""
    browser = chromium.executable()
    if browser is None:
        pytest.skip("no Chromium is installed, and a picture is wanted")
    (folder / "report.html").write_text(page, encoding="utf-8")
    shown = PICTURE.search(readme())
    assert shown is not None
    size = ("--window-size=1000,640", "--hide-scrollbars", f"--screenshot={REPOSITORY / shown['path']}")
    address = (folder / "report.html").as_uri()
    flags = ("--headless", "--no-sandbox", "--disable-gpu")
    subprocess.run([browser, *flags, *size, address], check=True, capture_output=True)


def test_every_command_shows_an_example_whose_options_exist() -> None:
    group: Any = typer.main.get_command(app)
    known = options()
    for name, command in group.commands.items():
        examples = re.findall(r"^\s*(?:Example: )?.*?(advisor .*)$", command.help or "", re.MULTILINE)
        shown = [example for example in examples if f"advisor {name}" in example]
        assert shown, f"advisor {name} --help has no example"
        assert {
            flag for example in shown for flag in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", example)
        } <= known | {"--json"}


@pytest.mark.parametrize(
    ("words", "position", "offered"),
    [
        ("advisor rec", "1", "recommend"),
        ("advisor export --to ll", "3", "llm-compressor"),
        ("advisor recommend --max-m", "2", "--max-memory"),
    ],
)
def test_a_shell_completes_commands_options_and_values(words: str, position: str, offered: str) -> None:
    shell = {"_ADVISOR_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": position}
    command = Path(sys.executable).parent / "advisor"
    done = subprocess.run([command], env={**os.environ, **shell}, capture_output=True, text=True, check=True)
    assert offered in done.stdout.split()


def test_the_install_section_has_the_two_commands_first() -> None:
    section = readme().partition("\n## Install\n")[2]
    block = re.search(r"^```sh\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    assert block is not None
    first, second = block[1].splitlines()
    assert "pip install . && advisor recommend --max-accuracy-loss 1%" == first
    assert second.startswith("pip install -e '.[test]' && pytest")
