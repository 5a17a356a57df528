"""The collection that every table of a ledger belongs to."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Integer, MetaData

__all__ = ["Row", "metadata"]

metadata: Final = MetaData()
Row: Final = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers rows only in an INTEGER column
