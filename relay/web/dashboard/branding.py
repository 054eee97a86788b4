"""A tenant's name, logo and colour: `/dashboard/brand.css` and `/dashboard/brand-logo`.

The colour is bent until it can be read, in the light and in the dark theme. A logo is read from
the file of the config, within a size, and sent as the image that its first bytes say it is.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from relay.core.tenants.brand import DARK_SURFACE, LIGHT_SURFACE, Brand, legible
from relay.core.tenants.users import Viewer
from relay.web.dashboard.desk import PagesDesk, desk_of, viewer_of

MOST_BYTES: Final = 262_144
_KINDS: Final = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}


def brand_of(desk: PagesDesk, viewer: Viewer) -> Brand:
    """That of the viewer's tenant; operators see the relay's own."""
    tenant = desk.directory.tenants.get(viewer.tenant or "")
    return tenant.brand if tenant else Brand()


async def style(request: Request) -> Response:
    """The accent colour, for both themes."""
    colour = brand_of(desk_of(request), viewer_of(request)).colour
    if not colour:
        return Response("", media_type="text/css")
    light, dark = legible(colour, LIGHT_SURFACE), legible(colour, DARK_SURFACE)
    told = f":root {{ --accent: light-dark({light}, {dark}); }}\n"
    return Response(told, media_type="text/css")


async def logo(request: Request) -> Response:
    """The image. Without scripts: an SVG is not taken."""
    path = brand_of(desk_of(request), viewer_of(request)).logo
    content = await asyncio.to_thread(_read, path) if path else b""
    kind = next((kind for head, kind in _KINDS.items() if content.startswith(head)), None)
    if kind is None:
        raise HTTPException(404, "There is no logo.")
    return Response(content, media_type=kind)


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():  # a pipe might never end
            return b""
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError:
        return b""
    return content if len(content) <= MOST_BYTES else b""
