"""People who can be forgotten, backup and restore, retention of images."""

import gzip
import hashlib
import hmac
import json
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, func, select
from tests.ledger.conftest import judged, sheet, verdict
from tests.ledger.test_writer import contents

from steelsight.errors import BadInput, BadLedger, ImageAltered, ImageMissing, LedgerAltered
from steelsight.ledger.chain.entries import Draw, Event, Review
from steelsight.ledger.database import schema
from steelsight.ledger.database.open import open_ledger
from steelsight.ledger.images.store import ImageStore
from steelsight.ledger.keeping import retention
from steelsight.ledger.keeping.backup import back_up, restore
from steelsight.ledger.keeping.people import add_person, commit_text, erase_person, find_person, read_text
from steelsight.ledger.keeping.retention import prune_images
from steelsight.ledger.proof.anchors import make_anchor
from steelsight.ledger.proof.verify import verify
from steelsight.ledger.writing.projection import rebuild
from steelsight.ledger.writing.writer import open_writer


def reviewed(ledger):
    """A ledger with a person, a review and its comment; returns the person and the commitment."""
    with open_writer(ledger, "line-1") as writer:
        writer.append(judged(0, 3))
        with ledger.write() as connection:
            person = add_person(connection, "Ada Müller", "ada@mill.example")
            comment = commit_text(connection, person.id, "oil, not a scratch")
            review = Review(
                sheet=sheet(1).sheet, person=person.id, answer="corrected", label="none", comment=comment
            )
            writer.append_within(connection, [review])
    return person, comment


def test_a_person_is_erased_and_the_ledger_verifies(ledger):
    person, comment = reviewed(ledger)
    anchor = make_anchor(ledger)
    with ledger.read() as connection:
        assert find_person(connection, person.id) == person
        assert read_text(connection, comment) == "oil, not a scratch"
    with open_writer(ledger, "console") as console:
        assert erase_person(ledger, console, person.id) == 1
        with pytest.raises(BadInput, match="not in the ledger, or erased already"):
            erase_person(ledger, console, person.id)
    with ledger.read() as connection:
        assert find_person(connection, person.id) is None
        assert read_text(connection, comment) is None
        for table in schema.metadata.tables.values():
            for row in connection.execute(select(table)):
                assert "Ada" not in repr(row)
                assert "oil, not" not in repr(row)
    rebuild(ledger)
    assert verify(ledger, [anchor]).clean
    with ledger.read() as connection:
        assert connection.execute(select(schema.reviews.c.person)).scalar_one() == person.id


def test_the_chain_alone_does_not_tell_a_short_text(sqlite_ledger):
    """Without its salt a commitment does not match any guess of the text."""
    _, comment = reviewed(sqlite_ledger)
    for salt in (b"", b"\0" * 16):
        assert hmac.new(salt, b"oil, not a scratch", hashlib.sha256).hexdigest() != comment
    with sqlite_ledger.write() as connection:
        assert commit_text(connection, "1" * 32, "x") != commit_text(connection, "1" * 32, "x")


def test_an_altered_text_is_told(ledger):
    _, comment = reviewed(ledger)
    with ledger.write() as connection:
        connection.execute(schema.texts.update().values(text="a scratch"))
    with ledger.read() as connection, pytest.raises(BadInput, match="was altered since it was entered"):
        read_text(connection, comment)


@pytest.mark.parametrize("name", ["", "  ", "a\0b", "x" * 10_001])
def test_an_impossible_person_is_refused(sqlite_ledger, name):
    with pytest.raises(BadInput, match="person: expected"), sqlite_ledger.write() as connection:
        add_person(connection, name)


@pytest.fixture
def empty_address(request, tmp_path):
    def make(kind):
        if kind == "sqlite":
            return str(tmp_path / "restored.db")
        return request.getfixturevalue("cluster").create(f"restored{uuid4().hex}")

    return make


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_a_backup_is_restored_into_either_database(ledger, tmp_path, empty_address, target):
    person, comment = reviewed(ledger)
    with open_writer(ledger, "line-1") as writer:
        report = back_up(ledger, tmp_path / "ledger.backup")  # while a writer holds its lease
        writer.append(judged(10, 12))
    anchor_of_backup = report.entries
    restored, found = restore(tmp_path / "ledger.backup", empty_address(target))
    try:
        assert found.clean
        assert restored.id == ledger.id
        assert found.entries == anchor_of_backup + 1  # the event that begins the epoch
        with restored.read() as connection:
            assert connection.execute(select(schema.ledger.c.epoch)).scalar_one() == 2
            assert find_person(connection, person.id) == person
            assert read_text(connection, comment) == "oil, not a scratch"
        with open_writer(restored, "line-1") as writer:
            assert writer.append(judged(20, 21))[0].epoch == 2
        assert verify(restored).clean
    finally:
        restored.close()


