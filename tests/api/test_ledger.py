"""What an open ledger answers in Python: coils, estimates, reviews, checks."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra [serve]")

from tests.cli.service.test_coil import PERIOD_M, marked_coil
from tests.ledger.conftest import judged, sheet, verdict

import steelsight as ss
from steelsight.api.ledger import keeping
from steelsight.coils.rolls import Roll
from steelsight.errors import BadData, BadInput, BadRecipe
from steelsight.ledger.chain.entries import Answer, Draw, Review
from steelsight.ledger.database import schema
from steelsight.ledger.database.migrate import HEAD
from steelsight.ledger.database.open import create_ledger
from steelsight.ledger.images.store import ImageStore
from steelsight.ledger.keeping.people import add_person
from steelsight.ledger.writing.writer import open_writer


@pytest.fixture(scope="module")
def coils(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with a coil that a roll marks, and one with a single defect."""
    path = tmp_path_factory.mktemp("coils") / "ledger.db"
    ledger = create_ledger(str(path))
    with open_writer(ledger, "line-1") as writer:
        writer.append(marked_coil(PERIOD_M))
    ledger.close()
    return path


def test_the_defects_of_a_coil_are_a_table_a_map_and_a_file(coils, tmp_path):
    with ss.open_ledger(coils) as ledger:
        found = ledger.defects("C1")
    frame = found.to_pandas()
    assert len(frame) == len(found.defects) == len(found.as_dict()["defects"]) >= 19
    assert frame["start_m"].is_monotonic_increasing
    kind, count, area, start, end = found.summary().rows[0]
    assert (kind, count) == ("scratch", len(frame))
    assert area == pytest.approx(frame["area_mm2"].sum())
    assert (start, end) == (frame["start_m"].min(), frame["end_m"].max())
    (drawn,) = found.figures()["map"].axes
    assert len(drawn.patches) == len(frame)
    assert "<img" in found._repr_html_()
    path = found.write(tmp_path, "csv")
    assert path == tmp_path / "defects.csv"
    assert len(path.read_text().splitlines()) == len(frame) + 1


def test_what_is_not_there_and_an_impossible_tolerance_are_refused(coils):
    with ss.open_ledger(coils) as ledger:
        with pytest.raises(BadInput, match="toleran"):
            ledger.defects("C1", tolerance_mm=-1.0)
        with pytest.raises(BadInput, match="coil 'C9': no sheet of it is in the ledger"):
            ledger.defects("C9")


def test_repeat_distances_with_rolls_and_settings(coils, tmp_path):
    table = tmp_path / "rolls.csv"
    table.write_text("name,diameter_mm,tolerance_mm\nF6 top,600,2\n")
    with ss.open_ledger(coils) as ledger:
        found = ledger.repeats("C1", table)
        again = ledger.repeats("C1", [Roll("F6 top", 600.0, 2.0)], longest_m=5)
        outside = ledger.repeats("C1", shortest_m=2.5)
        with pytest.raises(BadRecipe, match="shortest: expected one of shortest_m, longest_m"):
            ledger.repeats("C1", shortest=2.5)
    (row,) = found.table().rows
    assert row[0] == pytest.approx(PERIOD_M, rel=1e-3)
    assert row[6] == "F6 top"
    assert found.coil == again.coil == "C1"
    assert again.as_dict()["settings"]["longest_m"] == 5.0
    assert again.to_pandas()["marks"].tolist() == [found.repeats[0].repeat.count]
    assert (outside.repeats, len(outside.outside)) == ((), 1)
    assert "1 repeat distances on C1" in found.title
    json.dumps(found.as_dict(), allow_nan=False)


def test_two_coils_compared(coils):
    with ss.open_ledger(coils) as ledger:
        found = ledger.compare_coils("C1", "C2", band_m=20.0)
    frame = found.to_pandas()
    assert frame["type"].tolist() == ["scratch"]
    assert frame["C2"].tolist() == [1]
    assert found.as_dict()["unplaced"] == [0, 0]
    assert found.title == "C1, 39.7 m, and C2, 0.0 m"


