"""The first schema: entries and the triggers that guard them, writers, read models, people and texts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

MESSAGE = "entries of the ledger cannot be changed"

# REPLACE deletes without firing DELETE triggers unless recursive_triggers is on, which another program may
# leave off; the INSERT trigger refuses it in every connection.
GUARDS = {
    "sqlite": (
        f"""CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries
            BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END""",
        f"""CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries
            BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END""",
        f"""CREATE TRIGGER entries_no_replace BEFORE INSERT ON entries
            WHEN EXISTS (SELECT 1 FROM entries WHERE id = NEW.id)
              OR EXISTS (SELECT 1 FROM entries WHERE writer = NEW.writer AND seq = NEW.seq)
            BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END""",
    ),
    "postgresql": (
        f"""CREATE FUNCTION entries_refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION '{MESSAGE}'; END $$""",
        """CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries
           FOR EACH ROW EXECUTE FUNCTION entries_refuse()""",
        """CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries
           FOR EACH ROW EXECUTE FUNCTION entries_refuse()""",
        """CREATE TRIGGER entries_no_truncate BEFORE TRUNCATE ON entries
           FOR EACH STATEMENT EXECUTE FUNCTION entries_refuse()""",
    ),
}


def upgrade() -> None:
    _create_record()
    _create_sheets()
    _create_verdicts()
    _create_people()
    for statement in GUARDS[op.get_bind().dialect.name]:
        op.execute(sa.text(statement.replace(":", "\\:")))


def _create_record() -> None:
    op.create_table(
        "ledger",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "entries",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("writer", "seq", name="one_entry_a_number"),
    )
    op.create_table(
        "writers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("holder_name", sa.Text(), nullable=True),
        sa.Column("lease_until_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _create_sheets() -> None:
    op.create_table(
        "sheets",
        sa.Column("sheet", sa.Text(), nullable=False),
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("entered_us", sa.BigInteger(), nullable=False),
        sa.Column("station", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("image_hash", sa.Text(), nullable=True),
        sa.Column("image", sa.Text(), nullable=True),
        sa.Column("width", sa.BigInteger(), nullable=True),
        sa.Column("height", sa.BigInteger(), nullable=True),
        sa.Column("captured_us", sa.BigInteger(), nullable=False),
        sa.Column("coil", sa.Text(), nullable=True),
        sa.Column("position_m", sa.Double(), nullable=True),
        sa.Column("length_m", sa.Double(), nullable=True),
        sa.Column("across_mm", sa.Double(), nullable=True),
        sa.Column("side", sa.Text(), nullable=True),
        sa.Column("repeated", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("sheet"),
    )
    op.create_index("sheets_by_coil", "sheets", ["coil", "position_m"], unique=False)
    op.create_index("sheets_by_image", "sheets", ["image_hash"], unique=False)
    op.create_table(
        "draws",
        sa.Column("sheet", sa.Text(), nullable=False),
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("stratum", sa.Text(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("sheet"),
    )
    op.create_table(
        "pruned_images",
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("image_hash", sa.Text(), nullable=False),
        sa.Column("pruned_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("writer", "seq", "image_hash"),
    )
    op.create_index("pruned_by_image", "pruned_images", ["image_hash"], unique=False)


def _create_verdicts() -> None:
    op.create_table(
        "verdicts",
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("sheet", sa.Text(), nullable=False),
        sa.Column("entered_us", sa.BigInteger(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("bundle", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=True),
        sa.Column("probabilities", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("regions", sa.Text(), nullable=False),
        sa.Column("distance", sa.Double(), nullable=True),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("precision", sa.Text(), nullable=False),
        sa.Column("latency_ms", sa.Double(), nullable=True),
        sa.Column("station", sa.Text(), nullable=False),
        sa.Column("captured_us", sa.BigInteger(), nullable=False),
        sa.Column("coil", sa.Text(), nullable=True),
        sa.Column("position_m", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("writer", "seq"),
    )
    op.create_index("verdicts_by_coil", "verdicts", ["coil", "captured_us", "writer", "seq"], unique=False)
    op.create_index("verdicts_by_label", "verdicts", ["label", "captured_us", "writer", "seq"], unique=False)
    op.create_index("verdicts_by_sheet", "verdicts", ["sheet"], unique=False)
    op.create_index("verdicts_by_state", "verdicts", ["state", "captured_us", "writer", "seq"], unique=False)
    op.create_index(
        "verdicts_by_station", "verdicts", ["station", "captured_us", "writer", "seq"], unique=False
    )
    op.create_index("verdicts_by_time", "verdicts", ["captured_us", "writer", "seq"], unique=False)
    op.create_table(
        "reviews",
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("sheet", sa.Text(), nullable=False),
        sa.Column("entered_us", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("verdict_writer", sa.Text(), nullable=True),
        sa.Column("verdict_seq", sa.BigInteger(), nullable=True),
        sa.Column("regions", sa.Text(), nullable=False),
        sa.Column("nuisance", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("writer", "seq"),
    )
    op.create_index("reviews_by_sheet", "reviews", ["sheet", "entered_us"], unique=False)
    op.create_index("reviews_by_time", "reviews", ["entered_us", "writer", "seq"], unique=False)
    op.create_table(
        "events",
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("entered_us", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("details", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("writer", "seq"),
    )
    op.create_index("events_by_time", "events", ["entered_us", "writer", "seq"], unique=False)


def _create_people() -> None:
    op.create_table(
        "people",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("person"),
    )
    op.create_table(
        "texts",
        sa.Column("commitment", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("commitment"),
    )
    op.create_index("texts_by_person", "texts", ["person"], unique=False)
