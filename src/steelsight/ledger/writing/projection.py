"""The rows of the read models that follow from entries: written with each entry, and rebuilt from all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Table, delete, select

from steelsight.errors import BadEntry
from steelsight.ledger.chain.canonical import Link, as_json, read_link
from steelsight.ledger.chain.entries import Draw, Event, Review, SheetSeen, VerdictGiven
from steelsight.ledger.chain.event_names import PRUNED, REVIEW_WITHDRAWN
from steelsight.ledger.database import schema
from steelsight.ledger.database.bulk import insert_rows
from steelsight.ledger.database.open import Ledger

__all__ = ["Rows", "project", "rebuild", "sheets_of", "stored_links", "write_rows"]

BATCH: Final = 2000  # entries read at once
MANY: Final = 500  # values in one IN list

Rows = dict[Table, list[dict[str, Any]]]


def project(links: Sequence[Link], known: dict[str, dict[str, Any]]) -> Rows:
    """The rows that entries add to the read models.

    known   by sheet, the rows of `sheets` that the entries refer to; new sheets are added to it
    raises  BadEntry where an entry refers to a sheet that is not in the ledger
    """
    rows: Rows = defaultdict(list)
    for link in links:
        place = {"writer": link.writer, "seq": link.seq}
        entry = link.entry
        if isinstance(entry, SheetSeen):
            values = entry.model_dump(mode="json", exclude={"kind"})
            row = {"sheet": entry.sheet, **place, "entered_us": link.time_us, **values}
            known[entry.sheet] = row
            rows[schema.sheets].append(row)
            continue
        if isinstance(entry, Event):
            rows[schema.events].append(_event(entry, link))
            if entry.name == PRUNED:
                rows[schema.pruned_images].extend(
                    {**place, "image_hash": each, "pruned_us": link.time_us} for each in _pruned(entry)
                )
            if entry.name == REVIEW_WITHDRAWN:
                rows[schema.withdrawals].append(_withdrawal(entry, link))
            continue
        if entry.sheet not in known:
            raise BadEntry(
                f"entry of kind {entry.kind}: sheet {entry.sheet} is not in the ledger; enter it first"
            )
        if isinstance(entry, VerdictGiven):
            rows[schema.verdicts].append(_verdict(entry, link, known[entry.sheet]))
        elif isinstance(entry, Review):
            rows[schema.reviews].append(_review(entry, link))
            if entry.mask is not None or entry.blind:
                marks = {"sheet": entry.sheet, "entered_us": link.time_us, "mask": entry.mask}
                rows[schema.review_marks].append({**place, **marks, "blind": entry.blind})
            if entry.recommended is not None:
                values = {"sheet": entry.sheet, **entry.recommended.model_dump(mode="json")}
                rows[schema.recommendations].append({**place, **values})
            if entry.independent:
                rows[schema.second_reviews].append({**place, "sheet": entry.sheet})
        else:
            rows[schema.draws].append(_draw(entry, place))
    return rows


def _pruned(entry: Event) -> list[str]:
    """The images that an event of retention lists."""
    images = entry.details.get("images")
    texts = isinstance(images, list) and all(isinstance(each, str) for each in images)
    if not isinstance(images, list) or not texts or len(set(images)) < len(images):
        raise BadEntry(f"event {PRUNED}: expected details with images, a list of different hashes")
    return images


def _withdrawal(entry: Event, link: Link) -> dict[str, Any]:
    """The review that an event takes back."""
    writer, seq = entry.details.get("writer"), entry.details.get("seq")
    if not isinstance(writer, str) or type(seq) is not int:
        raise BadEntry(f"event {REVIEW_WITHDRAWN}: expected details with writer and seq of the review")
    place = {"writer": link.writer, "seq": link.seq, "entered_us": link.time_us}
    return {"review_writer": writer, "review_seq": seq, **place}


def _verdict(entry: VerdictGiven, link: Link, sheet: dict[str, Any]) -> dict[str, Any]:
    values = entry.model_dump(mode="json", exclude={"kind", "regions", "probabilities"})
    return {
        "writer": link.writer,
        "seq": link.seq,
        "entered_us": link.time_us,
        **values,
        "regions": as_json([region.model_dump(mode="json") for region in entry.regions]),
        "probabilities": as_json(entry.probabilities),
        **{name: sheet[name] for name in ("station", "captured_us", "coil", "position_m")},
    }


def _review(entry: Review, link: Link) -> dict[str, Any]:
    beside = {"mask", "blind", "recommended", "independent"}  # in tables of their own
    values = entry.model_dump(mode="json", exclude={"kind", "regions", "verdict", *beside})
    shown = entry.verdict or (None, None)
    return {
        "writer": link.writer,
        "seq": link.seq,
        "entered_us": link.time_us,
        **values,
        "verdict_writer": shown[0],
        "verdict_seq": shown[1],
        "regions": as_json([region.model_dump(mode="json") for region in entry.regions]),
    }


def _draw(entry: Draw, place: dict[str, Any]) -> dict[str, Any]:
    return {**entry.model_dump(mode="json", exclude={"kind", "key_commitment"}), **place}


def _event(entry: Event, link: Link) -> dict[str, Any]:
    values = entry.model_dump(mode="json", exclude={"kind", "details"})
    place = {"writer": link.writer, "seq": link.seq, "entered_us": link.time_us}
    return {**place, **values, "details": as_json(entry.details)}


def sheets_of(connection: Connection, wanted: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The rows of `sheets` that exist for the identities given, by identity."""
    found: dict[str, dict[str, Any]] = {}
    identities = sorted(set(wanted))
    for start in range(0, len(identities), MANY):
        part = identities[start : start + MANY]
        rows = connection.execute(select(schema.sheets).where(schema.sheets.c.sheet.in_(part)))
        found.update({row.sheet: dict(row._mapping) for row in rows})
    return found


def stored_links(connection: Connection) -> Iterator[list[Link]]:
    """Every entry in the order of the database's numbers, some thousand at once; raises BadEntry."""
    last = 0
    query = select(schema.entries.c.id, schema.entries.c.body).order_by(schema.entries.c.id).limit(BATCH)
    while rows := connection.execute(query.where(schema.entries.c.id > last)).all():
        last = rows[-1].id
        yield [read_link(bytes(row.body)) for row in rows]


def rebuild(ledger: Ledger) -> int:
    """Empty the read models and derive them from the entries again; returns the number of entries.

    raises  BadEntry where a stored entry cannot be read
    """
    count = 0
    with ledger.write() as connection:
        for table in schema.READ_MODELS:
            connection.execute(delete(table))
        for links in stored_links(connection):
            count += len(links)
            write_rows(connection, links)
    return count


def write_rows(connection: Connection, links: Sequence[Link]) -> None:
    """Add the rows that entries imply to the read models.

    raises  BadEntry: an unknown sheet, a sheet or a draw that the ledger has already
    """
    new = {link.entry.sheet for link in links if isinstance(link.entry, SheetSeen)}
    referred = {link.entry.sheet for link in links if not isinstance(link.entry, Event)}
    known = sheets_of(connection, referred)
    repeated = sorted(new & set(known))
    if repeated:
        row = known[repeated[0]]
        raise BadEntry(f"sheet {row['item']} of station {row['station']}: is in the ledger already")
    for table, rows in project(links, known).items():
        insert_rows(connection, table, rows)
