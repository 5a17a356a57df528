"""The lock of an output in object storage: an object that its holder renews, and that expires if not.

Time passes by the clock of the store alone: the age of the lock is the date of an answer less the date at
which the object was written. The holder measures how long ago its last renewal was by its monotonic clock.
Every change of the lock is conditional on the state that was seen, so of two processes one succeeds.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any, Final

from steelsight.errors import BadOutput
from steelsight.names import on_one_line, shown_name
from steelsight.reading import parse_object
from steelsight.runtime.scan.objects.address import ObjectAddress
from steelsight.runtime.scan.objects.faults import ObjectFault
from steelsight.runtime.scan.objects.writing import WritableStore

__all__ = ["LOCK", "WriteLease"]

LOCK: Final = ".lock"
LEASE_S: Final = 60.0  # without a renewal, after which another scan may take the lock
RENEW_S: Final = 15.0
SAFE_SHARE: Final = 0.75  # of the lease, after which its holder writes no more
LOOK_S: Final = 2.0  # between looks at the lock of a process that may be dead
LONGEST_S: Final = 3600.0  # a lease that a lock may state
LARGEST: Final = 2**16  # bytes of a lock
NO_ETAG: Final = '"00000000000000000000000000000000"'


@dataclass(frozen=True)
class _SeenLock:
    """A lock as another process left it."""

    etag: str
    holder: str
    lasts_s: float  # until it may be taken; negative where it may


class WriteLease:
    """The right to write below an address, for one process at a time."""

    def __init__(self, store: WritableStore, out: ObjectAddress) -> None:
        self._store, self._out, self._address = store, out, out / LOCK
        self._token = secrets.token_hex(16)
        self._count = 0
        self._etag = ""
        self._lost = ""
        self._renewed = 0.0  # time.monotonic() before the last renewal
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def take(self) -> None:
        """Take the lock and begin to renew it; a lock that is not renewed is waited for until it expires.

        raises  BadOutput where another scan has it, or the store ignores conditions; ObjectFault
        """
        self._renewed = time.monotonic()
        try:
            self._etag = self._write("")
        except ObjectFault as error:
            if error.errno == errno.ENOSYS:
                raise self._without_conditions() from error
            if error.errno != errno.ESTALE:
                raise
            self._take_over()
        self._check_conditions()
        self._thread.start()

    def check(self) -> None:
        """Raise BadOutput where the lock may be another process's by now."""
        if not self._lost and time.monotonic() - self._renewed > LEASE_S * SAFE_SHARE:
            self._lost = f"it could not be renewed for {LEASE_S * SAFE_SHARE:.0f} s"
        if self._lost:
            raise BadOutput(
                f"{self._address}: the lock was lost ({self._lost}); what is written stays; run the same "
                "command again once no other scan writes there"
            )

    def give_back(self) -> None:
        """Renew no more, and let the next scan take the lock at once."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        if not self._etag or self._lost:
            return
        try:
            self._renew(released=True)
        except ObjectFault:  # then it expires
            self._lost = "it could not be given back"

    def _keep(self) -> None:
        """Renew the lock until it is given back or lost."""
        while not self._ended.wait(RENEW_S):
            started = time.monotonic()
            try:
                self._renew()
                self._renewed = started
            except ObjectFault as error:
                if error.errno in (errno.ESTALE, errno.ENOENT):
                    self._lost = "another scan took it"
                    return
                # else it is tried again; `check` ends the scan where that goes on too long

    def _renew(self, *, released: bool = False) -> None:
        """Write the lock again; raises ObjectFault, with ESTALE where another process has it.

        A renewal may have been stored although its answer was lost: then the lock has our token.
        """
        try:
            self._etag = self._write(self._etag, released=released)
        except ObjectFault as error:
            if error.errno != errno.ESTALE:
                raise
            read = self._store.read_state(self._address, most_bytes=LARGEST)
            if _facts(read.content).get("token") != self._token:
                raise
            self._etag = self._write(read.etag, released=released)

    def _write(self, replaces: str, *, released: bool = False) -> str:
        self._count += 1
        return self._store.write(self._address, self._content(released), replaces=replaces)

    def _content(self, released: bool) -> bytes:
        facts = {
            "format": 1,
            "holder": f"process {os.getpid()} on {platform.node() or 'an unnamed computer'}",
            "token": self._token,
            "renewals": self._count,  # so that every state has another ETag
            "lease_s": LEASE_S,
            "released": released,
        }
        return (json.dumps(facts) + "\n").encode()

    def _take_over(self) -> None:
        """Take a lock that was given back, or has expired by now; refuse one that is renewed meanwhile."""
        since = time.monotonic()
        first = seen = self._look(since)
        while seen.lasts_s >= 0:
            time.sleep(LOOK_S)
            seen = self._look(since)
            if seen.etag != first.etag and seen.lasts_s >= 0:
                raise self._refuse(seen)
        try:
            self._renewed = time.monotonic()
            self._etag = self._write(seen.etag)
        except ObjectFault as error:
            if error.errno not in (errno.ESTALE, errno.ENOENT):
                raise
            raise self._refuse(self._look(since)) from error

    def _look(self, since: float) -> _SeenLock:
        """The lock as it is.

        since  time.monotonic() of the first look, from which a lock counts where the store tells no time
        """
        read = self._store.read_state(self._address, most_bytes=LARGEST)
        facts = _facts(read.content)
        holder = on_one_line(shown_name(str(facts.get("holder", "an unknown process"))))[:120]
        if facts.get("released") is True:
            return _SeenLock(read.etag, holder, -1.0)
        etag, age_s = self._store.age(self._address)
        if etag != read.etag:  # renewed since it was read
            age_s = 0.0
        lease_s = facts.get("lease_s")
        lasts_s = lease_s if isinstance(lease_s, int | float) and 0 < lease_s <= LONGEST_S else LEASE_S
        return _SeenLock(read.etag, holder, lasts_s - (time.monotonic() - since if age_s is None else age_s))

    def _refuse(self, seen: _SeenLock) -> BadOutput:
        return BadOutput(
            f"{self._out}: another scan writes there ({seen.holder}); wait for it or choose another --out"
        )

    def _check_conditions(self) -> None:
        """Refuse a store that writes although its answer should be that the condition does not hold."""
        for replaces in ("", NO_ETAG):
            try:
                self._write(replaces)
            except ObjectFault as error:
                if error.errno == errno.ENOSYS:
                    raise self._without_conditions() from error
                if error.errno not in (errno.ESTALE, errno.ENOENT):
                    raise
            else:
                raise self._without_conditions()

    def _without_conditions(self) -> BadOutput:
        return BadOutput(
            f"{self._out}: the store does not keep the conditions If-None-Match and If-Match of a write, "
            "without which two scans could write over each other; choose a folder as --out and copy it, or "
            "another store"
        )


def _facts(content: bytes) -> dict[str, Any]:
    """What a lock says; nothing where it is none of ours."""
    try:
        return parse_object(content)
    except ValueError:
        return {}
