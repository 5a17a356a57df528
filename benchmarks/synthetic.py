"""How long synthetic sheets take to draw, encode and write. Aim: 1,000 of 1600x256 in 90 s on two cores.

    python benchmarks/synthetic.py [--count 200] [--workers 2]

Prints a few lines for people, then one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from steelsight.sheets.synthetic import SynthSpec, draw_sheet, write_sheets

AIM_SECONDS_PER_1000 = 90.0


def main() -> None:
    """Measure one process's CPU time per sheet, then the wall time of the whole command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    spec = SynthSpec(count=options.count)
    cpu_ms = measure_cpu(spec, sheets=min(options.count, 40))
    print(f"drawing: {cpu_ms:.0f} ms of CPU time a sheet, one process")
    wall = measure_wall(spec, options.workers)
    per_1000 = 1000 * wall / options.count
    print(
        f"writing: {options.count} sheets in {wall:.1f} s with {options.workers} workers, start-up included"
    )
    print(f"1,000 sheets: {per_1000:.0f} s; aim {AIM_SECONDS_PER_1000:.0f} s on two otherwise idle cores")
    print(
        json.dumps(
            {
                "benchmark": "synthetic",
                "sheets": options.count,
                "workers": options.workers,
                "cpu_ms_per_sheet": round(cpu_ms, 1),
                "wall_seconds": round(wall, 2),
                "seconds_per_1000": round(per_1000, 1),
                "load_average": os.getloadavg()[0],
            }
        )
    )


def measure_cpu(spec: SynthSpec, *, sheets: int) -> float:
    """CPU milliseconds a sheet, drawing alone; other work on the machine does not count."""
    draw_sheet(spec, 0)
    start = time.process_time()
    for index in range(sheets):
        draw_sheet(spec, index)
    return 1000 * (time.process_time() - start) / sheets


def measure_wall(spec: SynthSpec, workers: int) -> float:
    """Seconds from call to last byte on disk."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        write_sheets(spec, Path(folder) / "sheets", workers=workers)
        return time.perf_counter() - start


if __name__ == "__main__":
    main()
