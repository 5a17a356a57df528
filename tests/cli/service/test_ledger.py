"""The verbs of the ledger, from `init` to `restore`."""

import json
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra [serve]")

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from tests.ledger.conftest import judged, sheet, verdict
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.ledger.chain.entries import LedgerRegion
from steelsight.ledger.database import schema
from steelsight.ledger.database.migrate import HEAD
from steelsight.ledger.database.open import opened
from steelsight.ledger.images.store import ImageStore
from steelsight.ledger.keeping.people import add_person
from steelsight.ledger.writing.writer import open_writer


def call(*line, code=0):
    done = CliRunner().invoke(app, ["ledger", *map(str, line)])
    assert done.exit_code == code, done.output
    return done


def last_json(done):
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def path(tmp_path) -> Path:
    """A ledger with three sheets."""
    path = tmp_path / "ledger.db"
    call("init", path)
    with opened(str(path)) as ledger, open_writer(ledger, "line-1") as writer:
        writer.append(judged(0, 3))
    return path


def test_a_ledger_is_verified(path):
    found = last_json(call("verify", path, "--json"))
    assert (found["clean"], found["entries"], found["heads"]["line-1"]["seq"]) == (True, 6, 6)


def test_init_refuses_a_ledger_that_exists(path):
    assert "exists already" in call("init", path, code=2).stderr


def test_an_upgrade_makes_no_ledger(tmp_path):
    """A database that holds none stays as it is: `init` makes one there."""
    (tmp_path / "empty.db").touch()
    assert "holds no ledger" in call("upgrade", tmp_path / "empty.db", code=2).stderr
    call("init", tmp_path / "empty.db")


def test_what_is_not_there_is_told(path):
    assert "coil 'C17': no sheet of it is in the ledger" in call("defects", path, "C17", code=2).stderr
    told = " ".join(call("erase-person", path, "anna", code=2).stderr.split())
    assert "expected the random id, which `steelsight user list` shows" in told


def test_a_changed_ledger_ends_with_code_1(path):
    with opened(str(path)) as ledger, ledger.write() as connection:
        connection.execute(schema.verdicts.update().values(label="other"))
    done = call("verify", path, "--json", code=1)
    assert "entry 2 of line-1: its row in verdicts differs; run `steelsight ledger rebuild`" in done.output
    assert len(last_json(done)["findings"]) == 3
    call("rebuild", path)
    call("verify", path)


def test_many_findings_are_counted(path):
    with opened(str(path)) as ledger:
        with open_writer(ledger, "line-1") as writer:
            writer.append(judged(10, 40))
        with ledger.write() as connection:
            connection.execute(schema.verdicts.update().values(label="other"))
    assert "… and 13 more; --json lists all" in call("verify", path, code=1).output


def test_an_anchor_is_signed_and_checked(path, tmp_path):
    key = Ed25519PrivateKey.generate()
    private, public = tmp_path / "key.pem", tmp_path / "public.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    printed = last_json(call("anchor", path))
    call("anchor", path, "--out", tmp_path / "anchor.json", "--key", private)
    written = json.loads((tmp_path / "anchor.json").read_text())
    assert written["heads"] == printed["heads"]
    call("verify", path, "--anchor", tmp_path / "anchor.json", "--public-key", public)
    (tmp_path / "plain.json").write_text(json.dumps(printed))
    done = call("verify", path, "--anchor", tmp_path / "plain.json", "--public-key", public, code=2)
    assert "is not signed; make it with `steelsight ledger anchor --key`" in " ".join(done.stderr.split())


def test_a_backup_is_restored_to_its_anchor(path, tmp_path):
    call("anchor", path, "--out", tmp_path / "anchor.json")
    assert last_json(call("backup", path, tmp_path / "b.gz", "--json"))["entries"] == 6
    call("restore", tmp_path / "b.gz", tmp_path / "again.db", "--anchor", tmp_path / "anchor.json")
    assert last_json(call("verify", tmp_path / "again.db", "--json"))["entries"] == 7
    with opened(str(path)) as ledger, open_writer(ledger, "line-1") as writer:
        writer.append(judged(10, 11))
    call("anchor", path, "--out", tmp_path / "later.json")
    done = call(
        "restore", tmp_path / "b.gz", tmp_path / "third.db", "--anchor", tmp_path / "later.json", code=1
    )
    assert "entry 8 of line-1 is in the anchor and not in the ledger" in " ".join(done.stderr.split())


def test_an_export_is_on_record(path, tmp_path):
    found = last_json(call("export", path, "--out", tmp_path / "out", "--format", "csv", "--json"))
    assert found["rows"]["verdicts"] == 3
    assert (tmp_path / "out" / "verdicts.csv").read_text().count("scratch") >= 3
    with opened(str(path)) as ledger, ledger.read() as connection:
        assert connection.execute(schema.events.select()).one().name == "export"


def test_images_are_pruned(path, tmp_path):
    image = ImageStore(tmp_path / "images").put(b"old")
    with opened(str(path)) as ledger, open_writer(ledger, "line-1") as writer:
        writer.append([sheet(9, image_hash=image, captured_us=0)])
    counted = last_json(call("prune", path, "--images", tmp_path / "images", "--dry-run", "--json"))
    done = last_json(call("prune", path, "--images", tmp_path / "images", "--json"))
    assert counted == done == {"removed": 1, "absent": 3, "kept": 0}
    call("verify", path)


def test_a_person_is_erased(path):
    with opened(str(path)) as ledger, ledger.write() as connection:
        person = add_person(connection, "Ada")
    call("erase-person", path, person.id)
    assert "erased already" in call("erase-person", path, person.id, code=2).stderr
    call("verify", path)


def test_upgrade_changes_nothing_where_the_schema_is_this_one(path):
    assert f"schema {HEAD}" in call("upgrade", path).output
    call("verify", path)


def test_a_name_is_released_and_that_is_on_record(path):
    with opened(str(path)) as ledger, open_writer(ledger, "line-1", lease_s=1e9) as held:
        assert "line-1 is free; " in call("release", path, "line-1").output
        with open_writer(ledger, "line-1") as writer:
            writer.append(judged(10, 11))
        with ledger.read() as connection:
            found = connection.execute(schema.events.select()).one()
        assert (found.name, found.subject) == ("name_released", "line-1")
        assert held.name == "line-1"
    assert call("release", path, "line-1").output.strip() == "line-1 is free"
    done = call("release", path, "line-2", code=2)
    assert "expected the name of a writer, got 'line-2'; it has ledger, line-1" in done.stderr
    call("verify", path)


def test_the_defects_of_a_coil_are_listed(path):
    """The sheets of the fixture lie 0.3 m apart; with a length of 0.3 m one defect goes over both."""
    parts = (LedgerRegion(box=(0, 0, 1600, 100), area_px=160_000, score=1.0),)
    with opened(str(path)) as ledger, open_writer(ledger, "line-2") as writer:
        for number in (30, 31):
            seen = sheet(number, "line-2", coil="C30", length_m=0.3, side="top")
            writer.append([seen, verdict(seen, regions=parts)])
    done = call("defects", path, "C30", "--json")
    assert "9.000 to 9.600 m, 0 to 19 mm, top: scratch, 2 regions" in done.output
    found = last_json(done)
    assert (len(found["defects"]), found["unplaced"]) == (1, 0)
    unplaced = call("defects", path, "C0", "--json")
    assert last_json(unplaced) == {"coil": "C0", "defects": [], "unplaced": 3}
    assert "3 regions of sheets without a place: `line --pattern` and `--calibration`" in unplaced.output
