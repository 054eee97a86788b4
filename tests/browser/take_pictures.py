"""The pictures of docs/img: `python -m tests.browser.take_pictures [NAME …]`; all without a name.

Taken of the world of the browser tests, so that what the README shows is what the tests test.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import sync_playwright

from tests.browser.eyes import CHROMIUM, Eyes
from tests.browser.world import CLINIC, NEWS, PASSWORD, World, ended, started
from tests.harness.added import add

FOLDER = Path(__file__).parents[2] / "docs" / "img"
PICTURES = {
    "routes": ("light", "/dashboard/warmup"),
    "route": ("light", f"/dashboard/warmup/{CLINIC}"),
    "route-dark": ("dark", f"/dashboard/warmup/{NEWS}"),
    "domains": ("light", "/dashboard/domains"),
    "tokens": ("light", "/dashboard/tokens"),
    "audit": ("light", "/dashboard/audit"),
}
SCOPES = {"checkout": ("send",), "monitoring": ("read",), "deploys": ("read", "manage")}


def furnish(world: World) -> None:
    """What the tests' world lacks: tokens, of which one is used, and a domain that waits."""
    for name, scopes in SCOPES.items():
        world.web.token = world.web.make_token(*scopes, name=name, expires="90d")
    add(world.web, "spring.acme.example", upstream="outbound", reason="the spring sale")


def main(names: list[str]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as home:
        world = started(Path(home))
        try:
            furnish(world)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=CHROMIUM, args=["--no-sandbox"]
                )
                for name in names or PICTURES:
                    theme, path = PICTURES[name]
                    context = browser.new_context(
                        color_scheme=theme, viewport={"width": 1240, "height": 800}
                    )
                    eyes = Eyes(context.new_page(), world.url)
                    eyes.sign_in("tina", PASSWORD)
                    eyes.go(path)
                    eyes.page.wait_for_load_state("networkidle")
                    # The clock of the tests' world is simulated, and says so; nobody else's is.
                    eyes.page.locator("main > .note.warn").first.evaluate("note => note.remove()")
                    eyes.page.screenshot(path=FOLDER / f"{name}.png")
                    context.close()
                browser.close()
        finally:
            ended(world)


if __name__ == "__main__":
    main(sys.argv[1:])
