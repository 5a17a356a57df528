"""State, nonce and PKCE verifier of one login, all derived from a secret in the browser's cookie.

Nothing is stored when a login begins. What comes back must carry the state that follows from the cookie, so
it belongs to this browser; the state holds its time, and each is used once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from sqlalchemy import Connection, delete, text

from steelsight.ledger.database.accounts import oidc_logins
from steelsight.service.access.credentials import hash_secret
from steelsight.service.access.oidc.provider import Provider, refused

__all__ = ["LOGIN_MINUTES", "Attempt", "begin", "check_state", "use_state"]

LOGIN_MINUTES: Final = 10
MINUTE_US: Final = 60_000_000


@dataclass(frozen=True)
class Attempt:
    """What one login sends along and expects back."""

    state: str
    nonce: str
    verifier: str  # of PKCE


def _derive(secret: str, begun_us: int) -> Attempt:
    def part(purpose: str) -> str:
        digest = hmac.new(secret.encode(), f"{purpose} {begun_us}".encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    return Attempt(f"{begun_us}.{part('state')}", part("nonce"), part("verifier"))


def begin(provider: Provider, secret: str, redirect: str, *, now_us: int) -> str:
    """The address at the provider that a browser is sent to; raises Problem 502."""
    attempt = _derive(secret, now_us)
    address = str(provider.metadata()["authorization_endpoint"])
    query = {
        "response_type": "code",
        "client_id": provider.settings.client_id,
        "redirect_uri": redirect,
        "scope": " ".join(provider.settings.scopes),
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge": create_s256_code_challenge(attempt.verifier),
        "code_challenge_method": "S256",
    }
    return address + ("&" if "?" in address else "?") + urlencode(query)


def check_state(secret: str | None, state: str, *, now_us: int) -> Attempt:
    """The attempt that a state belongs to; raises Problem 401 where it is not of this browser or too old."""
    begun = state.partition(".")[0]
    if not secret or not begun.isascii() or not begun.isdigit() or len(begun) > 20:
        raise refused("this browser has not begun it")
    attempt = _derive(secret, int(begun))
    if not hmac.compare_digest(attempt.state.encode(), state.encode(errors="replace")):
        raise refused("this browser has not begun it")
    if not 0 <= now_us - int(begun) <= LOGIN_MINUTES * MINUTE_US:
        raise refused(f"it took longer than {LOGIN_MINUTES} minutes")
    return attempt


def use_state(connection: Connection, state: str, *, now_us: int) -> None:
    """Use a state up; raises Problem 401 where it was used before."""
    connection.execute(delete(oidc_logins).where(oidc_logins.c.expires_us < now_us))
    values = {"state": hash_secret(state), "expires": now_us + 2 * LOGIN_MINUTES * MINUTE_US}
    if connection.execute(_USE, values).rowcount != 1:
        raise refused("it was finished before")


_USE: Final = text(
    "INSERT INTO oidc_logins (state, expires_us) VALUES (:state, :expires) ON CONFLICT (state) DO NOTHING"
)
