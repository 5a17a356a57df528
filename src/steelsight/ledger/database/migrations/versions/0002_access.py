"""Accounts, sessions, machine tokens, one-time links, known devices, failed logins, logins by OIDC."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _create_accounts()
    _create_secrets()
    _create_attempts()


def _create_accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("oidc_issuer", sa.Text(), nullable=True),
        sa.Column("oidc_subject", sa.Text(), nullable=True),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("login_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("person"),
        sa.UniqueConstraint("login", name="one_account_a_login"),
        sa.UniqueConstraint("oidc_issuer", "oidc_subject", name="one_account_a_subject"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("used_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("revoked_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("secret", name="one_session_a_secret"),
    )
    op.create_index("sessions_by_person", "sessions", ["person"], unique=False)


def _create_secrets() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("creator", sa.Text(), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("used_us", sa.BigInteger(), nullable=True),
        sa.Column("expires_us", sa.BigInteger(), nullable=True),
        sa.Column("revoked_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("secret", name="one_token_a_secret"),
    )
    for name in ("links", "devices"):
        op.create_table(
            name,
            sa.Column("secret", sa.LargeBinary(), nullable=False),
            sa.Column("person", sa.Text(), nullable=False),
            sa.Column("expires_us", sa.BigInteger(), nullable=False),
            sa.PrimaryKeyConstraint("secret"),
        )
        op.create_index(f"{name}_by_person", name, ["person"], unique=False)


def _create_attempts() -> None:
    op.create_table(
        "throttles",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("last_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("throttles_by_time", "throttles", ["last_us"], unique=False)
    op.create_table(
        "oidc_logins",
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("state"),
    )
    op.create_index("oidc_logins_by_time", "oidc_logins", ["expires_us"], unique=False)
