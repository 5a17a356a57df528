"""Where a request comes from: the client behind trusted proxies, and the site that a browser sent it from."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request

from steelsight.service.access.credentials import csrf_token
from steelsight.service.problem import Problem
from steelsight.service.settings.load import Settings

__all__ = ["CSRF_HEADER", "SAFE_METHODS", "Client", "check_site", "client_of"]

CSRF_HEADER: Final = "x-csrf-token"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
MOST_HOPS: Final = 32


@dataclass(frozen=True)
class Client:
    """The other end of a connection, and how it reached the service."""

    address: str  # "" where it is unknown, as over a socket file
    scheme: str  # http or https, as the client sees it
    host: str  # of the Host header, with its port

    @property
    def origin(self) -> str:
        """The service's own origin, as the client's browser writes it."""
        return f"{self.scheme}://{self.host}".lower()

    @property
    def loopback(self) -> bool:
        """Whether the client's browser reaches the service on its own machine."""
        try:
            name = urlsplit(f"//{self.host}").hostname or ""
        except ValueError:
            return False
        return name in LOOPBACK or name.endswith(".localhost")


def client_of(request: Request, settings: Settings) -> Client:
    """The client of a request.

    X-Forwarded-For and -Proto count only where the connection comes from a trusted proxy. Of a list of
    addresses the last one counts that is no trusted proxy itself: the client wrote what stands before it.
    """
    peer = request.client.host if request.client is not None else ""
    scheme = request.url.scheme
    if _is_trusted(peer, settings.trusted_proxies):
        forwarded = ",".join(request.headers.getlist("x-forwarded-proto")).rpartition(",")[2].strip().lower()
        scheme = forwarded if forwarded in ("http", "https") else scheme
        peer = _last_untrusted(request, peer, settings.trusted_proxies)
    return Client(_plain_address(peer), scheme, request.headers.get("host", ""))


def _last_untrusted(request: Request, peer: str, trusted: Sequence[str]) -> str:
    hops = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    for hop in reversed(hops[-MOST_HOPS:]):
        address = _plain_address(hop.strip())
        if _parse(address) is None:  # not an address: nothing before it can be believed either
            return peer
        peer = address
        if not _is_trusted(address, trusted):
            return address
    return peer


def _is_trusted(address: str, trusted: Sequence[str]) -> bool:
    found = _parse(_plain_address(address))
    if found is None:
        return False
    return any(found in each for each in _networks(tuple(trusted)))


@lru_cache(maxsize=8)
def _networks(trusted: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(each, strict=False) for each in trusted)


def _parse(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None


def _plain_address(text: str) -> str:
    """An address without its port, brackets or zone; IPv4 within IPv6 as IPv4; other text unchanged."""
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    found = _parse(bare.partition("%")[0])
    if found is None:
        return text
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def check_site(request: Request, client: Client, settings: Settings, secret: str | None) -> None:
    """Refuse what another site made a browser send: an unsafe request, or one of its page's parts.

    Reading is on record (who has seen which verdict), so a link may lead here and a foreign page may not load
    from here.

    secret  of the session in the cookie; None = the request carries none, as at login and under `--open`
    An `Origin` must be the service's own. Where the browser sends `Sec-Fetch-Site`, it must be same-origin or
    none (typed by the person); where it does not, a request with a session must carry the token of `GET /me`
    in the header X-CSRF-Token.
    raises  Problem 403 cross_site
    """
    origin, site = (_joined(request, name) for name in ("origin", "sec-fetch-site"))
    if request.method in SAFE_METHODS:
        kind = _joined(request, "sec-fetch-mode"), _joined(request, "sec-fetch-dest")
        if site == "cross-site" and kind != ("navigate", "document"):
            raise _cross_site("another site asked for this in a page of its own")
        return
    own = origin is None or origin.lower() in _own_origins(client, settings)
    hidden = origin == "null" and site == "same-origin"  # as under the policy no-referrer
    if not own and not hidden:
        raise _cross_site(f"Origin is {origin!r:.80}")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise _cross_site(f"Sec-Fetch-Site is {site!r:.40}")
        return
    if secret is not None:
        given = request.headers.get(CSRF_HEADER, "")
        if not hmac.compare_digest(given.encode(), csrf_token(secret).encode()):
            raise _cross_site(
                "the browser sent no Sec-Fetch-Site, and the header X-CSRF-Token does not match"
            )


def _joined(request: Request, name: str) -> str | None:
    """A header that comes once; several are joined, so that they equal no value that is expected."""
    values = request.headers.getlist(name)
    return ", ".join(values) if values else None


def _own_origins(client: Client, settings: Settings) -> set[str]:
    own = {client.origin}
    if settings.public_url is not None:
        parts = urlsplit(settings.public_url)
        own.add(f"{parts.scheme}://{parts.netloc}".lower())
    return own


def _cross_site(reason: str) -> Problem:
    return Problem(
        403,
        "cross_site",
        f"expected a request from this service's own pages, but {reason}",
        "open the service by its own address; a program uses a token in the header Authorization",
    )
