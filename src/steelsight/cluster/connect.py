"""Connect to a Ray cluster, or start Ray on this machine alone; what goes wrong is told in one line."""

from __future__ import annotations

import logging
import os
import platform
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, cast

import ray
from ray._private import ray_constants, services
from ray.exceptions import RayError

from steelsight.cluster.address import AUTO, LOCAL, check_address, is_head
from steelsight.cluster.exit_notice import notice_of_sudden_exit
from steelsight.errors import BadCluster
from steelsight.interrupting import interrupted_by_sigterm

__all__ = ["connect"]

_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
TRY_S: Final = 5.0
ANSWER_S: Final = 20.0  # a head that is busy takes seconds
_EMPTY_SETTINGS: Final = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])  # a frame
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _EMPTY_SETTINGS
_SETTINGS: Final = 4  # type of the first frame of every HTTP/2 server, RFC 9113, section 3.4
_HEADER_BYTES: Final = 9  # of a frame; the fourth one is its type


@contextmanager
def connect(address: str) -> Iterator[None]:
    """Be connected to a cluster while the block runs; SIGTERM then ends it as Ctrl-C does.

    address  auto, local, or HOST:PORT of the cluster's head
    raises   BadCluster where there is none, or it has another Ray or Python
    """
    check_address(address)
    if ray.is_initialized():
        raise BadCluster(
            "--ray: this process is connected to a cluster already; disconnect with ray.shutdown()"
        )
    found = _find_auto() if address == AUTO else address
    name = "RAY_ADDRESS" if address == AUTO and os.environ.get("RAY_ADDRESS") else "--ray"
    loopback = address == LOCAL or (found is not None and _is_on_loopback(*_try_port(found, name)))
    with ExitStack() as stack:
        if loopback:
            stack.enter_context(_loopback_alone())
        if address == LOCAL:
            stack.enter_context(_own_token())
        _begin(address, found=found is not None)
    try:
        # Ray's own handler, which is replaced here, prints a stack trace.
        with notice_of_sudden_exit(), interrupted_by_sigterm():
            yield
    finally:
        ray.shutdown()


def _find_auto() -> str | None:
    """The address of the cluster that this machine belongs to; None where Ray knows of none.

    raises  BadCluster where RAY_ADDRESS has another form
    """
    try:
        found = services.get_ray_address_from_environment("auto", None)
    except ConnectionError:
        return None
    if found in (None, "auto"):
        return None
    if not is_head(found):
        raise BadCluster(f"RAY_ADDRESS {found!r:.100}: expected HOST:PORT of the cluster's head")
    return str(found)


@contextmanager
def _own_token() -> Iterator[None]:
    """Let this user alone read the token that Ray makes in the home for clusters that it starts."""
    token = Path.home() / ".ray" / "auth_token"
    there = token.exists()
    try:
        yield
    finally:  # also where Ray made it and did not start
        if not there and token.exists():
            token.chmod(0o600)


def _try_port(address: str, name: str) -> tuple[str, int]:
    """Host and port; raises BadCluster where no Ray listens there: Ray itself tries for minutes.

    name  of the option or variable that gave the address
    """
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), TRY_S) as connection:
            if not _encrypted() and not _speaks_http2(connection):
                raise BadCluster(
                    f"{name} {address}: something listens there that is not Ray, or the head hangs; check "
                    "the address that `ray start --head` printed"
                )
    except (OSError, OverflowError, UnicodeError) as error:
        raise BadCluster(
            f"{name} {address}: no Ray cluster answers there ({getattr(error, 'strerror', None) or error}); "
            "check the address that `ray start --head` printed"
        ) from error
    return host, int(port)


def _encrypted() -> bool:
    """Whether Ray speaks TLS here, so that a plain connection would have no answer."""
    return os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true")


def _speaks_http2(connection: socket.socket) -> bool:
    """Whether the other end answers as gRPC does, by which Ray speaks, within ANSWER_S."""
    end, answer = time.monotonic() + ANSWER_S, b""
    try:
        connection.sendall(_PREFACE)
        while len(answer) < _HEADER_BYTES:
            connection.settimeout(max(end - time.monotonic(), 0.001))
            received = connection.recv(_HEADER_BYTES - len(answer))
            if not received:
                return False
            answer += received
    except OSError:  # no answer in time, or the connection was cut
        return False
    return answer[3] == _SETTINGS


def _is_on_loopback(host: str, port: int) -> bool:
    """Whether a cluster of this machine listens on the loopback interface alone."""
    if host not in _LOOPBACK:
        return False
    try:
        here = cast("Callable[[], str]", ray.util.get_node_ip_address)()
        socket.create_connection((here, port), TRY_S).close()
    except OSError:
        return True
    return False


@contextmanager
def _loopback_alone() -> Iterator[None]:
    """Let Ray take the loopback address for that of this machine, so that it listens nowhere else.

    Otherwise Ray replaces a loopback address, wherever it is given, by that of the network.
    """
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def _begin(address: str, *, found: bool) -> None:
    """Connect to a cluster, or start Ray on this machine.

    found  whether a head answers at the address; no matter for LOCAL
    """
    logging.getLogger("ray").setLevel(logging.ERROR)
    options: dict[str, Any] = {"address": address, "logging_level": logging.ERROR, "log_to_driver": False}
    if address == LOCAL:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        options["include_dashboard"] = False
    try:
        ray.init(**options)
    except ConnectionError as error:
        if address == LOCAL:
            raise BadCluster(f"--ray {address}: {_reason(error)}") from error
        if not found:
            raise BadCluster(
                f"--ray {address}: no Ray cluster answers; start one with `ray start --head`, or use "
                "--ray local"
            ) from error
        raise BadCluster(
            f"--ray {address}: the head's port answers, and Ray does not connect: the node there has ended "
            "(see `ray status` on it; start it anew), or it wants its token here too (RAY_AUTH_MODE=token, "
            "`ray get-auth-token`)"
        ) from error
    except (RayError, RuntimeError, ValueError, OSError) as error:
        raise BadCluster(f"--ray {address}: {_reason(error)}") from error
    except Exception as error:
        if type(error) is not Exception:  # as Ray raises where a process of it does not start
            raise
        raise BadCluster(f"--ray {address}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "Version mismatch" in text:
        versions = re.findall(r"Ray: (\S+)\s+Python: (\S+)", text)
        there = "Ray {} with Python {}".format(*versions[0]) if versions else "another"
        here = f"Ray {ray.__version__} with Python {platform.python_version()}"
        return f"expected a cluster of {here}, got {there}; install the same versions on all nodes"
    if "timed out during startup" in text:
        return "Ray did not start within its time; this machine may be busy: run the same command again"
    return f"the cluster cannot be used: {text[:200] or type(error).__name__}; see the logs of Ray"
