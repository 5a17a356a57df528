"""Classes, labels and groups that cannot be used: clear errors, or the documented answer."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from steelsight.adaptation.options import AdaptOptions
from steelsight.adaptation.run import adapt_bundle
from steelsight.errors import BadData, BadOutput, BadRecipe

COUNTS = {"none": 14, "bar": 12, "block": 10}
QUICK = AdaptOptions(folds=3, repeats=1)
Make = Callable[..., Path]


@pytest.fixture
def adapt(make_bundle: Make, tmp_path: Path) -> Callable[..., tuple[str, ...]]:
    """Adapt the tiny bundle; returns the classes of the new one."""

    def call(data: Path, bundle: Path | None = None, **options: object) -> tuple[str, ...]:
        given = replace(QUICK, **options)
        return adapt_bundle(bundle or make_bundle(), data, tmp_path / "new", given).card.class_names

    return call


def test_a_renamed_class(adapt: Callable[..., tuple[str, ...]], make_data: Make) -> None:
    data = make_data({"good": 14, "stripe": 12, "block": 10}, looks={"good": "none", "stripe": "bar"})
    with pytest.raises(
        BadData,
        match=r"DATA has stripe, which the bundle does not have: give --new 'stripe' where it is a new "
        r"class, --rename 'stripe=bar' where it is the same under another name; DATA has no sheet of bar, .*"
        r"--drop 'bar' to leave it out; or --take-classes",
    ):
        adapt(data)
    assert adapt(data, rename=("stripe=bar",)) == ("none", "bar", "block")
    assert adapt(data, new=("stripe",), drop=("bar",)) == ("none", "block", "stripe")
    assert adapt(data, take_classes=True) == ("none", "block", "stripe")


def test_the_remedies_for_a_defect_free_class_under_another_name_work(
    adapt: Callable[..., tuple[str, ...]], make_data: Make
) -> None:
    data = make_data({"mirror": 14, "bar": 12, "block": 10}, looks={"mirror": "none"})
    with pytest.raises(
        BadData, match="or --defect-free 'mirror' where that is DATA's name of its defect-free"
    ):
        adapt(data)
    with pytest.raises(BadData, match="--defect-free 'mirror', without --rename 'mirror=none' where"):
        adapt(data, rename=("mirror=none",))
    assert adapt(data, defect_free=("mirror",)) == ("none", "bar", "block")
    with pytest.raises(BadRecipe, match="--drop: expected at least one class to stay"):
        adapt(data, defect_free=("mirror",), drop=("none", "bar", "block"))


def test_a_new_class_of_ten_examples(adapt: Callable[..., tuple[str, ...]], make_data: Make) -> None:
    data = make_data(COUNTS | {"dots": 10})
    with pytest.raises(BadData, match="DATA has dots, which the bundle does not have"):
        adapt(data)
    assert adapt(data, new=("dots",)) == ("none", "bar", "block", "dots")


def test_a_new_class_with_a_name_that_no_card_takes(
    adapt: Callable[..., tuple[str, ...]], make_data: Make
) -> None:
    data = make_data(COUNTS | {"do\x1bts": 10})
    with pytest.raises(BadData, match=r"class 'do\\x1bts': expected a name of 1 to 255 .* rename it in DATA"):
        adapt(data, take_classes=True)


def test_another_folder_is_refused_before_anything_is_read(make_bundle: Make, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "notes.txt").write_text("mine")
    with pytest.raises(BadOutput, match="expected a new folder or a bundle with no other files"):
        adapt_bundle(make_bundle(), tmp_path / "nowhere", tmp_path / "new", QUICK)
    assert (tmp_path / "new" / "notes.txt").read_text() == "mine"


def test_names_are_taken_as_they_look(adapt: Callable[..., tuple[str, ...]], make_data: Make) -> None:
    """An umlaut of two characters, and two spaces, as some systems write a folder's name."""
    data = make_data({"none": 14, "Lo\u0308cher  fein": 12, "block": 10}, looks={"Lo\u0308cher  fein": "bar"})
    assert adapt(data, rename=("L\u00f6cher fein=bar",)) == ("none", "bar", "block")
    own = make_data({"none": 14, "block ": 12, "bar": 10}, "OWN", looks={"block ": "block"})
    assert adapt(own) == ("none", "bar", "block")  # a class of the bundle, by how it looks
    named = adapt(data, new=("L\u00f6cher fein",), drop=("bar",))
    assert named == ("none", "block", "Lo\u0308cher  fein")


