"""What a plain scalar means: the core schema of YAML 1.2 (§10.3.2), and `${NAME}`.

`no`, `on` and `12:30` are text; `010` is ten and `0o10` eight.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from relay.core.text import is_text
from relay.settings.problems import Substituted, Wrong, shown

Scalar = str | int | float | bool | None

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_INTEGERS = (
    (re.compile(r"[-+]?[0-9]+\Z", re.ASCII), 10),
    (re.compile(r"0o[0-7]+\Z"), 8),
    (re.compile(r"0x[0-9a-fA-F]+\Z"), 16),
)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z", re.ASCII)
_NUMBER_BEGINS = frozenset("+-.0123456789")
_LONGEST_NUMBER = 30
_REFERENCE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{", re.ASCII)


def resolve(text: str) -> Scalar:
    """The value of the plain scalar `text`. Raises Wrong for a number nobody means."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_BEGINS:
        return text
    return _number(text)


def _number(text: str) -> Scalar:
    base = next((base for pattern, base in _INTEGERS if pattern.match(text)), None)
    if base is None and not _FLOAT.match(text):
        return text
    if len(text) > _LONGEST_NUMBER:
        raise Wrong(f"a number of more than {_LONGEST_NUMBER} digits")
    return float(text) if base is None else int(text, base)


def substitute(text: str, env: Mapping[str, str]) -> str:
    """`text` with each `${NAME}` taken from `env`, and `$${` as a literal `${`.

    The result is `Substituted` where anything was taken. Raises Wrong for a variable that
    is not set, is not UTF-8, or a `${` without a name and a closing brace.
    """
    if "${" not in text:
        return text
    taken = [found[1] for found in _REFERENCE.finditer(text) if found[1]]
    result = _REFERENCE.sub(lambda found: _replacement(found, env), text)
    return Substituted(result) if taken else result


def _replacement(found: re.Match[str], env: Mapping[str, str]) -> str:
    if found[0] == "$${":
        return "${"
    name = found[1]
    if not name:
        raise Wrong(
            f"{shown(found.string)} holds a ${{ without a NAME}} of letters, digits and _",
            "write $${ for the characters ${ themselves",
        )
    if name not in env:
        raise Wrong(f"the environment variable {name} is not set")
    value = env[name]
    if not is_text(value):
        raise Wrong(f"the environment variable {name} is not UTF-8")
    return value
