"""Signatures of webhooks, in the form of Standard Webhooks 1.0.0.

source  https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

__all__ = ["new_key", "secret_text", "sign"]

PREFIX: Final = "whsec_"
KEY_BYTES: Final = 32  # the specification asks for 24 to 64


def new_key() -> bytes:
    """A random key."""
    return secrets.token_bytes(KEY_BYTES)


def secret_text(key: bytes) -> str:
    """The key as receivers are given it: `whsec_` and base64."""
    return PREFIX + base64.b64encode(key).decode()


def sign(keys: Sequence[bytes], message: str, sent_s: int, body: bytes) -> dict[str, str]:
    """The headers of one attempt.

    keys     each signs: during a rotation the new one and the one before
    message  id of the message, the same in every attempt
    sent_s   time of this attempt, seconds since 1970-01-01 UTC
    """
    content = f"{message}.{sent_s}.".encode() + body
    signatures = [base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys]
    return {
        "webhook-id": message,
        "webhook-timestamp": str(sent_s),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
