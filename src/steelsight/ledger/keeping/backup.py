"""Back up a ledger while it is written to, and restore it into an empty database of either kind.

A backup is one gzip file of JSON lines: a header, the entries in order, people, texts and accounts (with the
hashes of their passwords; no sessions, tokens or links), and a last line with the counts and the SHA-256 of
all before it. A restore begins a new epoch, so that entries lost with the old database can never be mistaken
for entries written after it.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from sqlalchemy import Connection, Table, insert, inspect, select
from sqlalchemy.exc import CompileError, DataError, DBAPIError, IntegrityError, StatementError

from steelsight.errors import BadInput, LedgerAltered
from steelsight.files import replace_file
from steelsight.ledger.chain.canonical import first_hash, read_link
from steelsight.ledger.chain.entries import Event
from steelsight.ledger.chain.event_names import RESTORED
from steelsight.ledger.database import schema
from steelsight.ledger.database.bulk import insert_rows
from steelsight.ledger.database.migrate import HEAD, known_schemas, stored_schema
from steelsight.ledger.database.open import Ledger, create_ledger, identify
from steelsight.ledger.proof.anchors import Anchor
from steelsight.ledger.proof.verify import Verification, verify
from steelsight.ledger.writing.projection import rebuild
from steelsight.ledger.writing.writer import SYSTEM_WRITER, open_writer
from steelsight.names import on_one_line, shown_name

__all__ = ["BackupReport", "back_up", "restore"]

FORMAT: Final = "steelsight-ledger-backup/1"
BATCH: Final = 2000
LONGEST_LINE: Final = 64 * 2**20
LAST_EPOCH: Final = 2**31 - 1  # PostgreSQL holds it as an integer


@dataclass(frozen=True)
class BackupReport:
    """A finished backup."""

    path: Path
    ledger: str
    entries: int
    sha256: str  # of its lines, as in the last one


def back_up(ledger: Ledger, path: Path) -> BackupReport:
    """Write one consistent state of the ledger into a file of its owner's; writers go on meanwhile.

    ledger  of this version's schema or of an earlier one
    raises  BadOutput where the file cannot be written
    """
    done: list[BackupReport] = []

    def fill(file: BinaryIO) -> None:
        if hasattr(os, "fchmod"):
            os.fchmod(file.fileno(), 0o600)  # it holds names, texts and hashes of passwords
        with (
            ledger.read() as connection,
            gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1, mtime=0) as out,
        ):
            digest, count = hashlib.sha256(), 0
            for kind, row in _lines(connection, ledger):
                line = json.dumps([kind, row], separators=(",", ":")).encode() + b"\n"
                digest.update(line)
                out.write(line)
                count += kind == "entry"
            out.write(json.dumps(["end", {"entries": count, "sha256": digest.hexdigest()}]).encode() + b"\n")
            done.append(BackupReport(path, ledger.id, count, digest.hexdigest()))

    replace_file(path, fill, advice="free space or choose another BACKUP, and run the same command again")
    return done[0]


def _lines(connection: Connection, ledger: Ledger) -> Iterator[tuple[str, dict[str, Any]]]:
    epoch = connection.execute(select(schema.ledger.c.epoch)).scalar_one()
    yield "ledger", {"format": FORMAT, "id": ledger.id, "epoch": epoch, "schema": stored_schema(connection)}
    table = schema.entries
    last = 0
    query = select(table.c.id, table.c.body).order_by(table.c.id).limit(BATCH)
    while rows := connection.execute(query.where(table.c.id > last)).all():
        last = rows[-1].id
        yield from (("entry", {"body": _body(row.id, row.body)}) for row in rows)
    there = set(inspect(connection).get_table_names())  # an earlier schema has fewer, with the same columns
    for kept in (table for table in schema.COPIED if table.name in there):
        for row in connection.execute(select(kept)):
            yield kept.name, {name: _as_text(value) for name, value in row._mapping.items()}


def _body(number: int, body: bytes) -> str:
    try:
        return bytes(body).decode()
    except UnicodeDecodeError as error:
        raise LedgerAltered(
            f"row {number} of entries: was altered and is not UTF-8; run `steelsight ledger verify`"
        ) from error


def _as_text(value: Any) -> Any:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes | memoryview) else value


def restore(path: Path, address: str, anchors: Sequence[Anchor] = ()) -> tuple[Ledger, Verification]:
    """Restore a backup into an empty database, begin a new epoch, and verify.

    address  a file, sqlite:///FILE, or postgresql://USER@HOST/NAME that holds no ledger
    anchors  kept elsewhere; the backup must reach them
    A restore that was broken off leaves a database that nothing opens as a ledger.

    raises   BadInput: the file is not a whole backup; BadLedger: the database holds a ledger;
             LedgerAltered: the entries do not verify, or do not reach an anchor
    """
    header = _check_whole(path)
    ledger = create_ledger(address, restored_id=header["id"])
    with ExitStack() as undo:
        undo.callback(ledger.close)
        with ledger.write() as connection, _refusing(path):
            _copy(connection, ledger, path)
        rebuild(ledger)
        found = verify(ledger, anchors)
        if not found.clean:
            first = found.findings[0]
            raise LedgerAltered(
                f"{path}: does not verify ({len(found.findings)} findings; first: {first.message}); use "
                f"another backup; what was restored into {ledger.address} is not fit for use"
            )
        with open_writer(ledger, SYSTEM_WRITER) as writer, ledger.write() as connection:
            identify(connection, ledger.id, epoch=header["epoch"] + 1)
            heads = {name: head.seq for name, head in found.heads.items()}
            event = Event(name=RESTORED, subject=on_one_line(shown_name(path.name)), details={"heads": heads})
            writer.append_within(connection, [event])
        undo.pop_all()
    return ledger, verify(ledger, anchors)


def _check_whole(path: Path) -> dict[str, Any]:
    """The header of a backup whose last line confirms every line before it; raises BadInput."""
    digest, header, end = hashlib.sha256(), None, None
    for line, kind, row in _read(path):
        if end is not None:
            raise BadInput(f"{path}: goes on after its last line; it was altered")
        if header is None:
            if kind != "ledger" or row.get("format") != FORMAT:
                raise BadInput(
                    f"{path}: expected a backup of format {FORMAT}, got {row.get('format', kind)!r:.60}"
                )
            header = row
        if kind == "end":
            end = row
        else:
            digest.update(line)
    if header is None or end is None:
        raise BadInput(f"{path}: ends before its last line; the backup is not whole")
    if end.get("sha256") != digest.hexdigest():
        raise BadInput(f"{path}: does not have the checksum in its last line; it was altered or damaged")
    whole = isinstance(header.get("id"), str) and type(header.get("epoch")) is int
    if not whole or not 1 <= header["epoch"] < LAST_EPOCH:
        raise BadInput(f"{path}: expected the id and the epoch of a ledger in its first line")
    if header.get("schema") not in known_schemas():  # an earlier one has fewer tables, with the same columns
        raise BadInput(
            f"{path}: is of schema {header.get('schema')!r:.20}, this version restores those up to {HEAD}; "
            "restore it with the version of Steelsight that wrote it"
        )
    return header


def _read(path: Path) -> Iterator[tuple[bytes, str, dict[str, Any]]]:
    try:
        with gzip.open(path, "rb") as file:
            while line := file.readline(LONGEST_LINE):
                kind, row = json.loads(line)
                yield line, str(kind), dict(row)
    except (ValueError, TypeError, EOFError, RecursionError) as error:
        raise BadInput(f"{path}: expected a whole backup of a ledger ({error})") from error
    except OSError as error:
        raise BadInput(f"{path}: cannot be read as a backup ({error.strerror or error})") from error


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Rows that have other fields than those of a backup are refused, although the checksum is right."""
    try:
        yield
    except BadInput:
        raise
    except DBAPIError as error:
        if not isinstance(error, IntegrityError | DataError):
            raise
        raise BadInput(f"{path}: the database refuses its rows ({error.orig!s:.200})") from error
    except (ArithmeticError, LookupError, CompileError, StatementError) as error:
        raise BadInput(f"{path}: expected a whole backup of a ledger ({error!s:.200})") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise BadInput(f"{path}: expected a whole backup of a ledger ({error!s:.200})") from error


