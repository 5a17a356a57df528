"""Tables of accounts, sessions, machine tokens and one-time links: outside the chain, erasable.

Secrets are never stored: of a random secret its SHA-256, of a password its argon2 hash.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, Table, Text, UniqueConstraint

from steelsight.ledger.database.base import metadata

__all__ = [
    "OF_PEOPLE",
    "accounts",
    "devices",
    "links",
    "oidc_logins",
    "sessions",
    "throttles",
    "tokens",
]

accounts: Final = Table(  # a person who may log in
    "accounts",
    metadata,
    Column("person", Text, primary_key=True),
    Column("login", Text, nullable=False),  # normalised: NFKC, case folded
    Column("role", Text, nullable=False),
    Column("password", Text),  # argon2 hash with its parameters; NULL = none yet, or by OIDC alone
    Column("oidc_issuer", Text),
    Column("oidc_subject", Text),
    Column("disabled", Boolean, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("login_us", BigInteger),  # last login; NULL = never
    UniqueConstraint("login", name="one_account_a_login"),
    UniqueConstraint("oidc_issuer", "oidc_subject", name="one_account_a_subject"),
)

sessions: Final = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),  # public
    Column("secret", LargeBinary, nullable=False),  # SHA-256 of the cookie's value
    Column("person", Text, nullable=False),
    Column("origin", Text, nullable=False),  # password, link or oidc
    Column("address", Text, nullable=False),  # of the client at login
    Column("agent", Text, nullable=False),  # its User-Agent, cut
    Column("created_us", BigInteger, nullable=False),
    Column("used_us", BigInteger, nullable=False),  # written at most once a minute
    Column("expires_us", BigInteger, nullable=False),  # whatever its use
    Column("revoked_us", BigInteger),
    UniqueConstraint("secret", name="one_session_a_secret"),
    Index("sessions_by_person", "person"),
)

tokens: Final = Table(  # of machines
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),  # public
    Column("secret", LargeBinary, nullable=False),  # SHA-256
    Column("name", Text, nullable=False),
    Column("scopes", Text, nullable=False),  # permissions, one space between
    Column("creator", Text),  # person; NULL = the command line
    Column("created_us", BigInteger, nullable=False),
    Column("used_us", BigInteger),  # written at most once a minute; NULL = never
    Column("expires_us", BigInteger),  # NULL = never
    Column("revoked_us", BigInteger),
    UniqueConstraint("secret", name="one_token_a_secret"),
)

links: Final = Table(  # each sets one password once
    "links",
    metadata,
    Column("secret", LargeBinary, primary_key=True),  # SHA-256
    Column("person", Text, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Index("links_by_person", "person"),
)

devices: Final = Table(  # browsers that have logged in: attempts from elsewhere do not slow them down
    "devices",
    metadata,
    Column("secret", LargeBinary, primary_key=True),  # SHA-256 of the cookie's value
    Column("person", Text, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Index("devices_by_person", "person"),
)

throttles: Final = Table(  # failed logins in a row
    "throttles",
    metadata,
    Column("key", Text, primary_key=True),  # of an account, an address or a device
    Column("failures", BigInteger, nullable=False),
    Column("last_us", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=False),  # attempts before are refused
    Index("throttles_by_time", "last_us"),
)

oidc_logins: Final = Table(  # states that came back from the provider: each finishes one login
    "oidc_logins",
    metadata,
    Column("state", LargeBinary, primary_key=True),  # SHA-256
    Column("expires_us", BigInteger, nullable=False),
    Index("oidc_logins_by_time", "expires_us"),
)

OF_PEOPLE: Final = (accounts, sessions, links, devices)  # each with a column `person`
