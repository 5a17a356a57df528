"""Further rows of the table of inputs: masks, tables and names as less common tools write them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from input_annotations import split_lists
from input_basics import Case, Expect, H, W, classes, save, stripe
from input_folders import KAGGLE, MASKED, MASKS, grouped, kaggle, mask_set, masked_classes


def further_folder_cases() -> Iterator[Case]:
    """All rows of this file."""
    yield from _masks()
    yield from _names()
    yield from _tables()
    yield from _lists()


def _noisy_masks(root: Path) -> None:
    masked_classes(root)
    for i in range(4):
        noise = np.random.default_rng(i).normal(0, 6, (H, W))
        (root / f"crack/c{i}.png").unlink()
        mask = np.clip(stripe() + noise, 0, 255).astype(np.uint8)
        save(root / f"crack/c{i}_mask.jpg", mask, quality=60)


def _redrawn(draw: Callable[[int], Image.Image]) -> Callable[[Path], None]:
    """Class folders whose masks are redrawn."""

    def case(root: Path) -> None:
        masked_classes(root)
        for i in range(4):
            draw(i).save(root / f"crack/c{i}.png")

    return case


def _colour_masks(root: Path, types: bool) -> None:
    mask_set(root)
    for i in (1, 3):
        colour = np.zeros((H, W, 3), np.uint8)
        colour[..., i // 2 if types else 0] = stripe(200)
        save(root / f"masks/0{i}.png", colour)


def _masks() -> Iterator[Case]:
    def case(name: str, draw: Callable[[Path], object], **expect: object) -> Case:
        return Case("further masks", name, draw, Expect(**{**MASKED, **expect}))

    yield case("masks as noisy JPEG", _noisy_masks)
    for name in ("Masken", "masques", "gt_images", "png_masks", "SegmentationClass"):
        yield case(f"masks in {name}/", lambda r, n=name: masked_classes(r, mask=n + "/{n}.png"))
    for name in ("mascaras", "маски", "掩膜", "Beschriftungen", "binary"):
        yield case(
            f"masks in {name}/, a word not known",
            lambda r, n=name: masked_classes(r, mask=n + "/{n}.png"),
            layout="",
            refused=f"say so with --masks {name}",
        )
        yield case(
            f"masks in {name}/, named",
            lambda r, n=name: masked_classes(r, mask=n + "/{n}.png"),
            options={"masks": name},
        )
    alpha = Image.merge("LA", (Image.new("L", (W, H)), Image.fromarray(stripe())))
    yield case("masks drawn in the alpha channel", _redrawn(lambda _: alpha))
    yield case(
        "smoothed masks",
        _redrawn(lambda _: Image.fromarray(stripe()).resize((2 * W, 2 * H)).resize((W, H))),
    )
    yield case("masks black on white", _redrawn(lambda _: Image.fromarray(255 - stripe())), bad=1)
    yield case("masks that mark everything", _redrawn(lambda _: Image.new("L", (W, H), 255)), bad=1)
    yield case("masks that mark nothing", _redrawn(lambda _: Image.new("L", (W, H))), masked=0)
    yield case(
        "a mask of another size",
        lambda r: (masked_classes(r), save(r / "crack/c0.png", stripe(255, H // 2, W // 2))),
        sheets=7,
        masked=3,
        bad=1,
    )
    yield case("masks of one colour", lambda r: _colour_masks(r, types=False), **MASKS)
    yield case(
        "masks of two colours",
        lambda r: _colour_masks(r, types=True),
        layout="",
        refused="masks in several colours",
    )
    yield case(
        "--masks sparse and a mask that fits no image",
        lambda r: (mask_set(r), (r / "masks/01.png").rename(r / "masks/x.png")),
        **{**MASKS, "sheets": 3, "masked": 1, "options": {"masks": "sparse"}, "bad": 2},
    )


def _names() -> Iterator[Case]:
    def case(names: tuple[str, ...], **expect: object) -> Case:
        draw = lambda r: classes(r, names)  # noqa: E731
        return Case(
            "further class names", " and ".join(names), draw, Expect(**{"layout": "folder", **expect})
        )

    for good, bad in (
        ("OK-1", "NOK-1"),
        ("GOOD", "bad"),
        ("Normal", "Scratch"),
        ("良品", "不良品"),
        ("合格", "不合格"),
        ("正常", "缺陷"),
        ("годен", "брак"),
        ("conforme", "non conforme"),
        ("sem_defeito", "com_defeito"),
        ("senza difetti", "difettoso"),
        ("sans défaut", "défaut"),
        ("ohne_Fehler", "mit_Fehler"),
        ("crack_free", "crack"),
        ("blank", "stain"),
    ):
        yield case((good, bad), types=(bad,), clean=good)
    yield case(("Good", "good", "crack"), clean="Good + good", sheets=12, defect_free=8)
    yield case(("OK_1", "OK_2", "NG"), types=("NG",), clean="OK_1 + OK_2", sheets=12, defect_free=8)
    yield case(("no", "yes"), types=("no", "yes"), clean="none", defect_free=0)
    yield case(("good", "crack", "unlabeled"), bad=1)


def _lists() -> Iterator[Case]:
    def case(name: str, folder: str, train: list[str], test: list[str], **expect: object) -> Case:
        def draw(root: Path) -> None:
            classes(root)
            split_lists(root, folder, train, test)

        return Case("lists of a split", name, draw, Expect(**{"layout": "folder", **expect}))

    first, second = ["g00", "g01", "c10", "c11"], ["g02", "g03", "c12", "c13"]
    yield case("train.txt and test.txt beside class folders", "", first, second, parts=(4, 0, 4))
    paths = [f"crack\\{name}.JPG" for name in second[2:]]
    yield case("splits/train.txt, Windows paths", "splits/", first, paths, parts=(4, 0, 2))
    yield case(
        "a sheet in two lists", "", first, [*second, "g00"], sheets=7, defect_free=3, parts=(3, 0, 4), bad=1
    )
    yield case("a list with a line too many", "", first, [*second, "gone"], parts=(4, 0, 4), bad=1)
    yield case(
        "train.txt that lists no images", "", ["camera 1", "shutter 20"], second, parts=(0, 0, 4), bad=1
    )


def _edited(change: Callable[[str], bytes]) -> Callable[[Path], None]:
    def case(root: Path) -> None:
        grouped(root)
        path = root / "groups.csv"
        path.write_bytes(change(path.read_text()))

    return case


def _tables() -> Iterator[Case]:
    def case(name: str, change: Callable[[str], bytes], **expect: object) -> Case:
        wanted = {"layout": "folder", "groups": "column:coil", **expect}
        return Case("further tables", f"groups.csv {name}", _edited(change), Expect(**wanted))

    yield case("with a byte-order mark", lambda t: t.encode("utf-8-sig"))
    yield case("with semicolons", lambda t: t.replace(",", ";").encode())
    yield case("with tabulators", lambda t: t.replace(",", "\t").encode())
    yield case("that begins with sep=;", lambda t: ("sep=;\r\n" + t.replace(",", ";")).encode())
    yield case("in UTF-16", lambda t: t.encode("utf-16"))
    yield case(
        "in Latin-1", lambda t: t.replace("coil0", "Rolle ü").encode("latin-1"), layout="", refused="UTF-8"
    )
    yield case("with line ends of old Macs", lambda t: "\r".join(t.splitlines()).encode())
    yield case("with a line break in quotes", lambda t: t.replace("coil0", '"coil\n0"').encode())
    yield case("with every row twice", lambda t: (t + t.split("\n", 1)[1]).encode())
    yield case(
        "with rows that contradict",
        lambda t: (t + "good/g00.jpg,x\n").encode(),
        layout="",
        refused="keep one",
    )
    yield case("with empty cells", lambda t: t.replace("coil1", "").encode(), bad=4)
    yield case("with NaN for empty cells", lambda t: t.replace("coil1", "NaN").encode(), bad=4)
    yield case(
        "with a column Coil",
        lambda t: t.replace("coil", "Coil", 1).encode(),
        layout="",
        refused="has image, Coil",
    )
    yield case(
        "with two columns coil",
        lambda t: t.replace("coil", "coil,coil", 1).encode(),
        layout="",
        refused="two columns",
    )
    yield case("cut off in its last row", lambda t: t.rstrip().rsplit(",", 1)[0].encode(), sheets=7, bad=2)
    for name, extra, expect in (
        ("ClassId 0", ["s2.jpg", 0, "1 5"], {}),
        ("ClassId 3.0", ["s2.jpg", "3.0", "1 5"], {}),
        ("runs counted from 0", ["s2.jpg", 1, "0 5"], {}),
        ("runs past the end", ["s2.jpg", 1, "3070 9"], {}),
        ("nan for runs", ["s2.jpg", 1, "nan"], {}),
        ("a type without runs", ["s2.jpg", 1, ""], {}),
        ("a row of another suffix", ["s2.png", 1, "1 5"], {"bad": 2}),
    ):
        yield Case(
            "further tables",
            f"train.csv with {name}",
            lambda r, e=extra: kaggle(r, extra=[e]),
            Expect(**{**KAGGLE, "sheets": 3, "defect_free": 1, "bad": 1, **expect}),
        )
    yield Case(
        "further tables",
        "train.csv with semicolons",
        lambda r: (kaggle(r), (r / "train.csv").write_text((r / "train.csv").read_text().replace(",", ";"))),
        Expect(**KAGGLE),
    )
