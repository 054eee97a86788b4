"""YAML 1.2 with positions, and its bounds."""

import math
from itertools import pairwise

import pytest

from relay.settings.findings import Findings
from relay.settings.problems import Substituted
from relay.settings.yaml.builder import MAX_ALIASED, MAX_DEPTH
from relay.settings.yaml.files import parse_yaml


def read(text, env=None):
    findings = Findings("f")
    document = parse_yaml(text, findings, env)
    assert not findings.problems, findings.problems
    return document.data


def problems_of(text, env=None):
    findings = Findings("f")
    parse_yaml(text, findings, env)
    return [str(problem) for problem in findings.in_order()]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("12:30", "12:30"),
        ("1:20:30", "1:20:30"),
        ("2026-01-01", "2026-01-01"),
        ("1_000", "1_000"),
        ("0b1", "0b1"),
        ("0o", "0o"),
        ("-0x1", "-0x1"),
        ("<<", "<<"),
        ("=", "="),
        ("١", "١"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("+5", 5),
        ("-5", -5),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("null", None),
        ("~", None),
        ("", None),
        ("nULL", "nULL"),
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        (".", "."),
        ("+", "+"),
        ("1e", "1e"),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("'5'", "5"),
        ('"true"', "true"),
        ("'null'", "null"),
        ("|\n  5\n", "5\n"),
    ],
)
def test_a_scalar_means_what_the_core_schema_says(text, value):
    found = read(f"key: {text}")["key"]

    assert (found, type(found)) == (value, type(value))


def test_not_a_number_is_one():
    assert math.isnan(read("key: .nan")["key"])


@pytest.mark.parametrize("key", ["no", "5", "true", "null", "~", "010", "12:30"])
def test_keys_are_always_text_as_written(key):
    assert read(f"{key}: 1") == {key: 1}


def test_positions_are_those_of_keys_and_values():
    text = "a: 1\nbé:\n  - x\n  - {c: d, 'e': \"f\"}\n"
    document = parse_yaml(text, Findings("f"))

    assert document.key_at(("a",)) == (1, 1)
    assert document.value_at(("a",)) == (1, 4)
    assert document.key_at(("bé",)) == (2, 1)
    assert document.value_at(("bé", 0)) == (3, 5)
    assert document.key_at(("bé", 1)) == (4, 5)
    assert document.key_at(("bé", 1, "e")) == (4, 12)
    assert document.value_at(("bé", 1, "e")) == (4, 17)


def test_a_place_that_is_not_there_is_the_innermost_that_is():
    document = parse_yaml("a: {b: [1]}\n", Findings("f"))

    assert document.value_at(("a", "b", 7, "x")) == (1, 8)
    assert document.key_at(("a", "x")) == (1, 4)
    assert document.key_at(("x", "y", "z")) == (1, 1)


def test_an_alias_stands_for_its_anchor_and_has_a_place_of_its_own():
    findings = Findings("f")
    document = parse_yaml("a: &x {k: 1}\nb: *x\nc: [*x]\n", findings)

    assert document.data == {"a": {"k": 1}, "b": {"k": 1}, "c": [{"k": 1}]}
    assert document.value_at(("b",)) == (2, 4)


def test_an_expansion_bomb_is_refused_at_once():
    rows = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for before, after in pairwise("abcdefghijklmnop"):
        rows.append(f"{after}: &{after} [{', '.join([f'*{before}'] * 10)}]")

    told = problems_of("\n".join(rows))

    assert len(told) == 1
    assert f"aliases add up to more than {MAX_ALIASED} values" in told[0]


def test_many_aliases_of_a_big_value_are_bounded_too():
    text = f"a: &a [{', '.join('1' * 1000)}]\nb: [{', '.join(['*a'] * 200)}]\n"

    assert "aliases add up" in problems_of(text)[0]


def test_a_large_file_may_have_many_aliases():
    rows = (f"domain{number}: *a\n" for number in range(30_000))
    findings = Findings("f")
    document = parse_yaml("a: &a [1, 2, 3, 4, 5]\n" + "".join(rows), findings)

    assert findings.problems == []
    assert document.data["domain29999"] == [1, 2, 3, 4, 5]


def test_a_value_that_holds_itself_is_refused():
    assert problems_of("a: &x [1, *x]") == ["f:1:11: *x stands inside of what it names"]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused(opening):
    assert f"nested more than {MAX_DEPTH} deep" in problems_of(opening * 5000)[0]


def test_duplicate_keys_are_told_wherever_they_are():
    assert problems_of("a: {b: 1, c: 2, b: 3}\nd: 1\na: 2") == [
        'f:1:17: duplicate key "b": it stands in line 1 too',
        'f:3:1: duplicate key "a": it stands in line 1 too',
    ]


