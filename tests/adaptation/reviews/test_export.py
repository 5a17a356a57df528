"""Reviews become a DATA folder that the lab takes as it is, with lists of nuisances, and without leaks."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.adaptation.gate.gate_cases import known_bundle, write_policy
from tests.adaptation.reviews.review_cases import ANNA, BERT, START_US, Plant, draw, fill, png
from tests.counterfactuals.proof_cases import HEIGHT, WIDTH
from typer.testing import CliRunner

from steelsight.adaptation.options import AdaptOptions
from steelsight.adaptation.reviews import export
from steelsight.adaptation.reviews.export import export_reviews
from steelsight.adaptation.reviews.options import ReviewExportOptions
from steelsight.adaptation.reviews.reading import AUDIT_COUNTED, REVIEW_WITHDRAWN, read_reviews
from steelsight.adaptation.run import adapt_bundle
from steelsight.cli import app
from steelsight.counterfactuals.nuisances.nuisance import open_nuisance
from steelsight.counterfactuals.sheets import gather_sheets
from steelsight.errors import BadData, BadOutput, BadRecipe
from steelsight.ledger.chain.entries import Answer, Event, Review
from steelsight.ledger.chain.event_names import KNOWN_CASE
from steelsight.ledger.keeping.retention import prune_images
from steelsight.ledger.writing.writer import open_writer
from steelsight.sheets.catalog import load_pixels, open_data
from steelsight.sheets.labels import label_sheets
from steelsight.sheets.masks import read_mask
from steelsight.sheets.rle import encode_mask
from steelsight.types import InputSpec

SPEC = InputSpec(HEIGHT, WIDTH)


def _export(plant: Plant, out: Path, **options: Any) -> export.ReviewExport:
    return export_reviews(plant.ledger, plant.store, out, ReviewExportOptions(**options))


def _rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def _labels(out: Path) -> dict[str, tuple[str, ...]]:
    """Defect types by the first digits of the sheet's identity in its file name."""
    sheets = open_data(out)
    return {
        Path(item.id).stem.rpartition("_")[2]: tuple(sheets.type_names[t] for t in item.types)
        for item in sheets.items
    }


def _label(plant: Plant, out: Path, number: int) -> tuple[str, ...]:
    return _labels(out)[plant.seen[number].sheet[:12]]


def _reasons(out: Path) -> dict[str, str]:
    return {row["item"]: row["reason"] for row in _rows(out / "left_out.csv")}


