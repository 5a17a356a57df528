"""Rows of the table of inputs: folders, masks, class names and tables, and what has to come of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from input_basics import Case, Expect, classes, photo, save, stripe
from input_folders import (
    KAGGLE,
    MASKED,
    MASKS,
    MVTEC,
    SPLIT,
    TYPES,
    class_then_split,
    clutter,
    grouped,
    index_masks,
    kaggle,
    mask_set,
    masked_classes,
    mvtec,
    splits,
    two_cameras,
    type_masks,
    visa_raw,
)


def folder_cases() -> Iterator[Case]:
    def case(name: str, draw: Callable[[Path], None], **expect: object) -> Case:
        return Case("folders", name, draw, Expect(**{"layout": "folder", **expect}))

    yield case("class folders", classes)
    yield case("MVTec AD", mvtec, **{**MVTEC, "layout": "mvtec"})
    yield case(
        "BTAD: ok, ko, masks of the same name",
        lambda r: mvtec(r, "ok", "ko", mask=".png"),
        **{**MVTEC, "layout": "mvtec", "types": ("ko",), "clean": "ok"},
    )
    yield case(
        "VisA converted: test/bad",
        lambda r: mvtec(r, "good", "bad", mask=".png"),
        **{**MVTEC, "layout": "mvtec", "types": ("bad",)},
    )
    yield case(
        "MVTec AD, several categories",
        lambda r: [mvtec(r / c) for c in ("bottle", "screw")],
        layout="",
        refused="name one of them",
    )
    yield case("VisA as downloaded", visa_raw, masked=4, types=("Anomaly",), clean="Normal")
    yield case("split folders", splits, **SPLIT)
    yield case(
        "split folders: Training, Validation, Testing",
        lambda r: splits(r, ("Training", "Validation", "Testing")),
        **SPLIT,
    )
    yield case(
        "split folders: train_images, valid_images",
        lambda r: splits(r, ("train_imgs", "valid_imgs", "test_imgs")),
        **SPLIT,
    )
    yield case("split folders with images/ inside", lambda r: splits(r, middle="images"), **SPLIT)
    yield case("split folders inside classes", class_then_split, layout="split", sheets=8, parts=(4, 0, 4))
    yield case(
        "split folders beside a class",
        lambda r: (splits(r), save(r / "pit/a.jpg", photo(1))),
        layout="",
        refused="look like parts of a split",
    )
    yield case(
        "the same, as classes",
        lambda r: (splits(r), save(r / "pit/a.jpg", photo(1))),
        types=("pit", "test", "train", "val"),
        clean="none",
        sheets=13,
        defect_free=0,
        options={"layout": "folder"},
    )
    yield case(
        "split folders without classes",
        lambda r: [save(r / p / f"{i}.jpg", photo(i)) for p in ("train", "test") for i in range(2)],
        layout="",
        refused="without class folders, masks or annotations",
    )
    yield case(
        "one folder around the classes",
        lambda r: classes(r / "export"),
        layout="",
        refused="name export as DATA",
    )
    yield case("data/ around the classes", lambda r: classes(r / "data"))
    yield case(
        "images/ around the classes, masks/ beside",
        lambda r: masked_classes(r, "images/{c}/{n}.jpg", "masks/{c}/{n}.png"),
        **MASKED,
    )
    yield case(
        "images outside any folder",
        lambda r: save(r / "a.jpg", photo(1)),
        layout="",
        refused="outside any folder",
    )
    yield case("an empty folder", lambda _: None, layout="", refused="found 0 image")
    yield case("RUN, thumbnails, bins, results beside", clutter)
    yield case(
        "a folder of DATA folders", lambda r: kaggle(r / "one"), layout="", refused="a folder of DATA folders"
    )
    yield case(
        "an unknown --layout",
        classes,
        layout="",
        refused="layout: expected one of",
        options={"layout": "tfrecord"},
    )


def mask_cases() -> Iterator[Case]:
    def case(name: str, draw: Callable[[Path], None], **expect: object) -> Case:
        return Case("masks", name, draw, Expect(**{**MASKED, **expect}))

    yield case("JPEG photographs, PNG masks", masked_classes)
    yield case(
        "PNG photographs, JPEG masks", lambda r: masked_classes(r, "{c}/{n}.png", "{c}/{n}.jpg", quality=85)
    )
    yield case(
        "BMP photographs, JPEG masks for sound parts too",
        lambda r: masked_classes(r, "{c}/{n}.bmp", "{c}/{n}.jpg", clean_mask=True),
    )
    yield case("TIFF photographs, GIF masks", lambda r: masked_classes(r, "{c}/{n}.tif", "{c}/{n}.gif"))
    yield case("two cameras, JPEG and PNG", two_cameras, masked=0)
    for affix in ("_label", "_mask", "_gt", "-GT", "_seg", ".mask", "_annotation", "_bw", "_odd", "mask"):
        yield case(
            f"masks named a{affix}.png",
            lambda r, affix=affix: masked_classes(r, "{c}/{n}.png", "{c}/{n}" + affix + ".png"),
        )
    yield case("masks named mask_a.png", lambda r: masked_classes(r, "{c}/{n}.png", "{c}/mask_{n}.png"))
    yield case(
        "Kolektor: masks by suffix, for sound parts too",
        lambda r: masked_classes(r, mask="{c}/{n}_label.bmp", clean_mask=True),
    )
    yield case(
        "images/ and masks/ in each class",
        lambda r: masked_classes(r, "{c}/images/{n}.jpg", "{c}/masks/{n}.png"),
    )
    yield case(
        "the same with masks for sound parts",
        lambda r: masked_classes(r, "{c}/imgs/{n}.jpg", "{c}/gt/{n}.png", True),
    )
    yield case("a mask folder beside the classes", lambda r: masked_classes(r, mask="mask/{n}.png"))
    yield case(
        "ground_truth/ by class beside them",
        lambda r: masked_classes(r, mask="Ground Truth/{c}/{n}_mask.png"),
    )
    yield case("crack_masks/ beside crack/", lambda r: masked_classes(r, mask="{c}_masks/{n}.png"))
    yield case(
        "a folder of masks with a name of its own",
        lambda r: masked_classes(r, mask="bw/{n}.png"),
        layout="",
        refused="--masks bw",
    )
    yield case("the same, named", lambda r: masked_classes(r, mask="bw/{n}.png"), options={"masks": "bw"})
    yield case(
        "--masks names no file",
        masked_classes,
        layout="",
        refused="no image has a mask so named",
        options={"masks": "_mask"},
    )
    yield case("--masks none", masked_classes, masked=0, sheets=12, options={"masks": "none"})
    yield case("masks of values 1 and 2", index_masks)
    yield case("masks of gray 90 and 180", lambda r: index_masks(r, (90, 180)))
    yield case("16-bit masks of 1 and 2", lambda r: index_masks(r, wide=True))
    yield case("masks of 0 and 1", lambda r: index_masks(r, (1, 1)))
    yield case(
        "photographs named _mask",
        lambda r: (classes(r), save(r / "crack/c10_mask.jpg", photo(9))),
        layout="",
        refused="is named as a mask and holds a photograph",
    )
    yield case(
        "a folder of overlays named masks",
        lambda r: (classes(r), [save(r / f"masks/c1{i}.jpg", photo(50 + i)) for i in range(4)]),
        layout="",
        refused="is named as masks and holds photographs",
    )
    yield case(
        "a mask without its image",
        lambda r: (masked_classes(r, mask="mask/{n}.png"), save(r / "mask/x9.png", stripe())),
        bad=1,
    )
    yield case(
        "a mask that fits two images",
        lambda r: (
            [save(r / f"{c}/1.jpg", photo(i)) for i, c in enumerate(("crack", "pit"))],
            save(r / "mask/1.png", stripe()),
        ),
        layout="",
        refused="sort the masks into folders",
    )
    yield case(
        "one mask of twenty is a photograph",
        lambda r: (
            [
                (
                    save(r / f"crack/{i:02d}.jpg", photo(i)),
                    save(r / f"crack/{i:02d}.png", stripe() if i != 13 else photo(99)),
                )
                for i in range(20)
            ],
            save(r / "good/a.jpg", photo(50)),
        ),
        sheets=20,
        masked=19,
        defect_free=1,
        bad=1,
    )
    yield case("images/ and masks/, no classes", mask_set, **MASKS)
    yield case(
        "the same in train/ and test/",
        lambda r: mask_set(r, "{p}/images/{n}.jpg", "{p}/masks/{n}.png", ("train", "test")),
        **{**MASKS, "sheets": 8, "defect_free": 4, "masked": 4, "parts": (4, 0, 4)},
    )
    yield case(
        "images/train/ and masks/train/",
        lambda r: mask_set(r, "images/{p}/{n}.jpg", "masks/{p}/{n}.png", ("train", "val")),
        **{**MASKS, "sheets": 8, "defect_free": 4, "masked": 4, "parts": (4, 4, 0)},
    )
    yield case(
        "Kolektor 2: a_GT.png beside a.png in train/",
        lambda r: mask_set(r, "{p}/{n}.png", "{p}/{n}_GT.png", ("train", "test")),
        **{**MASKS, "sheets": 8, "defect_free": 4, "masked": 4, "parts": (4, 0, 4)},
    )
    yield case(
        "images and a_mask.png in one folder", lambda r: mask_set(r, "{n}.png", "{n}_mask.png"), **MASKS
    )
    yield case("masks whose values are types", type_masks, **TYPES)
    yield case("the same with 255 as border", lambda r: type_masks(r, void=True), **TYPES)
    yield case("the same with a palette", lambda r: type_masks(r, palette=True), **TYPES)
    yield case(
        "an image without a mask",
        lambda r: (mask_set(r), save(r / "images/x.jpg", photo(9))),
        **{**MASKS, "bad": 1},
    )
    yield case(
        "the same with --masks sparse",
        lambda r: (mask_set(r), save(r / "images/x.jpg", photo(9))),
        **{**MASKS, "sheets": 5, "defect_free": 3, "options": {"masks": "sparse"}},
    )


def name_cases() -> Iterator[Case]:
    def case(name: str, draw: Callable[[Path], None], **expect: object) -> Case:
        return Case("class names", name, draw, Expect(**{"layout": "folder", **expect}))

    for good, bad in (
        ("Pass", "Fail"),
        ("ok_front", "def_front"),
        ("IO", "NIO"),
        ("gut", "schlecht"),
        ("non_defective", "defective"),
        ("Negative", "Positive"),
        ("intact", "damaged"),
        ("No Defect", "Defect"),
        ("0_normal", "1_anomaly"),
        ("undamaged", "damaged"),
    ):
        yield case(f"{good} and {bad}", lambda r, n=(good, bad): classes(r, n), types=(bad,), clean=good)
    yield case(
        "two good classes",
        lambda r: classes(r, ("ok_back", "ok_front", "crack")),
        clean="ok_back + ok_front",
        sheets=12,
        defect_free=8,
    )
    yield case(
        "no good class",
        lambda r: classes(r, ("pit", "crack")),
        types=("crack", "pit"),
        clean="none",
        defect_free=0,
    )
    yield case(
        "A and B, A defect-free by option",
        lambda r: classes(r, ("A-Ware", "B-Ware")),
        types=("B-Ware",),
        clean="A-Ware",
        options={"defect_free": ("a-ware",)},
    )
    yield case(
        "--defect-free names no class",
        classes,
        layout="",
        refused="no class fine; the classes are",
        options={"defect_free": ("fine",)},
    )


def table_cases() -> Iterator[Case]:
    def case(name: str, draw: Callable[[Path], None], **expect: object) -> Case:
        return Case("tables", name, draw, Expect(**{"layout": "folder", "groups": "column:coil", **expect}))

    yield case("groups.csv by path", grouped)
    yield case("with backslashes", lambda r: grouped(r, "{c}\\{n}.jpg"))
    yield case("with whole Windows paths", lambda r: grouped(r, "D:\\lines\\{c}\\{n}.jpg"))
    yield case("bare file names", lambda r: grouped(r, "{n}.jpg"))
    yield case("without suffix", lambda r: grouped(r, "{c}/{n}"))
    yield case("in capitals", lambda r: grouped(r, "{N}.JPG"))
    yield case("a column of another title", lambda r: grouped(r, head=("Bilddatei", "coil")))
    yield case("two sheets without a row", lambda r: grouped(r, drop=2), bad=2)
    yield case(
        "rows that name no image",
        lambda r: grouped(r, "{c}/{n}_x.jpg"),
        layout="",
        refused="none of its 8 rows names an image",
    )
    yield case("no such column", classes, layout="", refused="has a column 'coil'")
    yield case(
        "a table elsewhere",
        lambda r: (grouped(r), (r / "groups.csv").rename(r / "coils.csv")),
        groups="file:coils.csv:coil",
    )
    kaggle_case = {**KAGGLE, "groups": None}
    yield case("Kaggle's layout", kaggle, **kaggle_case)
    yield case("train.csv without suffixes", lambda r: kaggle(r, "{n}"), **kaggle_case)
    yield case("train.csv with paths", lambda r: kaggle(r, "train_images\\{n}.JPG"), **kaggle_case)
    yield case(
        "a row that is cut off names an image",
        lambda r: kaggle(r, extra=[["s3.jpg", "1"]]),
        **{**kaggle_case, "sheets": 3, "defect_free": 1, "bad": 2},
    )
    yield case(
        "a row of no image", lambda r: kaggle(r, extra=[["x.jpg", "1", "1 2"]]), **{**kaggle_case, "bad": 1}
    )
    yield case(
        "train.csv missing",
        lambda r: save(r / "train_images/a.jpg", photo(1)),
        layout="",
        refused="no train.csv",
        groups=None,
    )
