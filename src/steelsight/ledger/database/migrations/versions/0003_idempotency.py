"""Answers by Idempotency-Key; sheets by time and by station, for lists."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key"),
    )
    op.create_index("idempotency_by_time", "idempotency_keys", ["created_us"], unique=False)
    op.create_index("sheets_by_time", "sheets", ["captured_us", "sheet"], unique=False)
    op.create_index("sheets_by_station", "sheets", ["station", "captured_us", "sheet"], unique=False)
