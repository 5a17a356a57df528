"""The languages of the console: which one a request wants, its catalog, and how it writes numbers."""

from __future__ import annotations

import gettext
from functools import cache
from importlib.resources import files
from typing import Final

from starlette.requests import Request

__all__ = ["COOKIE", "LANGUAGES", "Words", "language_of", "words_in"]

LANGUAGES: Final = {"en": "English", "de": "Deutsch"}
DEFAULT: Final = "en"
COOKIE: Final = "steelsight_language"
DOMAIN: Final = "console"


class Words:
    """The words of one language.

    language  a key of LANGUAGES
    """

    def __init__(self, language: str) -> None:
        self.language = language
        catalog = files("steelsight.service.pages") / "locale" / language / "LC_MESSAGES" / f"{DOMAIN}.mo"
        with catalog.open("rb") as file:
            self.catalog = gettext.GNUTranslations(file)

    def __call__(self, message: str, **values: object) -> str:
        """A message in this language; `%(name)s` in it is replaced."""
        found = self.catalog.gettext(message)
        return found % values if values else found

    def number(self, value: float | int, digits: int = 0) -> str:
        """A number with the separators of this language.

        >>> Words("de").number(1234.5, 1), Words("en").number(1234.5, 1)
        ('1.234,5', '1,234.5')
        """
        text = f"{value:,.{digits}f}"
        return text.translate(str.maketrans(",.", ".,")) if self.language == "de" else text

    def small(self, value: float | int) -> str:
        """A small number with two digits that count, such as a difference of probabilities.

        >>> Words("de").small(0.02), Words("de").small(6.6e-6), Words("en").small(6.6e-6)
        ('0,02', '6,6e-06', '6.6e-06')
        """
        text = f"{value:.2g}"
        return text.replace(".", ",") if self.language == "de" else text

    def percent(self, share: float | int, digits: int = 0) -> str:
        """A share as a percentage; 0 and 1 are kept for what is exactly so."""
        shown = round(100 * share, digits)
        least = 10.0**-digits
        if shown == 0 and share > 0:
            return f"< {self.number(least, digits)} %"
        if shown == 100 and share < 1:
            return f"> {self.number(100 - least, digits)} %"
        return f"{self.number(shown, digits)} %"


@cache
def words_in(language: str) -> Words:
    """The words of a language, read once."""
    return Words(language)


def language_of(request: Request) -> str:
    """The language that was chosen, else the first of the browser's that exists, else English."""
    chosen = request.cookies.get(COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    wanted: list[tuple[float, str]] = []
    for part in request.headers.get("accept-language", "")[:500].split(","):
        name, _, weight = part.strip().partition(";q=")
        try:
            wanted.append((-float(weight or 1), name.partition("-")[0].lower()))
        except ValueError:
            continue
    return next((name for _, name in sorted(wanted, key=lambda each: each[0]) if name in LANGUAGES), DEFAULT)
