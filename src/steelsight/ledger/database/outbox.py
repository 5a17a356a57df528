"""Tables of outbound deliveries: where they go, and how far each has come."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table, Text

from steelsight.ledger.database.base import metadata

__all__ = ["destinations", "positions"]

destinations: Final = Table(
    "destinations",
    metadata,
    Column("id", Text, primary_key=True),  # random
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),  # webhook or mqtt
    Column("address", Text, nullable=False),  # a URL
    Column("options", Text, nullable=False),  # canonical JSON: what this kind needs beside
    Column("filter", Text, nullable=False),  # canonical JSON: which entries are sent
    Column("state", Text, nullable=False),  # active or paused
    Column("reason", Text),  # why it was paused by itself
    Column("version", BigInteger, nullable=False),  # counts changes; a worker that knows an earlier one stops
    Column("created_us", BigInteger, nullable=False),
    Column("secret", LargeBinary),  # key of signatures, or the broker's password; it must be used, so no hash
    Column("earlier_secret", LargeBinary),  # after a rotation
    Column("earlier_until_us", BigInteger),
    Column("epoch", Integer, nullable=False),  # of the ledger that its positions are of
    Column("delivered", BigInteger, nullable=False),  # messages that were accepted
    Column("delivered_us", BigInteger),  # the last of them
    Column("failures", BigInteger, nullable=False),  # attempts in a row
    Column("failing_since_us", BigInteger),
    Column("failing_writer", Text),  # the message that was not accepted
    Column("failing_seq", BigInteger),
    Column("error", Text),
    Column("next_us", BigInteger),  # of the next attempt
    Column("holder", Text),  # random token of the process that delivers; NULL = free
    Column("holder_name", Text),  # host and process, for messages
    Column("lease_until_us", BigInteger, nullable=False),
)

positions: Final = Table(  # the cursor of each destination
    "positions",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("writer", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),  # of the last entry that was delivered, or is not to be sent
)
