"""The command line (DESIGN §9): `warmup-relay COMMAND [--config FILE] [--json]`.

Each module holds the commands of one kind; `context.py` what they share. Exit codes: 0 done,
1 a problem was found, 2 the command line was wrong.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TYPE_CHECKING

from relay.cli.plain import serving_words
from relay.processes.itself import become
from relay.processes.secrecy import keep_memory_private
from relay.thrift.collector import collector_at_rest, keep_out_of_collections

if TYPE_CHECKING:
    import typer

__all__ = ["main"]


def main() -> None:
    """Run the command that the process was called with; importing no more than that one needs."""
    _open_what_is_closed()
    _print_what_cannot_be_encoded()
    keep_memory_private()  # nearly every one reads a password, a key or a token
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name in {"serve", "web"}:  # a reload that is asked for while it begins is not its end
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if name == "serve" and (words := serving_words(sys.argv[2:])):
        become(*words)
    with collector_at_rest(), _ctrl_c_is_the_end():
        app = _app(name)
        keep_out_of_collections()
    try:
        app(prog_name="warmup-relay")
    except OSError as error:
        if error.errno != errno.ENOSPC or name in {"serve", "web"}:
            raise
        _give_up(error)


def _open_what_is_closed() -> None:
    """Nowhere, for a standard stream that is closed: else the next file would get its number."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
            os.set_inheritable(number, True)  # noqa: FBT003 - an argument by position only
            setattr(sys, name, os.fdopen(number, mode))


def _print_what_cannot_be_encoded() -> None:
    """As a backslash and a number, like Python's standard error: a chart where all is Latin-1."""
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


@contextmanager
def _ctrl_c_is_the_end() -> Iterator[None]:
    """While modules are imported, Ctrl-C ends the process without a word, as it ends `cat`."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:  # ignored, by `nohup` or a shell's `&`
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _give_up(error: OSError) -> None:
    """No room for the output, or for a file: what is still unwritten would be a second error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(f"warmup-relay: {error}")


def _app(name: str) -> typer.Typer:
    if name in {"serve", "--version"}:
        from relay.cli.root import app  # noqa: PLC0415  half a second of CPU at each start

        return app
    from relay.cli.every import app_for  # noqa: PLC0415  as above

    return app_for(name)
