"""Hooks of MkDocs: adds the generated pages, mends links and tables, lists every page in the navigation.

mkdocs.yml names this file. The pages are made from the package that is imported, so the site describes the
version it was built with.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from mkdocs.structure.files import File
from site_cli import cli_pages
from site_errors import errors_page
from site_formats import formats_page
from site_http import http_page, openapi
from site_links import project_pages, site_markdown
from site_python import python_pages
from site_recipe import recipe_page
from site_tables import titled_cells

ROOT: Final = Path(__file__).parents[2]


def generated_pages() -> dict[str, str]:
    """Path and text of every page that no file in `docs` holds."""
    return {
        **cli_pages(),
        **python_pages(),
        **project_pages(ROOT),
        "reference/recipe.md": recipe_page(),
        "reference/formats.md": formats_page(),
        "reference/http.md": http_page(openapi()),
        "reference/errors.md": errors_page(),
    }


def on_config(config: Any) -> Any:
    """List pages that mkdocs.yml does not name at the end of the navigation, so that none is missing."""
    named = set(_named(config.nav))
    docs = Path(config.docs_dir)
    left = sorted(
        path.relative_to(docs).as_posix()
        for path in docs.rglob("*.md")
        if path.relative_to(docs).as_posix() not in named
    )
    if left:
        config.nav.append({"Further": left})
    return config


def _named(nav: Any) -> list[str]:
    """Every path of a navigation."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [path for part in parts for path in _named(part)]


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages."""
    for path, text in generated_pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Mend the links of a file in `docs`; generated pages have right ones."""
    path = page.file.src_uri
    if page.file.generated_by is not None:
        return markdown
    return site_markdown(markdown, source=f"docs/{path}", page=path, root=ROOT)


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """Name the cells of the reference's tables, which a narrow screen shows as lists."""
    return titled_cells(html) if page.file.src_uri.startswith("reference/") else html


def on_post_page(output: str, **_: Any) -> str:
    """Name the dialog of the search, to which the theme gives no name."""
    return output.replace('role="dialog">', 'role="dialog" aria-label="Search">')
