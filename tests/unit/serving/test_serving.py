"""The processes that serve: what they are without, and what they say when they cannot begin."""

import subprocess
import sys

import pytest

READS_CONFIGS_OR_COMMANDS = {"pydantic", "yaml", "typer", "rich", "fastapi", "jinja2", "argon2"}


def python(*words: str, told: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, *words], input=told, capture_output=True, timeout=60, check=False
    )


def test_a_relay_loads_nothing_that_only_reads_configs_or_commands():
    program = (
        "import sys, relay.serving.__main__, relay.lifecycle, relay.serving.supervisor;"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    loaded = set(python("-c", program).stdout.decode().split())

    assert {"relay", "redis", "cryptography"} <= loaded
    assert loaded & READS_CONFIGS_OR_COMMANDS == set()


def test_the_command_line_of_serve_loads_no_store_and_no_schema():
    program = "import sys, relay.cli.root; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = set(python("-c", program).stdout.decode().split())

    assert {"relay", "typer"} <= loaded
    assert loaded & {"pydantic", "yaml", "redis", "cryptography", "uvicorn"} == set()


@pytest.mark.parametrize("role", ["worker", "front"])
def test_a_child_without_a_parent_that_orders_it_says_who_does(role):
    done = python("-m", "relay.serving", role, "1")

    assert done.returncode == 1
    said = "warmup-relay: workers and the web process are started by `serve`, not by hand\n"
    assert done.stderr.decode() == said


def test_every_problem_of_a_config_is_told_at_the_start(tmp_path):
    path = tmp_path / "relay.yaml"
    path.write_text("hostnam: relay.example.net\nlisteners: []\n")

    done = python("-m", "relay", "serve", "--config", str(path))

    assert done.returncode == 1
    lines = done.stderr.decode().splitlines()
    assert f'{path}:1:1: unknown key "hostnam" (did you mean "hostname"?)' in lines
    assert len(lines) > 1
