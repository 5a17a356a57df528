"""Writes sheets that may carry several defect types as COCO: one JSON file a part, masks as run lengths.

OUT/images/a.jpg, OUT/instances.json; with a split OUT/instances_train.json, …_val.json, …_test.json
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from steelsight.files import dump_json, write_synced
from steelsight.names import shown_name
from steelsight.types import Mask, SheetItem, SheetSet

__all__ = ["CocoFiles", "needs_coco"]

FILES: Final = {
    "": "instances.json",
    "train": "instances_train.json",
    "validation": "instances_val.json",
    "test": "instances_test.json",
}


class CocoFiles:
    """Collects the annotations of sheets and writes one COCO file a part.

    type_names  as of a `SheetSet`: index 0 is the defect-free class, which COCO has no category for
    """

    def __init__(self, type_names: Sequence[str]) -> None:
        self._categories = [
            {"id": number, "name": name} for number, name in enumerate(type_names[1:], start=1)
        ]
        self._images: dict[str, list[dict[str, Any]]] = {}
        self._annotations: dict[str, list[dict[str, Any]]] = {}
        self._count = 0

    def add(self, item: SheetItem, name: str, size: tuple[int, int], masks: dict[int, Mask]) -> None:
        """One sheet.

        name   of its image in the new folder
        size   (height, width)
        masks  by defect type; empty where the sheet has its classes alone
        """
        self._count += 1
        image = {"id": self._count, "file_name": shown_name(name), "height": size[0], "width": size[1]}
        self._images.setdefault(item.part, []).append(image)
        rows = self._annotations.setdefault(item.part, [])
        for kind in item.types:
            row: dict[str, Any] = {"id": len(rows) + 1, "image_id": self._count, "category_id": kind}
            if item.evidence == "mask":
                row |= _segmentation(masks[kind])
            rows.append(row)

    def write(self, folder: Path) -> None:
        """Write the files."""
        for part, images in self._images.items():
            document = {
                "images": images,
                "categories": self._categories,
                "annotations": self._annotations.get(part, []),
            }
            write_synced(folder / FILES[part], dump_json(document, indent=None).encode())


def _segmentation(mask: Mask) -> dict[str, Any]:
    """Run lengths, down the columns first and beginning with a run of zeros, as COCO has them."""
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(np.diff(flat, prepend=False))
    counts = np.diff(changes, prepend=0, append=flat.size)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = (
        [int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1] if rows.size else []
    )
    return {
        "segmentation": {"counts": counts.tolist(), "size": list(mask.shape)},
        "bbox": box,
        "area": int(mask.sum()),
        "iscrowd": 1,  # COCO's name for run lengths
    }


def needs_coco(sheets: SheetSet) -> bool:
    """Whether a sheet carries several types, which a class folder cannot hold."""
    return any(len(item.types) > 1 for item in sheets.items)
