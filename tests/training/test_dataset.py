"""Masks of a data: at model size, and honest about what is not known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from steelsight.sheets.rle import encode_mask
from steelsight.training.dataset import read_masks
from steelsight.types import Evidence, InputSpec, MaskSource, SheetItem


def _item(name: str, types: tuple[int, ...], evidence: Evidence, tmp_path: Path) -> SheetItem:
    from PIL import Image

    path = tmp_path / name
    Image.fromarray(np.zeros((16, 32), dtype=np.uint8)).save(path)
    mask = np.zeros((16, 32), dtype=bool)
    mask[:8, :16] = True
    masks = tuple(MaskSource(kind, runs=encode_mask(mask)) for kind in types) if evidence == "mask" else ()
    return SheetItem(name, path, types, evidence, masks)


def test_masks_at_model_size(tmp_path: Path) -> None:
    items = [
        _item("one.png", (2,), "mask", tmp_path),
        _item("none.png", (), "mask", tmp_path),
        _item("unmasked.png", (1,), "class", tmp_path),
        _item("several.png", (1, 2), "mask", tmp_path),
    ]
    masks = read_masks(items, InputSpec(4, 8))
    assert masks.known.tolist() == [True, True, False, False]
    expected = np.zeros((4, 8), dtype=np.uint8)
    expected[:2, :4] = 255
    assert np.array_equal(masks.shares[0], expected)
    assert not masks.shares[1:].any()
