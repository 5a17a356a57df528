"""Which parts of an earlier scan hold images that could not be read then and can be read now."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Final

import pyarrow as pa

from steelsight.runtime.engine.reading import ImageRefused
from steelsight.runtime.scan.sources import PlannedSheet, SourceReader
from steelsight.types import Reason

__all__ = ["TRANSIENT", "has_transient_rows", "is_readable_now"]

TRANSIENT: Final = frozenset(reason.value for reason in Reason if reason.transient)


def has_transient_rows(table: pa.Table) -> bool:
    """Whether a row of a part has a reason that may pass."""
    return not TRANSIENT.isdisjoint(table["reason"].unique().to_pylist())


def is_readable_now(table: pa.Table, sheets: Sequence[PlannedSheet]) -> bool:
    """Whether one of the images with such a reason would now have another row.

    table, sheets   of the same part
    """
    with closing(SourceReader()) as reader:
        return any(
            _has_changed(sheet, Reason(reason), reader)
            for sheet, reason in zip(sheets, table["reason"].to_pylist(), strict=True)
            if reason in TRANSIENT
        )


def _has_changed(sheet: PlannedSheet, before: Reason, reader: SourceReader) -> bool:
    try:
        reader.read(sheet)
    except ImageRefused as error:
        return error.reason is not before
    return True
