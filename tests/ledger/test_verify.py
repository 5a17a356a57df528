"""Every kind of change is found and named, and a chain written anew is found against an anchor."""

import json
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from sqlalchemy import delete, insert, select, text, update
from tests.ledger.conftest import judged

from steelsight.errors import BadInput
from steelsight.ledger.chain.canonical import first_hash, link_entry
from steelsight.ledger.chain.entries import Event
from steelsight.ledger.database import schema
from steelsight.ledger.database.connect import writing
from steelsight.ledger.proof.anchors import make_anchor, read_anchor
from steelsight.ledger.proof.verify import verify
from steelsight.ledger.writing.projection import rebuild
from steelsight.ledger.writing.writer import open_writer

ENTRIES = schema.entries


@pytest.fixture
def filled(ledger):
    with open_writer(ledger, "line-1") as writer, open_writer(ledger, "console") as console:
        writer.append(judged(0, 3))
        console.append([Event(name="login"), Event(name="logout")])
        writer.append(judged(3, 5))
    return ledger


class Unguarded:
    """A connection of somebody who may disable the triggers."""

    def __init__(self, ledger):
        self.engine = ledger.engine

    def __enter__(self):
        self._context = writing(self.engine)
        connection = self._context.__enter__()
        if self.engine.dialect.name == "sqlite":
            query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'entries'"
            self._triggers = connection.execute(text(query)).all()
            for name, _ in self._triggers:
                connection.execute(text(f"DROP TRIGGER {name}"))
        else:
            connection.execute(text("ALTER TABLE entries DISABLE TRIGGER USER"))
        self.connection = connection
        return connection

    def __exit__(self, *error):
        if self.engine.dialect.name == "sqlite":
            for _, statement in self._triggers:
                self.connection.execute(text(statement))
        else:
            self.connection.execute(text("ALTER TABLE entries ENABLE TRIGGER USER"))
        return self._context.__exit__(*error)


def at(seq, writer="line-1"):
    return (ENTRIES.c.writer == writer) & (ENTRIES.c.seq == seq)


def found(ledger, anchors=()):
    return [(finding.kind, finding.writer, finding.seq) for finding in verify(ledger, anchors).findings]


def test_an_unchanged_ledger_is_clean(filled):
    result = verify(filled, [make_anchor(filled)])
    assert result.clean, result.findings
    assert result.entries == 12
    assert {name: head.seq for name, head in result.heads.items()} == {"console": 2, "line-1": 10}


def test_an_empty_ledger_is_clean(ledger):
    assert verify(ledger).clean


def test_an_altered_body_is_named(filled):
    with Unguarded(filled) as connection:
        body = connection.execute(select(ENTRIES.c.body).where(at(4))).scalar_one()
        changed = bytes(body).replace(b'"label":"scratch"', b'"label":"nothing"')
        assert changed != body
        connection.execute(update(ENTRIES).where(at(4)).values(body=changed))
    assert ("altered", "line-1", 4) in found(filled)
    assert all(seq == 4 for kind, _, seq in found(filled) if kind == "altered")


def test_a_body_altered_with_its_hash_is_named_by_the_next(filled):
    import hashlib

    with Unguarded(filled) as connection:
        body = bytes(connection.execute(select(ENTRIES.c.body).where(at(4))).scalar_one())
        changed = body.replace(b'"label":"scratch"', b'"label":"nothing"')
        values = {"body": changed, "digest": hashlib.sha256(changed).digest()}
        connection.execute(update(ENTRIES).where(at(4)).values(values))
    assert ("inserted", "line-1", 5) in found(filled)
    assert ("read_model", "line-1", 4) in found(filled)


