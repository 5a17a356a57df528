"""Policies, sheets and bundles that a gate refuses: what was expected, what came, what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.adaptation.gate.gate_cases import known_bundle, known_data, write_policy

from steelsight.adaptation.gate.options import BundleGateOptions
from steelsight.adaptation.gate.policy import load_gate_policy
from steelsight.adaptation.gate.run import gate_bundle
from steelsight.adaptation.suitable import picture_marks
from steelsight.csv_text import csv_text
from steelsight.errors import (
    BadBundle,
    BadData,
    BadInput,
    BadOutput,
    BadRecipe,
    SteelsightError,
    UnusableItems,
)
from steelsight.runtime.bundle.open import open_bundle
from steelsight.sheets.catalog import load_pixels, open_data
from steelsight.sheets.grouping.duplicates import pixel_hashes
from steelsight.types import InputSpec

STAIN = '[[shortcut]]\nnuisance = "stain"\n'


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return known_data(tmp_path_factory.mktemp("sheets") / "DATA", 60)


def _refused(
    bundle: Path, data: Path, policy: Path, error: type[SteelsightError], match: str, **options: object
) -> None:
    """Refused, and the card is as it was."""
    before = (bundle / "card.json").read_bytes()
    with pytest.raises(error, match=match):
        gate_bundle(bundle, data, policy, BundleGateOptions(**options))
    assert (bundle / "card.json").read_bytes() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"shortcut: Field required, got .*a policy has tables \[\[shortcut\]\]"),
        (" ", r"shortcut: Field required"),
        ("shortcut = []", r"shortcut: .*at least 1 item"),
        (STAIN, r"shortcut.0: .*expected most_flipped or most_excess, found neither"),
        (f"{STAIN}most_flipped = 1.5", r"most_flipped: .*less than or equal to 1, got 1.5"),
        (f"{STAIN}most_excess = -0.1", r"most_excess: .*greater than or equal to 0"),
        (f"{STAIN}most_excess = nan", r"most_excess: .*finite"),
        (f"{STAIN}most_excess = true", r"most_excess: .*valid number, got True"),
        (f'{STAIN}most_excess = 0.1\ninconclusive = "pass"', r"inconclusive: Extra inputs"),
        (f"{STAIN}most_excess = 0.1\nleast_pasted = 19", r"least_pasted: .*greater than or equal to 20"),
        (
            f'{STAIN}most_excess = 0.1\nsuspect = "dent"',
            r"suspect: expected a class .*, got 'dent'",
        ),
        ('[[shortcut]]\nnuisance = "no.csv"\nmost_excess = 0.1', r"nuisance: .*'no.csv', which is no file"),
        (
            f"{STAIN}most_excess = 0.1\n[quality]\nleast_sheets = 0",
            r"least_sheets: .*or equal to 1",
        ),
        (f"{STAIN}most_excess = 0.1\n[quality]\nleast_acuracy = 0.9", r"quality.least_acuracy: Extra inputs"),
        ('[[shortcut]]\nnuisance = "a\\u0007.csv"\nmost_excess = 0.1', r"nuisance: .*control characters"),
        ("[[shortcut]\n", "expected TOML"),
    ],
)
def test_an_invalid_policy_is_refused(tmp_path: Path, text: str, message: str) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(text)
    with pytest.raises(BadRecipe, match=message):
        load_gate_policy(policy, ("none", "defect"))


def test_a_missing_policy_is_refused(tmp_path: Path, data: Path) -> None:
    _refused(known_bundle(tmp_path / "b"), data, tmp_path / "none.toml", BadRecipe, "expected a TOML file")


def test_defective_sheets_without_masks_are_refused(tmp_path: Path, data: Path) -> None:
    bare = shutil.copytree(data, tmp_path / "bare", ignore=shutil.ignore_patterns("*.png"))
    _refused(
        known_bundle(tmp_path / "b"),
        bare,
        write_policy(tmp_path),
        BadData,
        r"expected masks of the defects, found none on 30 defective sheets",
    )


def test_classes_that_the_bundle_lacks_are_refused(tmp_path: Path, data: Path) -> None:
    other = shutil.copytree(data, tmp_path / "other")
    (other / "defect").rename(other / "crack")
    _refused(
        known_bundle(tmp_path / "b"),
        other,
        write_policy(tmp_path),
        BadData,
        r"expected only classes of the bundle \(none, defect\), got crack",
    )


def test_a_multilabel_bundle_is_refused(tmp_path: Path, data: Path) -> None:
    bundle = known_bundle(
        tmp_path / "b", task="multilabel", class_names=("scratch", "dent"), defect_free_class=None
    )
    _refused(bundle, data, write_policy(tmp_path), BadRecipe, "got a multilabel one")


def test_too_few_sheets_are_refused_where_nothing_can_be_tested(tmp_path: Path) -> None:
    few = known_data(tmp_path / "few", 2)
    policy = write_policy(tmp_path)
    _refused(known_bundle(tmp_path / "b"), few, policy, BadInput, r"stain: few: .*; and no test: few")


def test_the_training_folder_is_refused_without_its_split(tmp_path: Path, data: Path) -> None:
    spec = InputSpec(64, 160)
    cache = load_pixels(open_data(data), spec)
    bundle = known_bundle(tmp_path / "b", source={"data_hash": cache.data_hash})
    policy = write_policy(tmp_path, f"{STAIN}most_flipped = 1.0")
    _refused(bundle, data, policy, BadData, r"was trained on sheets of this folder; .*--splits")
    hashes = pixel_hashes(cache.images)
    parts = ["train", "test", "test", "validation"] * 15
    table = [("id", "split", "group", "label", "pixels")]
    table += [
        (item.id, part, "", "x", mark)
        for item, part, mark in zip(cache.sheets.items, parts, hashes, strict=True)
    ]
    (tmp_path / "splits.csv").write_text(csv_text(table))
    found = gate_bundle(bundle, data, policy, BundleGateOptions(splits=tmp_path / "splits.csv"))
    assert found.record.sheets == 30
    assert found.notes == ("30 sheets that the run has learnt from, or of their groups, left out",)


def test_a_table_that_is_no_split_is_refused(tmp_path: Path, data: Path) -> None:
    (tmp_path / "x.csv").write_text("ImageId\n1\n")
    bundle, policy = known_bundle(tmp_path / "b"), write_policy(tmp_path)
    _refused(bundle, data, policy, BadData, r"expected the column\(s\) id, split", splits=tmp_path / "x.csv")
    (tmp_path / "x.csv").write_text("id,split,group,label,pixels\n1,test,,x,00\n")
    _refused(bundle, data, policy, BadData, r"found no row of its training part", splits=tmp_path / "x.csv")


def test_the_own_training_part_of_a_folder_is_left_out(tmp_path: Path, data: Path) -> None:
    copy = shutil.copytree(data, tmp_path / "copy")
    names = sorted(path.relative_to(copy).as_posix() for path in copy.rglob("*.jpg"))
    parts = [("ImageId", "part"), *((name, "train" if i % 3 else "test") for i, name in enumerate(names))]
    (copy / "split.csv").write_text(csv_text(parts))
    policy = write_policy(tmp_path, f"{STAIN}most_flipped = 1.0")
    found = gate_bundle(known_bundle(tmp_path / "b"), copy, policy)
    assert found.record.sheets == 20
    assert found.notes == ("40 sheets of the training and validation part of copy left out",)


def test_sheets_that_an_adapted_head_was_fitted_to_are_refused(tmp_path: Path, data: Path) -> None:
    cache = load_pixels(open_data(data), InputSpec(64, 160))
    bundle = known_bundle(tmp_path / "b", source={"adapted": [{"pictures": picture_marks(cache.images[:7])}]})
    _refused(bundle, data, write_policy(tmp_path), BadData, r"was fitted to 7 of these 60 sheets")


def test_unusable_sheets_are_refused(tmp_path: Path, data: Path) -> None:
    broken = shutil.copytree(data, tmp_path / "broken")
    (broken / "none" / "zz.jpg").write_bytes(b"no picture")
    _refused(known_bundle(tmp_path / "b"), broken, write_policy(tmp_path), UnusableItems, "1 bad item")


def test_a_bundle_of_the_package_is_not_changed(data: Path, tmp_path: Path) -> None:
    with pytest.raises(BadOutput, match=r"a bundle of the package.*--out BUNDLE2`"):
        gate_bundle(Path("fast"), data, write_policy(tmp_path))


def test_a_folder_with_other_files_is_not_overwritten(tmp_path: Path, data: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    policy = write_policy(tmp_path, f"{STAIN}most_flipped = 1.0")
    with pytest.raises(BadOutput, match="found other files"):
        gate_bundle(known_bundle(tmp_path / "b"), data, policy, out=tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "mine"


def test_a_bundle_replaced_meanwhile_keeps_its_card(tmp_path: Path, data: Path) -> None:
    bundle = known_bundle(tmp_path / "b")

    def replace(text: str) -> None:
        if text.startswith("pasting"):
            known_bundle(bundle, white=3.0)

    policy = write_policy(tmp_path, f"{STAIN}most_flipped = 1.0")
    with pytest.raises(BadBundle, match="it was replaced meanwhile, run the gate again"):
        gate_bundle(bundle, data, policy, say=replace)
    assert open_bundle(bundle).card.gates == ()
