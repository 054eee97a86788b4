"""Whatever the files hold: a config, or ConfigProblems; never anything else."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.core.config import Config
from relay.core.domain import normalize_domain
from relay.core.policy.policy import Policy
from relay.settings.load import load_config, load_policy
from relay.settings.problems import ConfigProblems
from tests.unit.settings.told import CONFIG, FORMULA, POLICY

FEW = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
WORDS = st.sampled_from(
    [
        "hostname",
        "store",
        "data_dir",
        "listeners",
        "web",
        "upstreams",
        "tenants",
        "policies",
        "limits",
        "log",
        "address",
        "tls",
        "auth",
        "proxy_from",
        "certificate",
        "key",
        "url",
        "pool",
        "timeouts",
        "credentials",
        "networks",
        "domains",
        "dkim",
        "routes",
        "upstream",
        "policy",
        "selector",
        "username",
        "password",
        "secret",
        "class",
        "ramp",
        "tiers",
        "from",
        "cap",
        "advance",
        "growth",
        "linear",
        "then",
        "factor",
        "start",
        "end",
        "days",
        "until",
        "most",
        "hold",
        "hold_at",
        "1.3",
        "window",
        "excess",
        "description",
        "timezone",
        "starts",
        "kind",
        "exempt",
        "off",
        "embedded",
        "unlimited",
        "calendar-days",
        "none",
        "starttls",
        "redis://h",
        "smtps://u:p@h",
        "maildir:x",
        "127.0.0.1:25",
        "10.0.0.0/8",
        "a.example",
        "${X}",
        "${HOME}",
        "file:/x",
        ".",
        "..",
        "30s",
        "[",
        "]",
        "{",
        "}",
        ":",
        "-",
        "&",
        "*",
        "!",
        "|",
        ">",
        "#",
        "%",
        "@",
        "`",
        "'",
        '"',
        "<",
        "=",
        "?",
        ",",
        "~",
        "null",
        "true",
        "5",
        "0",
        "-1",
        "1e999",
        "0x",
        "010",
        "&a",
        "*a",
        "<<",
        "!!int",
        "file:\\0",
        "/",
    ]
)
SCALARS = st.one_of(
    WORDS, st.integers(), st.floats(), st.booleans(), st.none(), st.text(max_size=20)
)
DATA = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(WORDS, st.text(max_size=8)), inner, max_size=6),
    ),
    max_leaves=25,
)
TEXTS = st.one_of(
    st.text(max_size=200),
    st.lists(st.one_of(WORDS, st.sampled_from(["\n", "\n  ", " ", ": ", "- "])), max_size=60).map(
        "".join
    ),
)


def load(folder, content: bytes) -> None:
    """Both as a config and as a policy."""
    path = folder / "relay.yaml"
    path.write_bytes(content)
    try:
        assert isinstance(load_config(path, {"X": "x"}), Config)
    except ConfigProblems as problems:
        check(problems)
    try:
        assert isinstance(load_policy(str(path)), Policy)
    except ConfigProblems as problems:
        check(problems)


def check(problems: ConfigProblems) -> None:
    assert problems.problems
    for problem in problems.problems:
        assert problem.line >= 1
        assert problem.column >= 1
        assert "\n" not in str(problem)
        str(problem).encode("utf-8")


@FEW
@given(content=st.binary(max_size=300))
def test_random_bytes(tmp_path, content):
    load(tmp_path, content)


@FEW
@given(text=TEXTS)
def test_random_yaml_like_text(tmp_path, text):
    load(tmp_path, text.encode("utf-8", "surrogatepass"))


@FEW
@given(data=DATA)
def test_random_data(tmp_path, data):
    load(tmp_path, json.dumps(data, ensure_ascii=False).encode("utf-8", "surrogatepass"))


@FEW
@given(
    values=st.dictionaries(
        st.sampled_from(
            [
                "hostname",
                "store",
                "data_dir",
                "listeners",
                "web",
                "upstreams",
                "tenants",
                "policies",
                "limits",
                "log",
            ]
        ),
        DATA,
    )
)
def test_random_values_under_right_keys(tmp_path, values):
    load(tmp_path, json.dumps(values).encode())


@pytest.mark.parametrize("base", [CONFIG, POLICY, FORMULA])
@FEW
@given(data=st.data())
def test_a_good_file_with_a_random_change(tmp_path, base, data):
    at = data.draw(st.integers(0, len(base)))
    length = data.draw(st.integers(0, 30))
    change = data.draw(st.one_of(st.text(max_size=5), WORDS))
    text = base[:at] + change + base[at + length :]
    load(tmp_path, text.encode("utf-8", "surrogatepass"))


@FEW
@given(text=st.text(max_size=80))
def test_a_normal_domain_is_its_own_normal_form(text):
    try:
        name = normalize_domain(text)
    except ValueError:
        return
    assert normalize_domain(name) == name
    assert normalize_domain(name.upper()) == name
    assert name.isascii()
    assert len(name) <= 253
