"""Reading sheets: run lengths, JPEG decoding beside the usual way, and opening 12,000 images a second time.

    python benchmarks/sheets.py [--images 12000] [--masks MASKS.csv]

Images are generated; run lengths are those of --masks where given, else of the generated sheets repeated.
Decoding is measured in turns, medians of one image at a time. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from steelsight.evaluation.timing import time_interleaved
from steelsight.sheets.catalog import load_pixels, open_data
from steelsight.sheets.images.pixels import read_sheet
from steelsight.sheets.rle import decode_runs, encode_mask
from steelsight.sheets.synthetic import SynthSpec, write_sheets
from steelsight.types import InputSpec

SPEC = InputSpec()
DRAWN = 48


def main() -> None:
    """Measure the three, print them, end with JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=12_000)
    parser.add_argument("--masks", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "DATA"
        write_sheets(SynthSpec(count=DRAWN), data)
        result = {
            **measure_runs(options.masks or data / "train.csv"),
            **measure_decoding(sorted((data / "train_images").iterdir())),
            **measure_opening(data, options.images, Path(folder) / "cache"),
            "load_average": os.getloadavg()[0],
        }
    for name, value in result.items():
        print(f"{name:>28}: {value:.3f}")
    print(json.dumps({"benchmark": "sheets", **result}))


def measure_runs(table: Path) -> dict[str, float]:
    """Seconds to decode a table's masks, and how many re-encode to the same text."""
    with table.open(newline="", encoding="utf-8-sig") as file:
        texts = [row["EncodedPixels"] for row in csv.DictReader(file) if row["EncodedPixels"]]
    start = time.perf_counter()
    masks = [decode_runs(text, (256, 1600)) for text in texts]
    seconds = time.perf_counter() - start
    same = sum(encode_mask(mask) == text for mask, text in zip(masks, texts, strict=True))
    return {"masks": len(texts), "masks_decode_s": seconds, "masks_identical": same}


def measure_decoding(paths: list[Path]) -> dict[str, float]:
    """Milliseconds an image: ours, full decode with area average, and the usual RGB decode with bilinear."""
    turn = iter(range(10**9))

    def path() -> Path:
        return paths[next(turn) % len(paths)]

    def area() -> None:
        with Image.open(path()) as image:
            np.asarray(image.convert("L").resize((SPEC.width, SPEC.height), Image.Resampling.BOX))

    def usual() -> None:
        with Image.open(path()) as image:
            np.asarray(image.convert("RGB").resize((SPEC.width, SPEC.height), Image.Resampling.BILINEAR))

    timed = time_interleaved(
        {"ours": lambda: read_sheet(path(), SPEC), "full_area": area, "usual": usual}, repeats=60
    )
    found = {f"decode_{name}_ms": timing.median_ms for name, timing in timed.items()}
    return {**found, "decode_speedup": found["decode_usual_ms"] / found["decode_ours_ms"]}


def measure_opening(data: Path, count: int, cache: Path) -> dict[str, float]:
    """Seconds to open so many images the first time, again, and after one of them changed."""
    folder = data / "train_images"
    originals = [path.read_bytes() for path in sorted(folder.iterdir())]
    shutil.rmtree(folder)
    folder.mkdir()
    for index in range(count):  # a trailing comment makes every file its own
        (folder / f"{index:06d}.jpg").write_bytes(originals[index % DRAWN] + str(index).encode())
    rows = (data / "train.csv").read_text(encoding="utf-8").splitlines()
    names = {f"synth_{index:06d}.jpg": f"{index:06d}.jpg" for index in range(DRAWN)}
    renamed = [rows[0], *(names[row.split(",")[0]] + row[row.index(",") :] for row in rows[1:])]
    (data / "train.csv").write_text("\n".join(renamed) + "\n", encoding="utf-8")

    def opened() -> float:
        start = time.perf_counter()
        load_pixels(open_data(data), SPEC, cache_dir=cache)
        return time.perf_counter() - start

    first, second = opened(), opened()
    (folder / "000007.jpg").write_bytes(originals[8] + b"changed")
    return {"images": count, "first_open_s": first, "second_open_s": second, "one_changed_s": opened()}


if __name__ == "__main__":
    main()
