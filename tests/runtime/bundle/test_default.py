"""The bundle that comes with the package."""

from __future__ import annotations

from pathlib import Path

import pytest

import steelsight
from steelsight.errors import BadBundle
from steelsight.runtime.bundle import default
from steelsight.runtime.bundle.default import BUNDLES, default_bundle, named_bundle
from steelsight.runtime.bundle.open import open_bundle
from steelsight.runtime.parity.verify import verify_bundle
from steelsight.sheets.synthetic import synth_spec, write_sheets
from steelsight.types import State

MOST_BYTES = {"fast": 4 * 2**20}


@pytest.mark.parametrize("name", BUNDLES)
def test_the_packages_bundles_are_small_and_complete(name: str) -> None:
    folder = BUNDLES[name]
    assert sum(path.stat().st_size for path in folder.iterdir()) <= MOST_BYTES[name]
    card = open_bundle(folder).card
    assert card.class_names == ("none", "type 1", "type 2", "type 3", "type 4")
    assert card.temperature
    assert card.threshold_by == "certificate"
    assert card.parity[card.precision]["passed"]
    found = verify_bundle(folder, threads=1)
    assert found
    assert all(each.broken == () for each in found)


@pytest.mark.parametrize("name", BUNDLES)
def test_the_packages_bundles_recognise_generated_sheets(name: str, tmp_path: Path) -> None:
    write_sheets(synth_spec(count=24, seed=99, version=2), tmp_path)
    inspector = steelsight.load(name, threads=1)
    found = list(inspector.stream(sorted((tmp_path / "train_images").iterdir())))
    assert sum(verdict.state == State.UNKNOWN_INPUT for verdict in found) <= 4
    assert all(verdict.label in inspector.class_names for verdict in found)


def test_a_name_stands_for_a_folder_unless_a_folder_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_bundle(Path("fast")).folder == default_bundle()
    (tmp_path / "fast").mkdir()
    with pytest.raises(BadBundle, match=r"fast.card\.json"):
        open_bundle(Path("fast"))
    with pytest.raises(BadBundle, match="slow: expected a BUNDLE folder"):
        open_bundle(Path("slow"))


def test_a_package_without_its_bundle_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(default, "FOLDER", tmp_path / "gone")
    with pytest.raises(BadBundle, match="the package's own bundle is missing"):
        default_bundle()
    monkeypatch.setattr(default, "BUNDLES", {"fast": tmp_path / "gone"})
    with pytest.raises(BadBundle, match="the package's own bundle is missing"):
        named_bundle(Path("fast"))
