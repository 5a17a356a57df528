"""The rows of a scan again, in folders by day and coil, as Spark, DuckDB, Polars and pyarrow read them.

They are made of finished parts: each part gives one file to each folder that it has rows for, with the part's
number as its name. So the same scan writes the same files, and an interrupted call is continued.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from urllib.parse import quote

import pyarrow as pa

from steelsight.errors import BadInput, BadOutput
from steelsight.name_fields import fields_of, match_name
from steelsight.runtime.scan.output import SCAN_FILE, ScanIdentity, save_scan
from steelsight.runtime.scan.outputs.choose import ScanOutput
from steelsight.runtime.scan.parts import PARTITIONS, seal_part
from steelsight.runtime.scan.plan import ScanPlan

__all__ = ["PartitionPattern", "Partitions", "plan_partitions", "write_partitions"]

WORDS: Final = {"day": r"\d{4}-\d{2}-\d{2}|\d{8}", "coil": r"[^/_]+"}  # in the order of the folders
UNKNOWN: Final = "__HIVE_DEFAULT_PARTITION__"  # read as null
LONGEST: Final = 200  # characters of a value in a folder's name; file systems allow 255 bytes in all
MOST: Final = 50_000  # folders


@dataclass(frozen=True)
class PartitionPattern:
    """A pattern such as `{day}/{coil}_{*}.jpg`, matched against the end of a sheet's name.

    raises  BadInput for an unknown or repeated field
    """

    text: str

    def __post_init__(self) -> None:
        named = fields_of(self.text)
        if not named or not set(named) <= set(WORDS) or len(set(named)) < len(named):
            raise BadInput(
                f"--partition {self.text!r:.200}: expected {{day}}, {{coil}} or both, each at most once, and "
                "{*} for anything else, as in '{day}/{coil}_{*}.jpg'"
            )

    def folder(self, name: str) -> str:
        """The folder of a row, such as `day=2026-11-30/coil=C17`; of nulls where its name does not match."""
        found = match_name(self.text, name, WORDS) or {}
        values = {field: found.get(field, "") for field in WORDS if f"{{{field}}}" in self.text}
        if "day" in values:
            values["day"] = _day(values["day"])
        written = {field: quote(value, safe="") for field, value in values.items()}
        if any(not 0 < len(value) <= LONGEST for value in written.values()):
            return self.unknown
        return "/".join(f"{field}={value}" for field, value in written.items())

    @property
    def unknown(self) -> str:
        """The folder of rows without such values."""
        return "/".join(f"{field}={UNKNOWN}" for field in WORDS if f"{{{field}}}" in self.text)


@dataclass(frozen=True)
class Partitions:
    """What a scan has in folders by day and coil."""

    pattern: PartitionPattern
    folders: int
    unmatched: int  # sheets whose names do not match

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"pattern": self.pattern.text, "folders": self.folders, "unmatched": self.unmatched}


def plan_partitions(
    output: ScanOutput, identity: ScanIdentity, facts: dict[str, Any], plan: ScanPlan, wanted: str
) -> Partitions | None:
    """The folders that are to be written; None where none are wanted, now or by an earlier call.

    facts   in scan.json, which gets the pattern where it is the first one
    wanted  the pattern; "" = that of an earlier call
    raises  BadInput for a pattern that cannot be used; BadOutput where an earlier call had another one
    """
    pattern = _choose_pattern(wanted, facts.get("partition"), output.place)
    if pattern is None:
        return None
    partitions = _count_folders(plan, pattern)
    if "partition" not in facts:
        facts["partition"] = pattern.text
        save_scan(output.work, identity, **facts)
        output.publish(SCAN_FILE)
    return partitions


def _choose_pattern(wanted: str, earlier: object, place: object) -> PartitionPattern | None:
    if earlier is not None and wanted and earlier != wanted:
        raise BadOutput(
            f"{place}: expected --partition {earlier!r:.200}, by which {PARTITIONS}/ was written, got "
            f"{wanted!r:.200}; give that one or none, or use --fresh"
        )
    text = wanted or earlier
    return PartitionPattern(str(text)) if text else None


def _count_folders(plan: ScanPlan, pattern: PartitionPattern) -> Partitions:
    """Refuse a pattern that matches no name of a plan, or would give more than MOST folders."""
    folders: set[str] = set()
    unmatched, first = 0, ""
    for number in range(plan.parts):
        for name in plan.rows(number)["name"].to_pylist():
            folder = pattern.folder(name)
            first = first or name
            unmatched += folder == pattern.unknown
            folders.add(folder)
        if len(folders) > MOST:
            raise BadInput(
                f"--partition {pattern.text!r}: more than {MOST} folders; its fields differ from sheet to "
                f"sheet, as in {first!r:.200}; match the coil's name alone"
            )
    if unmatched == plan.sheets:
        raise BadInput(
            f"--partition {pattern.text!r}: matches none of {plan.sheets} sheets, such as {first!r:.200}; "
            "a pattern is compared with the end of a name, as many parts between slashes as it has"
        )
    return Partitions(pattern, len(folders), unmatched)


def write_partitions(output: ScanOutput, parts: int, pattern: PartitionPattern) -> None:
    """Write the rows of all parts into their folders; files that are there as they should be stay.

    parts   number of them in the plan; all are written
    raises  BadOutput
    """

    def files() -> Iterator[tuple[str, bytes]]:
        for number in range(parts):
            for folder, rows in _split(output.read_part(number), pattern):
                yield f"{PARTITIONS}/{folder}/part-{number:05d}.parquet", seal_part(rows)

    output.expect(range(parts))
    output.write_files(files())


def _split(table: pa.Table, pattern: PartitionPattern) -> Iterator[tuple[str, pa.Table]]:
    """The rows of each folder, in their order."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(table["name"].to_pylist()):
        rows[pattern.folder(name)].append(row)
    for folder, places in rows.items():
        yield folder, table.take(places)


def _day(text: str) -> str:
    """A day as ISO 8601 writes it; "" for none."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return ""
