"""Messages say what was given, what was expected and what to do."""

import pickle
from pathlib import Path

import pytest

from advisor.errors import (
    AdvisorError,
    CatalogError,
    FileExists,
    InfeasibleError,
    InputError,
    StrategyError,
    UnknownName,
)


def test_an_unknown_name_is_answered_with_the_nearest_known_one():
    error = UnknownName.among("strategy", "prunning", ["pruning", "batching"], "is installed")
    assert (
        str(error)
        == "no strategy 'prunning' is installed; did you mean 'pruning'? (known: batching, pruning)"
    )


def test_a_name_unlike_all_others_gets_no_guess():
    assert (
        str(UnknownName.among("region", "zzz", ["us-east-1"]))
        == "no region 'zzz' is known (known: us-east-1)"
    )


def test_a_long_list_of_known_names_is_cut_and_counted():
    message = UnknownName.among("model", "x", [f"model-{number:02d}" for number in range(20)]).message
    assert message.endswith("model-11 and 8 more)")


def test_nothing_known_lists_nothing():
    assert str(UnknownName.among("strategy", "x", [])) == "no strategy 'x' is known"


def test_one_problem_is_a_sentence_and_several_are_a_list():
    assert str(InputError.listing("a.yaml", ["one"])) == "one"
    assert str(InputError.listing("a.yaml", ["one", "two"])) == "a.yaml has 2 problems:\n  - one\n  - two"


def test_wrong_input_exits_with_2_and_infeasible_with_3():
    assert (InputError("x").exit_code, InfeasibleError.because(["a"]).exit_code) == (2, 3)


@pytest.mark.parametrize(
    "error",
    [
        InputError.missing_file(Path("a")),
        UnknownName.among("a", "b", ["c"]),
        StrategyError.breaks("a", "must", "none"),
        StrategyError.not_loadable("a", "a:b", "no module"),
        CatalogError.bad_row("prices.csv", 3, "no price"),
        InfeasibleError.because(["a"]),
        FileExists.at(Path("report.html")),
    ],
)
def test_every_error_is_an_advisor_error_that_survives_pickling(error):
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert isinstance(error, AdvisorError)
    assert (type(error), str(error)) == (type(copy), str(copy))


def test_an_existing_file_is_named_and_force_is_offered():
    assert "report.html" in str(FileExists.at(Path("report.html")))
    assert "--force" in str(FileExists.at(Path("report.html")))


def test_a_path_of_thousands_of_characters_is_cut():
    assert len(str(InputError.missing_file(Path("x" * 5000)))) < 300