def test_the_folder_has_labels_groups_parts_and_reviews(plant: Plant, tmp_path: Path) -> None:
    fill(plant)
    out = tmp_path / "DATA"
    arguments = ["reviews", "export", plant.address, "--images", plant.images, "--out", str(out), "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout.strip().splitlines()[-1])
    assert (printed["sheets"], printed["reviews"], printed["coils"]) == (80, 80, 8)
    sheets = open_data(out, groups="column:coil")
    assert not sheets.rejections
    assert sum(not item.types for item in sheets.items) == 40
    assert {item.group for item in sheets.items} == {f"C{number}" for number in range(8)}
    reviews = _rows(out / "reviews.csv")
    assert {row["ImageId"] for row in reviews} == {item.id for item in sheets.items}
    assert {row["reviewer"] for row in reviews} == {ANNA}
    assert all(row["time"].startswith("2026-09-") and row["time"].endswith("Z") for row in reviews)
    for item in sheets.items:  # the bytes that were judged
        number = int(Path(item.id).stem[1:5])
        assert plant.store.get(str(plant.seen[number].image_hash)) == item.path.read_bytes()
    with plant.ledger.read() as connection:
        events = connection.exec_driver_sql("SELECT name, details FROM events").all()
    assert events == [("export", '{"format":"data","rows":{"reviews":80,"sheets":80}}')]
    looked = CliRunner().invoke(app, ["data", str(out), "--groups", "column:coil"])
    assert looked.exit_code == 0, looked.output
    assert "0 leaks found" in looked.output


def test_every_coil_stays_in_one_part_over_all_exports(plant: Plant, tmp_path: Path) -> None:
    fill(plant, 60)
    _export(plant, tmp_path / "first")
    first = {row["coil"]: row["part"] for row in _rows(tmp_path / "first" / "coils.csv")}
    for number in range(60, 130):  # more sheets: of one coil that was there, and of others
        plant.sheet(number, "bar", "bar", coil=f"C{number // 10}" if number > 65 else "C0")
        plant.review(number, Answer.CONFIRMED, "bar")
    _export(plant, tmp_path / "second")
    second = {row["coil"]: row["part"] for row in _rows(tmp_path / "second" / "coils.csv")}
    assert first.items() <= second.items()
    assert set(second.values()) == {"train", "validation", "test"}
    parts = {item.group: item.part for item in open_data(tmp_path / "second", groups="column:coil").items}
    assert parts == second


def test_a_coil_keeps_the_part_that_a_run_had_it_in(plant: Plant, tmp_path: Path) -> None:
    fill(plant, 30)
    (tmp_path / "splits.csv").write_text(
        "id,split,group,label,pixels\na,test,C0,x,0\nb,test,C1,x,1\nc,train,C9,x,2\nd,apart,C2,x,3\n"
    )
    _export(plant, tmp_path / "DATA", splits=(tmp_path / "splits.csv",))
    parts = {row["coil"]: row["part"] for row in _rows(tmp_path / "DATA" / "coils.csv")}
    assert (parts["C0"], parts["C1"]) == ("test", "test")
    coils = tmp_path / "coils.csv"
    coils.write_text("coil,part\nC0,train\n")
    with pytest.raises(BadData, match=r"row 2: coil C0 is in train here and in test in splits\.csv"):
        _export(plant, tmp_path / "no", splits=(tmp_path / "splits.csv", coils))
    coils.write_text("coil,part\nC0,tests\n")
    with pytest.raises(BadData, match="expected a part of train, validation, test, got 'tests'"):
        _export(plant, tmp_path / "no", splits=(coils,))
    coils.write_text("coil\nC0\n")
    with pytest.raises(BadData, match="expected the columns coil and part, or group and split"):
        _export(plant, tmp_path / "no", splits=(coils,))


def test_one_part_alone(plant: Plant, tmp_path: Path) -> None:
    fill(plant, 80)
    whole = _export(plant, tmp_path / "all")
    test = _export(plant, tmp_path / "test", part=("test",))
    rest = _export(plant, tmp_path / "rest", part=("train", "validation"))
    assert test.parts == {"test": whole.parts["test"]}
    assert test.sheets + rest.sheets == 80
    assert not set(_labels(tmp_path / "test")) & set(_labels(tmp_path / "rest"))


def test_nuisance_lists_are_taken_by_shortcuts(plant: Plant, tmp_path: Path) -> None:
    """Stained sheets that nobody marked are on neither side."""
    fill(plant)
    plant.sheet(80, "stain")
    plant.review(80, Answer.CONFIRMED, "none")
    plant.sheet(81, "end")
    plant.review(81, Answer.CONFIRMED, "none", nuisance="sheet end")
    plant.sheet(82)
    plant.review(82, Answer.CONFIRMED, "none", boxes=[(10, 10, 30, 20)])  # a reason that is none, unnamed
    done = _export(plant, tmp_path / "DATA")
    assert {each.name: (each.with_it, each.kind) for each in done.nuisances} == {
        "stain": (13, "stain"),
        "end": (1, "end"),
        "marked": (1, "mark"),
    }
    cache = load_pixels(open_data(tmp_path / "DATA"), SPEC)
    names = cache.sheets.type_names
    labelled = label_sheets(cache.sheets.items, "multiclass", names, keep_multi_type=False)
    sheets = gather_sheets("DATA", cache.sheets.items, cache.images, labelled, SPEC)
    found = open_nuisance(sheets, str(tmp_path / "DATA" / "nuisance_stain.csv"))
    assert (found.kind, int(found.present.sum())) == ("stain", 13)
    unmarked = [number for number, id_ in enumerate(sheets.ids) if plant.seen[80].sheet[:12] in id_]
    assert not found.listed[unmarked].any()
    assert int(found.listed.sum()) == len(sheets) - 1
    marked = [row for row in _rows(tmp_path / "DATA" / "nuisance_marked.csv") if row["group"] == "with"]
    expected = np.zeros((HEIGHT, WIDTH), dtype=bool)
    expected[10:20, 10:30] = True
    assert [row["EncodedPixels"] for row in marked] == [encode_mask(expected)]
    unnamed = open_nuisance(sheets, str(tmp_path / "DATA" / "nuisance_marked.csv"))
    assert unnamed.kind == "mark"
    assert np.array_equal(unnamed.region(sheets, int(np.flatnonzero(unnamed.present)[0])), expected)


def test_the_gate_takes_the_exported_sheets_and_their_list(plant: Plant, tmp_path: Path) -> None:
    """From reviews to a decision: the planted stain shortcut fails by the list of the reviewers' sheets."""
    fill(plant, 150)
    data = tmp_path / "DATA"
    coils = tmp_path / "coils.csv"
    coils.write_text("coil,part\n" + "".join(f"C{number},test\n" for number in range(15)))
    _export(plant, data, places=True, splits=(coils,))
    (data / "bar").rename(data / "defect")
    for table in (*data.glob("*.csv"),):
        table.write_text(table.read_text().replace("bar/", "defect/"))
    text = '[[shortcut]]\nnuisance = "DATA/nuisance_stain.csv"\nmost_excess = 0.25\n'
    policy = write_policy(tmp_path, text)  # 15 coils: the upper bound of no flip is 20 %
    codes = {}
    for name, white in {"sound": 0.0, "planted": 18.0}.items():
        bundle = str(known_bundle(tmp_path / name, white=white))
        arguments = ["gate", bundle, str(data), "--policy", str(policy), "--groups", "column:coil"]
        codes[name] = CliRunner().invoke(app, arguments).exit_code
    assert codes == {"sound": 0, "planted": 1}


def test_adapt_takes_the_exported_sheets(plant: Plant, tmp_path: Path) -> None:
    """A bundle that calls stained sheets defective learns from its reviewers."""
    fill(plant, 60)
    _export(plant, tmp_path / "DATA")
    options = AdaptOptions(groups="column:coil", rename=("bar=defect",), folds=3, repeats=1, probes=0)
    bundle = known_bundle(tmp_path / "bundle", white=-12.0)
    adapted = adapt_bundle(bundle, tmp_path / "DATA", tmp_path / "own", options)
    assert adapted.comparison.balanced_accuracy.gain.low > 0


def test_painted_masks_are_the_masks_of_the_folder(
    plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(plant, 24)
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[8:56, 30:35] = True
    runs = encode_mask(mask)

    def painted(connection: Any) -> Any:
        sheets = read_reviews(connection)
        for number, sheet in enumerate(sheets):
            answer = sheet.answers[0]
            if answer.label == "bar":
                answer = replace(answer, answer=Answer.CORRECTED, mask=runs if number else "1 99999999")
            sheets[number] = replace(sheet, answers=(answer,))
        return sheets

    monkeypatch.setattr(export, "read_reviews", painted)
    done = _export(plant, tmp_path / "DATA")
    sheets = open_data(tmp_path / "DATA")
    defective = [item for item in sheets.items if item.types]
    assert len(defective) == done.masks == 11
    assert all(np.array_equal(read_mask(item)[1], mask) for item in defective)
    assert "run 1+99999999 ends past" in _reasons(tmp_path / "DATA")["c0/s0000.png"]


@pytest.mark.skipif("mask" not in Review.model_fields, reason="reviews of this version have no painted mask")
def test_painted_masks_are_read_from_the_ledger(plant: Plant, tmp_path: Path) -> None:
    fill(plant, 24)
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[8:56, 30:35] = True
    plant.review(0, Answer.CORRECTED, "bar", mask=encode_mask(mask))
    assert _export(plant, tmp_path / "DATA").masks == 1


def test_boxes_are_masks_only_where_asked(plant: Plant, tmp_path: Path) -> None:
    fill(plant, 24)
    plant.review(0, Answer.CORRECTED, "bar", boxes=[(20, 8, 60, 56), (0, 0, 4, 4)])
    assert _export(plant, tmp_path / "classes").masks == 0
    assert _export(plant, tmp_path / "boxes", boxes=True).masks == 1
    assert _export(plant, tmp_path / "places", places=True).masks == 11  # all but the one that is marked
    item = next(
        item for item in open_data(tmp_path / "boxes").items if item.evidence == "mask" and item.types
    )
    assert int(read_mask(item)[1].sum()) == 40 * 48 + 16


def test_sheets_of_several_types_keep_them_with_their_part(plant: Plant, tmp_path: Path) -> None:
    fill(plant, 30)
    plant.sheet(30, "bar", "bar")
    plant.review(30, Answer.CORRECTED, "bar + dent")
    plant.sheet(31, "bar", "bar")
    plant.review(31, Answer.CORRECTED, "dent + bar")
    plant.review(31, Answer.CORRECTED, "bar + dent", person=BERT)  # the same answer in another order
    done = _export(plant, tmp_path / "DATA")
    assert done.classes["dent"] == 2
    sheets = open_data(tmp_path / "DATA", groups="column:coil")
    both = [item for item in sheets.items if len(item.types) == 2]
    assert len(both) == 2
    assert {item.part for item in sheets.items} == set(done.parts)


def test_audit_draws_train_nothing_until_their_period_is_counted(plant: Plant, tmp_path: Path) -> None:
    fill(plant, 30)
    for number in (0, 29):
        plant.draw(number)
    assert _export(plant, tmp_path / "a").sheets == 28
    assert "not counted yet" in _reasons(tmp_path / "a")["c0/s0000.png"]
    plant.event(AUDIT_COUNTED, until_us=START_US + 60_000_000)
    assert _export(plant, tmp_path / "b").sheets == 29  # the second is of the next period
    assert set(_reasons(tmp_path / "b")) == {"c2/s0029.png"}
    assert _export(plant, tmp_path / "c", counted="2026-10-01").sheets == 30
    assert _export(plant, tmp_path / "d", counted="2026-09-21").sheets == 28
    with pytest.raises(BadRecipe, match="--counted: expected a day such as 2026-11-01, got 'soon'"):
        _export(plant, tmp_path / "e", counted="soon")


def test_known_cases_train_nothing(plant: Plant, tmp_path: Path) -> None:
    fill(plant, 12)
    plant.write(Event(name=KNOWN_CASE, subject=plant.seen[3].sheet, details={"label": "bar"}))
    assert _export(plant, tmp_path / "a").sheets == 11
    assert "trains nothing" in _reasons(tmp_path / "a")["c0/s0003.png"]


def test_the_same_image_is_one_sheet_with_the_reviews_of_both(plant: Plant, tmp_path: Path) -> None:
    """A camera that stands still; an audit draw among copies keeps all of them out."""
    fill(plant, 24)
    for number, coil in ((24, "C2"), (25, "C77")):
        plant.sheet(number, "bar", "bar", content=png(draw("bar", 999)), coil=coil)
    plant.review(24, Answer.CONFIRMED, "bar")
    plant.review(25, Answer.CORRECTED, "none")  # the same person, later
    assert _export(plant, tmp_path / "a").sheets == 25
    assert _label(plant, tmp_path / "a", 24) == ()
    assert "the same image as c2/s0024.png" in _reasons(tmp_path / "a")["c2/s0025.png"]
    plant.draw(25)
    assert _export(plant, tmp_path / "b").sheets == 24


def test_images_that_are_gone_are_listed(plant: Plant, tmp_path: Path) -> None:
    fill(plant, 24)
    lost, altered, pruned = (str(plant.seen[number].image_hash) for number in (1, 2, 3))
    plant.store.remove(lost)
    path = Path(plant.images) / altered[:2] / altered[2:]
    path.write_bytes(b"other bytes")
    plant.event("images_pruned", days=1, images=[pruned])
    plant.sheet(24, image_hash=None)
    plant.review(24, Answer.CORRECTED, "bar")
    plant.sheet(25, content=b"no picture at all")
    plant.review(25, Answer.CORRECTED, "bar")
    assert _export(plant, tmp_path / "DATA").sheets == 21
    told = _reasons(tmp_path / "DATA")
    assert set(told) == {f"c{number // 10}/s{number:04}.png" for number in (1, 2, 3, 24, 25)}
    assert "is not in the store" in told["c0/s0001.png"]
    assert "are not those that were judged" in told["c0/s0002.png"]
    assert told["c0/s0003.png"] == "its image was pruned"
    assert told["c2/s0024.png"] == "no image could be read at the line"
    assert "c2/s0025" not in str(_labels(tmp_path / "DATA"))


def test_retention_keeps_what_an_export_needs(plant: Plant, tmp_path: Path) -> None:
    """Images of reviewed sheets are not pruned, so that reviews can train later."""
    fill(plant, 24)
    with open_writer(plant.ledger, "ledger") as writer:
        assert prune_images(plant.ledger, plant.store, writer, 0.0).removed == 0
    assert _export(plant, tmp_path / "DATA").sheets == 24


def test_reviews_that_were_taken_back_do_not_count(plant: Plant, tmp_path: Path) -> None:
    fill(plant, 24)
    writer, seq = plant.review(0, Answer.CORRECTED, "dent")
    plant.event(REVIEW_WITHDRAWN, writer=writer, seq=seq)
    _export(plant, tmp_path / "a")
    assert _label(plant, tmp_path / "a", 0) == ("bar",)
    assert str(seq) not in {row["seq"] for row in _rows(tmp_path / "a" / "reviews.csv")}


def test_hostile_names_stay_in_the_folder(plant: Plant, tmp_path: Path) -> None:
    fill(plant, 24)
    names = ["../../etc/x.png", "=cmd|' /C calc'!A1.png", "\u202egnp.exe", "ü" * 1000 + ".png"]
    names.append("a.tar!b/c_mask.png")
    for number, name in enumerate(names, start=24):
        plant.sheet(number, "bar", "bar", item=name, coil="=1+1")
        plant.review(number, Answer.CONFIRMED, "bar")
    done = _export(plant, tmp_path / "box" / "DATA")
    assert done.sheets == 24 + len(names)
    assert [path.name for path in (tmp_path / "box").iterdir()] == ["DATA"]
    sheets = open_data(tmp_path / "box" / "DATA", groups="column:coil")
    assert len(sheets.items) == done.sheets
    assert "'=1+1" in (tmp_path / "box" / "DATA" / "reviews.csv").read_text()  # no formula
    assert {item.group for item in sheets.items} >= {"=1+1", "C0"}


def test_sheets_without_a_coil_are_groups_of_their_own(plant: Plant, tmp_path: Path) -> None:
    fill(plant, 24)
    for number in range(24, 34):
        plant.sheet(number, coil=None)
        plant.review(number, Answer.CONFIRMED, "none")
    _export(plant, tmp_path / "DATA")
    sheets = open_data(tmp_path / "DATA", groups="column:coil")
    assert not sheets.rejections
    assert len({item.group for item in sheets.items}) == 3 + 10


def test_a_defect_free_class_of_another_name(plant: Plant, tmp_path: Path) -> None:
    for number in range(12):
        plant.sheet(number, "bar" if number % 2 else "", "bar")
        plant.review(number, Answer.CORRECTED, "matt" if number % 2 == 0 else "dent")
    _export(plant, tmp_path / "types")
    assert _label(plant, tmp_path / "types", 0) == ("matt",)
    _export(plant, tmp_path / "clean", defect_free=("matt",))
    assert _label(plant, tmp_path / "clean", 0) == ()


def test_a_ledger_without_reviews_is_refused(plant: Plant, tmp_path: Path) -> None:
    plant.sheet(0)
    with pytest.raises(BadData, match="expected reviews, found none; review sheets first"):
        _export(plant, tmp_path / "DATA")
    assert not (tmp_path / "DATA").exists()


def test_a_ledger_of_which_nothing_can_be_exported_is_refused(plant: Plant, tmp_path: Path) -> None:
    plant.sheet(0)
    plant.review(0, Answer.UNSURE)
    with pytest.raises(BadData, match="none of 1 reviewed sheets can be exported: 1 of them: its"):
        _export(plant, tmp_path / "DATA")
    assert not list(tmp_path.glob("*DATA*"))


def test_a_folder_with_files_is_not_overwritten(plant: Plant, tmp_path: Path) -> None:
    fill(plant, 12)
    out = tmp_path / "DATA"
    out.mkdir()
    _export(plant, out)  # an empty one is taken
    before = sorted(path.name for path in out.iterdir())
    with pytest.raises(BadOutput, match="expected no such folder or an empty one; name another --out"):
        _export(plant, out)
    assert sorted(path.name for path in out.iterdir()) == before
    with pytest.raises(BadOutput, match="expected no such folder"):
        _export(plant, out / "reviews.csv")


def test_a_missing_store_is_refused_and_not_made(plant: Plant, tmp_path: Path) -> None:
    fill(plant, 12)
    arguments = [
        "reviews",
        "export",
        plant.address,
        "--images",
        str(tmp_path / "no"),
        "--out",
        str(tmp_path / "D"),
    ]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert "expected the ledger's image store, found no such folder" in " ".join(done.output.split())
    assert not (tmp_path / "no").exists()


def test_an_unknown_part_is_refused(plant: Plant, tmp_path: Path) -> None:
    with pytest.raises(BadRecipe, match="--part: expected one of train, validation, test, got 'valid'"):
        _export(plant, tmp_path / "DATA", part=("valid",))
