"""Scripts, style sheets and the vendored libraries: files of the package, served as they are."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, Final

from fastapi import APIRouter, Path, Response

from steelsight.service.problem import Problem

__all__ = ["router", "static_url"]

STATIC: Final = "/static/"
YEAR_S: Final = 31_536_000
KINDS: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}

router = APIRouter(include_in_schema=False)


@cache
def _contents() -> dict[str, bytes]:
    """Every file by its name below the folder; nothing else is ever served."""
    found: dict[str, bytes] = {}

    def collect(folder: Traversable, before: str) -> None:
        for each in folder.iterdir():
            if each.is_dir():
                collect(each, f"{before}{each.name}/")
            elif each.name.rpartition(".")[2] in KINDS:
                found[before + each.name] = each.read_bytes()

    collect(files("steelsight.service.pages") / "static", "")
    return found


@cache
def static_url(name: str) -> str:
    """The address of a file; it changes with the content, so that browsers may keep it.

    raises  KeyError for a file that does not exist: a fault of a template
    """
    return f"{STATIC}{name}?v={hashlib.sha256(_contents()[name]).hexdigest()[:12]}"


@router.get(STATIC + "{name:path}")
def get_static(name: Annotated[str, Path(max_length=200)], v: str = "") -> Response:
    """One file; an address with the version in it may be kept for ever."""
    content = _contents().get(name)
    if content is None:
        raise Problem(404, "not_found", f"there is no file {name!r:.120}", "load the page again")
    headers = {"Cache-Control": f"public, max-age={YEAR_S if v else 60}" + (", immutable" if v else "")}
    return Response(content, media_type=KINDS[name.rpartition(".")[2]], headers=headers)
