"""What guards the tables of a ledger: triggers, constraints, and the types of values.

A guard that has the right name and another content, a trigger or rule that was added, and a value of a type
that its column cannot hold are found here, before the entries are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Double,
    Integer,
    LargeBinary,
    Table,
    and_,
    create_engine,
    func,
    literal_column,
    not_,
    select,
    text,
    true,
)

from steelsight.ledger.database import schema
from steelsight.ledger.database.migrate import upgrade

__all__ = ["guard_problems", "lenient_text", "mistyped_rows", "well_typed"]

REFUSES: Final = "entries of the ledger cannot be changed"
POSTGRES_GUARDS: Final = {
    "entries_no_delete": "DELETE ROW",
    "entries_no_truncate": "TRUNCATE STATEMENT",
    "entries_no_update": "UPDATE ROW",
}
DAMAGE_SHOWN: Final = 10


def guard_problems(connection: Connection) -> list[str]:
    """What differs between the guards of the database and those that this version makes."""
    if connection.dialect.name == "sqlite":
        return _sqlite_problems(connection)
    return _postgres_problems(connection)


def _compare_triggers(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    problems = []
    for name, content in expected.items():
        if name not in found:
            problems.append(f"the trigger {name}, which refuses changes to entries, is missing or disabled")
        elif found[name] != content:
            problems.append(f"the trigger {name}, which refuses changes to entries, has another content")
    added = sorted(set(found) - set(expected))
    return problems + [
        f"the trigger {name} was added; this version makes none of this name" for name in added
    ]


def _sqlite_problems(connection: Connection) -> list[str]:
    triggers, tables = _sqlite_objects(connection)
    expected_triggers, expected_tables = _expected_sqlite()
    problems = _compare_triggers(triggers, expected_triggers)
    problems += [
        f"the table {name} has other columns or constraints than this version makes"
        for name, content in expected_tables.items()
        if tables.get(name) != content
    ]
    damage = connection.execute(text(f"PRAGMA integrity_check({DAMAGE_SHOWN})")).scalars().all()
    return problems + [f"SQLite's integrity check: {each}" for each in damage if each != "ok"]


@lru_cache(maxsize=1)
def _expected_sqlite() -> tuple[dict[str, str], dict[str, Any]]:
    """Triggers and tables of a new ledger, made in memory."""
    engine = create_engine("sqlite://")
    try:
        upgrade(engine)
        with engine.connect() as connection:
            return _sqlite_objects(connection)
    finally:
        engine.dispose()


def _sqlite_objects(connection: Connection) -> tuple[dict[str, str], dict[str, Any]]:
    query = text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    triggers = {name: " ".join(str(sql).split()) for name, sql in connection.execute(query)}
    columns = text('SELECT name, type, "notnull", pk FROM pragma_table_info(:table)')
    indexes = text('SELECT name FROM pragma_index_list(:table) WHERE "unique" = 1 AND partial = 0')
    parts = text("SELECT name FROM pragma_index_info(:name) ORDER BY seqno")
    tables = {}
    for table in schema.metadata.tables:
        unique = [
            tuple(connection.execute(parts, {"name": name}).scalars())
            for name in connection.execute(indexes, {"table": table}).scalars().all()
        ]
        rows = connection.execute(columns, {"table": table}).all()
        kinds: Any = select(literal_column("type")).select_from(text("sqlite_master"))
        kind = connection.execute(kinds.where(literal_column("name") == table)).scalar()
        tables[table] = (kind, [tuple(row) for row in rows], sorted(unique, key=str))
    return triggers, tables


def _postgres_problems(connection: Connection) -> list[str]:
    names = {"tables": list(schema.metadata.tables)}
    ours = "ANY (SELECT to_regclass(each) FROM unnest(CAST(:tables AS text[])) AS each)"
    query = text(
        "SELECT t.tgname, pg_get_triggerdef(t.oid), p.prosrc FROM pg_trigger t"
        " JOIN pg_proc p ON p.oid = t.tgfoid"
        f" WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgrelid = {ours}"
    )
    found = {name: _guard(content, source) for name, content, source in connection.execute(query, names)}
    problems = _compare_triggers(found, POSTGRES_GUARDS)
    rules = text(f"SELECT rulename FROM pg_rewrite WHERE ev_class = {ours}")
    for name in connection.execute(rules, names).scalars():
        problems.append(f"the rule {name} was added; this version makes none")
    hidden = text(f"SELECT relname FROM pg_class WHERE relrowsecurity AND oid = {ours}")
    for name in connection.execute(hidden, names).scalars():
        problems.append(f"row security of {name} is on: rows may be hidden from this user")
    unique = text(
        "SELECT count(*) FROM pg_constraint WHERE conname = 'one_entry_a_number' AND contype = 'u' AND"
        " conrelid = to_regclass('entries')"
    )
    if not connection.execute(unique).scalar():
        problems.append("the table entries has lost its constraint one_entry_a_number")
    return problems


def _guard(content: str, source: str) -> str:
    """`EVENT LEVEL` of a trigger that refuses every row or statement; else its definition."""
    form = r"CREATE TRIGGER \S+ BEFORE (\w+) ON (?:\S+\.)?entries FOR EACH (\w+) EXECUTE FUNCTION \S+\(\)"
    found = re.fullmatch(form, content)
    refuses = source.strip() == f"BEGIN RAISE EXCEPTION '{REFUSES}'; END"
    return " ".join(found.groups()) if found and refuses else content


def well_typed(table: Table) -> ColumnElement[bool]:
    """Whether every value of a row of SQLite has a type that its column holds."""
    return and_(true(), *(func.typeof(column).in_(_types(column)) for column in table.columns))


def _types(column: Column[Any]) -> list[str]:
    kind = column.type
    if isinstance(kind, Integer | BigInteger | Boolean):
        types = ["integer"]
    elif isinstance(kind, Double):
        types = ["real", "integer"]
    else:
        types = ["blob" if isinstance(kind, LargeBinary) else "text"]
    return [*types, "null"] if column.nullable else types


def mistyped_rows(connection: Connection, table: Table) -> list[tuple[int, str]]:
    """Rows of SQLite with a value that the column cannot hold: number of the row, and the columns.

    PostgreSQL refuses such values itself.
    """
    if connection.dialect.name != "sqlite":
        return []
    kinds = [func.typeof(column).label(column.name) for column in table.columns]
    row: Any = literal_column("rowid").label("row_number")
    query = select(row, *kinds).select_from(table).where(not_(well_typed(table)))
    found = []
    for number, *types in connection.execute(query):
        wrong = [
            f"{column.name} is {kind}"
            for column, kind in zip(table.columns, types, strict=True)
            if kind not in _types(column)
        ]
        found.append((int(number), ", ".join(wrong)))
    return found


@contextmanager
def lenient_text(connection: Connection) -> Iterator[None]:
    """SQLite: text that is not UTF-8 is read with surrogates in place of its bytes, to be named."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    driver.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    try:
        yield
    finally:
        driver.text_factory = str