def test_a_restore_below_its_anchor_is_refused(sqlite_ledger, tmp_path):
    reviewed(sqlite_ledger)
    back_up(sqlite_ledger, tmp_path / "ledger.backup")
    reached = make_anchor(sqlite_ledger)
    with open_writer(sqlite_ledger, "line-1") as writer:
        writer.append(judged(10, 12))
    with pytest.raises(LedgerAltered, match="entry 11 of line-1 is in the anchor and not in the ledger"):
        restore(tmp_path / "ledger.backup", str(tmp_path / "a.db"), [make_anchor(sqlite_ledger)])
    restored, found = restore(tmp_path / "ledger.backup", str(tmp_path / "b.db"), [reached])
    assert found.clean
    restored.close()


def test_entries_of_both_epochs_are_told_apart(sqlite_ledger, tmp_path):
    """What was written after the backup cannot be taken for what was written after the restore."""
    reviewed(sqlite_ledger)
    back_up(sqlite_ledger, tmp_path / "ledger.backup")
    restored, _ = restore(tmp_path / "ledger.backup", str(tmp_path / "b.db"))
    digests = []
    for each in (sqlite_ledger, restored):
        with open_writer(each, "line-1", clock=lambda: 5) as writer:
            digests.append(writer.append(judged(10, 11))[0].digest)
    restored.close()
    assert digests[0] != digests[1]


def test_a_backup_is_restored_once(sqlite_ledger, tmp_path):
    reviewed(sqlite_ledger)
    back_up(sqlite_ledger, tmp_path / "ledger.backup")
    with pytest.raises(BadLedger, match="exists already"):
        restore(tmp_path / "ledger.backup", str(sqlite_ledger.engine.url.database))


def damaged(lines):
    yield "cut", lines[:-1], "ends before its last line"
    yield "one entry less", lines[:3] + lines[4:], "does not have the checksum"
    yield "a change", [*lines[:2], lines[2].replace(b"scratch", b"nothing"), *lines[3:]], "checksum"
    yield "more", [*lines, lines[1]], "goes on after its last line"
    yield (
        "another format",
        [lines[0].replace(b"backup/1", b"backup/9"), *lines[1:]],
        "expected a backup of format",
    )
    yield "no JSON", [b"hello\n"], "expected a whole backup"
    yield "nothing", [], "ends before its last line"
    yield "no object", [b'["ledger", 5]\n'], "expected a whole backup"
    yield "nested", [b"[" * 100_000 + b"\n"], "expected a whole backup"


