"""The bundles that come with the package."""

from __future__ import annotations

from pathlib import Path

import pytest

import steelsight
from steelsight.errors import BadBundle
from steelsight.runtime.bundle import default
from steelsight.runtime.bundle.default import BUNDLES, FOLDER, bundle_names, default_bundle, named_bundle
from steelsight.runtime.bundle.open import open_bundle
from steelsight.runtime.parity.verify import verify_bundle
from steelsight.sheets.synthetic import synth_spec, write_sheets
from steelsight.types import State

MOST_BYTES = {"fast": 4 * 2**20, "accurate": 21 * 2**20}
MOST_BYTES_TOGETHER = 22 * 2**20  # a wheel stays below 25 MB


@pytest.mark.parametrize("name", BUNDLES)
def test_the_packages_bundles_are_small_and_complete(name: str) -> None:
    folder = BUNDLES[name]
    assert sum(path.stat().st_size for path in folder.iterdir()) <= MOST_BYTES[name]
    bundle = open_bundle(folder)
    assert bundle.notes == ()
    card = bundle.card
    assert card.class_names == ("none", "type 1", "type 2", "type 3", "type 4")
    assert card.temperature
    assert card.threshold_by == "certificate"
    assert card.parity[card.precision]["passed"]
    found = verify_bundle(folder, threads=1)
    assert found
    assert all(each.broken == () for each in found)


def test_only_the_engines_that_are_asked_for_run() -> None:
    pytest.importorskip("onnxruntime")
    [only] = verify_bundle(BUNDLES["fast"], threads=1, engines=["onnxruntime"])
    assert only.parity.engine.startswith("ONNX Runtime ")


def test_every_folder_is_a_bundle_and_has_its_target() -> None:
    assert "fast" in BUNDLES
    assert sorted(BUNDLES) == sorted(path.name for path in FOLDER.iterdir())
    assert sum(path.stat().st_size for path in FOLDER.rglob("*")) <= MOST_BYTES_TOGETHER
    makefile = Path(__file__).parents[3] / "Makefile"
    if makefile.exists():  # a source distribution has none
        targets = {line.partition(":")[0] for line in makefile.read_text().splitlines()}
        assert targets >= {"bundles", *(f"bundle-{name}" for name in BUNDLES)}


@pytest.mark.parametrize("name", BUNDLES)
def test_the_packages_bundles_recognise_generated_sheets(name: str, tmp_path: Path) -> None:
    write_sheets(synth_spec(count=24, seed=99, version=2), tmp_path)
    inspector = steelsight.load(name, threads=1)
    found = list(inspector.stream(sorted((tmp_path / "train_images").iterdir())))
    assert sum(verdict.state == State.UNKNOWN_INPUT for verdict in found) <= 4
    assert all(verdict.label in inspector.class_names for verdict in found)


@pytest.mark.parametrize("name", BUNDLES)
def test_a_name_stands_for_a_folder_unless_a_folder_has_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_bundle(Path(name)).folder == BUNDLES[name]
    (tmp_path / name).mkdir()
    with pytest.raises(
        BadBundle, match=rf"{name}: expected a BUNDLE .* this folder hides the package's bundle"
    ):
        open_bundle(Path(name))


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        BadBundle, match=f"slow: expected a BUNDLE folder .* a bundle of the package: {bundle_names()}$"
    ):
        open_bundle(Path("slow"))


def test_a_package_without_its_bundle_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(default, "BUNDLES", {})
    with pytest.raises(BadBundle, match="the package's own bundle is missing"):
        default_bundle()
    with pytest.raises(BadBundle, match="the package's own bundle is missing"):
        named_bundle(Path("fast"))
    assert named_bundle(Path("other")) == Path("other")
