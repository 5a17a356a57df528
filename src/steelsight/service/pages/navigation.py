"""The pages of the console, in the order of the navigation, and the permission that each needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from steelsight.service.access.roles import Caller, Permission

__all__ = ["N_", "PAGES", "PagePlace", "places_of"]


def N_(message: str) -> str:  # noqa: N802  the name that extraction knows
    """Marks a message for the catalogs."""
    return message


@dataclass(frozen=True)
class PagePlace:
    """One page."""

    address: str
    name: str  # a message
    permission: Permission


PAGES: Final = (
    PagePlace("/line", N_("Line"), Permission.READ),
    PagePlace("/coils", N_("Coils"), Permission.READ),
    PagePlace("/review", N_("Review"), Permission.REVIEW),
    PagePlace("/quality", N_("Quality"), Permission.EXPORT),
    PagePlace("/admin", N_("Admin"), Permission.USERS),
    PagePlace("/audit", N_("Audit log"), Permission.AUDIT),
    PagePlace("/models", N_("Models"), Permission.READ),
)


def places_of(caller: Caller) -> tuple[PagePlace, ...]:
    """The pages that a caller may open."""
    return tuple(each for each in PAGES if caller.may(each.permission))