@pytest.fixture
def audited(tmp_path):
    """A ledger with ten passed sheets, four of which were drawn and reviewed: one is defective."""
    path = tmp_path / "audited.db"
    ledger = create_ledger(str(path))
    with open_writer(ledger, "line-1") as writer:
        for number in range(10):
            seen = sheet(number, captured_us=1_790_000_000_000_000 + number)
            entries = [seen, verdict(seen, label="none", probabilities={"none": 0.9, "scratch": 0.1})]
            if number < 4:
                draw = Draw(
                    sheet=seen.sheet, stratum="other", probability=0.4, value=0.1, key_commitment="0" * 64
                )
                answer = Answer.CORRECTED if number == 0 else Answer.CONFIRMED
                label = "scratch" if number == 0 else "none"
                entries += [
                    draw,
                    Review(sheet=seen.sheet, person="a" * 32, answer=answer, label=label, blind=True),
                ]
            writer.append(entries)
    ledger.close()
    return path


def test_a_page_of_verdicts_shows_time_place_and_decision(audited):
    with ss.open_ledger(audited) as ledger:
        page = ledger.verdicts(limit=1)
        whole = ledger.verdicts()
    assert page.title == "1 verdict, and more"
    shown = dict(zip(page.summary().titles, page.summary().rows[0], strict=True))
    assert shown["captured"] == "2026-09-21T14:13:20.000009Z"
    assert (shown["station"], shown["label"], shown["probability"]) == ("line-1", "none", 0.75)
    assert len(whole.table().titles) > len(whole.summary().titles)
    assert len(whole.summary().rows) == 10


def test_escape_with_times_of_every_kind(audited):
    day = date(2026, 9, 21)
    with ss.open_ledger(audited) as ledger:
        found = ledger.quality(since=day, risk=0.05)
        text = ledger.quality(since="2026-09-21T00:00Z", until=datetime(2026, 10, 1), risk=0.05)
        before = ledger.quality(until=day)
        with pytest.raises(BadInput, match=r"--since: expected a date or time such as .*, got 'monday'"):
            ledger.quality(since="monday")
        with pytest.raises(BadInput, match="--coverage: expected --risk with it"):
            ledger.quality(coverage=0.5)
    assert found.as_dict() == text.as_dict()
    assert before.groups["all"].sheets["passed"] == 0
    frame = found.to_pandas().set_index("group")
    assert frame.loc["all", "passed sheets"] == 10
    assert frame.loc["all", "reviewed draws"] == 4
    low, share, high = (frame.loc["all", f"defective among passed{end}"] for end in (" low", "", " high"))
    assert low < share < high
    assert share == pytest.approx(0.25)
    assert "10 passed sheets, 4 of them drawn" in found.title
    assert found.notes == tuple(found.as_dict()["notes"])
    assert "<table>" in found._repr_html_()


def test_an_export_is_on_record(audited, tmp_path):
    with ss.open_ledger(audited) as ledger:
        assert ledger.export(tmp_path / "tables", "csv")["verdicts"] == 10
        with ledger.ledger.read() as connection:
            (event,) = connection.execute(schema.events.select()).all()
    assert (event.name, event.writer) == ("export", "ledger")
    assert json.loads(event.details)["format"] == "csv"


def test_reviews_that_cannot_be_exported_leave_no_record(audited, tmp_path):
    with ss.open_ledger(audited) as ledger:
        with pytest.raises(BadInput, match="expected the ledger's image store, found no such folder"):
            ledger.export_reviews(tmp_path / "none", tmp_path / "DATA")
        with pytest.raises(BadData, match="none of 4 reviewed sheets can be exported"):
            ledger.export_reviews(tmp_path, tmp_path / "DATA", counted="2026-01-01")
        with ledger.ledger.read() as connection:
            assert connection.execute(schema.events.select()).all() == []


