"""Links of the repository's Markdown files lead somewhere where the files lie, not only on the site."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from site_hooks import generated_pages
from site_links import GENERATED, INDEX, PROJECT, site_markdown

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / name for name in PROJECT), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@cache
def prose(path: Path) -> str:
    """A file's text without its fenced blocks."""
    return FENCED.sub("", path.read_text(encoding="utf-8"))


@cache
def sections(path: Path) -> frozenset[str]:
    """Anchors that GitHub gives the headings of a file."""
    found: list[str] = []
    for title in HEADING.findall(prose(path)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).strip().lower()
        name = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        again = sum(re.fullmatch(rf"{re.escape(name)}(-\d+)?", each) is not None for each in found)
        found.append(f"{name}-{again}" if again else name)
    return frozenset(found)


def dead_links(path: Path) -> list[str]:
    """Links of a file that lead to no file or folder, or to no section of it."""
    dead = []
    for link in LINK.findall(re.sub(r"`[^`]*`", "", prose(path))):
        target, _, part = link.partition("#")
        if ":" in target:
            continue
        place = (path.parent / target).resolve() if target else path
        if not place.exists() or (part and place.suffix == ".md" and part not in sections(place)):
            dead.append(link)
    return dead


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere_in_the_repository(path):
    assert dead_links(path) == []


def test_dead_links_are_found(tmp_path):
    (tmp_path / "a.md").write_text("# A `b`, c\n\n## C\n\n```\n# D\n[x](none.md)\n```\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[1](a.md) [2](a.md#a-b-c) [3](a.md#d) [4](none.md) [5](https://a.b/c) [6](#c) `[7](no.md)`\n"
    )
    assert dead_links(page) == ["a.md#d", "none.md", "#c"]


def test_sections_that_stand_for_generated_pages_exist():
    assert set(GENERATED) <= sections(ROOT / INDEX)
    assert set(GENERATED.values()) <= set(generated_pages())


@pytest.mark.parametrize(("section", "place"), GENERATED.items())
def test_a_section_of_the_reference_is_its_page_on_the_site(section, place):
    def shown(text: str, page: str) -> str:
        return site_markdown(text, source=f"docs/{page}", page=page, root=ROOT)

    assert shown(f"[a](../reference/index.md#{section})", "guides/index.md") == f"[a](../{place})"
    below = place.removeprefix("reference/")
    assert shown(f"[a](#{section})", "reference/index.md") == f"[a]({below})"
    assert shown(f"[a](#{section})", "guides/index.md") == f"[a](#{section})"
