"""What is read by line is what the parser reads; all else is left to the parser."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.settings.findings import Findings
from relay.settings.yaml import files as yaml
from relay.settings.yaml.files import parse_yaml
from relay.settings.yaml.regular import read_regular
from tests.harness.examples import examples
from tests.unit.settings.told import CONFIG, edited

ENV = {"NAME": "12", "WORD": "a: b", "BAD": "\x07"}


def by_parser(text):
    """The data, or None where the parser finds fault; and where the keys of the root stand."""
    findings = Findings("f")
    document = parse_yaml(text, findings, ENV)
    if document is None or findings.problems:
        return None, {}
    data = document.data
    keys = data if isinstance(data, dict) else {}
    return data, {key: document.key_at((key,)) for key in keys}


def agrees(text, in_a_hurry=read_regular):
    """Whether it was read `in_a_hurry`; then the parser reads the very same."""
    read = in_a_hurry(text, ENV)
    if read is None:
        return False
    data, places = by_parser(text)
    assert repr(read[0]) == repr(data)
    assert read[1] == places
    return True


REGULAR = [
    CONFIG,
    "a: 1\nb: [x, 'y z', \"w\", 3.5, 50%, 12:30]\nc: {d: e, f: [g]} # h\n",
    "a:\n- b: 1\n  c: 2\n- d\n- [e]\nf:\n  - - \n".replace("  - - \n", "  g: ~\n"),
    "# head\n\na:   b  c # d\n'e': 'f'\n\"g\": \"h # i\"\n",
    "a:\nb:\n  c:\n    d:\n  e: f#g\nh: i:j\n",
    "a: ${NAME}\nb: 'x${NAME}'\nc: '${NAME}'\nd: $${NAME}\n",
    "a: http://x.example:80/y\nb: -\n".replace("b: -\n", "b: 0o17\n"),
    "a: {}\nb: []\nc: ''\n",
    "10: x\nnull: y\nno: on\n",
]


@pytest.mark.parametrize("text", REGULAR)
def test_what_programs_write_is_read_by_line(text):
    assert agrees(text)


IRREGULAR = [
    "a: |\n  b\n", "a: >\n  b\n", "a: b\n  c\n", "a: &x b\n", "a: *x\n", "a: !!str b\n",
    "a: b: c\n", "a: 'b\n  c'\n", 'a: "b\\n"\n', "a: 'it''s'\n", "a: [b,\n  c]\n", "a:\tb\n",
    "a: b\r\n", "a: b\n--- \nc: d\n", "---\na: b\n", "%YAML 1.2\n---\na: b\n", "a: b\na: c\n",
    "a: {b: c, b: d}\n", "a: [b\n", "a: b]\nc: [d]]\n", "- a\n", "a\n", "", "a: ${NO_SUCH}\n",
    "a: '${BAD}'\n", "a:\n   b: 1\n  c: 2\n", "a:\n  - b\n - c\n", "a:\n  - b\n  c: d\n",
    "<<: {a: b}\n", "? a\n: b\n", "a: @b\n", "a: -5\n", "a: {b: }\n", "a: [b,]\n", " a: b\n",
    "a: [b: c]\n", "a: b\u2028c: d\n", "a: 1111111111111111111111111111111111\n",
    f"{'a' * 300}: b\n", "a: " + "[" * 30 + "]" * 30,
]  # fmt: skip


@pytest.mark.parametrize("text", IRREGULAR)
def test_anything_else_is_left_to_the_parser(text):
    assert read_regular(text, ENV) is None


PIECES = st.sampled_from(
    ["a", "b", "c.d", "1", "1.5", "~", "no", "''", "'x y'", '"z"', "[", "]", "{", "}", ", ", ",",
     ": ", ":", "- ", "-", "\n", "\n  ", "\n    ", "\n- ", "\n  - ", " ", "  ", "#", " # x", "é",
     "${NAME}", "${WORD}", "50%", "12:30", "|", ">", "&a", "*a", "!", "?", "\\", "'", '"', "$", "@",
     "a: ", "\na:", "\n  b: ", "\nc: [", "\n---", "\n...", "null: ", "<<: ", ".", "/", "~x"]
)  # fmt: skip


@settings(max_examples=examples(3000), deadline=None)
@given(st.lists(PIECES, max_size=14).map("".join))
def test_no_text_is_read_otherwise_than_by_the_parser(text):
    agrees("a: b\n" + text)


@settings(max_examples=examples(300), deadline=None)
@given(st.data())
def test_no_edit_of_a_config_is_read_otherwise_than_by_the_parser(data):
    at = data.draw(st.integers(0, len(CONFIG)))
    gone = data.draw(st.integers(0, 6))
    agrees(CONFIG[:at] + data.draw(PIECES) + CONFIG[at + gone :])


def test_a_large_document_is_parsed_only_for_who_asks_for_a_place(monkeypatch):
    monkeypatch.setattr(yaml, "LARGE_BYTES", 0)
    asked = []
    nodes = yaml._nodes
    monkeypatch.setattr(yaml, "_nodes", lambda *given: asked.append(1) or nodes(*given))
    document = parse_yaml(CONFIG, Findings("f"), ENV)

    assert document.data["tenants"]["other"]["networks"] == ["10.0.0.0/8"]
    assert document.key_at(("tenants",)) == (12, 1)
    assert not asked
    assert document.key_at(("tenants", "acme")) == (13, 3)
    assert document.value_at(("tenants", "other", "networks", 0)) == (28, 16)
    assert asked == [1]


def test_a_large_document_with_a_fault_is_told_of_with_its_place(monkeypatch):
    monkeypatch.setattr(yaml, "LARGE_BYTES", 0)
    findings = Findings("f")

    assert parse_yaml(edited(CONFIG, "  other:", "  acme:"), findings, ENV) is not None
    assert [str(each) for each in findings.in_order()] == [
        'f:27:3: duplicate key "acme": it stands in line 13 too'
    ]
