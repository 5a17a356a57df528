"""Parquet files that hold a checksum of their own bytes, so that a flipped bit anywhere is noticed.

Parquet's page checksums cover the pages alone: a bit of the footer can change names, types and statistics.
The checksum is an entry of the footer's metadata, made while that entry is all zeros.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["read_sealed", "seal_table", "unseal"]

_KEY: Final = "steelsight.sha256"
_EMPTY: Final = "0" * 64


def seal_table(table: pa.Table, *, dictionary: list[str]) -> bytes:
    """A table as a Parquet file with page checksums and the checksum of the file; equal tables, equal bytes.

    dictionary  columns of few different values
    """
    packed = io.BytesIO()
    with pq.ParquetWriter(
        packed, table.schema, compression="zstd", use_dictionary=dictionary, write_page_checksum=True
    ) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({_KEY: _EMPTY})
    content = packed.getvalue()
    place = _place(content)
    return content[:place] + _digest(content, place).encode() + content[place + len(_EMPTY) :]


def read_sealed(path: Path) -> pa.Table:
    """A table written by `seal_table`, every bit verified.

    raises  OSError; pyarrow.ArrowException for a file that is damaged or has no checksum
    """
    return unseal(path.read_bytes())


def unseal(content: bytes) -> pa.Table:
    """The table of a file's bytes, every bit verified; raises pyarrow.ArrowException."""
    place = _place(content)
    if content[place : place + len(_EMPTY)] != _digest(content, place).encode():
        raise pa.ArrowInvalid("its checksum does not match")
    table = pq.read_table(pa.BufferReader(content), page_checksum_verification=True)
    metadata = {key: value for key, value in (table.schema.metadata or {}).items() if key != _KEY.encode()}
    return table.replace_schema_metadata(metadata)


def _place(content: bytes) -> int:
    """Where the checksum stands: behind its key, and two bytes for the field and its length."""
    key = content.rfind(_KEY.encode())
    if key < 0 or key + len(_KEY) + 2 + len(_EMPTY) > len(content):
        raise pa.ArrowInvalid("no checksum")
    return key + len(_KEY) + 2


def _digest(content: bytes, place: int) -> str:
    digest = hashlib.sha256(content[:place])
    digest.update(_EMPTY.encode())
    digest.update(memoryview(content)[place + len(_EMPTY) :])
    return digest.hexdigest()
