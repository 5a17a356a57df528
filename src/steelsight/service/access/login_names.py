"""Login names: one form for each, so that no two look alike."""

from __future__ import annotations

import unicodedata
from typing import Final

from steelsight.errors import BadAccount

__all__ = ["normalise_login", "wanted_login"]

LONGEST: Final = 100
MARKS: Final = frozenset("._-@+")


def normalise_login(text: str) -> str:
    """The form under which a login name is stored and looked up: NFKC, case folded, no space around it.

    >>> normalise_login(" Ａdmin ")
    'admin'
    """
    form, before = text[: 4 * LONGEST], None
    while form != before:  # one step can make room for another: a compatibility form that begins with a space
        form, before = unicodedata.normalize("NFKC", form.strip().casefold()), form
    return form


def wanted_login(text: str) -> str:
    """The normalised form of a login name for a new account.

    raises  BadAccount: too long, other characters than letters, digits and `._-@+`, or letters of several
            scripts, as in a name with one Cyrillic letter among Latin ones
    """
    login = normalise_login(text)
    plain = all(each.isalnum() or each in MARKS for each in login)
    if not login or len(login) > LONGEST or len(text) > LONGEST or not plain or not login[0].isalnum():
        raise BadAccount(
            f"login: expected 1 to {LONGEST} letters, digits and any of {' '.join(sorted(MARKS))}, beginning "
            f"with a letter or digit, got {text!r:.120}"
        )
    scripts = {unicodedata.name(each, "?").split()[0] for each in login if each.isalpha()}
    if len(scripts) > 1:
        raise BadAccount(
            f"login: expected letters of one script, got {', '.join(sorted(scripts)).lower()} in {text!r:.99}"
        )
    return login
