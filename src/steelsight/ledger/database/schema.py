"""The tables: entries and writers are the record; read models follow from it; people can be erased."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from steelsight.ledger.database import accounts, outbox, reviewing
from steelsight.ledger.database.base import Row, metadata
from steelsight.ledger.database.idempotency import idempotency_keys

__all__ = [
    "ABOUT_PEOPLE",
    "COPIED",
    "READ_MODELS",
    "draws",
    "entries",
    "events",
    "idempotency_keys",
    "ledger",
    "metadata",
    "people",
    "pruned_images",
    "recommendations",
    "review_marks",
    "reviews",
    "second_reviews",
    "sheets",
    "texts",
    "verdicts",
    "withdrawals",
    "writers",
]

ledger: Final = Table(  # one row
    "ledger",
    metadata,
    Column("id", Text, primary_key=True),
    Column("epoch", Integer, nullable=False),  # 1; a restore begins the next
    Column("created_us", BigInteger, nullable=False),
)

entries: Final = Table(  # append-only: triggers refuse every change
    "entries",
    metadata,
    Column("id", Row, primary_key=True, autoincrement=True),  # commits may come out of this order
    Column("writer", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),  # canonical JSON: what is hashed
    Column("digest", LargeBinary, nullable=False),  # SHA-256 of the body
    UniqueConstraint("writer", "seq", name="one_entry_a_number"),
)

writers: Final = Table(
    "writers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),  # of its last entry; 0 = none
    Column("digest", LargeBinary, nullable=False),  # of its last entry
    Column("holder", Text),  # random token of the process that may write; NULL = free
    Column("holder_name", Text),  # host and process, for messages
    Column("lease_until_us", BigInteger, nullable=False),
)

sheets: Final = Table(
    "sheets",
    metadata,
    Column("sheet", Text, primary_key=True),
    Column("writer", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("entered_us", BigInteger, nullable=False),
    Column("station", Text, nullable=False),
    Column("item", Text, nullable=False),
    Column("image_hash", Text),
    Column("image", Text),
    Column("width", BigInteger),
    Column("height", BigInteger),
    Column("captured_us", BigInteger, nullable=False),
    Column("coil", Text),
    Column("position_m", Double),
    Column("length_m", Double),
    Column("across_mm", Double),
    Column("side", Text),
    Column("repeated", Boolean, nullable=False),
    Index("sheets_by_image", "image_hash"),
    Index("sheets_by_coil", "coil", "position_m"),
    Index("sheets_by_time", "captured_us", "sheet"),
    Index("sheets_by_station", "station", "captured_us", "sheet"),
)

verdicts: Final = Table(  # with what lists filter by, so that a page is one range of one index
    "verdicts",
    metadata,
    Column("writer", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("sheet", Text, nullable=False),
    Column("entered_us", BigInteger, nullable=False),
    Column("mode", Text, nullable=False),
    Column("bundle", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("probability", Double),
    Column("probabilities", Text, nullable=False),  # canonical JSON
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("regions", Text, nullable=False),  # canonical JSON
    Column("distance", Double),
    Column("engine", Text, nullable=False),
    Column("precision", Text, nullable=False),
    Column("latency_ms", Double),
    Column("station", Text, nullable=False),
    Column("captured_us", BigInteger, nullable=False),
    Column("coil", Text),
    Column("position_m", Double),
    Index("verdicts_by_time", "captured_us", "writer", "seq"),
    Index("verdicts_by_station", "station", "captured_us", "writer", "seq"),
    Index("verdicts_by_label", "label", "captured_us", "writer", "seq"),
    Index("verdicts_by_state", "state", "captured_us", "writer", "seq"),
    Index("verdicts_by_coil", "coil", "captured_us", "writer", "seq"),
    Index("verdicts_by_sheet", "sheet"),
)

draws: Final = Table(
    "draws",
    metadata,
    Column("sheet", Text, primary_key=True),
    Column("writer", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("stratum", Text, nullable=False),
    Column("probability", Double, nullable=False),
    Column("value", Double, nullable=False),
)

reviews: Final = Table(
    "reviews",
    metadata,
    Column("writer", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("sheet", Text, nullable=False),
    Column("entered_us", BigInteger, nullable=False),
    Column("person", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("label", Text),
    Column("verdict_writer", Text),
    Column("verdict_seq", BigInteger),
    Column("regions", Text, nullable=False),  # canonical JSON
    Column("nuisance", Text),
    Column("comment", Text),  # commitment; the text is in `texts` unless it was erased
    Column("seconds", Double),
    Index("reviews_by_sheet", "sheet", "entered_us"),
    Index("reviews_by_time", "entered_us", "writer", "seq"),
    Index("reviews_by_person", "person", "entered_us"),
)

review_marks: Final = Table(  # of reviews with a mask, or decided before the verdict was shown
    "review_marks",
    metadata,
    Column("writer", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("sheet", Text, nullable=False),
    Column("entered_us", BigInteger, nullable=False),
    Column("mask", Text),  # painted pixels, as run lengths
    Column("blind", Boolean, nullable=False),
    Index("review_marks_by_sheet", "sheet"),
)

recommendations: Final = Table(  # of reviews whose person was shown one
    "recommendations",
    metadata,
    Column("writer", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("sheet", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("policy", Text, nullable=False),  # SHA-256 of the policy file
    Column("chosen", Text),  # NULL = the person chose no action
)

second_reviews: Final = Table(  # reviews of a second person, to whom the first one's answer was not shown
    "second_reviews",
    metadata,
    Column("writer", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("sheet", Text, nullable=False),
)

withdrawals: Final = Table(  # reviews that their person has taken back
    "withdrawals",
    metadata,
    Column("review_writer", Text, primary_key=True),
    Column("review_seq", BigInteger, primary_key=True),
    Column("writer", Text, nullable=False),  # of the entry that takes it back
    Column("seq", BigInteger, nullable=False),
    Column("entered_us", BigInteger, nullable=False),
)

events: Final = Table(
    "events",
    metadata,
    Column("writer", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("entered_us", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("person", Text),
    Column("subject", Text),
    Column("details", Text, nullable=False),  # canonical JSON
    Index("events_by_time", "entered_us", "writer", "seq"),
    Index("events_by_name", "name", "subject"),
)

pruned_images: Final = Table(  # images that retention has removed
    "pruned_images",
    metadata,
    Column("writer", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("image_hash", Text, primary_key=True),
    Column("pruned_us", BigInteger, nullable=False),
    Index("pruned_by_image", "image_hash"),
)

people: Final = Table(  # erasable: nothing of it is in the chain
    "people",
    metadata,
    Column("person", Text, primary_key=True),  # random
    Column("name", Text, nullable=False),
    Column("address", Text, nullable=False),  # an e-mail address, or empty
    Column("created_us", BigInteger, nullable=False),
)

texts: Final = Table(  # erasable: the chain holds only the commitment
    "texts",
    metadata,
    Column("commitment", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("text", Text, nullable=False),
    Index("texts_by_person", "person"),
)

READ_MODELS: Final = (
    *(sheets, verdicts, draws, reviews, review_marks, recommendations, second_reviews, withdrawals, events),
    pruned_images,
)

# Rows about people, each with a column `person`; erasing a person deletes them.
ABOUT_PEOPLE: Final = (people, texts, *accounts.OF_PEOPLE, *reviewing.OF_PEOPLE)
# What a backup holds beside the entries. Sessions, tokens and links are left out: what was revoked after the
# backup must not come back.
COPIED: Final = (
    *(people, texts, accounts.accounts, outbox.destinations, outbox.positions),
    *(reviewing.seen_sheets, reviewing.watches),
)
