"""Answers to requests that carried an Idempotency-Key: outside the chain, kept for some days."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from steelsight.ledger.database.base import metadata

__all__ = ["idempotency_keys"]

idempotency_keys: Final = Table(
    "idempotency_keys",
    metadata,
    Column("scope", Text, primary_key=True),  # who sent it, and to which route
    Column("key", Text, primary_key=True),
    Column("request", Text, nullable=False),  # SHA-256 of what was sent
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),  # JSON of the answer
    Column("created_us", BigInteger, nullable=False),
    Index("idempotency_by_time", "created_us"),
)