@pytest.mark.parametrize("text", ["<<: {a: 1}", "b: &b {a: 1}\nc:\n  <<: *b", "[{<<: {a: 1}}]"])
def test_merge_keys_are_refused(text):
    assert "merge keys (<<) are not supported" in problems_of(text)[0]


def test_a_quoted_merge_key_is_a_key():
    assert read("'<<': 1") == {"<<": 1}


@pytest.mark.parametrize("text", ["a: !x 1", "a: ! 1", "!!map {a: 1}", "a: !!str [1]", "!k a: 1"])
def test_tags_are_refused(text):
    assert "tags such as" in problems_of(text)[0]


@pytest.mark.parametrize("text", ["[a]: 1", "{a: 1}: 1", "? [a]\n: 1", "a: &x 1\n*x : 2"])
def test_keys_that_are_not_text_are_refused(text):
    assert "a key must be plain text" in problems_of(text)[0]


@pytest.mark.parametrize("text", ["%YAML 1.1\n---\na: 1", "%TAG ! tag:x,2000:\n---\na: 1"])
def test_directives_are_refused(text):
    assert problems_of(text) == [
        "f:1:1: YAML directives are not supported (remove the line that begins %)"
    ]


def test_the_directive_of_yaml_1_2_and_a_document_start_are_harmless():
    assert read("%YAML 1.2\n---\na: no\n...\n") == {"a": "no"}


def test_a_number_nobody_means_is_refused():
    assert problems_of(f"a: {'9' * 5000}") == ["f:1:4: a number of more than 30 digits"]


def test_an_empty_file_is_nothing():
    assert read("") is None
    assert read("# only a comment\n") is None


def test_a_byte_order_mark_is_skipped(tmp_path):
    from relay.settings.yaml.files import read_yaml

    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    findings = Findings("f")

    assert read_yaml(path, findings).data == {"a": 1}


def test_windows_line_ends_count_as_one():
    document = parse_yaml("a: 1\r\nb: 2\r\n", Findings("f"))

    assert document.data == {"a": 1, "b": 2}
    assert document.key_at(("b",)) == (2, 1)


def test_a_pipe_is_not_waited_for(tmp_path):
    import os

    from relay.settings.yaml.files import read_yaml

    os.mkfifo(tmp_path / "pipe")
    findings = Findings("f")

    assert read_yaml(tmp_path / "pipe", findings) is None
    assert [problem.text for problem in findings.problems] == ["this is not a file"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${A}", "one"),
        ("x-${A}-${B_2}", "x-one-2"),
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("$A and $", "$A and $"),
        ("$${A}${A}", "${A}one"),
        ("'${A}'", "one"),
        ('"${A}"', "one"),
        ("${EMPTY}", ""),
        ("${NESTED}", "${A}"),
        ("${NUMBER}", "007"),
    ],
)
def test_the_environment_is_put_in_once_and_stays_text(text, value):
    env = {"A": "one", "B_2": "2", "EMPTY": "", "NESTED": "${A}", "NUMBER": "007"}

    assert read(f"key: {text}", env) == {"key": value}


def test_what_came_from_the_environment_is_known_to_be_so():
    data = read("a: ${X}\nb: x\nc: $${X}", {"X": "x"})

    assert [isinstance(data[key], Substituted) for key in "abc"] == [True, False, False]


def test_keys_take_the_environment_too():
    assert read("${X}: 1", {"X": "x"}) == {"x": 1}


def test_a_variable_that_is_not_utf_8_is_refused():
    assert problems_of("a: ${X}", {"X": "\udcff"}) == [
        "f:1:4: the environment variable X is not UTF-8"
    ]


@pytest.mark.parametrize("text", ["${", "${}", "${1A}", "${A-B}", "${A", "${ A }", "${${A}}"])
def test_a_broken_reference_is_told(text):
    told = problems_of(f"a: '{text}'", {"A": "1"})

    assert len(told) == 1
    assert "without a NAME}" in told[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: b: c", 'f:1:5: a ":" is not allowed here'),
        ("a: 1\nb\nc: 3", 'f:3:1: this is neither "key: value" nor a list item'),
        ("a: [1\nb: 2", "f:2:2: a list in [ ] is not closed"),
        ("a:\n  - 1\n  b: 2", "f:3:3: this line is not an item of the list above it"),
        ("a: {b: 1}\n c: 2", "f:2:2: this line does not fit the ones above it"),
        ("a: 'x", "f:1:6: a text in quotes is not closed"),
        ('a: "\\q"', "f:1:5: an unknown escape after \\ in double quotes"),
        ("a: - b", 'f:1:4: a list item ("- ") is not allowed here'),
        ("a: `x`", "f:1:4: a text cannot begin with `"),
        ("\ta: 1", "f:1:1: a tab is not allowed as indentation"),
    ],
)
def test_a_syntax_error_is_told_in_plain_words(text, told):
    assert problems_of(text)[0].startswith(told)
