"""Runs and folders that a proof refuses, and the masks of the sheets it opens."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.counterfactuals.proof_cases import make_sheets, write_sheets

from steelsight.errors import BadData, BadInput
from steelsight.models.card import Card
from steelsight.models.catalog import ModelSpec, build_model
from steelsight.models.checkpoint import save_checkpoint
from steelsight.shortcuts.prove.run import open_proof, prove_run
from steelsight.training.records import COLUMNS
from steelsight.types import InputSpec


def _run(folder: Path, task: str, names: tuple[str, ...]) -> Path:
    """An untrained checkpoint."""
    spec = ModelSpec(name="squeezenet_reduced", outputs=len(names), height=64, width=160)
    card = Card(
        task=task, class_names=names, model=spec, input=InputSpec(64, 160), data_hash="", data_name="", seed=0
    )
    save_checkpoint(folder, build_model(spec), card)
    (folder / "splits.csv").write_text(",".join(COLUMNS) + "\n")
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_sheets(make_sheets(30), tmp_path / "data")


def test_a_multilabel_run_is_refused(data: Path, tmp_path: Path) -> None:
    run = _run(tmp_path / "run", "multilabel", ("1", "2"))
    with pytest.raises(BadInput, match="expected a binary or multiclass run, got multilabel"):
        prove_run(run, data, "stain")


def test_a_model_with_a_single_class_is_refused(data: Path, tmp_path: Path) -> None:
    run = _run(tmp_path / "run", "multiclass", ("none",))
    with pytest.raises(BadInput, match="expected a model of at least two classes, got none alone"):
        prove_run(run, data, "stain")


def test_unknown_splits_nuisances_and_classes_are_refused(data: Path, tmp_path: Path) -> None:
    run = _run(tmp_path / "run", "binary", ("none", "defect"))
    with pytest.raises(BadInput, match=r"--split: expected one of .*, got 'mine'"):
        open_proof(run, data, split="mine")
    with pytest.raises(BadInput, match="--nuisance rust: expected stain, end, or a CSV file"):
        prove_run(run, data, "rust")
    listed = tmp_path / "list.csv"
    listed.write_text("ImageId\nabsent.jpg\n")
    with pytest.raises(BadData, match=r"1 of 1 listed sheets are not in data, such as absent\.jpg"):
        prove_run(run, data, str(listed))
    other = _run(tmp_path / "other", "multiclass", ("none", "a", "b"))
    with pytest.raises(BadData, match="expected only classes of the run"):
        open_proof(other, data)


def test_sheets_carry_their_masks_and_a_defect_without_one_is_not_located(data: Path, tmp_path: Path) -> None:
    (data / "defect" / "sheet_001.png").unlink()
    opened = open_proof(_run(tmp_path / "run", "binary", ("none", "defect")), data)
    sheets, made = opened.sheets, make_sheets(30)
    assert len(sheets) == 30
    for row, id_ in enumerate(sheets.ids):
        number = int(Path(id_).stem[-3:])
        assert sheets.labels[row] == made.labels[number]
        assert sheets.located[row] == (number != 1)
        if number != 1:
            assert (sheets.defect(row) == made.defect(number)).all()
        else:
            assert not sheets.defect(row).any()
