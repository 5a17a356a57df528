"""Passwords: the rules for new ones, and argon2id hashes that take equally long for unknown accounts."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from steelsight.errors import BadAccount
from steelsight.service.access.common_passwords import is_common
from steelsight.service.access.credentials import new_secret
from steelsight.service.problem import Problem
from steelsight.service.settings.access import AccessSettings

__all__ = ["LONGEST", "SHORTEST", "Hasher", "check_password", "hasher_of"]

SHORTEST: Final = 12  # characters
LONGEST: Final = 1024
LEFT: Final = 8  # characters beside the login name
DIFFERENT: Final = 5  # characters
AT_ONCE: Final = 2  # hashes computed at a time: each takes memory
WAITING: Final = 8  # requests that compute a hash or wait for it; more are refused


def check_password(password: str, login: str) -> None:
    """Refuse a new password that is too short, too long, about the login name, or among the commonest.

    raises  BadAccount; the message does not hold the password
    """
    text = _normal(password)
    if not SHORTEST <= len(text) <= LONGEST:
        raise BadAccount(f"password: expected {SHORTEST} to {LONGEST} characters, got {len(text)}")
    if any(unicodedata.category(each) in ("Cc", "Cs", "Cn") for each in text):
        raise BadAccount("password: expected text without NUL and other control characters")
    folded = unicodedata.normalize("NFKC", text).casefold()
    if len(login) >= 3 and login in folded and len(folded.replace(login, "")) < LEFT:
        raise BadAccount(f"password: expected {LEFT} characters beside the login name; choose other words")
    if is_common(folded):
        raise BadAccount(
            "password: is among the commonest or follows their pattern; choose several other words"
        )


def _normal(password: str) -> str:
    """NFC: the same password from two keyboards is the same text."""
    return unicodedata.normalize("NFC", password)


class Hasher:
    """Computes and verifies argon2id hashes, few at a time; safe to share between threads."""

    def __init__(self, *, passes: int, memory_kib: int, lanes: int) -> None:
        self._argon2 = PasswordHasher(
            time_cost=passes,
            memory_cost=memory_kib,
            parallelism=lanes,
            hash_len=32,
            salt_len=16,
            type=Type.ID,
        )
        self._running = threading.BoundedSemaphore(AT_ONCE)
        self._places = threading.BoundedSemaphore(WAITING)
        self._nobodys = self._argon2.hash(new_secret())

    def hash(self, password: str) -> str:
        """The hash with its parameters and salt, as the reference implementation writes it."""
        return self._argon2.hash(_normal(password).encode())

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether a password has this hash; where there is none, a hash is computed all the same."""
        if len(password) > LONGEST:
            return False  # for every account alike
        try:
            self._argon2.verify(stored or self._nobodys, _normal(password).encode(errors="surrogatepass"))
        except (VerificationError, InvalidHashError):  # another password, or the stored text is no hash
            return False
        return stored is not None

    def is_stale(self, stored: str) -> bool:
        """Whether a hash has other parameters than new ones get."""
        return self._argon2.check_needs_rehash(stored)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn to compute hashes: each takes much memory.

        raises  Problem 503 busy where too many wait already
        """
        if not self._places.acquire(blocking=False):
            message, advice = "too many logins at a time", "try again in a moment"
            raise Problem(503, "busy", message, advice, headers={"Retry-After": "1"})
        try:
            with self._running:
                yield
        finally:
            self._places.release()


@lru_cache(maxsize=8)
def _hasher(passes: int, memory_kib: int, lanes: int) -> Hasher:
    return Hasher(passes=passes, memory_kib=memory_kib, lanes=lanes)


def hasher_of(settings: AccessSettings) -> Hasher:
    """The hasher with the parameters of the settings; one for the whole process."""
    return _hasher(settings.argon2_passes, settings.argon2_memory_kib, settings.argon2_lanes)
