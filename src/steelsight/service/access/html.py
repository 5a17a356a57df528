"""The few pages of access: one frame and one style sheet, no script."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Final

from fastapi.responses import HTMLResponse

from steelsight.service.problem import Problem
from steelsight.service.wording.page_words import PageWords
from steelsight.service.wording.refusals import refusal_text

__all__ = ["STYLE", "STYLE_PATH", "page", "sentence"]

STYLE_PATH: Final = "/access/style.css"
STYLE: Final = (Path(__file__).parent / "pages.css").read_text(encoding="utf-8")
_PAGE: Final = """<!DOCTYPE html>
<html lang="{language}">
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


def page(words: PageWords, heading: str, body: str, status: int = 200) -> HTMLResponse:
    """A page that nothing stores.

    words    whose language heading and body are in
    heading  text
    body     HTML, escaped by the caller
    """
    title = heading if "Steelsight" in heading else f"{heading} · Steelsight"
    values = {"title": escape(title), "heading": escape(heading), "body": body, "style": STYLE_PATH}
    text = _PAGE.format(**values, language=words.language)
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return HTMLResponse(text, status_code=status, headers=headers)


def sentence(words: PageWords, problem: Problem) -> str:
    """A refusal as a sentence of HTML; what stands between ` as code."""
    text, language = refusal_text(words, problem)
    marked = re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))
    return marked if language == words.language else f'<span lang="{language}">{marked}</span>'
