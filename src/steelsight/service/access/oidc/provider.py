"""The provider: its published addresses and keys, the exchange of a code, and the check of an ID token."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from steelsight.reading import read_regular
from steelsight.service.problem import Problem
from steelsight.service.settings.access import OidcSettings

__all__ = ["Provider", "failed", "refused"]

KEPT_S: Final = 3600.0  # published addresses and keys
AGAIN_S: Final = 60.0  # keys are fetched again for an unknown key, at most so often
LEEWAY_S: Final = 60  # between the clocks
MOST_BYTES: Final = 2**20  # of any answer
TIMEOUT: Final = httpx.Timeout(10.0)  # of each step of a connection
LONGEST_S: Final = 20.0  # of a whole answer
AT_ONCE: Final = 4  # requests that ask the provider
KINDS: Final = ("RSA", "EC", "OKP")  # keys of signatures; a symmetric one is never published
MISSING: Final = "the provider's answer has no usable"


class Provider:
    """One provider; safe to share between threads."""

    def __init__(self, settings: OidcSettings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._metadata: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Have one of few places for what asks the provider: a slow one must not hold every thread.

        raises  Problem 503 busy where all are taken
        """
        if not self._places.acquire(blocking=False):
            message, advice = "the identity provider is slow, and others wait for it", "try again in a moment"
            raise Problem(503, "busy", message, advice, headers={"Retry-After": "2"})
        try:
            yield
        finally:
            self._places.release()

    def metadata(self) -> dict[str, Any]:
        """What the provider publishes about itself; raises Problem 502 provider_failed."""
        with self._lock:
            if self._metadata is None or time.monotonic() - self._metadata[0] > KEPT_S:
                address = self.settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
                found = self._get(address)
                if found.get("issuer") != self.settings.issuer:
                    raise failed(f"it calls itself {found.get('issuer')!r:.200}, not {self.settings.issuer}")
                for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                    self._check_address(name, found.get(name))
                self._metadata = (time.monotonic(), found)
            return self._metadata[1]

    def _check_address(self, name: str, address: object) -> None:
        if not isinstance(address, str):
            raise failed(f"{MISSING} {name}")
        parts = urlsplit(address)
        if parts.scheme != "https" and parts.scheme != urlsplit(self.settings.issuer).scheme:
            raise failed(f"its {name} is not https: {address:.200}")

    def _get(self, address: str) -> dict[str, Any]:
        return self._answer("GET", address)

    def _answer(self, method: str, address: str, **options: Any) -> dict[str, Any]:
        """The JSON object of an answer; no redirect is followed."""
        try:
            with (
                httpx.Client(timeout=TIMEOUT, follow_redirects=False) as http,
                http.stream(method, address, **options) as answer,
            ):
                content, begun = b"", time.monotonic()
                for part in answer.iter_bytes():
                    content += part
                    if len(content) > MOST_BYTES or time.monotonic() - begun > LONGEST_S:
                        raise failed(f"more than {MOST_BYTES} bytes or {LONGEST_S:g} s from {address:.200}")
                if answer.status_code == 400 and method == "POST":
                    raise refused("the provider does not accept the code")
                if answer.status_code != 200:
                    raise failed(f"status {answer.status_code} from {address:.200}")
                found = httpx.Response(200, content=content).json()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise failed(f"{address:.200}: {error!s:.200}") from error
        except (ValueError, RecursionError) as error:
            raise failed(f"{address:.200}: expected JSON") from error
        if not isinstance(found, dict):
            raise failed(f"{address:.200}: expected a JSON object")
        return found

    def check_issuer(self, issuer: str | None) -> None:
        """Refuse an answer that another provider gave (RFC 9207).

        issuer  as the answer names it; None = not at all, which is refused where the provider promises it
        raises  Problem 401 bad_identity
        """
        promised = self.metadata().get("authorization_response_iss_parameter_supported") is True
        if (issuer is not None or promised) and issuer != self.settings.issuer:
            raise refused("another provider answered")

    def redeem(self, code: str, *, redirect: str, verifier: str) -> dict[str, Any]:
        """Exchange a code for tokens; raises Problem 401 bad_identity, 502 provider_failed."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": verifier,
        }
        secret = self._secret()
        methods = self.metadata().get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        options: dict[str, Any] = {"data": form, "headers": {"Accept": "application/json"}}
        if secret is not None and "client_secret_basic" in methods:
            options["auth"] = httpx.BasicAuth(self.settings.client_id, secret)
        else:
            form["client_id"] = self.settings.client_id
            if secret is not None:
                form["client_secret"] = secret
        return self._answer("POST", str(self.metadata()["token_endpoint"]), **options)

    def _secret(self) -> str | None:
        if self.settings.client_secret is not None:
            return self.settings.client_secret.get_secret_value()
        if self.settings.client_secret_file is None:
            return None
        try:
            content = read_regular(self.settings.client_secret_file, most_bytes=8192)
        except OSError as error:
            raise failed(f"client_secret_file cannot be read ({error.strerror})") from error
        return content.decode(errors="replace").partition("\n")[0].strip()

    def claims(self, tokens: Mapping[str, Any], *, nonce: str) -> dict[str, Any]:
        """The claims of the ID token among the tokens, once everything about it is checked.

        Signature by a published key and an accepted algorithm; issuer, audience, expiry, nonce.
        raises  Problem 401 bad_identity
        """
        token = tokens.get("id_token")
        if not isinstance(token, str):
            raise refused("there is no ID token")
        try:
            found = self._verified(token)
            _check_claims(found, self.settings, nonce, tokens.get("access_token"))
        except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise refused(f"{type(error).__name__}: {error!s:.200}") from error
        return dict(found.claims)

    def _verified(self, token: str) -> jwt.Token:
        try:
            return jwt.decode(token, self._published(), algorithms=list(self.settings.algorithms))
        except (JoseError, ValueError):
            if not self._may_fetch_again():
                raise
        return jwt.decode(token, self._published(), algorithms=list(self.settings.algorithms))

    def _may_fetch_again(self) -> bool:
        """Forget the keys, which the provider may have changed, unless they were fetched a moment ago."""
        with self._lock:
            if self._keys is None or time.monotonic() - self._keys[0] < AGAIN_S:
                return False
            self._keys = None
            return True

    def _published(self) -> KeySet:
        address = str(self.metadata()["jwks_uri"])
        with self._lock:
            if self._keys is None or time.monotonic() - self._keys[0] > KEPT_S:
                published = self._get(address).get("keys")
                if not isinstance(published, list):
                    raise failed(f"{MISSING} keys")
                usable = [
                    each
                    for each in published
                    if isinstance(each, dict) and each.get("kty") in KINDS and each.get("use", "sig") == "sig"
                ]
                self._keys = (time.monotonic(), KeySet.import_key_set({"keys": usable}))
            return self._keys[1]


def _check_claims(token: jwt.Token, settings: OidcSettings, nonce: str, access_token: object) -> None:
    options = {
        "iss": {"essential": True, "value": settings.issuer},
        "aud": {"essential": True, "value": settings.client_id},
        "sub": {"essential": True},
        "exp": {"essential": True},
        "iat": {"essential": True},
        "nonce": {"essential": True, "value": nonce},
    }
    params = {"client_id": settings.client_id, "nonce": nonce, "access_token": access_token}
    CodeIDToken(token.claims, token.header, options, params).validate(int(time.time()), LEEWAY_S)
    subject = token.claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isprintable():
        raise ValueError("sub: expected text of 1 to 255 printable characters")


def failed(reason: str) -> Problem:
    """The provider did not answer as it must."""
    return Problem(
        502,
        "provider_failed",
        f"the identity provider: {reason}",
        "try again; an administrator checks the settings `oidc` and the provider",
    )


def refused(reason: str) -> Problem:
    """What came back is no proof of an identity."""
    return Problem(
        401, "bad_identity", f"the login at the provider was not accepted: {reason}", "begin the login again"
    )
