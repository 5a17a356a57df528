"""Templates to answers: language, navigation and escaping are the same on every page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache, partial
from typing import Any, Final

import jinja2
from fastapi.responses import HTMLResponse
from markupsafe import Markup, escape
from starlette.requests import Request

from steelsight.ledger.chain.canonical import time_text
from steelsight.names import on_one_line, shown_name
from steelsight.runtime.drift import AS_USUAL, UNDECIDED, Drift
from steelsight.service.access.html import STYLE_PATH
from steelsight.service.access.roles import Caller
from steelsight.service.pages.navigation import places_of
from steelsight.service.pages.static_files import static_url
from steelsight.service.pages.words import LANGUAGES, Words, language_of, words_in
from steelsight.service.problem import Problem
from steelsight.service.reviewing.people import viewer
from steelsight.service.wording.refusals import refusal_text

__all__ = ["fragment", "render", "shown"]

LONGEST_SHOWN: Final = 120  # characters of a name; the whole one is in its title


def shown(text: object, longest: int = LONGEST_SHOWN) -> Markup:
    """A name of a file, a coil or a person as text: no character of it acts, and its direction is its own.

    longest  characters; of a longer text the beginning, with the whole as its title
    """
    whole = on_one_line(shown_name(str(text)))
    cut = whole if len(whole) <= longest else whole[: longest - 1] + "…"
    title = "" if cut == whole else Markup(' title="{}"').format(whole)
    return Markup("<bdi{}>{}</bdi>").format(title, escape(cut))


def _utc(microseconds: int) -> str:
    """A time to the second; scripts show it by the clock of the person's own zone."""
    return f"{time_text(microseconds)[:19]}Z"


def _calm(drifts: Sequence[tuple[str, Sequence[Drift]]]) -> int:
    """How many properties of all bundles show no drift."""
    return sum(each.level in (AS_USUAL, UNDECIDED) for _, rows in drifts for each in rows)


def _told(words: Words, problem: Problem) -> tuple[str, str]:
    """A refusal as text of one line, and its language."""
    text, language = refusal_text(words, problem)
    return on_one_line(shown_name(text)), language


@cache
def _environment(language: str) -> jinja2.Environment:
    words = words_in(language)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("steelsight.service.pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(words.catalog, newstyle=True)  # type: ignore[attr-defined]
    environment.filters.update(
        shown=shown,
        number=words.number,
        percent=words.percent,
        utc=_utc,
        told=partial(_told, words),
        attribute=lambda value: json.dumps(value, ensure_ascii=False),
    )
    environment.globals.update(static=static_url, words=words, calm=_calm)
    return environment


def fragment(request: Request, template: str, **values: Any) -> str:
    """A part of a page as HTML, in the language of the request."""
    return _environment(language_of(request)).get_template(template).render(**values)


def render(
    request: Request, template: str, caller: Caller, *, status: int = 200, **values: Any
) -> HTMLResponse:
    """A whole page.

    values  of the template, beside those of the frame
    """
    language = language_of(request)
    frame = {
        "language": language,
        "languages": LANGUAGES,
        "places": places_of(caller),
        "caller": caller,
        "person": viewer(request.app.state.service, caller) or "",
        "path": request.url.path,
        "base_style": STYLE_PATH,
        "script_words": script_words(words_in(language)),
    }
    return HTMLResponse(fragment(request, template, **frame, **values), status_code=status)


def script_words(words: Words) -> dict[str, str]:
    """What the scripts say, by a name of their own."""
    return {
        "waiting": words("%(number)s answers wait for the network. They are kept in this browser."),
        "logged_out": words("You are logged out. Your answers are kept in this browser."),
        "log_in": words("Log in again in a new tab"),
        "other_person": words(
            "Answers of another person are kept in this browser until that person logs in."
        ),
        "refused": words("An answer was not accepted: %(reason)s"),
        "meanwhile": words("This sheet was reviewed meanwhile: %(answer)s"),
        "second": words("Send as a second opinion"),
        "drop": words("Drop my answer"),
        "no_more": words("No sheet waits for you."),
        "offline": words("No network. The next sheet comes when it is back."),
        "loading": words("Loading the next sheet …"),
        "no_image": words("The image of this sheet is gone. You can still answer, or go on."),
        "no_map": words("No map"),
        "map_of": words("Map of %(label)s"),
        "choose_label": words("Choose what the sheet shows first."),
        "mark_first": words("Paint or box a place, or choose a cause first."),
        "undone": words("Taken back. The earlier answer stays on record as withdrawn."),
        "nothing_to_undo": words("There is nothing to undo."),
        "live": words("live"),
        "paused": words("paused"),
        "reconnecting": words("connecting again"),
        "defect": words("defect"),
        "decided": words("decided"),
        "doubtful": words("doubtful"),
        "unknown_input": words("unknown input"),
        "bad_image": words("bad image"),
        "stream_lost": words("The stream was reset: the ledger was restored. The page loads again."),
        "logged_out_line": words("You are logged out, so no verdicts come."),
        "log_in_here": words("Log in again"),
        "comment_long": words("%(number)s of 5000 characters"),
    }
