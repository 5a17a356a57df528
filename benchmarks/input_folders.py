"""Draws folders, masks and tables as people bring them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from input_basics import H, W, classes, photo, save, stripe, table, text


def mvtec(
    root: Path, good: str = "good", bad: str = "crack", truth: str = "ground_truth", mask: str = "_mask.png"
) -> None:
    """MVTec AD and its like."""
    for i in range(4):
        save(root / "train" / good / f"{i:03d}.png", photo(i))
    for i in range(2):
        save(root / "test" / good / f"{i:03d}.png", photo(10 + i))
        save(root / "test" / bad / f"{i:03d}.png", photo(20 + i))
        save(root / truth / bad / f"{i:03d}{mask}", stripe())


MVTEC = {"sheets": 8, "defect_free": 6, "masked": 2, "parts": (4, 0, 4)}


def visa_raw(root: Path) -> None:
    """VisA as it is downloaded, one object."""
    for i in range(4):
        save(root / "Data/Images/Normal" / f"{i:04d}.JPG", photo(i), format="JPEG")
        save(root / "Data/Images/Anomaly" / f"{i:03d}.JPG", photo(10 + i), format="JPEG")
        save(root / "Data/Masks/Anomaly" / f"{i:03d}.png", stripe(1 + i))
    text(root / "image_anno.csv", "image,label,mask\n")


def splits(root: Path, names: tuple[str, str, str] = ("train", "val", "test"), middle: str = "") -> None:
    """Split folders with classes inside."""
    for place, part in enumerate(names):
        for name in ("good", "crack"):
            for i in range(2):
                save(
                    root / part / middle / name / f"{i}.jpg", photo(100 * place + 10 * (name == "crack") + i)
                )


SPLIT = {"layout": "split", "sheets": 12, "defect_free": 6, "parts": (4, 4, 4)}


def class_then_split(root: Path) -> None:
    """Split folders inside class folders."""
    for name in ("good", "crack"):
        for part in ("train", "test"):
            for i in range(2):
                save(
                    root / name / part / f"{part}{i}.jpg",
                    photo(i + 10 * (part == "test") + 100 * (name == "good")),
                )


def masked_classes(
    root: Path,
    image: str = "{c}/{n}.jpg",
    mask: str = "{c}/{n}.png",
    clean_mask: bool = False,
    **options: object,
) -> None:
    """Class folders whose defect sheets have masks somewhere."""
    for i in range(4):
        for c in ("good", "crack"):
            n = f"{c[0]}{i}"
            save(root / image.format(c=c, n=n), photo(i + 10 * (c == "good")))
            if c == "crack":
                save(root / mask.format(c=c, n=n), stripe(), **options)
            elif clean_mask:
                save(root / mask.format(c=c, n=n), np.zeros((H, W), np.uint8), **options)


MASKED = {"layout": "folder", "masked": 4}


def two_cameras(root: Path) -> None:
    """Both files of a name are photographs."""
    for c in ("good", "crack"):
        for i in range(2):
            for place, suffix in enumerate((".jpg", ".png")):
                save(root / c / f"f{i}{suffix}", photo(i + 10 * place + 100 * (c == "good")))


def index_masks(root: Path, values: tuple[int, int] = (1, 2), wide: bool = False) -> None:
    """Class folders with masks of small numbers."""
    masked_classes(root)
    for i in range(4):
        mask = stripe(values[0]).astype(np.uint16 if wide else np.uint8)
        mask[30:40, 40:50] = values[1]
        save(root / f"crack/c{i}.png", mask)


def mask_set(
    root: Path, image: str = "images/{n}.jpg", mask: str = "masks/{n}.png", parts: Sequence[str] = ("",)
) -> None:
    """Images and masks without classes; every second mask is empty."""
    for place, part in enumerate(parts):
        for i in range(4):
            n = f"{place}{i}"
            save(root / image.format(n=n, p=part), photo(i + 10 * place))
            save(root / mask.format(n=n, p=part), stripe() if i % 2 else np.zeros((H, W), np.uint8))


MASKS = {"layout": "masks", "types": ("defect",), "clean": "none", "sheets": 4, "defect_free": 2, "masked": 2}


def type_masks(root: Path, void: bool = False, palette: bool = False) -> None:
    """Images and masks whose values are types."""
    for i in range(4):
        save(root / f"images/{i}.png", photo(i))
        mask = np.zeros((H, W), np.uint8)
        if i:
            mask[5:20, 5:20] = 1
        if i > 1:
            mask[25:40, 30:50] = 3
        if void:
            mask[:, 0] = 255
        picture = Image.fromarray(mask)
        if palette:
            picture.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0, 90, 90, 0] + [0] * 756)
        (root / "masks").mkdir(exist_ok=True)
        picture.save(root / f"masks/{i}.png")


TYPES = {
    "layout": "masks",
    "types": ("value 1", "value 3"),
    "clean": "none",
    "sheets": 4,
    "defect_free": 1,
    "masked": 3,
}


def clutter(root: Path) -> None:
    """A RUN folder, thumbnails and bins beside the classes."""
    classes(root)
    for name in ("card.json", "recipe.json", "metrics.json"):
        text(root / "run" / name, "{}")
    (root / "run/model.safetensors").write_bytes(b"")
    save(root / "run/figures/confusion.png", photo(1))
    save(root / "@eaDir/good/SYNOPHOTO_THUMB_M.jpg", photo(2))
    save(root / "#recycle/old.jpg", photo(3))
    save(root / ".thumbnails/a.png", photo(4))
    save(root / "good/@eaDir/g00.jpg/SYNOPHOTO_THUMB_S.jpg", photo(5))
    text(root / "good/Thumbs.db", "x")
    text(root / "README.md", "x")
    text(root / "scan/scan.json", "{}")
    save(root / "scan/shown.png", photo(6))
    text(root / "groups.csv", "image,coil\n")


def kaggle(root: Path, names: str = "{n}.jpg", extra: Sequence[Sequence[object]] = ()) -> None:
    """Kaggle's layout with two defective images of four."""
    rows: list[Sequence[object]] = [["ImageId", "ClassId", "EncodedPixels"]]
    for i in range(4):
        save(root / f"train_images/s{i}.jpg", photo(i))
        if i < 2:
            rows.append([names.format(n=f"s{i}"), 3, "100 5 200 7"])
    table(root / "train.csv", [*rows, *extra])


KAGGLE = {
    "layout": "severstal",
    "types": ("type 1", "type 2", "type 3", "type 4"),
    "clean": "none",
    "sheets": 4,
    "defect_free": 2,
    "masked": 2,
}


def grouped(
    root: Path, form: str = "{c}/{n}.jpg", head: Sequence[str] = ("image", "coil"), drop: int = 0
) -> None:
    """Class folders with a table of groups."""
    classes(root)
    rows: list[Sequence[object]] = [head]
    for place, c in enumerate(("good", "crack")):
        for i in range(4):
            rows.append(
                [form.format(c=c, n=f"{c[0]}{place}{i}", N=f"{c[0]}{place}{i}".upper()), f"coil{i // 2}"]
            )
    table(root / "groups.csv", rows[: len(rows) - drop])
