"""Failed logins slow further ones down: by account, by address, and by browser that has logged in before.

The counts lie in the database, so that several processes share them. An attempt is counted before its
password is looked at, so that many at once do not slip through; a success takes it back. Attempts from
elsewhere cannot lock anybody out for ever: a browser that has logged in before is counted by itself, and a
one-time link of an administrator is not throttled.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, select, text, update

from steelsight.ledger.database.accounts import throttles
from steelsight.service.access.sessions import MINUTE_US
from steelsight.service.problem import Problem
from steelsight.service.settings.access import AccessSettings

__all__ = [
    "LONGEST_US",
    "Blocked",
    "Key",
    "account_key",
    "address_key",
    "count_attempt",
    "device_key",
    "forgive",
    "must_wait",
]

LONGEST_US: Final = 15 * MINUTE_US  # of one delay
FORGET_US: Final = 24 * 60 * MINUTE_US  # failures are forgotten so long after the last one


@dataclass(frozen=True)
class Key:
    """What failures are counted for."""

    name: str
    free: int  # failures before delays begin


@dataclass(frozen=True)
class Blocked:
    """An attempt that must wait."""

    wait_us: int


def account_key(person: str | None, login: str, settings: AccessSettings) -> Key:
    """Of an account, or of a normalised login name that nobody has: who asks sees no difference."""
    unknown = hashlib.sha256(login.encode(errors="replace")).hexdigest()[:32]
    return Key(f"account {person or unknown}", settings.login_attempts)


def device_key(secret_hash: bytes, settings: AccessSettings) -> Key:
    """Of a browser that has logged in to the account before."""
    return Key(f"device {secret_hash.hex()}", settings.login_attempts)


def address_key(address: str, settings: AccessSettings, *, of: str = "") -> Key:
    """Of an address; of IPv6 the network of 64 bits that one customer has.

    of  another kind of login, which is counted apart
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        shown = ""
    else:
        wide = isinstance(found, ipaddress.IPv6Address)
        shown = str(ipaddress.ip_network((found, 64), strict=False) if wide else found)
    return Key(" ".join(filter(None, ("address", of, shown))), settings.address_attempts)


def count_attempt(connection: Connection, keys: Sequence[Key], *, now_us: int) -> Blocked | dict[str, int]:
    """Count one attempt for every key, or none where one of them must wait.

    returns  Blocked, or the failures in a row of each key, this attempt among them
    """
    connection.execute(delete(throttles).where(throttles.c.last_us < now_us - FORGET_US))
    counts: dict[str, int] = {}
    wait_us = 0
    for key in sorted(keys, key=lambda each: each.name):  # one order: two processes never wait for each other
        connection.execute(_MAKE, {"key": key.name, "now": now_us})
        query = select(throttles).where(throttles.c.key == key.name).with_for_update()
        row = connection.execute(query).one()
        # A clock that was set back must not block for longer than a delay.
        wait_us = max(wait_us, min(row.until_us - now_us, LONGEST_US))
        counts[key.name] = row.failures + 1
    if wait_us > 0:
        return Blocked(wait_us)
    for key in keys:
        until_us = now_us + _delay_us(counts[key.name], key.free)
        values = {"failures": counts[key.name], "last_us": now_us, "until_us": until_us}
        connection.execute(update(throttles).where(throttles.c.key == key.name).values(values))
    return counts


_MAKE: Final = text(
    "INSERT INTO throttles (key, failures, last_us, until_us) VALUES (:key, 0, :now, 0) "
    "ON CONFLICT (key) DO NOTHING"
)


def _delay_us(failures: int, free: int) -> int:
    """0 up to `free` failures, then 1, 2, 4, … seconds."""
    return 0 if failures < free else min(LONGEST_US, 1_000_000 * 2 ** min(failures - free, 30))


def must_wait(blocked: Blocked) -> Problem:
    """The answer to an attempt that must wait."""
    seconds = -(-blocked.wait_us // 1_000_000)
    return Problem(
        429,
        "too_many_logins",
        f"too many failed logins; the next one is possible in {seconds} s",
        "wait, or ask an administrator for a one-time link",
        headers={"Retry-After": str(seconds)},
    )


def forgive(connection: Connection, keys: Sequence[Key], *, now_us: int) -> None:
    """Take back the attempt that succeeded.

    The account's and the browser's failures are forgotten. Those of the address are not: who has one account
    could otherwise try the others without end.
    """
    for key in keys:
        chosen = throttles.c.key == key.name
        if key.name.startswith("address"):
            values = {"failures": throttles.c.failures - 1, "until_us": now_us}
            connection.execute(update(throttles).where(chosen, throttles.c.failures > 0).values(values))
        else:
            connection.execute(delete(throttles).where(chosen))
