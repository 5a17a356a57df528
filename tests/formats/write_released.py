"""Writes the RUN and BUNDLE folders of a released version, as `tests/formats/released` keeps them.

    mkdir OLD && git archive COMMIT src | tar -x -C OLD
    PYTHONPATH=OLD/src python tests/formats/write_released.py tests/formats/released

0.1.0 is commit 7bcdef8b, 0.2.0 is commit aa0b9925. The archive is named by the version that wrote it, and
holds DATA too: its sheets are drawn here.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from steelsight.version import __version__

MAIN = "from steelsight.cli import main; main()"
SETTINGS = ("model.name=adhoc", "height=48", "width=64", "batch_size=4", "threads=1", "precision=fp32")
KEPT = ("DATA", "run", "bundle")
LEFT_OUT = {".png", ".html", ".svg"}  # of the run and the bundle: pages and figures


def draw(folder: Path) -> None:
    """Twenty sheets of 48x64 pixels in two class folders; the defect is a bright bar."""
    rng = np.random.default_rng(0)
    for number in range(20):
        defect = number % 2
        gray = np.clip(rng.normal(110, 6, (12, 16)), 0, 255).repeat(4, axis=0).repeat(4, axis=1)
        if defect:
            left = int(rng.integers(4, 56))
            gray[8:40, left : left + 4] = 240
        path = folder / ("bar" if defect else "none") / f"sheet_{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(gray.astype(np.uint8)).save(path)


def steelsight(*words: object) -> None:
    """Run a verb of the version that is on the path."""
    subprocess.run([sys.executable, "-c", MAIN, *map(str, words)], check=True)


def main() -> None:
    """Train, export and pack."""
    out = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        draw(work / "DATA")
        settings = [part for setting in SETTINGS for part in ("--set", setting)]
        words = ("--task", "binary", "--epochs", "3", "--out", work / "run")
        steelsight("train", work / "DATA", *words, *settings)
        steelsight("export", work / "run", "--data", work / "DATA", "--out", work / "bundle")
        with tarfile.open(out / f"{__version__}.tar.xz", "w:xz") as archive:
            for path in sorted(work.rglob("*")):
                name = path.relative_to(work)
                pages = name.parts[0] != "DATA" and path.suffix in LEFT_OUT
                if name.parts[0] in KEPT and path.is_file() and not pages:
                    archive.add(path, name.as_posix(), filter=_plain)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """An entry without times, owners and rights of this machine."""
    entry.mtime, entry.mode = 0, 0o644
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    main()
