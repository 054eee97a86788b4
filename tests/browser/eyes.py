"""What a person sees and does on a page, and what axe and the browser have against it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import ConsoleMessage, Locator, Page
from playwright.sync_api import TimeoutError as TooLate

CHROMIUM = "/usr/bin/chromium"
AXE = Path(__file__).parents[1] / "node_modules" / "axe-core" / "axe.min.js"


@dataclass
class Eyes:
    """One tab."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    expected: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self.page.set_default_timeout(40_000)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _said(self, message: ConsoleMessage) -> None:
        told = message.text
        is_expected = any(f"status of {status}" in told for status in self.expected)
        # htmx logs a request that a newer one has replaced; those that failed it logs otherwise.
        is_expected |= told.startswith(("htmx:sendAbort", "htmx:afterRequest"))
        if message.type in {"error", "warning"} and not is_expected:
            self.complaints.append(told)

    def sign_in(self, name: str, password: str) -> None:
        self.go("/dashboard/sign-in")
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        try:
            self.page.wait_for_url("**/dashboard/warmup")
        except TooLate as late:
            told = f"{self.page.url} shows: {self.text()} {self.complaints}"
            raise AssertionError(told) from late

    def go(self, path: str) -> int:
        """Open a page of ours; its status."""
        answer = self.page.goto(self.url + path)
        assert answer is not None
        return answer.status

    def text(self) -> str:
        """What is written on the page."""
        return self.page.locator("main").inner_text()

    def part(self, heading: str) -> Locator:
        """The card with that heading."""
        return self.page.locator("section.card").filter(
            has=self.page.get_by_role("heading", name=heading, exact=True)
        )

    def figure(self, name: str) -> str:
        """What the Sender Warming card says of `name`."""
        term = self.page.locator("#live dt", has_text=name)
        return term.locator("xpath=following-sibling::dd").inner_text()

    def violations(self) -> list[str]:
        """What axe finds, on the page as it is."""
        self.page.evaluate(f"{AXE.read_text()};0")
        found = self.page.evaluate("axe.run()")["violations"]
        return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found]

    def overflow_px(self) -> int:
        """How much wider the page is than the window."""
        return self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
