"""Tables beside the chain: which reviewer has which sheet now, and who has seen which verdict."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Table, Text

from steelsight.ledger.database.base import metadata

__all__ = ["OF_PEOPLE", "claims", "seen_sheets", "watches"]

claims: Final = Table(  # one reviewer a sheet, until the claim ends
    "claims",
    metadata,
    Column("sheet", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("claim", Text, nullable=False),  # random: a later claim of the same sheet is another one
    Column("claimed_us", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    Index("claims_by_person", "person", "until_us"),
)

seen_sheets: Final = Table(  # of sheets drawn for audit and known cases: a person has seen the verdict; of
    # sheets for a second review: a person has seen what others said
    "seen_sheets",
    metadata,
    Column("person", Text, primary_key=True),
    Column("sheet", Text, primary_key=True),
    Column("seen_us", BigInteger, nullable=False),
)

watches: Final = Table(  # times in which a person followed every verdict, as on the page Line
    "watches",
    metadata,
    Column("watch", Text, primary_key=True),  # random
    Column("person", Text, nullable=False),
    Column("from_us", BigInteger, nullable=False),  # verdicts entered from here on were shown
    Column("until_us", BigInteger, nullable=False),
    Index("watches_by_person", "person", "from_us"),
)

OF_PEOPLE: Final = (claims, seen_sheets, watches)  # each with a column `person`
