"""The few pages of access: one frame and one style sheet, no script."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Final

from fastapi.responses import HTMLResponse

from steelsight.service.problem import Problem

__all__ = ["STYLE", "STYLE_PATH", "page", "sentence"]

STYLE_PATH: Final = "/access/style.css"
STYLE: Final = (Path(__file__).parent / "pages.css").read_text(encoding="utf-8")
_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{style}">
</head>
<body>
<main>
<h1>{heading}</h1>
{body}
</main>
</body>
</html>
"""


def page(heading: str, body: str, status: int = 200) -> HTMLResponse:
    """A page that nothing stores.

    heading  text
    body     HTML, escaped by the caller
    """
    title = heading if "Steelsight" in heading else f"{heading} · Steelsight"
    text = _PAGE.format(title=escape(title), heading=escape(heading), body=body, style=STYLE_PATH)
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return HTMLResponse(text, status_code=status, headers=headers)


def sentence(problem: Problem) -> str:
    """A refusal as a sentence of HTML; what stands between ` as code."""
    text = f"{problem.message}; {problem.advice}."
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(f"{text[0].upper()}{text[1:]}"))
