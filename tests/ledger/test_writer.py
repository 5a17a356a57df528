"""Appending to a ledger: chains, read models, leases, refusals; the same in both databases."""

import hashlib
import json
import subprocess
import sys

import pytest
from sqlalchemy import func, select
from tests.ledger.conftest import judged, sheet, verdict

from steelsight.errors import BadEntry, BadInput, BadLedger, LeaseLost
from steelsight.ledger.chain.canonical import first_hash
from steelsight.ledger.chain.entries import Draw, Event, Recommended, Review
from steelsight.ledger.database import schema
from steelsight.ledger.writing.projection import rebuild
from steelsight.ledger.writing.writer import open_writer

PERSON = "1" * 32


def contents(ledger):
    """Every row of every read model, in an order of its own."""
    with ledger.read() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(select(table)).mappings()))
            for table in schema.READ_MODELS
        }


def everything():
    entries = judged(0, 4)
    seen = entries[0].sheet
    draw = Draw(sheet=seen, stratum="other", probability=0.5, value=0.25, key_commitment="a" * 64)
    review = Review(
        sheet=seen,
        person=PERSON,
        answer="corrected",
        label="patch",
        verdict=("line-1", 2),
        seconds=3.5,
        mask="1 4 9 2",
        blind=True,
    )
    pruned = Event(name="images_pruned", details={"days": 3, "images": ["f" * 64]})
    bad = sheet(9, image_hash=None, image=None, width=None, height=None, coil=None)
    unread = verdict(
        bad,
        "",
        probability=None,
        probabilities={},
        state="bad_image",
        reason="damaged",
        regions=(),
        distance=None,
    )
    return [
        *entries,
        draw,
        review,
        Event(name="login", person=PERSON, details={"a": [1, 2.5]}),
        pruned,
        Event(name="review_withdrawn", details={"writer": "console", "seq": 1}),
        bad,
        unread,
    ]


def test_entries_are_chained_from_the_first(ledger):
    with open_writer(ledger, "line-1") as writer:
        writer.append(everything())
        writer.append([])
        writer.append(judged(20, 22))
    previous = first_hash(ledger.id, "line-1")
    with ledger.read() as connection:
        rows = connection.execute(select(schema.entries).order_by(schema.entries.c.seq)).all()
    assert [row.seq for row in rows] == list(range(1, len(everything()) + 5))
    for row in rows:
        document = json.loads(row.body)
        assert document["previous"] == previous.hex()
        assert hashlib.sha256(row.body).digest() == row.digest
        previous = row.digest


def test_the_read_models_can_be_rebuilt_from_the_entries(ledger):
    with open_writer(ledger, "line-1") as writer, open_writer(ledger, "console") as console:
        writer.append(everything())
        advised = Recommended(action="hold", rule="holes", policy="a" * 64, chosen="accept")
        second = {"independent": True, "recommended": advised}
        console.append([Review(sheet=sheet(2).sheet, person=PERSON, answer="confirmed", **second)])
        writer.append(judged(30, 35))
    before = contents(ledger)
    assert all(before.values())
    with ledger.write() as connection:
        connection.execute(schema.verdicts.update().values(label="nothing"))
        connection.execute(schema.reviews.delete())
    assert contents(ledger) != before
    assert rebuild(ledger) == len(everything()) + 11
    assert contents(ledger) == before


def test_an_append_is_whole_or_absent(ledger):
    with open_writer(ledger, "line-1") as writer:
        writer.append(judged(0, 2))
        with pytest.raises(BadEntry, match=r"s00001.jpg of station line-1: is in the ledger already"):
            writer.append([*judged(5, 7), sheet(1)])
        with pytest.raises(BadEntry, match="is not in the ledger; enter it first"):
            writer.append([*judged(5, 7), verdict(sheet(99))])
        with pytest.raises(BadEntry, match="one is in the ledger already"):
            writer.append([sheet(8), sheet(8)])
        assert writer.append(judged(5, 7))[0].seq == 5
    with ledger.read() as connection:
        assert connection.execute(select(func.count()).select_from(schema.entries)).scalar_one() == 8


def test_a_sheet_is_drawn_once(ledger):
    draw = Draw(sheet=sheet(0).sheet, stratum="other", probability=0.5, value=0.25, key_commitment="a" * 64)
    with open_writer(ledger, "line-1") as writer:
        writer.append([*judged(0, 1), draw])
        with pytest.raises(BadEntry, match="already"):
            writer.append([draw])