def test_foreign_types_and_no_defect_free_are_told(
    make_bundle: Make, make_data: Make, tmp_path: Path
) -> None:
    foreign = replace(QUICK, take_classes=True)
    known = make_data(COUNTS, "KNOWN")
    notes = adapt_bundle(make_bundle(), known, tmp_path / "a", QUICK).notes
    assert not any("no comparison" in note or "defect-free" in note for note in notes)
    data = make_data({"none": 14, "x": 12, "y": 10}, "FOREIGN", looks={"x": "bar", "y": "block"})
    notes = adapt_bundle(make_bundle(), data, tmp_path / "b", foreign).notes
    assert any("the gain is no comparison" in note for note in notes)
    data = make_data({"mirror": 14, "bar": 12, "block": 10}, "MIRROR", looks={"mirror": "none"})
    notes = adapt_bundle(make_bundle(), data, tmp_path / "c", foreign).notes
    assert any(note.startswith("no class is defect-free: ") and "--defect-free" in note for note in notes)


def test_a_dropped_class_leaves_its_sheets_out(
    adapt: Callable[..., tuple[str, ...]], make_data: Make
) -> None:
    assert adapt(make_data(COUNTS), drop=("bar",)) == ("none", "block")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"drop": ("crack",)}, r"--drop 'crack': expected a class of the bundle \(none, bar, block\)"),
        ({"new": ("bar",)}, r"--new 'bar': expected a new class of DATA \(there is none\)"),
        ({"rename": ("bar",)}, "--rename: expected DATA=BUNDLE"),
        ({"rename": ("foo=bar",)}, r"--rename 'foo': expected a class of DATA \(bar, block, none\)"),
        ({"rename": ("bar=foo",)}, r"--rename 'foo': expected a class of the bundle \(none, bar, block\)"),
    ],
)
def test_options_that_name_nothing(
    options: dict[str, object], words: str, adapt: Callable[..., tuple[str, ...]], make_data: Make
) -> None:
    with pytest.raises(BadRecipe, match=words):
        adapt(make_data(COUNTS), **options)


def test_no_defect_free_sheets(adapt: Callable[..., tuple[str, ...]], make_data: Make) -> None:
    data = make_data({"bar": 12, "block": 10})
    with pytest.raises(BadData, match="DATA has no sheet of none, which the bundle has"):
        adapt(data)
    assert adapt(data, drop=("none",)) == ("bar", "block")


def test_the_defect_free_class_as_a_defect(
    adapt: Callable[..., tuple[str, ...]], make_bundle: Make, make_data: Make
) -> None:
    names = ("smooth", "bar", "block")
    bundle = make_bundle(class_names=names, defect_free_class="smooth")
    data = make_data({"smooth": 14, "bar": 12, "block": 10}, looks={"smooth": "none"})
    with pytest.raises(BadData, match="smooth is the defect-free class of the bundle, and a defect type"):
        adapt(data, bundle)
    assert adapt(data, bundle, defect_free=("smooth",)) == names


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_of_a_class(count: int, adapt: Callable[..., tuple[str, ...]], make_data: Make) -> None:
    data = make_data(COUNTS | {"block": count})
    with pytest.raises(
        BadData, match=rf"class block: {count} sheets? of one type in {count} groups?, expected"
    ):
        adapt(data)


def test_one_class_alone(adapt: Callable[..., tuple[str, ...]], make_data: Make) -> None:
    with pytest.raises(BadData, match="expected at least two classes, got bar alone"):
        adapt(make_data({"bar": 12}), drop=("none", "block"))


def grouped(data: Path, coil: Callable[[int], str]) -> Path:
    rows = [f"{path.relative_to(data)},{coil(row)}" for row, path in enumerate(sorted(data.rglob("*.png")))]
    (data / "groups.csv").write_text("image,coil\n" + "\n".join(rows) + "\n")
    return data


def test_all_labels_of_one_coil(adapt: Callable[..., tuple[str, ...]], make_data: Make) -> None:
    data = grouped(make_data(COUNTS), lambda row: "7")
    with pytest.raises(BadData, match=r"all 36 sheets are of one group \(7\), so nothing can be judged"):
        adapt(data, groups="column:coil")


