from __future__ import annotations

import pytest

from relay.settings.load import load_config
from relay.settings.problems import ConfigProblems
from tests.unit.settings.told import CONFIG, edited

PLAIN = '"smtp+starttls://mx.example.net"'
WITH = '"smtp+starttls://me:hunter2@mx.example.net"'
KEYS = f"{PLAIN}\n    username: me\n    password: hunter2"


def problems(path, env=None) -> list[str]:
    try:
        load_config(path, env or {})
    except ConfigProblems as found:
        return [str(problem) for problem in found.problems]
    return []


def written(folder, text: str, mode: int):
    path = folder / "relay.yaml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o666, 0o602])
@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (PLAIN, WITH, 11),
        (PLAIN, f"[{WITH}]", 11),
        (PLAIN, KEYS, 13),
        ("store: embedded", 'store: "redis://:hunter2@h"', 2),
        ("store: embedded", 'store: {url: "redis://u:hunter2@h"}', 2),
    ],
)
def test_a_password_in_a_file_that_all_may_read_is_refused_at_its_place(
    tmp_path, mode, old, new, line
):
    path = written(tmp_path, edited(CONFIG, old, new), mode)
    [told] = problems(path)
    assert told.startswith(f"{path}:{line}:")
    assert f"a password stands in a file that everybody can read ({mode:04o})" in told
    assert "hunter2" not in told


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o440])
def test_owner_and_group_may_read_it(tmp_path, mode):
    assert problems(written(tmp_path, edited(CONFIG, PLAIN, WITH), mode)) == []


@pytest.mark.parametrize(
    "new",
    [
        PLAIN,
        '"smtp+starttls://me:${PW}@mx.example.net"',
        f"{PLAIN}\n    username: me\n    password: ${{PW}}",
        f"{PLAIN}\n    username: me\n    password: file:pw",
    ],
)
def test_what_stands_elsewhere_does_not_close_the_file(tmp_path, new):
    (tmp_path / "pw").write_text("hunter2")
    path = written(tmp_path, edited(CONFIG, PLAIN, new), 0o644)
    assert problems(path, {"PW": "hunter2"}) == []
