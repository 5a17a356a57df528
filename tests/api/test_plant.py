"""What runs beside the line: verdicts of several sheets, scans, and the ledger, by the API."""

from __future__ import annotations

import numpy as np
import pytest

import steelsight as ss
from steelsight.errors import BadInput, BadLedger, BadRecipe
from steelsight.ledger.chain.entries import Event
from steelsight.ledger.writing.writer import open_writer


def test_a_batch_has_the_verdicts_of_its_sheets(data):
    inspector = ss.load("fast", threads=1)
    images = sorted((data / "train_images").iterdir())[:3]
    mixed = [images[0], b"nothing", images[1].read_bytes(), np.zeros((64, 400), np.uint8)]
    batch = inspector.inspect_batch(mixed, heatmaps=False)
    assert len(batch) == 4
    assert [each.state.value == "bad_image" for each in batch] == [False, True, False, False]
    assert batch[0].label == inspector.inspect(images[0]).label
    assert batch[1].as_dict() == inspector.inspect(b"nothing").as_dict()
    frame = batch.to_pandas()
    assert frame["state"].tolist() == [each.state.value for each in batch]
    assert np.isnan(frame["probability"][1])
    assert batch.as_dict()["verdicts"][0] == batch[0].as_dict()
    assert "<table>" in batch._repr_html_()
    assert "1 verdict<" in batch[0]._repr_html_()


def test_one_image_is_a_batch_of_one(data):
    inspector = ss.load("fast", threads=1)
    path = next(iter(sorted((data / "train_images").iterdir())))
    wanted = inspector.inspect(path).as_dict()
    for image in (path, str(path), path.read_bytes()):
        assert [each.as_dict() for each in inspector.inspect_batch(image)] == [wanted]
    sheet = np.full((64, 400), 90, np.uint8)
    assert [each.as_dict() for each in inspector.inspect_batch(sheet)] == [inspector.inspect(sheet).as_dict()]
    assert len(inspector.inspect_batch(np.stack([sheet, sheet]))) == 2
    assert str(inspector.inspect(path)).startswith("1 verdict\nlabel  ")
    assert repr(inspector).startswith("<Inspector: ")


def test_a_scan(data, tmp_path):
    counts = []
    done = ss.scan(
        "fast", data / "train_images", tmp_path / "out", workers=1, progress=lambda e: counts.append(e.done)
    )
    assert counts[-1] == 60
    assert sum(row[2] for row in done.table().rows) == 60 - done.as_dict()["states"]["bad_image"]
    frame = done.to_pandas()
    assert len(frame) == 60
    assert {"name", "label", "probability", "state"} <= set(frame.columns)
    assert "60 sheets" in done._repr_html_()
    again = ss.scan("fast", [data / "train_images"], tmp_path / "out", workers=1)
    assert (again.report.scanned, again.report.kept) == (0, 60)


def test_a_watched_folder(data, tmp_path):
    counts = []
    done = ss.watch(
        "fast",
        data / "train_images",
        tmp_path,
        idle=1.2,
        heatmaps=True,
        progress=lambda event: counts.append(event.done),
    )
    assert counts[-1] == done.report.scanned == len(done.to_pandas()) == 60
    with pytest.raises(BadInput, match="the rows of a watched folder are not partitioned"):
        ss.watch("fast", data / "train_images", tmp_path, partition="{day}.jpg")


def test_drift_is_told_in_words(data, tmp_path):
    done = ss.scan("fast", data / "train_images", tmp_path, workers=1)
    unlike = [each for each in done.report.summary.drift if each.level not in ("as usual", "undecided")]
    assert unlike
    assert done.drift[: len(unlike)] == tuple(
        f"{each.title}: {each.reading} ({each.level})" for each in unlike
    )


def test_a_setting_of_a_scan_that_does_not_exist(data, tmp_path):
    with pytest.raises(BadRecipe, match="heatmap: expected one of engine, batch, heatmaps"):
        ss.scan("fast", data, tmp_path, heatmap=True)


def test_a_ledger(sqlite_ledger):
    with open_writer(sqlite_ledger, "test") as writer:
        writer.append([Event(name="export", details={})])
    with ss.open_ledger(sqlite_ledger.address.removeprefix("sqlite:///")) as ledger:
        assert ledger.id == sqlite_ledger.id
        assert ledger.verify().clean
        page = ledger.verdicts(coil="C1", limit=5)
        assert (page.rows, page.cursor, page.title) == ((), None, "0 verdicts")
        assert page.to_pandas().empty
        with pytest.raises(BadRecipe, match="color: expected one of station, coil"):
            ledger.verdicts(color="C1")
        with pytest.raises(BadInput, match="limit"):
            ledger.verdicts(limit=0)


def test_the_tables_of_a_ledger(sqlite_ledger, tmp_path):
    with ss.open_ledger(sqlite_ledger.address.removeprefix("sqlite:///")) as ledger:
        assert ledger.address == sqlite_ledger.address
        assert ledger.export(tmp_path)["verdicts"] == 0
    assert (tmp_path / "verdicts.parquet").is_file()


def test_a_ledger_that_does_not_exist(tmp_path):
    with pytest.raises(BadLedger):
        ss.open_ledger(tmp_path / "none.db")
