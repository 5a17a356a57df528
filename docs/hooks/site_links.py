"""Markdown that is right on the site as well as where the files lie: links out of `docs`, and lists."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Final

__all__ = ["GENERATED", "INDEX", "PROJECT", "project_pages", "site_markdown"]

# Files beside `docs` that are pages of the site too.
PROJECT: Final = {
    "README.md": "project/index.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "SECURITY.md": "project/security.md",
}
# Sections of the index of the reference that stand for generated pages. In the repository a link to such a
# section leads there; on the site it leads to the page.
INDEX: Final = "docs/reference/index.md"
GENERATED: Final = {
    "command-line": "reference/cli/index.md",
    "recipe-keys": "reference/recipe.md",
    "file-formats": "reference/formats.md",
    "http-api": "reference/http.md",
    "python-modules": "reference/python/api.md",
    "error-messages": "reference/errors.md",
}
_LINK: Final = re.compile(r"(?P<bang>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
_ITEM: Final = re.compile(r"[-*] ")  # of a list


def project_pages(root: Path) -> dict[str, str]:
    """Path on the site and text of the files beside `docs`, with links as `site_markdown` writes them."""
    return {
        page: site_markdown((root / name).read_text(encoding="utf-8"), source=name, page=page, root=root)
        for name, page in PROJECT.items()
    }


def site_markdown(text: str, *, source: str, page: str, root: Path) -> str:
    """A file's text as the site shows it.

    source  path of the file from the root of the repository
    page    path of its page from the root of the site
    A link to a file that is a page, a picture or a table of the site leads there; a link to a section of
    `GENERATED` leads to its page; a link to another file of the repository becomes its text. A list below a
    line of text and what follows a comment get the empty line that they need here.
    """
    changed = _outside_code(
        text, lambda line: _LINK.sub(lambda found: _link(found, source, page, root), line)
    )
    return _separate_blocks(changed)


def _link(found: re.Match[str], source: str, page: str, root: Path) -> str:
    target, hash_, part = found["target"].partition("#")
    if ":" in target or not (target or source == INDEX):
        return found[0]
    path = os.path.normpath(PurePosixPath(source).parent / target).replace(os.sep, "/") if target else source
    place = PROJECT.get(path)
    if path == INDEX and part in GENERATED:
        place, hash_, part = GENERATED[part], "", ""
    if place is None and path.startswith("docs/"):
        place = path.removeprefix("docs/")
        if not (root / path).is_file():  # a generated page, or an error that the strict build reports
            place = place if path.endswith(".md") else None
    if place is None:
        return found["text"]
    relative = os.path.relpath(place, PurePosixPath(page).parent).replace(os.sep, "/")
    return f"{found['bang']}[{found['text']}]({relative}{hash_}{part})"


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    """Change every line that is in no fenced block."""
    inside, lines = False, []
    for line in text.split("\n"):
        fence = line.lstrip().startswith("```")
        inside ^= fence
        lines.append(line if inside or fence else change(line))
    return "\n".join(lines)


def _separate_blocks(text: str) -> str:
    inside, above, lines = False, "", []
    for line in text.split("\n"):
        inside ^= line.lstrip().startswith("```")
        starts = _ITEM.match(line) and above and not above.startswith((" ", "#", "- ", "* ", "|", "```"))
        continues = bool(lines) and _in_list(lines)
        if not inside and starts and not continues:
            lines.append("")
        lines.append(line)
        if not inside and line.startswith("<!--"):  # what follows is a block of its own
            lines.append("")
        above = line
    return "\n".join(lines)


def _in_list(lines: list[str]) -> bool:
    """Whether the block of lines above is a list, whose item may run over several lines without an indent."""
    for line in reversed(lines):
        if not line.strip():
            return False
        if _ITEM.match(line):
            return True
    return False
