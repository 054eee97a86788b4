"""The YAML parser's complaints, in words for people who edit a config."""

from __future__ import annotations

from typing import Any

from relay.settings.findings import START, Position
from relay.settings.problems import Wrong

_WORDS = (
    (
        "mapping values are not allowed",
        'a ":" is not allowed here',
        "check the indentation, or put the text in quotes",
    ),
    (
        "could not find expected ':'",
        'this is neither "key: value" nor a list item',
        'check for a missing ":"',
    ),
    (
        "did not find expected ',' or ']'",
        "a list in [ ] is not closed",
        'check for a missing "," or "]"',
    ),
    (
        "did not find expected ',' or '}'",
        "a mapping in { } is not closed",
        'check for a missing "," or "}"',
    ),
    (
        "did not find expected key",
        "this line does not fit the ones above it",
        "check the indentation",
    ),
    (
        "did not find expected '-'",
        "this line is not an item of the list above it",
        'check the indentation, or for a missing "-"',
    ),
    (
        "did not find expected <document start>",
        "this line does not fit the ones above it",
        "check the indentation",
    ),
    (
        "block sequence entries are not allowed",
        'a list item ("- ") is not allowed here',
        "put it on a line of its own",
    ),
    ("unexpected end of stream", "a text in quotes is not closed", "check for a missing quote"),
    (
        "found unknown escape character",
        "an unknown escape after \\ in double quotes",
        "write \\\\, or use single quotes",
    ),
    ("did not find expected node content", "a value is missing here", ""),
)


def in_words(error: Any, text: str) -> tuple[Position, Wrong]:
    """Where and what a YAMLError is; `text` is what was parsed."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    at = (mark.line + 1, mark.column + 1) if mark else START
    told = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
    if "cannot start any token" in told:
        return at, _bad_start(_char_at(text, at))
    if _char_at(text, (at[0], at[1] - 1)) + _char_at(text, at) == "${":
        return at, Wrong("${NAME} inside of { } or [ ] must be in quotes")
    for fragment, words, hint in _WORDS:
        if fragment in told:
            return at, Wrong(words + _begun(error, at), hint)
    return at, Wrong(f"this is not YAML: {told}")


def _begun(error: Any, at: Position) -> str:
    mark = getattr(error, "context_mark", None)
    return f" (it began in line {mark.line + 1})" if mark and mark.line + 1 < at[0] else ""


def _bad_start(char: str) -> Wrong:
    if char == "\t":
        return Wrong("a tab is not allowed as indentation", "use spaces")
    return Wrong(f"a text cannot begin with {char}", "put it in quotes")


def _char_at(text: str, at: Position) -> str:
    lines = text.splitlines()
    line = lines[at[0] - 1] if at[0] <= len(lines) else ""
    return line[at[1] - 1 : at[1]] if at[1] > 0 else ""
