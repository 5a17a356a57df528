"""Writes the table of hostile inputs and faults that were tried, from what the long tests recorded.

    python benchmarks/hardening.py build/hardening docs/results/hardening.md

`make test-long` records one JSON file a kind of attack (the fixture `record_attack` of `tests/conftest.py`)
and then runs this. A row of the page stays until the same kind is recorded again, so that a part of the long
tests can be run by itself.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

HEAD = """\
# Measured results: hostile inputs and faults

Written by `make test-long`, which runs every attack below and then `benchmarks/hardening.py`. A case is one
input or one fault; each is drawn from a fixed seed. What is trusted, and what every limit is, stands in
[security.md](../security.md).

"""
COLUMNS = ("area", "attack", "cases", "outcome", "date")


def read_page(page: Path) -> dict[tuple[str, str], dict[str, str]]:
    """The rows of the page as it stands, by area and attack."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    if page.exists():
        for line in page.read_text(encoding="utf-8").splitlines():
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if line.startswith("| ") and len(cells) == len(COLUMNS) and cells[0] != COLUMNS[0]:
                row = dict(zip(COLUMNS, cells, strict=True))
                rows[row["area"], row["attack"]] = row
    return rows


def read_records(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    """What the long tests recorded, by area and attack."""
    rows = {}
    for path in sorted(folder.glob("*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        row = {name: str(found[name]).replace("|", "/") for name in COLUMNS if name != "cases"}
        row["cases"] = f"{found['cases']:,}"
        rows[row["area"], row["attack"]] = row
    return rows


def page_of(rows: dict[tuple[str, str], dict[str, str]]) -> str:
    """The page docs/results/hardening.md."""
    total = sum(int(row["cases"].replace(",", "")) for row in rows.values() if row["cases"])
    lines = [f"{total:,} cases in all.", "", "| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    lines += ["| " + " | ".join(rows[key][name] for name in COLUMNS) + " |" for key in sorted(rows)]
    return HEAD + "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("records", type=Path, help="folder of the long tests' records")
    parser.add_argument("page", type=Path, help="page to write")
    given = parser.parse_args()
    given.page.write_text(page_of(read_page(given.page) | read_records(given.records)), encoding="utf-8")


if __name__ == "__main__":
    main()
