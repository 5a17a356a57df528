"""Messages whose last word is a value of the program: named here, so that the catalogs hold each."""

from __future__ import annotations

from typing import Final

from steelsight.service.pages.navigation import N_

__all__ = ["TERMS"]

TERMS: Final = (
    *(N_("role viewer"), N_("role operator"), N_("role engineer"), N_("role auditor"), N_("role admin")),
    *(N_("order doubt"), N_("order newest"), N_("order cost")),
    *(N_("only all"), N_("only undecided"), N_("only defects")),
    *(N_("answer confirmed"), N_("answer corrected"), N_("answer unsure")),
    *(N_("stain"), N_("sheet end")),
    *(N_("priority high"), N_("priority medium"), N_("priority low")),
    *(N_("reason maintenance"), N_("reason known cause"), N_("reason false alarm"), N_("reason trial")),
    N_("reason other"),
    *(N_("property gray_mean"), N_("property gray_spread"), N_("property confidence")),
    *(N_("property distance"), N_("property class_shares")),
    *(N_("level slight"), N_("level clear")),
    *(N_("permission read"), N_("permission inspect"), N_("permission review"), N_("permission export")),
    *(N_("permission configure"), N_("permission audit"), N_("permission users")),
    *(N_("token valid"), N_("token revoked"), N_("token expired")),
)
