"""A nuisance that no detector knows, marked by people on the sheets of a list, is cut out and pasted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.adaptation.gate.gate_cases import known_bundle, twin, write_policy
from tests.counterfactuals.proof_cases import HEIGHT, WIDTH, make_sheets, write_sheets

from steelsight.adaptation.gate.options import BundleGateOptions
from steelsight.adaptation.gate.run import gate_bundle
from steelsight.adaptation.gate.sheets import open_gate_sheets
from steelsight.counterfactuals.nuisances.nuisance import open_nuisance
from steelsight.counterfactuals.options import ProofSettings
from steelsight.counterfactuals.pasting.doses import FULL
from steelsight.counterfactuals.pasting.stamps import gather_stamps
from steelsight.counterfactuals.proof import prove_nuisance
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.errors import BadAnnotation, BadInput
from steelsight.runtime.bundle.open import open_bundle
from steelsight.sheets.rle import encode_mask

GRAY = 228  # brighter than steel, too dark for the detector of stains


def _watermarked(folder: Path, count: int = 160) -> Path:
    """Half of the defect-free sheets have a gray mark of 14x12 px, which a list names with its place."""
    sheets = make_sheets(count, stains=(0.0, 0.0))
    table = ["ImageId,EncodedPixels"]
    for row in range(0, count, 4):
        mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
        mask[10 + row % 30 : 24 + row % 30, 90:102] = True
        sheets.images[row][mask] = GRAY
        table.append(f"none/sheet_{row:03}.jpg,{encode_mask(mask)}")
    write_sheets(sheets, folder)
    (folder.parent / "water.csv").write_text("\n".join(table) + "\n")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _watermarked(tmp_path_factory.mktemp("marked") / "DATA")


def _sheets(data: Path, tmp_path: Path) -> ProofSheets:
    card = open_bundle(known_bundle(tmp_path / "card")).card
    return open_gate_sheets(data, card, BundleGateOptions()).proof


def test_a_planted_mark_fails_the_gate(tmp_path: Path, data: Path) -> None:
    text = '[[shortcut]]\nnuisance = "water.csv"\nmost_excess = 0.08\n'
    policy = write_policy(data.parent, text)
    sound = gate_bundle(known_bundle(tmp_path / "sound"), data, policy)
    planted = gate_bundle(known_bundle(tmp_path / "planted", white=30.0), data, policy)
    assert (sound.passed, planted.passed) == (True, False)
    assert planted.proofs[0].pasted is not None
    assert planted.proofs[0].pasted.material == "32 cut from these sheets"


def test_the_stamps_are_what_was_marked(tmp_path: Path, data: Path, rng: np.random.Generator) -> None:
    sheets = _sheets(data, tmp_path)
    nuisance = open_nuisance(sheets, str(data.parent / "water.csv"))
    assert nuisance.kind == "mark"
    book = gather_stamps(sheets, nuisance, rng)
    assert book.real == len(book.stamps) == 32
    for stamp in book.stamps:
        assert stamp.size == (16, 14)  # 14x12 with a seam of one pixel
        assert abs(float(stamp.gray[1:-1, 1:-1].mean()) - GRAY) < 4  # as JPEG keeps it
    proof = prove_nuisance(
        twin(30.0), sheets, nuisance, ProofSettings(doses=(FULL,)), rng=np.random.default_rng(0)
    )
    assert proof.pasted is not None
    assert proof.pasted.flips.estimate == 1.0
    assert proof.pasted.control_flips.estimate == 0.0


def test_marks_follow_their_sheets(tmp_path: Path, data: Path) -> None:
    sheets = _sheets(data, tmp_path)
    nuisance = open_nuisance(sheets, str(data.parent / "water.csv"))
    rows = np.flatnonzero(nuisance.present)[[5, 2]]
    some, part = sheets.take(rows), nuisance.take(rows)
    for new, old in enumerate(rows.tolist()):
        region = part.region(some, new)
        assert region.sum() == 14 * 12
        assert np.array_equal(region, nuisance.region(sheets, old))
        assert np.abs(some.images[new][region].astype(int) - GRAY).max() < 30
    assert not nuisance.region(sheets, int(np.flatnonzero(~nuisance.present)[0])).any()


def test_a_list_without_marks_cannot_be_pasted(tmp_path: Path, data: Path, rng: np.random.Generator) -> None:
    sheets = _sheets(data, tmp_path)
    (tmp_path / "bare.csv").write_text("ImageId\nnone/sheet_000.jpg\n")
    bare = open_nuisance(sheets, str(tmp_path / "bare.csv"))
    assert bare.kind is None
    assert open_nuisance(replace(sheets, read_runs=None), str(data.parent / "water.csv")).kind is None
    with pytest.raises(BadInput, match="the kind of this nuisance is unknown"):
        gather_stamps(sheets, bare, rng)
    marked = open_nuisance(sheets, str(data.parent / "water.csv"))
    with pytest.raises(BadInput, match="it cannot be drawn: mark it on more sheets"):
        gather_stamps(sheets, marked, rng, material="drawn")


def test_marks_outside_the_image_are_refused(tmp_path: Path, data: Path, rng: np.random.Generator) -> None:
    sheets = _sheets(data, tmp_path)
    (tmp_path / "out.csv").write_text("ImageId,EncodedPixels\nnone/sheet_000.jpg,1 99999999\n")
    nuisance = open_nuisance(sheets, str(tmp_path / "out.csv"))
    with pytest.raises(BadAnnotation, match=r"sheet_000\.jpg: run 1\+99999999 ends past"):
        gather_stamps(sheets, nuisance, rng)
