"""The rows of a scan: one Parquet file a part, whole or absent, with reproducible bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from jaxtyping import Float16

from steelsight.errors import BadOutput
from steelsight.files import replace_file
from steelsight.runtime.bundle.card import BundleCard
from steelsight.runtime.scan.sealed_parquet import read_sealed, seal_table, unseal

__all__ = [
    "PARTITIONS",
    "REGION",
    "VERDICTS",
    "PartRows",
    "parse_part",
    "part_path",
    "read_maps",
    "read_part",
    "seal_part",
    "write_part",
]

VERDICTS: Final = "verdicts"  # folder of the parts
PARTITIONS: Final = "partitions"  # folder of the same rows by day and coil, where they are wanted

REGION: Final = pa.struct(
    [
        ("left", pa.int32()),
        ("top", pa.int32()),
        ("right", pa.int32()),
        ("bottom", pa.int32()),
        ("area_px", pa.int64()),
        ("score", pa.float32()),
    ]
)
_COLUMNS: Final = (
    ("index", pa.int64()),  # its place in the scan
    ("name", pa.string()),
    ("label", pa.string()),  # empty for a bad image, whose numbers are null
    ("probability", pa.float64()),  # of the label, after the temperature
    ("state", pa.string()),  # verdict.State
    ("reason", pa.string()),  # verdict.Reason
    ("detail", pa.string()),  # of a bad image: what came and what to do
    ("distance", pa.float64()),  # from the training sheets; null where the bundle has no statistics of them
    ("probabilities", pa.list_(pa.float32())),  # of all classes, in the order of the metadata
    ("label_set", pa.list_(pa.string())),  # classes that it may be; none where the bundle has no such sets
    ("regions", pa.list_(REGION)),  # in original pixels, strongest first; none without a defect
    ("height", pa.int32()),  # of the original
    ("width", pa.int32()),
    ("gray_mean", pa.float32()),  # of the sheet at model size, 0..255
    ("gray_spread", pa.float32()),  # its standard deviation
    ("model_id", pa.string()),
)
_FILE_COLUMNS: Final = (
    ("file_path", pa.binary()),  # bytes of the file system, which need not be text
    ("file_bytes", pa.int64()),
    ("file_mtime_ns", pa.int64()),  # within 64 bits: later times than the year 2262 count as that
    ("file_ctime_ns", pa.int64()),
    ("file_inode", pa.int64()),
    ("file_hash", pa.string()),  # of the content
)


@dataclass(frozen=True)
class PartRows:
    """The columns of a scan's parts.

    heatmaps  whether there is a column `maps` with the signed map of every class
    files     whether there are columns that identify each file and its content, by which a file of a watched
              folder is scanned only once
    mixed     whether there is a column `processor`, the type of that which judged the sheet
    """

    card: BundleCard
    plan: str  # checksum of the plan; "" for a watched folder
    heatmaps: bool
    files: bool = False
    mixed: bool = False

    @property
    def maps_shape(self) -> tuple[int, int, int]:
        """(classes, rows, columns) of a sheet's maps."""
        return (len(self.card.class_names), *self.card.graph.grid)

    def schema(self, part: int) -> pa.Schema:
        """The columns, and metadata that describe them.

        part  its number in the plan
        """
        columns: list[tuple[str, Any]] = [*_COLUMNS, *(_FILE_COLUMNS if self.files else ())]
        metadata: dict[str, Any] = {
            "part": part,
            "plan": self.plan,
            "model_id": self.card.model_id,
            "class_names": self.card.class_names,
        }
        if self.mixed:
            columns.append(("processor", pa.string()))
        if self.heatmaps:
            columns.append(("maps", pa.binary(int(np.prod(self.maps_shape)) * 2)))
            metadata |= {"maps_shape": self.maps_shape, "maps_dtype": "<f2"}
        return pa.schema(
            columns, metadata={f"steelsight.{key}": json.dumps(metadata[key]) for key in metadata}
        )


def part_path(out: Path, number: int) -> Path:
    """The file of a part."""
    return out / VERDICTS / f"part-{number:05d}.parquet"


def write_part(out: Path, number: int, table: pa.Table) -> None:
    """Write a part, whole or not at all; raises BadOutput."""
    replace_file(part_path(out, number), seal_part(table))


def seal_part(table: pa.Table) -> bytes:
    """The bytes of a part's file; equal rows, equal bytes."""
    few = ("label", "state", "reason", "detail", "model_id", "processor")
    return seal_table(table, dictionary=[name for name in few if name in table.column_names])


def read_part(out: Path, number: int, schema: pa.Schema | None = None) -> pa.Table:
    """A part, every bit of it verified; raises BadOutput where it is damaged or of another scan.

    schema  expected columns and metadata; None = any
    """
    path = part_path(out, number)
    return _checked(lambda: read_sealed(path), path, schema)


def parse_part(content: bytes, place: object, schema: pa.Schema | None = None) -> pa.Table:
    """The part of a file's bytes, as `read_part`.

    place  of the file, as messages call it
    """
    return _checked(lambda: unseal(content), place, schema)


def _checked(read: Callable[[], pa.Table], place: object, schema: pa.Schema | None) -> pa.Table:
    try:
        table = read()
    except FileNotFoundError as error:
        raise BadOutput(
            f"{place}: expected a part that this scan wrote, and it is gone; run it again"
        ) from error
    except (OSError, pa.ArrowException) as error:
        words = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise BadOutput(f"{place}: damaged ({words}); run the same scan again to replace it") from error
    # `equals` with metadata would also compare how lists name their items
    if schema is not None and not (table.schema.equals(schema) and table.schema.metadata == schema.metadata):
        raise BadOutput(f"{place}: expected a part of this scan, got one of another; use --fresh")
    return table


def read_maps(table: pa.Table) -> Float16[np.ndarray, "n c gh gw"]:
    """The maps of a part's sheets, NaN for bad images; raises KeyError for a scan without heatmaps."""
    metadata: Mapping[bytes, bytes] = table.schema.metadata or {}
    shape = tuple(json.loads(metadata[b"steelsight.maps_shape"]))
    maps = np.full((len(table), *shape), np.nan, dtype=np.float16)
    for row, content in enumerate(table["maps"].to_pylist()):
        if content is not None:
            maps[row] = np.frombuffer(content, dtype="<f2").reshape(shape)
    return maps
