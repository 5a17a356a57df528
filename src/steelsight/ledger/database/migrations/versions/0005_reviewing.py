"""Reviews with a painted mask, decided before the verdict was shown, and withdrawn; claims; who saw what."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_index("reviews_by_person", "reviews", ["person", "entered_us"], unique=False)
    op.create_table(
        "review_marks",
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("sheet", sa.Text(), nullable=False),
        sa.Column("entered_us", sa.BigInteger(), nullable=False),
        sa.Column("mask", sa.Text()),
        sa.Column("blind", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("writer", "seq"),
    )
    op.create_index("review_marks_by_sheet", "review_marks", ["sheet"], unique=False)
    op.create_table(
        "withdrawals",
        sa.Column("review_writer", sa.Text(), nullable=False),
        sa.Column("review_seq", sa.BigInteger(), nullable=False),
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("entered_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("review_writer", "review_seq"),
    )
    op.create_table(
        "claims",
        sa.Column("sheet", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("claim", sa.Text(), nullable=False),
        sa.Column("claimed_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sheet"),
    )
    op.create_index("claims_by_person", "claims", ["person", "until_us"], unique=False)
    op.create_table(
        "seen_sheets",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("sheet", sa.Text(), nullable=False),
        sa.Column("seen_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("person", "sheet"),
    )
    op.create_table(
        "watches",
        sa.Column("watch", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("watch"),
    )
    op.create_index("watches_by_person", "watches", ["person", "from_us"], unique=False)
