"""One world for all of these tests, one browser for each module: both take seconds to start.

Playwright occupies the thread's event loop: it may not outlive the module, for the
asynchronous tests that come after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.eyes import CHROMIUM, Eyes
from tests.browser.world import PASSWORD, World, ended, started

Look = Callable[..., Eyes]


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> Iterator[World]:
    made = started(tmp_path_factory.mktemp("pages"))
    yield made
    ended(made)


@pytest.fixture(scope="module")
def browser(world) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture(scope="module")
def states(browser, world) -> dict[str, dict]:
    """The cookies of a session for each user, once: a password takes time to check."""
    found = {}
    for name in ("olga", "tina", "emil"):
        context = browser.new_context(timezone_id="Europe/Berlin")
        eyes = Eyes(context.new_page(), world.url)
        eyes.sign_in(name, PASSWORD)
        found[name] = context.storage_state()
        context.close()
    return found


@pytest.fixture
def look(browser, world, states) -> Iterator[Look]:
    """`look("olga", theme="dark", width=360)`: a page in a browser where that user is signed in.

    Without `scripts` it runs none.
    """
    opened: list[tuple[BrowserContext, Eyes]] = []

    def make(
        name: str | None = "olga", theme: str = "light", width: int = 1280, *, scripts: bool = True
    ) -> Eyes:
        context = browser.new_context(
            storage_state=states[name] if name else None,
            color_scheme=theme,
            viewport={"width": width, "height": 900 if width > 500 else 740},
            timezone_id="Europe/Berlin",
            reduced_motion="reduce",
            java_script_enabled=scripts,
        )
        page: Page = context.new_page()
        opened.append((context, Eyes(page, world.url)))
        return opened[-1][1]

    yield make
    for context, eyes in opened:
        context.close()
        assert eyes.complaints == [], "the browser has something against a page"