def test_a_ledger_that_was_changed_does_not_verify(audited, tmp_path):
    with ss.open_ledger(audited) as ledger:
        made = ledger.anchor(tmp_path / "anchor.json")
        assert json.loads((tmp_path / "anchor.json").read_text()) == made.as_dict()
        for one in (made, tmp_path / "anchor.json", str(tmp_path / "anchor.json")):
            assert ledger.verify(one).clean
        found = ledger.verify([made, tmp_path / "anchor.json"])
        assert found.clean
        assert found.table().rows == ()
        assert found.summary().rows == (("line-1", 28, made.heads[0].digest),)
        with ledger.ledger.write() as connection:
            connection.execute(schema.verdicts.update().values(label="other"))
        altered = ledger.verify()
    assert not altered.clean
    assert len(altered.findings) == len(altered.table().rows) == len(altered.as_dict()["findings"])
    assert "findings in 28 entries" in altered.title
    assert "its row in verdicts differs" in altered._repr_html_()


def test_a_ledger_is_backed_up_restored_and_its_people_forgotten(tmp_path):
    with keeping.create_ledger(tmp_path / "one.db") as made:
        with open_writer(made.ledger, "line-1") as writer:
            writer.append(judged(0, 3))
        with made.ledger.write() as connection:
            person = add_person(connection, "Ada")
        anchor = made.anchor()
    assert keeping.back_up(tmp_path / "one.db", tmp_path / "backup.gz").entries == 6
    restored = keeping.restore(tmp_path / "backup.gz", tmp_path / "two.db", [anchor])
    assert restored.clean
    assert restored.address.endswith("two.db")
    assert keeping.rebuild(tmp_path / "two.db") == restored.entries == 7
    assert keeping.erase_person(tmp_path / "two.db", person.id) == 0
    assert keeping.upgrade(tmp_path / "two.db") == HEAD
    assert keeping.release_name(tmp_path / "two.db", "line-1") is None
    (tmp_path / "images").mkdir()
    assert keeping.prune_images(tmp_path / "two.db", tmp_path / "images", dry_run=True).removed == 0


def test_a_store_that_is_not_there_is_not_pruned(tmp_path):
    """Its images would be on record as removed, and those of the right store would stay for ever."""
    with keeping.create_ledger(tmp_path / "one.db") as made, open_writer(made.ledger, "line-1") as writer:
        writer.append([sheet(0, image_hash="a" * 64, captured_us=0)])
    before = (tmp_path / "one.db").read_bytes()
    for dry_run in (True, False):
        with pytest.raises(BadInput, match=r"--images .*none: expected the ledger's image store"):
            keeping.prune_images(tmp_path / "one.db", tmp_path / "none", dry_run=dry_run)
    assert not (tmp_path / "none").exists()
    with ss.open_ledger(tmp_path / "one.db") as ledger, ledger.ledger.read() as connection:
        assert connection.execute(schema.pruned_images.select()).all() == []
    assert (tmp_path / "one.db").read_bytes() == before


def test_right_labels_of_sheets(audited, tmp_path):
    table = tmp_path / "known.csv"
    table.write_text("station,item,label\nline-1,s00007.jpg,scratch\n")
    assert keeping.enter_known_cases(audited, table).made == 1
    assert keeping.enter_known_cases(audited, table).unchanged == 1


def test_reviews_are_data_for_every_call(tmp_path):
    pytest.importorskip("skimage", reason="needs the extra [adapt]")
    from tests.adaptation.reviews.review_cases import Plant, fill

    (tmp_path / "plant").mkdir()
    made = create_ledger(str(tmp_path / "plant" / "ledger.db"))
    plant = Plant(tmp_path / "plant", made, ImageStore(tmp_path / "plant" / "images"))
    with plant.closing:
        fill(plant, 20)
    made.close()
    with ss.open_ledger(plant.address) as ledger:
        done = ledger.export_reviews(plant.images, tmp_path / "DATA", part=["train", "validation", "test"])
        assert ledger.verify().clean
    assert done.data.options.groups == "column:coil"
    assert done.data.counts == done.as_dict()["classes"]
    assert len(done.to_pandas()) == done.export.sheets == 20
    assert done.summary().rows == tuple(done.export.classes.items())
    assert "20 reviewed sheets of 2 coils" in done._repr_html_()