def test_a_name_has_one_writer(ledger, reopen):
    second = reopen(ledger)
    with open_writer(ledger, "line-1") as first:
        first.append(judged(0, 1))
        with (
            pytest.raises(LeaseLost, match="writes as 'line-1' and may do so for"),
            open_writer(second, "line-1"),
        ):
            pass
        with open_writer(second, "line-2") as other:
            other.append(judged(1, 2, station="line-2"))
    with open_writer(second, "line-1") as later:
        assert later.append(judged(2, 3))[0].seq == 3


def test_who_lost_the_lease_cannot_write(ledger, reopen):
    with open_writer(ledger, "line-1") as first:
        with open_writer(reopen(ledger), "line-1", force=True) as second:
            with pytest.raises(LeaseLost, match="nothing was written"):
                first.append(judged(0, 1))
            with pytest.raises(LeaseLost, match="writes as 'line-1' now"):
                first.renew()
            second.append(judged(0, 1))
        with pytest.raises(LeaseLost, match=r"nobody|None"):
            first.append(judged(1, 2))


def test_a_lease_that_ran_out_is_free(ledger, reopen):
    with open_writer(ledger, "line-1", lease_s=0.0), open_writer(reopen(ledger), "line-1") as second:
        second.append(judged(0, 1))


def test_the_lease_of_an_ended_process_is_free(sqlite_ledger):
    """A station that was killed starts again at once."""
    code = (
        "import os, sys\n"
        "from steelsight.ledger.database.open import open_ledger\n"
        "from steelsight.ledger.writing.writer import open_writer\n"
        "with open_writer(open_ledger(sys.argv[1]), 'line-1', lease_s=3600):\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    address = str(sqlite_ledger.engine.url.database)
    assert subprocess.run([sys.executable, "-c", code, address]).returncode == -9
    with open_writer(sqlite_ledger, "line-1") as writer:
        assert writer.append(judged(0, 1))[0].seq == 1


@pytest.mark.parametrize("name", ["", "x" * 101, "a\nb", "a\0b"])
def test_an_impossible_name_of_a_writer_is_refused(sqlite_ledger, name):
    with pytest.raises(BadInput, match="expected 1 to 100 printable"), open_writer(sqlite_ledger, name):
        pass


def test_a_clock_that_runs_backwards_is_kept_as_it_is(ledger):
    times = iter([3_000_000, 1_000_000, 2_000_000])
    with open_writer(ledger, "console", clock=lambda: next(times)) as writer:
        links = writer.append([Event(name="login"), Event(name="logout"), Event(name="login")])
    assert [link.time_us for link in links] == [3_000_000, 1_000_000, 2_000_000]
    assert [link.seq for link in links] == [1, 2, 3]


def test_text_of_every_script_and_control_is_kept(ledger):
    label = 'é "quoted" \\ \x01\t 钢 😀 </script>'
    seen = sheet(1, item="gr\\xfcn 钢 'x'.jpg")
    with open_writer(ledger, "line-1") as writer:
        writer.append([seen, verdict(seen, label)])
    with ledger.read() as connection:
        assert connection.execute(select(schema.verdicts.c.label)).scalar_one() == label
        assert connection.execute(select(schema.sheets.c.item)).scalar_one() == seen.item


def test_numbers_are_kept_to_the_last_bit(ledger):
    seen = sheet(1, position_m=0.1 + 0.2)
    value = 1 / 3
    with open_writer(ledger, "line-1") as writer:
        writer.append([seen, verdict(seen, probability=value, distance=5e-324)])
    with ledger.read() as connection:
        row = connection.execute(select(schema.verdicts)).one()
    assert (row.probability, row.distance, row.position_m) == (value, 5e-324, 0.1 + 0.2)


def test_a_full_disk_is_told(sqlite_ledger):
    with open_writer(sqlite_ledger, "line-1") as writer:
        writer.append(judged(0, 1))
        with sqlite_ledger.engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        limited = sqlite_ledger.engine.raw_connection()
        limited.execute(f"PRAGMA max_page_count = {pages}")
        limited.close()  # back into the pool, where the next append takes it
        with pytest.raises(BadLedger, match=r"database or disk is full\); nothing of this step was written"):
            writer.append(judged(1, 2000))
        raw = sqlite_ledger.engine.raw_connection()
        raw.execute("PRAGMA max_page_count = 1073741823")
        raw.close()
        assert writer.append(judged(3000, 3001))
