"""Reviews with a recommended action; events are found by their name."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "recommendations",
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("sheet", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("chosen", sa.Text()),
        sa.PrimaryKeyConstraint("writer", "seq"),
    )
    op.create_index("events_by_name", "events", ["name", "subject"], unique=False)
