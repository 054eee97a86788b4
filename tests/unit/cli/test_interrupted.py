"""Ctrl-C before a command has begun."""

import signal
import subprocess
import sys

_WHILE_IMPORTING = """
import os, signal, relay.cli
relay.cli._app = lambda name: os.kill(os.getpid(), signal.SIGINT)
relay.cli.main()
"""


def test_ctrl_c_while_modules_are_imported_ends_without_a_word() -> None:
    """The tests themselves may have been begun where it is ignored."""
    heeded = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    done = subprocess.run(
        [sys.executable, "-c", heeded + _WHILE_IMPORTING],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


def test_ctrl_c_that_the_shell_has_ignored_stays_ignored() -> None:
    done = subprocess.run(
        ["sh", "-c", 'trap "" INT; exec "$0" -c "$1"', sys.executable, _WHILE_IMPORTING],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert b"NoneType" in done.stderr, "it went on until there was no command to run"
