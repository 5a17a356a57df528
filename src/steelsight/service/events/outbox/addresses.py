"""Where a delivery may go: an address is resolved once, checked, and connected to as it was checked.

A name could resolve to another address between a check and a connection (DNS rebinding); so the connection
is made to the number that was checked, and the name is used for the Host header and for TLS alone. Addresses
that are not public are refused unless a setting lists their network, in every notation of them: IPv4 inside
IPv6 (mapped, compatible, NAT64, 6to4, Teredo, ISATAP) is looked at as the IPv4 address that it leads to.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

import httpx

from steelsight.errors import BadInput

__all__ = ["Endpoint", "Network", "check_literal", "parse_endpoint", "refusal", "resolve"]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
LONGEST: Final = 2000  # characters of a URL
RESOLVE_S: Final = 5.0
PORTS: Final = {"http": 80, "https": 443, "mqtt": 1883, "mqtts": 8883}

# Beside what `ipaddress` calls not global: of newer registries than some versions of Python know.
NOT_PUBLIC: Final = tuple(
    ip_network(each)
    for each in (
        *("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4"),
        *("::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16"),
        *("fc00::/7", "fe80::/10", "fec0::/10"),
    )
)
NAT64: Final = IPv6Network("64:ff9b::/96")
NAT64_LOCAL: Final = IPv6Network("64:ff9b:1::/48")
COMPATIBLE: Final = IPv6Network("::/96")
ISATAP: Final = (0x00005EFE, 0x02005EFE)  # the third and fourth group before an IPv4 address


@dataclass(frozen=True)
class Endpoint:
    """A parsed address of a receiver."""

    scheme: str
    host: str  # a name or a number, as in the URL, in ASCII
    port: int
    path: str  # with the query

    @property
    def secure(self) -> bool:
        """Whether it uses TLS."""
        return self.scheme in ("https", "mqtts")

    @property
    def authority(self) -> str:
        """Host and port as in a Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def parse_endpoint(text: str, schemes: Sequence[str]) -> Endpoint:
    """Read the URL of a receiver.

    schemes  those that are accepted
    raises   BadInput for another scheme, user names, fragments, and what is no URL
    """
    wanted = " or ".join(f"{scheme}://HOST" for scheme in schemes)
    if (
        not 1 <= len(text) <= LONGEST
        or not text.isascii()
        or not text.isprintable()
        or set(text) & set(" \\")
    ):
        raise BadInput(
            f"address: expected {wanted}, at most {LONGEST} visible ASCII characters, got {text!r:.80}"
        )
    try:
        url = httpx.URL(text)
        host, port = url.raw_host.decode("ascii"), url.port
    except (httpx.InvalidURL, ValueError) as error:
        raise BadInput(f"address: expected {wanted}, got {text!r:.80} ({error})") from error
    if url.scheme not in schemes or not host or "%" in host:
        raise BadInput(f"address: expected {wanted}, got {text!r:.80}")
    if url.userinfo or "@" in text.split("://", 1)[1].split("/", 1)[0]:
        raise BadInput("address: expected no user name and no password in it; use the fields for them")
    if "#" in text:
        raise BadInput(f"address: expected no part after '#', got {text!r:.80}")
    if port is not None and not 1 <= port <= 65_535:
        raise BadInput(f"address: expected a port from 1 to 65535, got {port}")
    return Endpoint(
        url.scheme, host.strip("[]"), port or PORTS[url.scheme], url.raw_path.decode("ascii") or "/"
    )


def refusal(address: Address, allowed: Sequence[Network] = ()) -> str | None:
    """Why nothing is sent to an address; None where it is public, or in a network that is allowed."""
    for form in _forms(address):
        if not _public(form) and not _within(form, allowed):
            shown = f"{address}" if form == address else f"{address}, which leads to {form}"
            return f"{shown}, is not public; to allow it, add its network to the setting allowed_networks"
    return None


def _public(address: Address) -> bool:
    special = (
        address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or address.is_loopback
        or address.is_link_local
        or address.is_private
    )
    return address.is_global and not special and not _within(address, NOT_PUBLIC)


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _forms(address: Address) -> Iterator[Address]:
    """The addresses that packets to an address may lead to."""
    if isinstance(address, IPv4Address):
        yield address
        return
    if address.ipv4_mapped is not None:  # the same as the IPv4 address, to the system as well
        yield address.ipv4_mapped
        return
    low = IPv4Address(int(address) & 0xFFFFFFFF)
    if address in NAT64:
        yield low
        return
    yield IPv6Address(int(address))  # without a scope
    if address in NAT64_LOCAL or address in COMPATIBLE:
        yield low
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if (int(address) >> 32) & 0xFFFFFFFF in ISATAP:
        yield low


def check_literal(endpoint: Endpoint, allowed: Sequence[Network]) -> None:
    """Refuse an address that is written as a number and not allowed; names are resolved when they are used.

    raises  BadInput
    """
    number = _literal(endpoint.host)
    why = None if number is None else refusal(number, allowed)
    if why is not None:
        raise BadInput(f"address: {why}")


def _literal(host: str) -> Address | None:
    """The address that a host is without being looked up; None for a name."""
    if host.rstrip(".").rpartition(".")[2] == "localhost":  # RFC 6761
        return IPv4Address("127.0.0.1")
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))  # also 127.1, 0x7f000001, 2130706433
    except OSError:
        return None


async def resolve(endpoint: Endpoint, allowed: Sequence[Network]) -> tuple[str, ...]:
    """The numeric addresses of a receiver, each of them checked.

    raises  BadInput where the name is not known, or where any of its addresses is refused
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_S):
            found = await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError) as error:
        raise BadInput(f"{endpoint.host}: its address is not known ({error or 'no answer'})") from error
    numbers = list(dict.fromkeys(str(each[4][0]) for each in found))
    for number in numbers:
        why = refusal(ip_address(number), allowed)
        if why is not None:
            raise BadInput(f"{endpoint.host}: {why}")
    return tuple(numbers)
