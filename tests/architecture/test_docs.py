"""Documentation that can be found, and that names only what exists."""

from __future__ import annotations

import re

import pytest

from tests.architecture.source import PACKAGE, ROOT, python_files, shown

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
LINKED_FROM = [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def targets(path) -> list[str]:
    """The files that a page links to, without addresses on the web and places in the page."""
    found = LINK.findall(path.read_text(encoding="utf-8"))
    return [link.partition("#")[0] for link in found if "://" not in link and link[0] != "#"]


def reachable_from(page) -> set:
    """The page and all that a reader comes to from it by links inside `docs/`."""
    seen, waiting = set(), [page]
    while waiting:
        here = waiting.pop()
        if here in seen or here.suffix != ".md" or not here.is_file():
            continue
        seen.add(here)
        waiting += [
            there for t in targets(here) if DOCS in (there := (here.parent / t).resolve()).parents
        ]
    return seen


def test_a_reader_comes_to_every_page_from_the_index():
    found = reachable_from(DOCS / "README.md")
    assert [shown(page) for page in PAGES if page not in found] == []


def test_every_decision_is_linked_from_the_index_of_decisions():
    linked = {(DOCS / "adr" / target).resolve() for target in targets(DOCS / "adr" / "README.md")}
    decisions = [page for page in PAGES if page.parent == DOCS / "adr" and page.stem != "README"]
    assert [shown(page) for page in decisions if page not in linked] == []


def test_a_newcomer_is_told_what_each_folder_of_the_package_holds():
    rows = re.findall(r"^\| (`[^|]*`) \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    told = [folder for row in rows for folder in re.findall(r"`(\w+)/`", row)]
    assert sorted(told) == sorted(init.parent.name for init in PACKAGE.glob("*/__init__.py"))


@pytest.mark.parametrize("page", LINKED_FROM, ids=shown)
def test_every_link_leads_somewhere(page):
    missing = [target for target in targets(page) if not (page.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize(
    "page", [p for p in PAGES if re.match(r"\d{4}-", p.name)], ids=lambda p: p.name
)
def test_a_decision_says_why_and_what_follows(page):
    text = page.read_text(encoding="utf-8")
    number = page.name[:4]
    assert text.startswith(f"# {int(number)}. ")
    headings = [f"## {heading}" for heading in ("Context", "Decision", "Consequences")]
    assert [heading for heading in headings if heading not in text] == []


def test_decisions_are_numbered_without_a_gap():
    numbers = [int(page.name[:4]) for page in PAGES if re.match(r"\d{4}-", page.name)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_what_the_code_cites_of_the_design_is_there():
    design = (DOCS / "design.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^## (\d+)\. ", design, re.MULTILINE))
    rules = set(re.findall(r"^(\d+)\. \*\*", design, re.MULTILINE))
    cited = {shown(path): path.read_text(encoding="utf-8") for path in python_files()}
    assert sum("DESIGN §" in text for text in cited.values()) > 10
    for name, text in cited.items():
        assert set(re.findall(r"DESIGN §(\d+)", text)) <= sections, name
        assert set(re.findall(r"\(rule (\d+)\)", text)) <= rules, name
