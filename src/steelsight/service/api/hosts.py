"""Which names in the header Host this service answers."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from steelsight.service.settings.server import ServerSettings

__all__ = ["is_loopback", "known_hosts"]


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def known_hosts(settings: ServerSettings) -> list[str]:
    """Names of loopback and of this machine, the address listened on, and those of the settings."""
    names = {"localhost", "127.0.0.1", "[::1]", *settings.allowed_hosts}
    if settings.public_url is not None:
        names.add(urlsplit(settings.public_url).hostname or "")
    if not is_loopback(settings.host):
        names |= {socket.gethostname(), socket.getfqdn()}
    if settings.host not in ("0.0.0.0", "::", ""):
        names.add(f"[{settings.host}]" if ":" in settings.host.strip("[]") else settings.host)
    return sorted(names - {""})