@pytest.mark.parametrize("column", ["kind", "epoch"])
def test_an_altered_column_is_named(filled, column):
    with Unguarded(filled) as connection:
        value = {"kind": "event", "epoch": 7}[column]
        connection.execute(update(ENTRIES).where(at(4)).values({column: value}))
    assert ("altered", "line-1", 4) in found(filled)


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff\xfe", b"null", b"[" * 5000])
def test_bytes_that_are_no_entry_are_named(filled, body):
    with Unguarded(filled) as connection:
        connection.execute(update(ENTRIES).where(at(4)).values(body=body))
    assert ("altered", "line-1", 4) in found(filled)


@pytest.mark.parametrize("seq", [1, 4])
def test_a_dropped_entry_is_named(filled, seq):
    with Unguarded(filled) as connection:
        connection.execute(delete(ENTRIES).where(at(seq)))
    assert ("dropped", "line-1", seq) in found(filled)


def test_swapped_entries_are_named(filled):
    with Unguarded(filled) as connection:
        for old, new in ((4, -1), (6, 4), (-1, 6)):
            connection.execute(update(ENTRIES).where(at(old)).values(seq=new))
    assert {("swapped", "line-1", 4), ("swapped", "line-1", 6)} <= set(found(filled))


def test_an_entry_moved_to_another_writer_is_named(filled):
    with Unguarded(filled) as connection:
        connection.execute(update(ENTRIES).where(at(10)).values(writer="console", seq=3))
    assert ("swapped", "console", 3) in found(filled)
    assert ("truncated", "line-1", 10) in found(filled)


def test_an_inserted_entry_is_named(filled):
    with Unguarded(filled) as connection:
        for seq in range(10, 3, -1):
            connection.execute(update(ENTRIES).where(at(seq)).values(seq=seq + 1))
        extra = link_entry(
            Event(name="login"), writer="line-1", seq=4, epoch=1, time_us=0, previous=b"\0" * 32
        )
        row = {"writer": "line-1", "seq": 4, "epoch": 1, "kind": "event", "body": extra.body}
        connection.execute(insert(ENTRIES).values({**row, "digest": extra.digest}))
    assert ("inserted", "line-1", 4) in found(filled)


def test_an_entry_added_behind_the_writers_back_is_named(filled):
    with filled.write() as connection:  # the triggers allow an insertion
        last = bytes(connection.execute(select(ENTRIES.c.digest).where(at(2, "console"))).scalar_one())
        extra = link_entry(Event(name="login"), writer="console", seq=3, epoch=1, time_us=0, previous=last)
        row = {"writer": "console", "seq": 3, "epoch": 1, "kind": "event", "body": extra.body}
        connection.execute(insert(ENTRIES).values({**row, "digest": extra.digest}))
    assert ("inserted", "console", 3) in found(filled)


def test_truncation_is_found_by_the_head_and_by_the_anchor(filled):
    anchor = make_anchor(filled)
    with Unguarded(filled) as connection:
        connection.execute(delete(ENTRIES).where(ENTRIES.c.writer == "line-1", ENTRIES.c.seq > 6))
    assert ("truncated", "line-1", 7) in found(filled)
    rebuild(filled)
    with filled.write() as connection:  # the head is set back too: only the anchor still knows
        digest = connection.execute(select(ENTRIES.c.digest).where(at(6))).scalar_one()
        where = schema.writers.c.name == "line-1"
        connection.execute(update(schema.writers).where(where).values(seq=6, digest=digest))
    assert found(filled) == []
    assert found(filled, [anchor]) == [("truncated", "line-1", 10)]


def test_a_chain_written_anew_is_found_by_the_anchor(filled):
    anchor = make_anchor(filled)
    with Unguarded(filled) as connection:
        connection.execute(delete(ENTRIES).where(ENTRIES.c.writer == "console"))
        previous = first_hash(filled.id, "console")
        for seq, name in ((1, "login"), (2, "export")):
            forged = link_entry(
                Event(name=name), writer="console", seq=seq, epoch=1, time_us=0, previous=previous
            )
            previous = forged.digest
            row = {"writer": "console", "seq": seq, "epoch": 1, "kind": "event", "body": forged.body}
            connection.execute(insert(ENTRIES).values({**row, "digest": forged.digest}))
        where = schema.writers.c.name == "console"
        connection.execute(update(schema.writers).where(where).values(digest=previous))
    rebuild(filled)
    assert found(filled) == []
    assert found(filled, [anchor]) == [("unanchored", "console", 2)]


def test_the_anchor_of_another_ledger_is_told(filled, tmp_path):
    from dataclasses import replace

    anchor = replace(make_anchor(filled), ledger="f" * 32)
    assert ("unanchored", "", 0) in found(filled, [anchor])


@pytest.mark.parametrize(
    "table", [table for table in schema.READ_MODELS if table.name in ("sheets", "verdicts")]
)
def test_a_changed_read_model_is_found_and_rebuilt(filled, table):
    column = {"sheets": "coil", "verdicts": "label"}[table.name]
    with filled.write() as connection:
        connection.execute(update(table).where(table.c.seq == table.c.seq).values({column: "other"}))
    kinds = {kind for kind, _, _ in found(filled)}
    assert kinds == {"read_model"}
    rebuild(filled)
    assert found(filled) == []


def test_a_row_too_many_in_a_read_model_is_found(filled):
    with filled.write() as connection:
        row = dict(connection.execute(select(schema.verdicts).limit(1)).mappings().one())
        connection.execute(insert(schema.verdicts).values({**row, "seq": 99}))
    assert ("read_model", "", 0) in found(filled)


def test_a_missing_trigger_is_found(filled):
    with filled.write() as connection:
        on = "" if filled.engine.dialect.name == "sqlite" else " ON entries"
        connection.execute(text(f"DROP TRIGGER entries_no_update{on}"))
    assert [finding.message for finding in verify(filled).findings] == [
        "the trigger entries_no_update, which refuses changes to entries, is missing or disabled"
    ]


@pytest.fixture
def keys(tmp_path):
    key = Ed25519PrivateKey.generate()
    private, public = tmp_path / "key.pem", tmp_path / "public.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


def test_a_signed_anchor_is_read_back(filled, keys, tmp_path):
    anchor = make_anchor(filled, keys[0])
    path = tmp_path / "anchor.json"
    path.write_text(json.dumps(anchor.as_dict()))
    assert read_anchor(path, keys[1]) == anchor
    assert found(filled, [read_anchor(path)]) == []


@pytest.mark.parametrize("change", ["seq", "digest", "time", "signature", "unsigned"])
def test_an_anchor_that_was_changed_is_refused(filled, keys, tmp_path, change):
    content = make_anchor(filled, keys[0]).as_dict()
    if change == "seq":
        content["heads"][0]["seq"] -= 1
    elif change == "digest":
        content["heads"][0]["digest"] = "0" * 64
    elif change == "time":
        content["time"] = "2000-01-01T00:00:00.000000Z"
    elif change == "signature":
        content["signature"] = "00" * 64
    else:
        del content["signature"]
    path = tmp_path / "anchor.json"
    path.write_text(json.dumps(content))
    with pytest.raises(BadInput, match="is not signed" if change == "unsigned" else "the anchor was changed"):
        read_anchor(path, keys[1])


@pytest.mark.parametrize("content", ["", "[]", "null", '{"heads": 1}', '{"heads": [{}]}', "[" * 100_000])
def test_a_file_that_is_no_anchor_is_refused(tmp_path, content):
    path = tmp_path / "anchor.json"
    path.write_text(content)
    with pytest.raises(BadInput, match="expected an anchor"):
        read_anchor(path)


def test_keys_that_are_no_keys_are_refused(filled, keys, tmp_path):
    with pytest.raises(BadInput, match="cannot be read"):
        make_anchor(filled, tmp_path / "none.pem")
    with pytest.raises(BadInput, match="expected an unencrypted Ed25519 key"):
        make_anchor(filled, keys[1])


def test_an_anchor_grows_with_the_ledger(filled):
    anchors = [make_anchor(filled)]
    with open_writer(filled, "line-1") as writer:
        for start in (10, 20, 30):
            writer.append(judged(start, start + 2))
            anchors.append(make_anchor(filled))
    for earlier, later in pairwise(anchors):
        assert {head.writer: head.seq for head in earlier.heads} != {
            head.writer: head.seq for head in later.heads
        }
    assert verify(filled, anchors).clean
