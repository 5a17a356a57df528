"""The bundle that comes with the package."""

from __future__ import annotations

from pathlib import Path

import pytest

import steelsight
from steelsight.errors import BadBundle
from steelsight.runtime.bundle import default
from steelsight.runtime.bundle.default import default_bundle
from steelsight.runtime.bundle.open import open_bundle
from steelsight.runtime.parity.verify import verify_bundle
from steelsight.sheets.synthetic import synth_spec, write_sheets
from steelsight.types import State


def test_the_default_bundle_is_small_and_complete() -> None:
    folder = default_bundle()
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 4 * 2**20
    card = open_bundle(folder).card
    assert card.class_names == ("none", "type 1", "type 2", "type 3", "type 4")
    assert card.parity[card.precision]["passed"]
    found = verify_bundle(folder, threads=1)
    assert found
    assert all(each.broken == () for each in found)


def test_the_default_bundle_recognises_generated_sheets(tmp_path: Path) -> None:
    write_sheets(synth_spec(count=24, seed=99), tmp_path)
    inspector = steelsight.load(default_bundle(), threads=1)
    found = list(inspector.stream(sorted((tmp_path / "train_images").iterdir())))
    assert sum(verdict.state == State.UNKNOWN_INPUT for verdict in found) <= 4
    assert all(verdict.label in inspector.class_names for verdict in found)


def test_a_package_without_its_bundle_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(default, "FOLDER", tmp_path / "gone")
    with pytest.raises(BadBundle, match="the package's own bundle is missing"):
        default_bundle()
