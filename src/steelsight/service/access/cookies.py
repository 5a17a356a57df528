"""The cookies of the service: their names, their flags, and how they are read."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from steelsight.service.access.origin import Client
from steelsight.service.problem import Problem

__all__ = ["DEVICE", "SESSION", "cookie_name", "drop_cookie", "read_cookie", "require_private", "set_cookie"]

SESSION: Final = "steelsight_session"
DEVICE: Final = "steelsight_device"


def cookie_name(name: str, client: Client) -> str:
    """The name under which a browser keeps a cookie.

    Over https it begins with `__Host-`: a browser takes such a cookie only from this host over https, with no
    Domain, so another host of the same domain cannot set it.
    """
    return f"__Host-{name}" if client.scheme == "https" else name


def read_cookie(request: Request, name: str, client: Client) -> str | None:
    """The value of a cookie; None where it was not sent.

    raises  Problem 400 where it was sent twice with different values: another host or path has set one too
    """
    wanted = cookie_name(name, client)
    values = set()
    for header in request.headers.getlist("cookie"):
        for pair in header.split(";"):
            key, found, value = pair.strip().partition("=")
            if found and key == wanted:
                values.add(value)
    if len(values) > 1:
        raise Problem(
            400,
            "cookie_twice",
            f"the cookie {wanted} was sent twice with different values",
            "delete the cookies of this site in the browser and log in again",
        )
    return values.pop() if values else None


def require_private(client: Client) -> None:
    """Refuse to give a cookie over http to another machine, where others on the network can read it.

    raises  Problem 403 https_needed
    """
    if client.scheme != "https" and not client.loopback:
        raise Problem(
            403,
            "https_needed",
            f"expected https, got {client.scheme}://{client.host[:100]}: a login there can be read by others",
            "put a proxy with TLS in front and name it in trusted_proxies, or log in on the same machine by "
            "http://localhost",
        )


def set_cookie(response: Response, name: str, value: str, client: Client, *, seconds: int) -> None:
    """Give a cookie that no script reads and no other site's form sends.

    `Secure` is left out only over http, which `require_private` allows on loopback alone.
    """
    response.set_cookie(
        cookie_name(name, client),
        value,
        max_age=seconds,
        path="/",
        secure=client.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def drop_cookie(response: Response, name: str, client: Client) -> None:
    """Have the browser forget a cookie."""
    set_cookie(response, name, "", client, seconds=0)
