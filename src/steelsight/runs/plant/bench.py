"""Measures what this machine can process, on images of a folder or on generated sheets."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from steelsight.errors import BadData
from steelsight.runtime.bundle.default import default_bundle
from steelsight.runtime.sizing import Sizing, size_machine
from steelsight.sheets.formats.listing import list_images
from steelsight.sheets.own_folders import OwnFolders

__all__ = ["bench_bundle"]

DRAWN: Final = 48  # generated sheets where no folder is given


def bench_bundle(bundle: Path | None, data: Path | None, *, rate: float, sheets: int = 2000) -> Sizing:
    """Size this machine; run nothing else meanwhile.

    bundle  BUNDLE folder, or the name of one of the package; None = `fast`
    data    folder of images; None = generated sheets
    rate    sheets a second of one camera, above 0
    sheets  how many are scanned
    raises  BadData for a folder that Steelsight wrote; BadInput for no readable image, or a rate not above 0;
            BadBundle
    """
    with tempfile.TemporaryDirectory() as scratch:
        if data is not None:
            OwnFolders("a folder of images", BadData).refuse(data)
        folder = data if data is not None else _draw(Path(scratch))
        images = [folder / name for name in list_images(folder).images]
        return size_machine(bundle or default_bundle(), images, rate=rate, sheets=sheets)


def _draw(folder: Path) -> Path:
    from steelsight.sheets.synthetic import synth_spec, write_sheets  # needs the extra `synth`

    write_sheets(synth_spec(count=DRAWN), folder)
    return folder / "train_images"
