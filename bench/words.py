"""The words of a measurement's command line."""

from __future__ import annotations

import sys


def words(about: str | None) -> list[str]:
    """What follows the module's name; asked for help, it tells `about` and ends."""
    given = sys.argv[1:]
    if {"-h", "--help"} & {*given}:
        print(about)
        sys.exit()
    return given


def count_of(word: str) -> int:
    """`word` as a number above zero; ends with a plain message where it is none."""
    if not word.isdecimal() or not int(word):
        sys.exit(f"{word}: not a number above zero (see --help)")
    return int(word)