def test_one_coil_a_class(adapt: Callable[..., tuple[str, ...]], make_data: Make) -> None:
    data = grouped(make_data(COUNTS), lambda row: str(row // 12))
    with pytest.raises(BadData, match=r"class none: 14 sheets of one type in 2 groups, expected at least 3"):
        adapt(data, groups="column:coil")
    assert adapt(grouped(data, lambda row: str(row // 3)), groups="column:coil") == ("none", "bar", "block")


def test_contradictory_labels_for_one_image(
    adapt: Callable[..., tuple[str, ...]], make_data: Make, tmp_path: Path
) -> None:
    data = make_data(COUNTS)
    shutil.copy(data / "bar" / "0_3.png", data / "block" / "again.png")
    with pytest.raises(
        BadData, match=r"bar/0_3.png and block/again.png are the same picture with different labels, bar and"
    ):
        adapt(data)
    (data / "block" / "again.png").unlink()
    other = make_data({"block": 1}, "OTHER")
    shutil.copy(data / "bar" / "0_3.png", other / "block" / "again.png")
    with pytest.raises(BadData, match=r"DATA/bar/0_3.png and OTHER/\S*again.png are the same picture"):
        adapt(data, also=(other,))


def test_equal_pictures_count_once(make_bundle: Make, make_data: Make, tmp_path: Path) -> None:
    data = make_data(COUNTS)
    options = replace(QUICK, also=(shutil.copytree(data, tmp_path / "COPY"),))
    card = adapt_bundle(make_bundle(), data, tmp_path / "new", options).card
    assert card.source["adapted"][0]["sheets"] == 36


def test_a_binary_bundle(adapt: Callable[..., tuple[str, ...]], make_bundle: Make, make_data: Make) -> None:
    names = ("none", "defect")
    bundle = make_bundle(class_names=names, task="binary")
    assert adapt(make_data(COUNTS), bundle) == names
    with pytest.raises(BadRecipe, match="a binary bundle tells defective from defect-free sheets"):
        adapt(make_data(COUNTS), bundle, new=("bar",))
    with pytest.raises(
        BadData, match="expected defective and defect-free sheets for a binary bundle, got only"
    ):
        adapt(make_data({"bar": 4}, "BARS"), bundle)


def test_a_multilabel_bundle(
    adapt: Callable[..., tuple[str, ...]], make_bundle: Make, make_data: Make
) -> None:
    bundle = make_bundle(class_names=("bar", "block"), task="multilabel")
    with pytest.raises(BadRecipe, match="expected a binary or multiclass bundle, got a multilabel one"):
        adapt(make_data(COUNTS), bundle)


def test_damaged_images_are_refused_as_everywhere(
    adapt: Callable[..., tuple[str, ...]], make_data: Make
) -> None:
    data = make_data(COUNTS)
    (data / "bar" / "broken.png").write_bytes(b"no image")
    with pytest.raises(BadData, match="1 bad item, 0 allowed"):
        adapt(data)
    assert adapt(data, allow_bad=1) == ("none", "bar", "block")


def test_sheets_of_several_types(make_bundle: Make, make_data: Make, tmp_path: Path) -> None:
    """COCO names two types of a sheet."""
    import json

    data = make_data({**COUNTS, "bar block": 3})
    flat = tmp_path / "coco"
    flat.mkdir()
    images, annotations = [], []
    for number, path in enumerate(sorted(data.rglob("*.png"))):
        name = f"{path.parent.name.replace(' ', '_')}_{path.name}"
        with Image.open(path) as image:
            image.save(flat / name)
        images.append({"id": number, "file_name": name, "width": 24, "height": 16})
        annotations += [
            {
                "id": len(annotations) + k,
                "image_id": number,
                "category_id": ("bar", "block").index(kind) + 1,
                "bbox": [1, 1, 5, 5],
                "area": 25,
                "iscrowd": 0,
            }
            for k, kind in enumerate(path.parent.name.split())
            if kind != "none"
        ]
    categories = [{"id": 1, "name": "bar"}, {"id": 2, "name": "block"}]
    (flat / "instances.json").write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )
    entry = adapt_bundle(make_bundle(), flat, tmp_path / "new", QUICK).card.source["adapted"][0]
    assert entry["sheets"] == 39
    assert entry["by_class"] == COUNTS
    assert entry["several_types"] == 3
    words = (tmp_path / "new" / "README.md").read_text()
    assert "(none 14, bar 12, block 10, 3 of several types)" in words
