"""Sheets that the bundle's own network was trained on: noted in DATA, refused for a certificate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.adaptation.conftest import HEIGHT, WIDTH

from steelsight.adaptation.options import AdaptOptions
from steelsight.adaptation.run import adapt_bundle
from steelsight.adaptation.sheets import read_folders
from steelsight.adaptation.suitable import note_trained_on, refuse_trained_on
from steelsight.errors import BadBundle, BadData
from steelsight.files import pack_arrays
from steelsight.runtime.bundle.open import Bundle, open_bundle
from steelsight.runtime.bundle.seen import SEEN_FILE, pack_marks, picture_marks, read_marks
from steelsight.runtime.bundle.writer import describe_files, write_bundle
from steelsight.types import InputSpec

COUNTS = {"none": 14, "bar": 12, "block": 10}
QUICK = AdaptOptions(folds=3, repeats=1)
SPEC = InputSpec(HEIGHT, WIDTH)
Make = Callable[..., Path]


def with_marks(folder: Path, content: bytes) -> Path:
    """The bundle with the marks of the sheets its network was trained on."""
    bundle = open_bundle(folder)
    files = {**bundle.files, SEEN_FILE: content}
    card = bundle.card.model_copy(update={"files": describe_files(files)})
    write_bundle(folder, card, files)
    return folder


def test_sheets_of_the_training_are_noted_and_no_sample(
    make_bundle: Make, make_data: Make, tmp_path: Path
) -> None:
    data, sample = make_data(COUNTS), make_data({"none": 6, "bar": 3}, "SAMPLE", seed=5)
    images = [read_folders((folder,), SPEC, QUICK, {}).images[:5] for folder in (data, sample)]
    known = with_marks(make_bundle(), pack_marks(np.concatenate(images)))
    with pytest.raises(BadData, match=r"fitted to 5 of 9 sheets, such as bar/\S+; a certificate needs"):
        adapt_bundle(known, data, tmp_path / "new", replace(QUICK, certify=sample))
    adapted = adapt_bundle(known, data, tmp_path / "new", QUICK)
    (note,) = adapted.notes
    assert note.startswith("the network was trained on 5 of these 36 sheets: figures, threshold and")
    assert adapted.card.source["adapted"][0]["notes"] == [note]
    assert "- The network was trained on 5 of these 36 sheets" in (tmp_path / "new/README.md").read_text()
    assert read_marks(open_bundle(tmp_path / "new")) == read_marks(open_bundle(known))


@pytest.mark.parametrize("where", ["run", "run before"])
def test_the_folder_of_the_training(where: str, make_bundle: Make, make_data: Make) -> None:
    folder = make_data({"none": 6, "bar": 3})
    sheets = read_folders((folder,), SPEC, QUICK, {})
    fact = {"data_hash": sheets.folders[0].data_hash}
    bundle = open_bundle(make_bundle(source=fact if where == "run" else {"started_from": [fact]}))
    with pytest.raises(BadData, match="was trained on this very folder"):
        refuse_trained_on(sheets, bundle, folder)
    told, unknown = note_trained_on(sheets, bundle)
    assert told.startswith("the network was trained on a folder equal to DATA")
    assert unknown.startswith("the bundle does not say which sheets its network was trained on")


def test_sheets_of_any_earlier_adaptation_are_no_sample(make_bundle: Make, make_data: Make) -> None:
    folder = make_data({"none": 6, "bar": 3})
    sheets = read_folders((folder,), SPEC, QUICK, {})
    entries = [{"pictures": picture_marks(sheets.images[:2])}, {"pictures": []}]
    bundle = open_bundle(make_bundle(source={"adapted": entries}))
    with pytest.raises(BadData, match=r"an earlier head of .* was fitted to 2 of 9 sheets"):
        refuse_trained_on(sheets, bundle, folder)
    other = read_folders((make_data({"none": 6}, "OTHER", seed=9),), SPEC, QUICK, {})
    refuse_trained_on(other, bundle, folder)


@pytest.mark.parametrize("array", [np.zeros((3, 8)), np.zeros((3, 7), np.uint8), np.zeros(8, np.uint8)])
def test_marks_of_another_form(array: np.ndarray, make_bundle: Make) -> None:
    bundle: Bundle = open_bundle(with_marks(make_bundle(), pack_arrays({"marks": array})))
    with pytest.raises(BadBundle, match=r"seen\.npz: marks: expected uint8 of shape \(n, 8\)"):
        read_marks(bundle)
