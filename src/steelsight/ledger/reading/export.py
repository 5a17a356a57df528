"""Export the read models to Parquet or CSV, one file for each table, from one state of the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import BigInteger, Boolean, Connection, Double, Integer, Table, select

from steelsight.csv_text import csv_text
from steelsight.files import replace_file
from steelsight.ledger.database import schema
from steelsight.ledger.database.open import Ledger

__all__ = ["EXPORTED", "export_tables"]

EXPORTED: Final = (schema.sheets, schema.verdicts, schema.draws, schema.reviews, schema.events)
BATCH: Final = 20_000


def export_tables(ledger: Ledger, out: Path, form: Literal["parquet", "csv"] = "parquet") -> dict[str, int]:
    """Write one file for each read model; people and texts are not exported.

    returns  rows by table
    raises   BadOutput where a file cannot be written
    """
    counts = {}
    with ledger.read() as connection:
        for table in EXPORTED:
            write = _Parquet(table, connection) if form == "parquet" else _Csv(table, connection)
            replace_file(out / f"{table.name}.{form}", write)
            counts[table.name] = write.count
    return counts


class _Export:
    def __init__(self, table: Table, connection: Connection) -> None:
        self.table = table
        self.connection = connection
        self.count = 0

    def batches(self) -> Iterator[list[dict[str, Any]]]:
        """Rows in the order of the primary key."""
        query = select(self.table).order_by(*self.table.primary_key.columns)
        result = self.connection.execution_options(yield_per=BATCH).execute(query)
        for rows in result.mappings().partitions(BATCH):
            self.count += len(rows)
            yield [dict(row) for row in rows]


class _Parquet(_Export):
    def __call__(self, file: BinaryIO) -> None:
        form = pa.schema([(column.name, _arrow_type(column.type)) for column in self.table.columns])
        with pq.ParquetWriter(file, form) as writer:
            for rows in self.batches():
                writer.write_table(pa.Table.from_pylist(rows, schema=form))


class _Csv(_Export):
    def __call__(self, file: BinaryIO) -> None:
        names = [column.name for column in self.table.columns]
        file.write(csv_text([names]).encode())
        for rows in self.batches():
            file.write(csv_text([row[name] for name in names] for row in rows).encode())


def _arrow_type(kind: Any) -> pa.DataType:
    if isinstance(kind, Boolean):
        return pa.bool_()
    if isinstance(kind, BigInteger | Integer):
        return pa.int64()
    return pa.float64() if isinstance(kind, Double) else pa.string()
