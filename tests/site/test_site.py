"""The site builds without a warning, its links lead somewhere, and nothing comes from another host."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytest.importorskip("mkdocs", reason="needs the extra [docs]: `make docs` installs it")
pytest.importorskip("mkdocstrings", reason="needs the extra [docs]: `make docs` installs it")

ROOT = Path(__file__).parents[2]
LOADED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("form", "action")}
LOADING_RELS = {"stylesheet", "icon", "preload", "preconnect", "dns-prefetch", "modulepreload", "manifest"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built strictly."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = {name: value or "" for name, value in attrs}
        self.ids |= {values[key] for key in ("id", "name") if key in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        self.loaded += [values[key] for kind, key in LOADED if tag == kind and key in values]
        if tag == "link" and LOADING_RELS & set(values.get("rel", "").split()):
            self.loaded.append(values["href"])


@pytest.fixture(scope="module")
def pages(site):
    return {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}


def test_every_part_of_the_site_is_there(site, pages):
    assert len(pages) > 60
    for name in (
        "index",
        "start",
        "troubleshooting",
        "reference/cli/lab",
        "reference/http",
        "project/changelog",
    ):
        assert (site / f"{name}.html").is_file(), name
    assert "steelsight train" in (site / "reference/cli/lab.html").read_text(encoding="utf-8")


def test_every_link_leads_to_a_page_and_a_place_of_it(site, pages):
    wrong = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or path.name == "404.html":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                wrong.append(f"{path.relative_to(site)}: {link}")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
                wrong.append(f"{path.relative_to(site)}: {link} names no place there")
    assert not wrong


def test_nothing_is_loaded_from_another_host(site, pages):
    foreign = [
        f"{path.relative_to(site)}: {each}"
        for path, page in pages.items()
        for each in page.loaded
        if urlsplit(each).netloc
    ]
    foreign += [
        f"{path.relative_to(site)}: {found}"
        for path in site.rglob("*.css")
        for found in re.findall(
            r"(?:@import|url\()\s*[\"']?(https?:[^\"')\s]+)", path.read_text(encoding="utf-8")
        )
    ]
    assert not foreign


def test_docstrings_become_lists():
    from site_docstrings import as_markdown

    assert as_markdown("Sum.\n\nimages  (n, h, w)\n        uint8\nraises  BadInput\n\n>>> f()\n1") == (
        "Sum.\n\n- `images`: (n, h, w) uint8\n- `raises`: BadInput\n\n```pycon\n>>> f()\n1\n```"
    )
    assert as_markdown("One\n    two") == "One\n    two"


def test_comments_behind_fields_are_their_docstrings():
    from site_docstrings import field_comment

    assert field_comment("    name: str = '#'  # of the coil, for # 1") == "of the coil, for # 1"
    assert field_comment("    sizes: tuple[\n        int, ...  # px\n    ] = ()  # by row") == "px by row"
    assert field_comment("    method: str") == ""


def test_names_of_the_api_have_their_members_and_fields_on_the_reference(pages, site):
    folder = site / "reference" / "python"
    names, results = (pages[folder / f"{page}.html"].ids for page in ("api", "results"))
    run = "steelsight.api.lab.run.Run"
    assert {
        f"{run}.{name}" for name in ("evaluate", "explain", "gate", "layers", "metrics", "folder")
    } <= names
    evaluation = "steelsight.api.results.evaluation.EvaluationResult"
    assert {f"{evaluation}.{name}" for name in ("folder", "metrics", "table")} <= results
    assert "with report.html, metrics.json and predictions.parquet" in (folder / "results.html").read_text(
        encoding="utf-8"
    )


def test_search_knows_the_reference(site):
    index = (site / "search" / "search_index.js").read_text(encoding="utf-8")
    assert "learning_rate" in index
    assert "BadAnnotation" in index


def test_cells_of_the_reference_have_titles_and_the_search_has_a_name(site):
    page = (site / "reference" / "recipe.html").read_text(encoding="utf-8")
    cells = re.findall(r"<td\b[^>]*>", page)
    assert len(cells) > 100
    assert all("data-title=" in cell for cell in cells)
    assert 'role="dialog" aria-label="Search"' in page
    results = (site / "results" / "training.html").read_text(encoding="utf-8")
    assert "data-title=" not in results  # tables of figures stay tables
