"""Bring the tables of a ledger to this version's schema, by Alembic."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from steelsight.errors import BadLedger
from steelsight.ledger.database.connect import reading, writing

__all__ = ["HEAD", "check_schema", "has_tables", "known_schemas", "upgrade", "upgrade_within"]

HEAD: Final = "0004"  # the newest file in migrations/versions
FOLDER: Final = "steelsight.ledger.database.migrations"


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


def has_tables(engine: Engine) -> bool:
    """Whether the database holds a ledger of any version."""
    with reading(engine) as connection:
        return _revision(connection) is not None


def check_schema(engine: Engine) -> None:
    """Refuse tables of another version than this one; raises BadLedger saying what to do."""
    with reading(engine) as connection:
        found = _revision(connection)
    place = engine.url.render_as_string(hide_password=True)
    if found is None:
        raise BadLedger(f"ledger {place}: holds no ledger; make one with `steelsight ledger init {place}`")
    if found == HEAD:
        return
    _refuse_later(engine, found)
    raise BadLedger(
        f"ledger {place}: has schema {found}, this version reads {HEAD}; make a backup, then run "
        f"`steelsight ledger upgrade {place}`"
    )


def known_schemas() -> frozenset[str]:
    """Every schema up to this version's."""
    script = ScriptDirectory.from_config(_config())
    return frozenset(each.revision for each in script.walk_revisions())


def _refuse_later(engine: Engine, found: str) -> None:
    if found not in known_schemas():
        place = engine.url.render_as_string(hide_password=True)
        raise BadLedger(
            f"ledger {place}: has schema {found}, which this version (schema {HEAD}) does not know; "
            "install the version of Steelsight that wrote it"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files(FOLDER)).replace("%", "%%"))
    return config


def _revision(connection: Connection) -> str | None:
    found = MigrationContext.configure(connection).get_current_revision()
    return None if found is None else str(found)
