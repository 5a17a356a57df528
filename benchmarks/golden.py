"""Whether two versions of Steelsight give the same verdicts, to the last bit.

    python benchmarks/golden.py BEFORE AFTER [--images DIR] [--bundle BUNDLE]

BEFORE and AFTER are OUT folders of `steelsight scan`, or source trees with `src/steelsight`. A source tree
scans the images of DIR with BUNDLE (by default its own bundle) in a process of its own, with maps and one
worker, and runs `steelsight bundle verify`. Every column of the verdicts is compared, NaN equal to NaN, and
where both are source trees the numbers of `bundle verify` too. The last line is one JSON object; the exit
code is 1 where anything differs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

COMMAND = "import sys; from steelsight.cli import main; sys.argv[0] = 'steelsight'; main()"
# A source tree's own bundle, where it lies now and where it lay in version 0.1.0.
BUNDLES = (Path("src/steelsight/runtime/bundles/fast"), Path("src/steelsight/runtime/default_bundle"))


def main() -> int:
    """Compare, print, end with JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--images", type=Path, help="Folder of images; needed for source trees.")
    parser.add_argument("--bundle", type=Path, help="BUNDLE for both source trees. Default: each one's own.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        sides = [
            load_side(side, options.images, options.bundle, Path(scratch) / name)
            for name, side in (("before", options.before), ("after", options.after))
        ]
    (table, parity), (other_table, other_parity) = sides
    differing = compare_tables(table, other_table)
    same_parity = None if parity is None or other_parity is None else parity == other_parity
    for name in differing:
        print(f"differs: {name}")
    if same_parity is False:
        print(f"bundle verify differs: {parity} and {other_parity}")
    result = {
        "sheets": table.num_rows,
        "columns": table.num_columns,
        "differing": differing,
        "same_parity": same_parity,
        "parity": parity,
    }
    print(json.dumps({"benchmark": "golden", **result}))
    return int(bool(differing) or same_parity is False)


def load_side(
    side: Path, images: Path | None, bundle: Path | None, scratch: Path
) -> tuple[pa.Table, list[Any] | None]:
    """The verdicts of one side, and the numbers of `bundle verify` where it is a source tree."""
    if not (side / "src" / "steelsight").is_dir():
        return read_verdicts(side), None
    if images is None:
        raise SystemExit(f"{side}: a source tree needs --images DIR")
    used = bundle or next((side / each for each in BUNDLES if (side / each).is_dir()), side / BUNDLES[0])
    run_verb(side, "scan", used, images, "--out", scratch, "--workers", "1", "--heatmaps")
    answer = run_verb(side, "bundle", "verify", used, "--json")
    return read_verdicts(scratch), json.loads(answer.splitlines()[-1])["engines"]


def run_verb(tree: Path, *arguments: object) -> str:
    """Standard output of a verb of a source tree; exit code 2 means that some images could not be read."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str((tree / "src").resolve())},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 2):
        raise SystemExit(f"{tree}: {' '.join(map(str, arguments))} ended with code {done.returncode}")
    return done.stdout


def read_verdicts(out: Path) -> pa.Table:
    """All parts of a scan, or of a folder of Parquet files, in order."""
    folder = out / "verdicts" if (out / "verdicts").is_dir() else out
    parts = sorted(folder.glob("*.parquet"))
    if not parts:
        raise SystemExit(f"{out}: expected verdicts in Parquet files, found none")
    return pa.concat_tables([pq.read_table(part, partitioning=None) for part in parts]).combine_chunks()


def compare_tables(before: pa.Table, after: pa.Table) -> list[str]:
    """Names of the columns that differ in type, order of sheets, or any bit of a value."""
    if before.num_rows != after.num_rows:
        return [f"number of sheets: {before.num_rows} and {after.num_rows}"]
    names = dict.fromkeys([*before.column_names, *after.column_names])
    return [name for name in names if not same_column(before, after, name)]


def same_column(before: pa.Table, after: pa.Table, name: str) -> bool:
    """Whether a column is there twice with the same values: as written to a file, byte by byte."""
    if name not in before.column_names or name not in after.column_names:
        return False
    first, second = before[name], after[name]
    return bool(first.type.equals(second.type)) and column_bytes(first) == column_bytes(second)


def column_bytes(column: pa.ChunkedArray) -> bytes:
    """A column in Arrow's own format; it keeps every bit of a float, NaN's too."""
    sink = pa.BufferOutputStream()
    table = pa.table({"column": column}).combine_chunks()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


if __name__ == "__main__":
    sys.exit(main())
