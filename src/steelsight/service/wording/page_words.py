"""The words of a request's language; English where the application has no catalogs."""

from __future__ import annotations

from typing import Final, Protocol, runtime_checkable

from starlette.requests import Request

__all__ = ["ENGLISH", "PageWords", "words_of"]


@runtime_checkable
class PageWords(Protocol):
    """Says a message in one language."""

    language: str  # as the attribute lang of HTML has it

    def __call__(self, message: str, **values: object) -> str:
        """A message in this language; `%(name)s` in it is replaced."""
        ...


class _English:
    """The messages as they stand in the source."""

    language = "en"

    def __call__(self, message: str, **values: object) -> str:
        return message % values if values else message


ENGLISH: Final[PageWords] = _English()


def words_of(request: Request) -> PageWords:
    """The words for a request, as `app.state.words_of` chooses them; English where there is none."""
    choose = getattr(request.app.state, "words_of", None)
    found: PageWords = ENGLISH if choose is None else choose(request)
    return found
