"""Measure what this machine can process: decoding, inference, latency, whole scans."""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from steelsight.errors import BadInput
from steelsight.evaluation.timing import time_interleaved
from steelsight.runtime.bundle.card import Precision
from steelsight.runtime.bundle.open import Bundle, open_bundle
from steelsight.runtime.capacity.memory import ChildMemory
from steelsight.runtime.capacity.mill import SHARE, MachineSpeed
from steelsight.runtime.engine.engine import BATCH, EngineName, open_engine
from steelsight.runtime.engine.inspector import Inspector
from steelsight.runtime.engine.reading import read_image
from steelsight.runtime.parity.verify import installed_engines
from steelsight.runtime.scan.options import ScanOptions
from steelsight.runtime.scan.parts import read_part, seal_part
from steelsight.runtime.scan.plan import PART
from steelsight.runtime.scan.run import cores, scan

__all__ = ["EngineSpeed", "ScanSpeed", "Sizing", "size_machine"]

ROUNDS: Final = 30
SINGLE: Final = 200  # sheets inspected one by one


@dataclass(frozen=True)
class EngineSpeed:
    """One engine at one precision."""

    engine: EngineName
    precision: Precision
    core_ms: float  # of one core, for one sheet of a batch
    p50_ms: float  # from a file to its verdict, one sheet at a time, all cores
    p90_ms: float
    p99_ms: float
    chosen: bool  # whether the bundle uses it by default


@dataclass(frozen=True)
class ScanSpeed:
    """A measured scan, from image files to written rows."""

    sheets_per_s: float  # the start of its processes included
    warm_sheets_per_s: float  # once every process has finished a part; the same where the scan is too short
    workers: int  # processes that it used
    image_bytes: float  # mean size of an image file
    row_bytes: float  # of the Parquet files, for one sheet that is no copy of another
    worker_mib: float | None  # most memory of one process; None = a scan of one part, or not Linux


@dataclass(frozen=True)
class Sizing:
    """The measurements of one machine."""

    cores: int
    decode_core_ms: float
    engines: tuple[EngineSpeed, ...]
    sheets_per_s: float  # of a scan, from image files to written rows
    rate: float  # sheets a second that one camera sends
    cameras: int  # that SHARE of the speed is enough for
    scan: ScanSpeed

    @property
    def speed(self) -> MachineSpeed:
        """What a plan of a mill starts from."""
        of = self.scan
        return MachineSpeed(
            self.cores, of.workers, of.warm_sheets_per_s, of.image_bytes, of.row_bytes, of.worker_mib
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def size_machine(folder: Path, images: Sequence[Path], *, rate: float, sheets: int = 2000) -> Sizing:
    """Measure a bundle on this machine; run nothing else meanwhile.

    folder  BUNDLE folder
    images  image files as the cameras give them, a few dozen
    rate    sheets a second of one camera, above 0
    sheets  how many are scanned, by repeating the images
    raises  BadInput for no readable image, or a rate not above 0 or not finite; BadBundle
    """
    if not 0 < rate < math.inf:
        raise BadInput(f"rate: expected sheets a second above 0, got {rate}")
    bundle = open_bundle(folder)
    reads = [read_image(path, bundle.card.input) for path in images]
    good = [path for path, read in zip(images, reads, strict=True) if read.gray is not None]
    if not good:
        raise BadInput(f"bench: expected images to measure with, but none of {len(images)} can be read")
    gray = np.stack([read.gray for read in reads if read.gray is not None][:BATCH])
    gray = np.resize(gray, (BATCH, *gray.shape[1:]))
    decode = time_interleaved(
        {"decode": lambda: [read_image(path, bundle.card.input) for path in good[:BATCH]]}, ROUNDS
    )["decode"].median_ms / min(BATCH, len(good))
    speeds = tuple(
        _speed(bundle, engine, precision, gray, good) for engine, precision in _combinations(bundle)
    )
    whole = _scan(folder, good, sheets)
    cameras = int(SHARE * whole.sheets_per_s / rate)
    return Sizing(cores(), decode, speeds, whole.sheets_per_s, rate, cameras, whole)


def _combinations(bundle: Bundle) -> list[tuple[EngineName, Precision]]:
    """Every installed engine, at every precision that the bundle's files allow."""
    combinations: list[tuple[EngineName, Precision]] = []
    for engine in installed_engines():
        if "model.onnx" in bundle.files:
            combinations.append((engine, "f32"))
            if engine == "openvino":
                combinations.append((engine, "bf16"))
        if "model.int8.onnx" in bundle.files:
            combinations.append((engine, "int8"))
    return combinations


def _speed(
    bundle: Bundle, name: EngineName, precision: Precision, gray: np.ndarray, images: Sequence[Path]
) -> EngineSpeed:
    single = open_engine(bundle, name, threads=1, precision=precision)
    core = time_interleaved({"infer": lambda: single(gray)}, ROUNDS)["infer"].median_ms / len(gray)
    inspector = Inspector(bundle, open_engine(bundle, name, precision=precision, batch=1))
    taken = _one_by_one(inspector, images)
    p50, p90, p99 = (float(value) for value in np.quantile(taken, [0.5, 0.9, 0.99]))
    chosen = name == "openvino" and precision == bundle.card.precision
    return EngineSpeed(name, precision, core, p50, p90, p99, chosen)


def _one_by_one(inspector: Inspector, images: Sequence[Path]) -> list[float]:
    """Milliseconds from a file to its verdict."""
    for path in images[:5]:
        inspector.inspect(path)
    taken = []
    for number in range(SINGLE):
        start = time.perf_counter()
        inspector.inspect(images[number % len(images)])
        taken.append((time.perf_counter() - start) * 1e3)
    return taken


def _scan(bundle: Path, images: Sequence[Path], sheets: int) -> ScanSpeed:
    """Scan so many sheets, with a process a core."""
    parts = math.ceil(sheets / PART)
    workers = min(cores(), parts)
    with tempfile.TemporaryDirectory() as scratch:
        folder, out = Path(scratch) / "sheets", Path(scratch) / "out"
        folder.mkdir()
        for number in range(sheets):
            source = images[number % len(images)]
            shutil.copyfile(source, folder / f"{number:06d}{source.suffix.lower()}")
        finished: list[tuple[float, int]] = []
        with ChildMemory() as memory:
            report = scan(
                bundle,
                [folder],
                out,
                ScanOptions(page=False),
                progress=lambda done, _all: finished.append((time.perf_counter(), done)),
            )
        size = sum(path.stat().st_size for path in folder.iterdir())
        rows = _row_bytes(read_part(out, 0), len(images))
    whole = report.scanned / report.seconds
    warm = _warm_rate(finished, workers) or whole
    return ScanSpeed(whole, warm, workers, size / sheets, rows, memory.mib if parts > 1 else None)


def _warm_rate(finished: Sequence[tuple[float, int]], workers: int) -> float | None:
    """Sheets a second after each process has finished a part; None where none finished two.

    finished  when a part was finished, in seconds, and how many sheets were finished then
    """
    if len(finished) < 2 * workers:
        return None
    (start, before), (end, after) = finished[workers - 1], finished[-1]
    return (after - before) / (end - start) if end > start else None


def _row_bytes(table: pa.Table, distinct: int) -> float:
    """Bytes of a row in a Parquet file; rows of copies, which take hardly any, are left out.

    distinct  rows at the beginning of the table that are of different images
    """
    rows = min(distinct, len(table))
    if rows < 2:
        return float(table.nbytes / len(table))  # not compressed: more than a row takes
    return (len(seal_part(table[:rows])) - len(seal_part(table[:1]))) / (rows - 1)