def _copy(connection: Connection, ledger: Ledger, path: Path) -> None:
    heads: dict[str, tuple[int, bytes]] = {}
    pending: dict[Table, list[dict[str, Any]]] = {
        schema.entries: [],
        **{table: [] for table in schema.COPIED},
    }
    tables = {table.name: table for table in schema.COPIED}
    for _, kind, row in _read(path):
        if kind == "entry":
            link = read_link(row["body"].encode())
            heads[link.writer] = (link.seq, link.digest)
            pending[schema.entries].append(link.as_row())
        elif kind in tables:
            pending[tables[kind]].append({name: _as_value(value) for name, value in row.items()})
        for table, rows in pending.items():
            if len(rows) >= BATCH:
                insert_rows(connection, table, rows)
                rows.clear()
    for table, rows in pending.items():
        insert_rows(connection, table, rows)
    start = {"seq": 0, "holder": None, "holder_name": None, "lease_until_us": 0}
    for name, (seq, digest) in sorted(heads.items()):
        connection.execute(
            insert(schema.writers).values({**start, "name": name, "seq": seq, "digest": digest})
        )
    if SYSTEM_WRITER not in heads:
        first = {"name": SYSTEM_WRITER, "digest": first_hash(ledger.id, SYSTEM_WRITER)}
        connection.execute(insert(schema.writers).values({**start, **first}))


def _as_value(value: Any) -> Any:
    return base64.b64decode(value["base64"], validate=True) if isinstance(value, dict) else value
