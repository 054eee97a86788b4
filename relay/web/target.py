"""The target of a request in absolute form, `GET http://relay/api/warmup`: it is taken too."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from relay.web.asgi import Scope

_ABSOLUTE: Final = re.compile(rb"https?://([^/]*)(.*)", re.IGNORECASE)


def in_origin_form(scope: Scope) -> Scope:
    """`scope` as if its target had been the path alone (RFC 9112 §3.2.2).

    The host is then that of the target, whatever the Host field says.
    """
    found = _ABSOLUTE.fullmatch(scope["raw_path"]) if scope["type"] == "http" else None
    if found is None:
        return scope
    host, path = found[1], found[2] or b"/"
    others = [(name, value) for name, value in scope["headers"] if name != b"host"]
    changed = {"path": unquote(path.decode("ascii")), "raw_path": path}
    return {**scope, **changed, "headers": [(b"host", host), *others]}
