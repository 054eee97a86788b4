"""The file that is shown as a tenant's logo."""

from __future__ import annotations

import os

import pytest

from relay.web.dashboard.branding import MOST_BYTES, _read

PICTURE = b"\x89PNG\r\n\x1a\n"


def test_a_file_of_the_size_of_a_logo_is_read(tmp_path):
    (tmp_path / "logo.png").write_bytes(PICTURE)
    assert _read(tmp_path / "logo.png") == PICTURE


@pytest.mark.parametrize("what", ["nothing", "a directory", "a pipe", "too large a file"])
def test_anything_else_is_no_logo(tmp_path, what):
    path = tmp_path / "logo.png"
    match what:
        case "a directory":
            path.mkdir()
        case "a pipe":  # opening it would not return: a thread of the pages' would be gone
            os.mkfifo(path)
        case "too large a file":
            path.write_bytes(PICTURE.ljust(MOST_BYTES + 1))
    assert _read(path) == b""
