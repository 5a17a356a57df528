"""Random secrets of sessions, tokens, links and devices: given out once, stored as hashes."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

__all__ = ["csrf_token", "hash_secret", "new_id", "new_secret", "same_secret"]

SECRET_BYTES: Final = 32
LONGEST: Final = 200  # characters of anything that may be a secret


def new_secret(prefix: str = "") -> str:
    """A secret of 256 random bits, as text for cookies, headers and addresses."""
    return prefix + secrets.token_urlsafe(SECRET_BYTES)


def new_id() -> str:
    """A public random id."""
    return secrets.token_hex(16)


def hash_secret(secret: str) -> bytes:
    """SHA-256 of a secret; enough because the secret itself is random.

    Text that is too long to be a secret of ours is cut, and so never matches.
    """
    return hashlib.sha256(secret[:LONGEST].encode(errors="replace")).digest()


def same_secret(stored: bytes, secret: str) -> bool:
    """Whether a stored hash is that of a secret, compared in constant time."""
    return hmac.compare_digest(bytes(stored), hash_secret(secret))


def csrf_token(session_secret: str) -> str:
    """The token that requests of a session carry where the browser does not say where they come from.

    It follows from the session's secret, so nothing is stored; the secret does not follow from it.
    """
    return hmac.new(session_secret.encode(), b"steelsight csrf", hashlib.sha256).hexdigest()
