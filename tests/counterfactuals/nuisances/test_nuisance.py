"""Which sheets have a nuisance: by truth, by detector, by list; and lists that cannot be used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.counterfactuals.proof_cases import make_sheets, nuisance_of

from steelsight.counterfactuals.nuisances.nuisance import open_nuisance
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.errors import BadData, BadInput

SHEETS = make_sheets(40, ends=(0.25, 0.5))
STAINED = [SHEETS.ids[row] for row in np.flatnonzero(nuisance_of(SHEETS).present)]


def _list(folder: Path, text: str) -> str:
    path = folder / "mine.csv"
    path.write_text(text)
    return str(path)


def test_the_detectors_find_the_planted_nuisances() -> None:
    stain, end = open_nuisance(SHEETS, "stain"), open_nuisance(SHEETS, "edge")
    assert (stain.present == nuisance_of(SHEETS).present).all()
    assert (end.present == nuisance_of(SHEETS, "end").present).all()
    assert (stain.source, end.name, end.kind) == ("detector", "end", "end")
    assert stain.listed.all()


def _with_truth(folder: Path, drop: int = 0) -> ProofSheets:
    """Sheets with a truth table that contradicts the pixels, so that the two sources differ."""
    lines = [f"{id_},{5 if row < 3 else 0},{'' if row else 9}" for row, id_ in enumerate(SHEETS.ids)]
    (folder / "truth.csv").write_text(
        "\n".join(["ImageId,stain_area_px,end_width_px", *lines[: len(lines) - drop]])
    )
    return replace(SHEETS, root=folder)


def test_a_complete_truth_table_has_priority_over_the_detector(tmp_path: Path) -> None:
    sheets = _with_truth(tmp_path)
    assert np.flatnonzero(open_nuisance(sheets, "stain").present).tolist() == [0, 1, 2]
    assert np.flatnonzero(open_nuisance(sheets, "end").present).tolist() == [0]
    assert open_nuisance(sheets, "stain", source="detector").present.sum() == len(STAINED)
    partial = _with_truth(tmp_path, drop=1)
    assert open_nuisance(partial, "stain").source == "detector"
    with pytest.raises(BadData, match=r"expected truth\.csv with a row for every sheet"):
        open_nuisance(partial, "stain", source="truth")


def test_a_list_of_sheets_with_it_leaves_all_others_without(tmp_path: Path) -> None:
    listed = open_nuisance(SHEETS, _list(tmp_path, "ImageId\n" + "\n".join(STAINED)))
    assert (listed.present == nuisance_of(SHEETS).present).all()
    assert listed.listed.all()
    assert (listed.name, listed.kind, listed.source) == ("mine", "stain", "list")


def test_a_list_of_both_groups_leaves_all_others_out(tmp_path: Path) -> None:
    text = f"ImageId,group\n{STAINED[0]},with\n{STAINED[1]},With\nsheet_035.png,without\n"
    listed = open_nuisance(SHEETS, _list(tmp_path, text))
    assert (listed.present.sum(), listed.listed.sum()) == (2, 3)


def test_a_list_without_detections_has_no_kind(tmp_path: Path) -> None:
    listed = open_nuisance(SHEETS, _list(tmp_path, "ImageId\nsheet_035.png\nsheet_037.png\n"))
    assert listed.kind is None


def test_listed_sheets_that_are_not_evaluated_are_counted(tmp_path: Path) -> None:
    text = f"ImageId\n{STAINED[0]}\nseen.png\n"
    listed = open_nuisance(SHEETS, _list(tmp_path, text), known=(*SHEETS.ids, "seen.png"))
    assert "1 of the listed sheets are not among the evaluated sheets" in listed.note


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ImageId\nabsent.png\ngone.png\n", "2 of 2 listed sheets are not in made, such as absent.png, gone"),
        ("ImageId,group\nsheet_001.png,with\nsheet_001.png,without\n", r"row 3 .*listed in both groups"),
        ("ImageId,group\nsheet_001.png,maybe\n", r"row 2: group 'maybe', expected with or without"),
        ("ImageId,group\nsheet_001.png,without\n", "none of its 0 sheets with the nuisance"),
        ("ImageId,group\nsheet_001.png\n", "row 2: expected 2 cells, found 1"),
        ("", "the table is empty"),
        ("ImageId\n", "expected at least one sheet, found none"),
        ("file\nsheet_001.png\n", "expected the column.s. ImageId, found file"),
    ],
)
def test_unusable_lists_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadData, match=message):
        open_nuisance(SHEETS, _list(tmp_path, text))


def test_a_list_without_an_evaluated_sheet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="none of its 1 sheets with the nuisance is among the 40 evaluated"):
        open_nuisance(SHEETS, _list(tmp_path, "ImageId\nseen.png\n"), known=("seen.png",))


def test_lists_and_truth_tables_name_sheets_as_other_tables_do(tmp_path: Path) -> None:
    names = [f"D:\\\\line\\\\{id_.upper()}" for id_ in STAINED]
    listed = open_nuisance(SHEETS, _list(tmp_path, "ImageId\n" + "\n".join(names)))
    assert (listed.present == nuisance_of(SHEETS).present).all()
    sheets = _with_truth(tmp_path)
    text = (tmp_path / "truth.csv").read_text()
    (tmp_path / "truth.csv").write_text(text.replace("sheet_", "synthetic/Sheet_").replace(".png", ""))
    truth = open_nuisance(sheets, "stain", source="truth")
    assert np.flatnonzero(truth.present).tolist() == [0, 1, 2]


def test_unmatched_rows_and_sheets_are_counted_and_tolerated_up_to_a_number(tmp_path: Path) -> None:
    path = _list(tmp_path, "ImageId\n" + "\n".join([*STAINED, "absent.png", "gone.png"]))
    with pytest.raises(BadData, match=r"such as absent\.png, gone\.png; .* tolerate them with --allow-bad 2"):
        open_nuisance(SHEETS, path, allow_bad=1)
    listed = open_nuisance(SHEETS, path, allow_bad=2)
    assert "2 rows name no sheet or several" in listed.note
    assert (listed.present == nuisance_of(SHEETS).present).all()
    partial = _with_truth(tmp_path, drop=2)
    assert "truth.csv is not used, since 2 of 40 sheets have no row" in open_nuisance(partial, "stain").note
    with pytest.raises(BadData, match=r"2 of 40 sheets have none, such as sheet_038\.png, sheet_039\.png"):
        open_nuisance(partial, "stain", source="truth", allow_bad=1)
    truth = open_nuisance(partial, "stain", source="truth", allow_bad=2)
    assert np.flatnonzero(~truth.listed).tolist() == [38, 39]


def test_a_sheet_that_an_ambiguous_row_may_mean_is_in_neither_group(tmp_path: Path) -> None:
    ids = ("a/1.png", "b/1.png", *SHEETS.ids[2:])
    path = _list(tmp_path, f"ImageId\n1\n{STAINED[-1]}\n")
    with pytest.raises(BadData, match="1 of 2 listed sheets fit several sheets of made, such as 1;"):
        open_nuisance(replace(SHEETS, ids=ids), path)
    listed = open_nuisance(replace(SHEETS, ids=ids), path, allow_bad=1)
    assert np.flatnonzero(~listed.listed).tolist() == [0, 1]


def test_unknown_nuisances_and_sources_are_refused() -> None:
    with pytest.raises(BadInput, match="expected stain, end, or a CSV file with a column ImageId"):
        open_nuisance(SHEETS, "rust")
    with pytest.raises(BadInput, match="--groups-from: expected one of auto, truth, detector, got 'me'"):
        open_nuisance(SHEETS, "stain", source="me")
