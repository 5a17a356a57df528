"""Bring the tables of a ledger to this version's schema, by Alembic."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from steelsight.errors import BadLedger
from steelsight.ledger.database.connect import ledger_command, reading, shown_address, writing

__all__ = [
    "HEAD",
    "check_empty",
    "check_schema",
    "known_schemas",
    "stored_schema",
    "upgrade",
    "upgrade_within",
]

HEAD: Final = "0007"  # the newest file in migrations/versions
FOLDER: Final = "steelsight.ledger.database.migrations"
VERSION: Final = "alembic_version"  # table that names the schema
MAKING: Final = 0x57EE15  # number of the lock of PostgreSQL under which tables are made


def upgrade(engine: Engine) -> None:
    """Create the tables, or bring those of an earlier version to this one; one transaction.

    raises  BadLedger where the tables are of a later version
    """
    with writing(engine) as connection:
        upgrade_within(connection)


def upgrade_within(connection: Connection) -> None:
    """`upgrade` inside a transaction of the caller."""
    found = _revision(connection)
    if found is not None:
        _refuse_later(connection.engine, found)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def check_empty(connection: Connection) -> None:
    """Refuse a database that holds a ledger, or anything else; raises BadLedger saying what to do.

    connection  in the transaction that makes the tables: of two processes the second finds those of the first
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": MAKING})
    place, tables = shown_address(connection.engine), _tables(connection)
    if VERSION in tables:
        raise BadLedger(
            f"ledger {place}: exists already, or a restore into it was not finished; "
            f"{ledger_command('verify', place)} tells which; choose another, empty database for a new one"
        )
    if tables:
        raise BadLedger(
            f"ledger {place}: expected an empty database, found the table {tables[0]} of something else; "
            "choose another file or database"
        )


def check_schema(engine: Engine, *, earlier: bool = False) -> None:
    """Refuse tables of another version than this one; raises BadLedger saying what to do.

    earlier  accept those of earlier versions too
    """
    with reading(engine) as connection:
        found = stored_schema(connection)
    if found == HEAD or (earlier and found in known_schemas()):
        return
    _refuse_later(engine, found)
    place = shown_address(engine)
    raise BadLedger(
        f"ledger {place}: has schema {found}, this version reads {HEAD}; stop what uses it, make a backup "
        f"with {ledger_command('backup', place, 'BACKUP')}, then run {ledger_command('upgrade', place)}"
    )


def stored_schema(connection: Connection) -> str:
    """The version of a ledger's tables; raises BadLedger where the database holds no ledger."""
    found = _revision(connection)
    if found is not None:
        return found
    place, tables = shown_address(connection.engine), _tables(connection)
    if tables:
        raise BadLedger(
            f"ledger {place}: expected a ledger, found the table {tables[0]} of something else; check the "
            "address"
        )
    raise BadLedger(
        f"ledger {place}: holds no ledger; check the address, or make one with "
        f"{ledger_command('init', place)}"
    )


def _tables(connection: Connection) -> list[str]:
    return sorted(inspect(connection).get_table_names())


def known_schemas() -> frozenset[str]:
    """Every schema up to this version's."""
    script = ScriptDirectory.from_config(_config())
    return frozenset(each.revision for each in script.walk_revisions())


def _refuse_later(engine: Engine, found: str) -> None:
    if found not in known_schemas():
        raise BadLedger(
            f"ledger {shown_address(engine)}: has schema {found}, which this version (schema {HEAD}) does "
            "not know; install the version of Steelsight that wrote it"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files(FOLDER)).replace("%", "%%"))
    return config


def _revision(connection: Connection) -> str | None:
    found = MigrationContext.configure(connection).get_current_revision()
    return None if found is None else str(found)
