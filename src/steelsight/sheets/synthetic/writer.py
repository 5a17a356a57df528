"""Synthetic sheets on disk, in Kaggle's layout, with a table of what is true about each.

OUT/train_images/*.jpg   gray JPEG
OUT/train.csv            ImageId,ClassId,EncodedPixels: one row per sheet and type; none for a sound sheet
OUT/truth.csv            the nuisances of every sheet
OUT/spec.json            the recipe
"""

from __future__ import annotations

import io
import multiprocessing
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from steelsight.child_processes import end_with_parent, without_main_module
from steelsight.csv_text import csv_text
from steelsight.errors import BadRecipe
from steelsight.sheets.rle import encode_mask
from steelsight.sheets.synthetic.sheet import SyntheticSheet, draw_sheet
from steelsight.sheets.synthetic.spec import SynthSpec

__all__ = ["TRUTH_COLUMNS", "prepare_folder", "sheet_name", "write_sheets"]

TRUTH_COLUMNS = (
    "ImageId",
    "types",
    "stain_area_px",
    "stain_pixels",  # run lengths, as EncodedPixels
    "end",
    "end_width_px",
    "checker",
    "exposure",
    "jpeg_quality",
)


def sheet_name(index: int) -> str:
    """The file name of a sheet."""
    return f"synth_{index:06d}.jpg"


def prepare_folder(out: Path, *, force: bool) -> None:
    """Make OUT ready; raises BadRecipe if something is in it and `force` is not given."""
    if out.exists() and not out.is_dir():
        raise BadRecipe(f"{out}: expected a folder, found a file; name another OUT")
    if out.is_dir() and any(out.iterdir()):
        if not force:
            raise BadRecipe(
                f"{out}: expected an empty or new folder, found files in it; name another OUT or give --force"
            )
        for name in (
            "train_images",
            "train.csv",
            "truth.csv",
            "spec.json",
        ):  # only what a run of this writer leaves
            path = out / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    (out / "train_images").mkdir(parents=True, exist_ok=True)


def write_sheets(spec: SynthSpec, out: Path, *, workers: int = 2, force: bool = False) -> Path:
    """Draw and write all sheets of a recipe; the bytes do not depend on `workers`.

    raises  BadRecipe if OUT holds files and `force` is not given
    """
    for _ in iterate_written(spec, out, workers=workers, force=force):
        pass
    return out


def iterate_written(spec: SynthSpec, out: Path, *, workers: int = 2, force: bool = False) -> Iterator[int]:
    """The same, yielding the number of sheets done as they are: for progress bars."""
    prepare_folder(out, force=force)
    (out / "spec.json").write_text(spec.text(), encoding="utf-8")
    with (
        (out / "train.csv").open("w", newline="", encoding="utf-8") as labels,
        (out / "truth.csv").open("w", newline="", encoding="utf-8") as truths,
    ):
        labels.write(csv_text([("ImageId", "ClassId", "EncodedPixels")]))
        truths.write(csv_text([TRUTH_COLUMNS]))
        for done, written in enumerate(_written(spec, out, workers), 1):
            labels.write(csv_text(written.labels))
            truths.write(csv_text([written.truth]))
            yield done


@dataclass(frozen=True)
class _WrittenSheet:
    labels: list[tuple[str, int, str]]
    truth: tuple[object, ...]


def _written(spec: SynthSpec, out: Path, workers: int) -> Iterator[_WrittenSheet]:
    write = partial(_write_sheet, spec, out / "train_images")
    if workers <= 1:
        yield from map(write, range(spec.count))
        return
    # A fresh interpreter per worker: a fork would copy locks that other threads of the caller hold.
    context = multiprocessing.get_context("spawn")
    pool_size = min(workers, spec.count)
    with ProcessPoolExecutor(pool_size, context, end_with_parent, (os.getpid(),)) as pool:
        with without_main_module():
            written = pool.map(write, range(spec.count), chunksize=4)  # starts every process
        yield from written


def _write_sheet(spec: SynthSpec, folder: Path, index: int) -> _WrittenSheet:
    sheet, name = draw_sheet(spec, index), sheet_name(index)
    (folder / name).write_bytes(encode_jpeg(sheet))
    labels = [(name, defect_type, encode_mask(mask)) for defect_type, mask in sheet.masks.items()]
    truth = (
        name,
        " ".join(str(defect_type) for defect_type in sheet.masks),
        int(sheet.stain.sum()),
        encode_mask(sheet.stain),
        sheet.end,
        sheet.end_width_px,
        int(sheet.checker),
        f"{sheet.exposure:.1f}",
        sheet.quality,
    )
    return _WrittenSheet(labels, truth)


def encode_jpeg(sheet: SyntheticSheet) -> bytes:
    """A sheet as the bytes of its gray JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(sheet.gray).save(buffer, "JPEG", quality=sheet.quality)
    return buffer.getvalue()
