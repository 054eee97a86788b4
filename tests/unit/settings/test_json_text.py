"""A config in JSON: read in a hurry, it is what the parser reads."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.settings.findings import Findings
from relay.settings.large.wholesale import frames_in_pieces
from relay.settings.yaml import builder
from relay.settings.yaml.files import first_unprintable, parse_yaml
from relay.settings.yaml.json_text import read_json
from tests.harness.examples import examples
from tests.unit.settings.test_regular import ENV, agrees
from tests.unit.settings.test_wholesale import is_read_in_pieces
from tests.unit.settings.told import CONFIG, LARGE

FORMS = {"one line": None, "two spaces": 2, "no indentation": 0}


def as_json(text, indent=None):
    """A config of ours, as another program would write it."""
    return json.dumps(parse_yaml(text, Findings("f")).data, indent=indent, ensure_ascii=False)


@pytest.mark.parametrize("form", FORMS)
def test_a_config_in_json_is_what_the_parser_reads(form):
    assert agrees(as_json(CONFIG, FORMS[form]), read_json)


JSON = [
    '{"a": {"b": {"c": {"d": {"e": {"f": [1, true, null, "x", {}, []]}}}}}}',
    ' \n{"a": {},\n "b": [{"c d": "é", "!": ""}],\n\n "10": 10}\n\n',
    '{"a": "${NAME}", "b": "$${NAME}", "c": "x # y", "d": "- z", "e": "~"}',
    '{"a b": {"no": {"null": "no"}}, "c,": "{", "d": "]"}',
    '{"a":1,"b":{"c":[2]}}',
]  # fmt: skip


@pytest.mark.parametrize("text", JSON)
def test_json_is_read(text):
    assert agrees(text, read_json)


NOT = [
    "", "a: b\n", "{}", "[]", "[1]", '"a"', "{a: b}", '{"a": b}', '{"a": 1} # c', '{"a": 1,}',
    '{"a": 1', '{"a" 1}', '{"a"\n: 1}', '{"a": 1} {"b": 2}', '{"a": 1, "a": 2}', '{"a": 1 "b": 2}',
    '{"a": {"b": {"c": {"d": {"e": 1, "e": 2}}}}}', '{"a": 1.5}', '{"a": -1}', '{"a": NaN}',
    '{"a": "\\u00e9"}', '{"a": "b\\n"}', '{"a": "\\""}', '{"a":\t1}', '{"a": 1}\r\n', '{"": 1}',
    '{"${NAME}": 1}', '{"a": {"b": {"c": {"d": {"${NAME}": 1}}}}}', '{"a": "${NO_SUCH}"}',
    '{"a": "${BAD}"}', '{"a": 01}', "{1: 2}", '{"a": "b\nc"}', '{"a": ' + "[" * 99 + "]" * 99 + "}",
    '{"a": ' + '{"a": ' * 5000 + "1" + "}" * 5001, '{"a": 1' + "1" * 5000 + "}",
]  # fmt: skip


@pytest.mark.parametrize("text", NOT)
def test_anything_else_is_left_to_the_parser(text):
    assert read_json(text, ENV) is None


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9),
    st.sampled_from(["${NAME}", "a b", "~", "1", "no", "x: y", "#", " x ", "é", "50%", "12:30"]),
)  # fmt: skip
KEYS = st.one_of(
    st.text(max_size=9),
    st.sampled_from(["a", "b.c", "d e", "1", "null", "<<", "#", "-", "é: ", "?"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
TEXTS = st.builds(
    json.dumps,
    st.dictionaries(KEYS, VALUES, min_size=1, max_size=4),
    indent=st.sampled_from([None, 0, 1, 2, 4]),
    ensure_ascii=st.just(False),
    separators=st.sampled_from([None, (",", ":"), (" , ", " : ")]),
).filter(lambda text: not first_unprintable(text))


@settings(max_examples=examples(2000), deadline=None)
@given(TEXTS)
def test_no_json_is_read_otherwise_than_by_the_parser(text):
    agrees(text, read_json)


PIECES = st.sampled_from(
    [
        "",
        ",",
        ":",
        "{",
        "}",
        "[",
        "]",
        '"',
        "\n",
        " ",
        "#",
        " # x",
        "a",
        "1",
        "-",
        "'",
        "\n  :",
        "${",
    ]
)


@settings(max_examples=examples(1000), deadline=None)
@given(st.data())
def test_no_edit_of_json_is_read_otherwise_than_by_the_parser(data):
    text = as_json(CONFIG, data.draw(st.sampled_from([None, 1])))
    at, gone = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, 6))
    agrees(text[:at] + data.draw(PIECES) + text[at + gone :], read_json)


@pytest.mark.parametrize("form", FORMS)
def test_a_large_config_in_json_is_read_in_pieces(path, reads, form):
    path.write_text(as_json(LARGE, FORMS[form]))
    assert is_read_in_pieces(path)
    assert 5 < len(reads) < 60
    reads.clear()
    path.write_text(as_json(LARGE.replace("b.d700.example", "x.d700.example"), FORMS[form]))

    assert is_read_in_pieces(path)
    assert len(reads) == 1


def test_more_values_than_a_file_may_hold_are_not_even_decoded(path, monkeypatch):
    monkeypatch.setattr(builder, "MAX_VALUES", 100)
    assert read_json(as_json(LARGE), ENV) is None
    path.write_text(as_json(LARGE))
    assert frames_in_pieces(path, {}) is None