def test_a_damaged_backup_is_refused_before_anything_is_made(sqlite_ledger, tmp_path):
    reviewed(sqlite_ledger)
    path = tmp_path / "ledger.backup"
    back_up(sqlite_ledger, path)
    content = path.read_bytes()
    lines = gzip.decompress(content).splitlines(keepends=True)
    for number, (_, changed, message) in enumerate(damaged(lines)):
        path.write_bytes(gzip.compress(b"".join(changed)))
        with pytest.raises(BadInput, match=message):
            restore(path, str(tmp_path / f"r{number}.db"))
        assert not (tmp_path / f"r{number}.db").exists()
    for number, raw in enumerate([content[: len(content) // 2], content[:20], b"", b"no gzip"]):
        path.write_bytes(raw)
        with pytest.raises(
            BadInput, match=r"expected a whole backup|cannot be read|ends before its last line"
        ):
            restore(path, str(tmp_path / f"s{number}.db"))


def test_a_backup_of_an_altered_ledger_is_not_restored(sqlite_ledger, tmp_path):
    from tests.ledger.test_verify import Unguarded

    reviewed(sqlite_ledger)
    with Unguarded(sqlite_ledger) as connection:
        connection.execute(schema.entries.delete().where(schema.entries.c.seq == 2))
    back_up(sqlite_ledger, tmp_path / "ledger.backup")
    with pytest.raises((LedgerAltered, BadInput), match=r"does not verify|missing"):
        restore(tmp_path / "ledger.backup", str(tmp_path / "r.db"))


def test_an_image_is_stored_once_and_told_when_it_changed(tmp_path):
    store = ImageStore(tmp_path / "images")
    digest = store.put(b"an image")
    assert store.put(b"an image") == digest == hashlib.sha256(b"an image").hexdigest()
    assert store.get(digest) == b"an image"
    assert len([path for path in (tmp_path / "images").rglob("*") if path.is_file()]) == 1
    path = tmp_path / "images" / digest[:2] / digest[2:]
    path.write_bytes(b"another!")
    with pytest.raises(ImageAltered, match="are not those that were judged"):
        store.get(digest)
    path.unlink()
    with pytest.raises(ImageMissing, match="is not in the store"):
        store.get(digest)
    assert not store.has(digest)
    assert not store.remove(digest)


@pytest.mark.parametrize("digest", ["../../etc/passwd", "", "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_what_is_no_hash_opens_no_file(tmp_path, digest):
    with pytest.raises(BadInput, match="expected a SHA-256"):
        ImageStore(tmp_path).get(digest)


def test_a_store_that_cannot_be_used_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    for address in (tmp_path / "file" / "images", "nonsense://x/y"):
        with pytest.raises(BadInput, match="cannot be used"):
            ImageStore(address)


DAY_US = 86_400_000_000


def test_images_that_somebody_needs_are_kept(ledger, tmp_path):
    from steelsight.ledger.writing.writer import now_us

    store = ImageStore(tmp_path / "images")
    names = ("plain", "reviewed", "doubtful", "drawn", "new", "shared")
    images = {name: store.put(name.encode()) for name in names}
    old, new = now_us() - 10 * DAY_US, now_us() - DAY_US

    def seen(number, name, captured=old):
        return sheet(number, image_hash=images[name], captured_us=captured)

    sheets = [
        seen(0, "plain"),
        seen(1, "reviewed"),
        seen(2, "doubtful"),
        seen(3, "drawn"),
        seen(4, "new", new),
    ]
    sheets += [seen(5, "shared"), seen(6, "shared", new)]
    with open_writer(ledger, "line-1") as writer:
        writer.append([*sheets, *(verdict(each) for each in sheets)])
        writer.append(
            [
                Review(sheet=sheets[1].sheet, person="1" * 32, answer="confirmed"),
                verdict(sheets[2], state="doubtful", reason="low_confidence"),
                Draw(sheet=sheets[3].sheet, stratum="x", probability=0.5, value=0.1, key_commitment="a" * 64),
            ]
        )
        trial = prune_images(ledger, store, writer, 5.0, dry_run=True)
        assert all(map(store.has, images.values()))
        done = prune_images(ledger, store, writer, 5.0)
        assert trial == done
        assert (done.removed, done.absent, done.kept) == (1, 0, 4)
        again = prune_images(ledger, store, writer, 5.0)
        assert (again.removed, again.absent) == (0, 0)
    assert [name for name, image in images.items() if not store.has(image)] == ["plain"]
    assert verify(ledger).clean
    with ledger.read() as connection:
        assert connection.execute(select(schema.pruned_images.c.image_hash)).scalars().all() == [
            images["plain"]
        ]
        assert connection.execute(select(func.count()).select_from(schema.sheets)).scalar_one() == 7


def test_what_is_entered_while_images_are_removed_keeps_them(ledger, tmp_path, monkeypatch):
    """A sheet is reviewed after the images to remove were chosen, and before they are removed."""
    store = ImageStore(tmp_path / "images")
    images = [store.put(name) for name in (b"one", b"two")]
    sheets = [sheet(number, image_hash=image, captured_us=0) for number, image in enumerate(images)]
    real = retention._batches

    def batches(*arguments):
        chosen = list(real(*arguments))
        with open_writer(ledger, "console") as console, ledger.write() as connection:
            review = Review(sheet=sheets[0].sheet, person="1" * 32, answer="confirmed")
            console.append_within(connection, [review])
        return chosen

    monkeypatch.setattr(retention, "_batches", batches)
    with open_writer(ledger, "line-1") as writer:
        writer.append([*sheets, *(verdict(each) for each in sheets)])
        done = prune_images(ledger, store, writer, 1.0)
    assert (done.removed, done.absent, done.kept) == (1, 0, 1)
    assert list(map(store.has, images)) == [True, False]
    assert verify(ledger).clean


def test_what_a_crash_left_is_removed_by_the_next_call(sqlite_ledger, tmp_path):
    """The event is on record, the image still there: as after a crash between the two."""
    store = ImageStore(tmp_path / "images")
    image = store.put(b"plain")
    with open_writer(sqlite_ledger, "line-1") as writer:
        writer.append([sheet(0, image_hash=image, captured_us=0)])
        writer.append([Event(name="images_pruned", details={"days": 1, "images": [image]})])
        prune_images(sqlite_ledger, store, writer, 1.0)
        assert not store.has(image)
        writer.append([sheet(1, image_hash=store.put(b"plain"))])  # the same bytes again, captured later
        prune_images(sqlite_ledger, store, writer, 1e6)
        assert store.has(image)


@pytest.mark.parametrize("days", [-1.0, float("nan")])
def test_an_impossible_age_is_refused(sqlite_ledger, tmp_path, days):
    with open_writer(sqlite_ledger, "line-1") as writer, pytest.raises(BadInput, match="expected 0 or more"):
        prune_images(sqlite_ledger, ImageStore(tmp_path), writer, days)


def test_a_ledger_is_read_after_its_backup_was_taken(sqlite_ledger, tmp_path):
    reviewed(sqlite_ledger)
    before = contents(sqlite_ledger)
    back_up(sqlite_ledger, tmp_path / "b")
    again = open_ledger(str(sqlite_ledger.engine.url.database))
    assert contents(again) == before
    again.close()


def test_erased_text_is_in_no_file_of_the_database(address, request, tmp_path):
    from steelsight.ledger.database.open import create_ledger

    secret = "a comment nobody may find again " * 8
    ledger = create_ledger(address)
    with ledger.write() as connection:
        person = add_person(connection, "Somebody " + secret)
        for _ in range(30):
            commit_text(connection, person.id, secret)
    with open_writer(ledger, "console") as console:
        assert erase_person(ledger, console, person.id) == 30
    if ledger.engine.dialect.name == "sqlite":
        files = [path for path in tmp_path.iterdir() if path.is_file()]
    else:
        engine = create_engine(address.replace("://", "+pg8000://"))  # a busy disk may take its time
        with engine.connect() as connection:
            connection.exec_driver_sql("CHECKPOINT")
            tables = [
                connection.exec_driver_sql(f"SELECT pg_relation_filepath('{table}')").scalar_one()
                for table in ("people", "texts")
            ]
        engine.dispose()
        files = [request.getfixturevalue("cluster").data / each for each in tables]
    assert files
    assert not [path for path in files if secret.encode() in path.read_bytes()]
    ledger.close()


@pytest.mark.parametrize(
    "line",
    [
        ["entry", {}],
        ["entry", {"body": 5}],
        ["people", {"person": "x", "what": 1}],
        ["people", {"person": None, "name": None, "address": None, "created_us": None}],
        ["people", {"person": {}, "name": [], "address": {}, "created_us": {}}],
        ["people", {"person": "x", "name": "a", "address": "", "created_us": 2**70}],
        ["people", {"person": "\ud800", "name": "a", "address": "", "created_us": 1}],
        ["texts", {"commitment": "x", "person": "p", "salt": {"base64": "!"}, "text": "t"}],
    ],
)
def test_a_backup_with_impossible_rows_is_refused_although_its_checksum_is_right(tmp_path, line):
    header = {"format": "steelsight-ledger-backup/1", "id": "a" * 32, "epoch": 1, "schema": "0001"}
    content = b"".join(json.dumps(each).encode() + b"\n" for each in (["ledger", header], line))
    end = json.dumps(["end", {"entries": 0, "sha256": hashlib.sha256(content).hexdigest()}]).encode()
    path = tmp_path / "ledger.backup"
    path.write_bytes(gzip.compress(content + end + b"\n"))
    with pytest.raises(BadInput, match=r"expected a whole backup|the database refuses its rows"):
        restore(path, str(tmp_path / "restored.db"))
