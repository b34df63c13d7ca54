"""Documents are read safely, and every refusal names the line."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.documents import LIMIT_BYTES, parse_document, read_document
from advisor.errors import InputError


def refused(text: str, source: str = "chat.yaml") -> str:
    with pytest.raises(InputError) as caught:
        parse_document(text, source=source)
    return str(caught.value)


def test_each_key_and_item_remembers_its_line():
    document = parse_document("a: 1\nb:\n  - x\n  - y: 2\n", source="chat.yaml")
    assert document.where(("b", 1, "y")) == "chat.yaml line 4"
    assert document.where(("a",)) == "chat.yaml line 1"


def test_a_location_without_a_line_gets_that_of_the_nearest_key_around_it():
    document = parse_document("a: 1\nb:\n  c: 2\n", source="chat.yaml")
    assert document.where(("b", "missing", "deeper")) == "chat.yaml line 2"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("24", 24),
        ("-3.5", -3.5),
        ("7e9", 7e9),
        (".5", 0.5),
        ("true", True),
        ("null", None),
        ("", None),
        ("no", "no"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("012", 12),
        ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        ("'24'", "24"),
        ("300ms", "300ms"),
        (".inf", float("inf")),
    ],
)
def test_plain_values_follow_yaml_1_2(written: str, expected: object):
    assert {"a": expected} == parse_document(f"a: {written}", source="chat.yaml").data


def test_a_key_given_twice_is_refused_with_both_lines():
    assert refused("a: 1\nb: 2\na: 3") == "chat.yaml line 3: 'a' is given twice, first on line 1; keep one"
    assert (
        refused('{"a": 1,\n "a": 2}', "chat.json")
        == "chat.json line 2: 'a' is given twice, first on line 1; keep one"
    )


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system", "!!python/name:os.system", "!mine", "!!binary"]
)
def test_a_tag_is_refused_and_never_run(tag: str):
    assert "line 2: the tag" in refused(f"a: 1\nb: {tag} ['echo x']")


def test_an_alias_stands_for_its_value():
    assert parse_document("a: &x [1, 2]\nb: *x", source="c.yaml").data == {"a": [1, 2], "b": [1, 2]}


def test_aliases_that_multiply_are_refused_before_they_do():
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
        for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    started = time.perf_counter()
    assert "more than 20,000 values" in refused(bomb)
    assert time.perf_counter() - started < 1


def test_an_alias_to_itself_or_to_nothing_is_refused():
    assert "'*a' refers to nothing before it" in refused("x: &a [*a]")
    assert "'*b' refers to nothing before it" in refused("x: *b")


@pytest.mark.parametrize("source", ["chat.yaml", "chat.json"])
def test_deep_nesting_is_refused(source: str):
    assert "nests more than" in refused('{"a": ' * 200 + "1" + "}" * 200, source)
    assert refused('{"a": ' * 5000 + "1" + "}" * 5000, source)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "chat.yaml is empty"),
        ("# only a comment\n", "chat.yaml is empty"),
        ("- a\n- b", "chat.yaml holds a list"),
        ("just text", "chat.yaml holds only text"),
        ("42", "chat.yaml holds only the value 42"),
        ("a: [1", "chat.yaml line 2, column 1: this is not YAML"),
        ("a: b: c", "chat.yaml line 1, column 5: this is not YAML"),
        ("\ta: 1", "chat.yaml line 1, column 1: this is not YAML"),
        ("a: 1\n---\nb: 2", "chat.yaml line 2: a second document starts here"),
        ("? [a]\n: 1", "chat.yaml line 1: a key must be a plain name"),
        ("a: \x00", "chat.yaml: this is not YAML"),
    ],
)
def test_what_is_no_mapping_is_refused_with_the_place(text: str, message: str):
    assert message in refused(text)


def test_broken_json_is_refused_with_the_place():
    assert "chat.json line 1, column 8: this is not JSON" in refused('{"a":1,}', "chat.json")
    assert "chat.json is empty" in refused("", "chat.json")


def test_json_with_tabs_and_escapes_is_read_with_lines():
    document = parse_document('{\n\t"a": "\\u00e9\\/",\n\t"b": 2\n}', source="chat.json")
    assert document.data == {"a": "é/", "b": 2}
    assert document.where(("b",)) == "chat.json line 3"


class TestFiles:
    """What can be wrong with a file before its text is read."""

    def test_a_file_is_read_with_its_folder(self, tmp_path: Path):
        (tmp_path / "chat.yaml").write_bytes("\ufeffa: ü\r\nb: 2\r\n".encode())
        document = read_document(tmp_path / "chat.yaml")
        assert document.data == {"a": "ü", "b": 2}
        assert document.folder == tmp_path
        assert document.where(("b",)) == "chat.yaml line 2"

    def test_a_missing_file_is_answered_with_its_neighbour(self, tmp_path: Path):
        (tmp_path / "chat.yaml").write_text("a: 1")
        with pytest.raises(InputError, match=r"there is no file .*chat\.yml'; did you mean 'chat\.yaml'\?"):
            read_document(tmp_path / "chat.yml")

    def test_a_folder_is_refused(self, tmp_path: Path):
        with pytest.raises(InputError, match="it is a folder; name the file in it"):
            read_document(tmp_path)

    def test_text_that_is_not_utf_8_is_refused_with_the_line(self, tmp_path: Path):
        (tmp_path / "chat.yaml").write_bytes(b"a: 1\nb: \xe9\n")
        with pytest.raises(InputError, match="line 2 is not UTF-8 text; save it as UTF-8"):
            read_document(tmp_path / "chat.yaml")

    def test_a_file_of_100_mb_is_refused_at_once(self, tmp_path: Path):
        with (tmp_path / "huge.yaml").open("wb") as file:
            file.truncate(100_000_000)
        started = time.perf_counter()
        with pytest.raises(InputError, match=r"huge.yaml is larger than 1 MB"):
            read_document(tmp_path / "huge.yaml")
        assert time.perf_counter() - started < 0.5

    def test_the_largest_file_that_is_read_takes_no_more_than_a_moment(self, tmp_path: Path):
        (tmp_path / "many.yaml").write_text("\n".join(f"k{number}: 1" for number in range(LIMIT_BYTES // 12)))
        started = time.perf_counter()
        with pytest.raises(InputError, match="more than 20,000 values"):
            read_document(tmp_path / "many.yaml")
        assert time.perf_counter() - started < 5

    @pytest.mark.parametrize("path", ["x" * 5000, "a\0b"])
    def test_a_path_that_cannot_be_is_refused(self, path: str):
        with pytest.raises(InputError):
            read_document(path)


@given(text=st.text(max_size=200))
def test_any_text_is_read_or_refused_but_never_crashes(text: str):
    for source in ("a.yaml", "a.json"):
        try:
            parse_document(text, source=source)
        except InputError as error:
            assert str(error).startswith(source)  # noqa: PT017 - both outcomes are right
