"""The few pages of access: one frame and one style sheet, no script."""

from __future__ import annotations

import re
from html import escape
from typing import Final

from fastapi.responses import HTMLResponse

from steelsight.service.problem import Problem

__all__ = ["STYLE", "STYLE_PATH", "page", "sentence"]

STYLE_PATH: Final = "/access/style.css"
STYLE: Final = """:root { color-scheme: light dark; --line: #7d7d7d; --note: #b3261e; --accent: #0b57a4;
  --on: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --note: #ff8a80; --accent: #8ab8f0; --on: #111; }
}
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; background: Canvas; color: CanvasText; }
main { max-width: 34rem; margin: 12vh auto 2rem; padding: 0 1.25rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 1rem; }
a { color: var(--accent); }
label { display: block; margin: 0 0 1rem; }
input { display: block; width: 100%; margin-top: .25rem; padding: .5rem .6rem; font: inherit;
  color: inherit; background: Field; border: 1px solid var(--line); border-radius: 4px; }
input[readonly] { background: transparent; }
button { padding: .5rem 1rem; font: inherit; font-weight: 600; color: var(--on); background: var(--accent);
  border: 0; border-radius: 4px; cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; margin: 0 0 1.25rem; }
dt { opacity: .75; }
dd { margin: 0; }
ul { margin: 0 0 1.5rem; padding-left: 1.25rem; }
.note { color: var(--note); }
"""
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
