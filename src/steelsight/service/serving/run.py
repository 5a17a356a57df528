"""Run the web server until SIGTERM or Ctrl-C."""

from __future__ import annotations

import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

import uvicorn

from steelsight.errors import BadInput
from steelsight.service.access.accounts import first_login
from steelsight.service.app import build_app
from steelsight.service.context import Service
from steelsight.service.releases.following import Releases
from steelsight.service.releases.places import judging_folder
from steelsight.service.serving.opening import complete_settings, open_service
from steelsight.service.serving.protocol import BoundedProtocol
from steelsight.service.serving.station import StationProcess, line_words
from steelsight.service.settings.load import Settings

__all__ = ["ServiceSummary", "serve", "server_options", "station_of"]

GRACE_S: Final = 3  # for requests that are being answered when the service ends
KEEP_ALIVE_S: Final = 15
BACKLOG: Final = 2048
STOP: Final = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class ServiceSummary:
    """What a service did, when it has ended."""

    address: str
    requests: int
    station_restarts: int


def serve(settings: Settings, report: Callable[[str], None]) -> ServiceSummary:
    """Open everything, answer requests until a signal ends it, and close everything.

    report  called with lines of text: the address, the first login, what happens to the station
    raises  BadInput and its kinds, LeaseLost: what cannot be opened; nothing listens then
    """
    settings = complete_settings(settings)
    with ExitStack() as opened:
        listening = opened.enter_context(closing(_listen(settings)))
        service = opened.enter_context(closing(open_service(settings, report)))
        app = build_app(service)
        opened.callback(app.state.judges.close)
        releases: Releases = app.state.releases
        _follow_choice(service, releases, report)
        station = None
        if settings.watch is not None:
            station = station_of(service, releases, report)
            opened.callback(station.stop)
            app.state.health.more["station"] = station.state
            station.start()
        app.state.judges.warm()
        _log_to_stderr(settings.log_level)
        server = _Server(uvicorn.Config(app, **server_options()), station)
        address = _address(settings, listening)
        _greet(service, address, report)
        with _signals():
            server.run(sockets=[listening])
    return ServiceSummary(
        address, server.server_state.total_requests, 0 if station is None else station.restarts
    )


def _follow_choice(service: Service, releases: Releases, report: Callable[[str], None]) -> None:
    """Let the bundle judge that people chose on the page Models, and say so."""
    releases.follow()
    if releases.trouble is not None:
        report(f"the promoted bundle {releases.trouble} is not at hand; {_first_name(service)} judges")
    elif service.bundles.default.bundle.card.model_id != service.bundles.configured:
        report(f"{_first_name(service)} judges: it was promoted; the setting bundle is not used")


def _first_name(service: Service) -> str:
    return next(iter(service.bundles))[0]


def station_of(service: Service, releases: Releases, report: Callable[[str], None]) -> StationProcess:
    """The station of a service, not started; another default or another shadow has it start again."""
    station = StationProcess(lambda: line_words(_of_station(service, releases)), report)
    releases.changed.append(station.restart)
    releases.shadow_changed.append(station.restart)
    return station


def _of_station(service: Service, releases: Releases) -> Settings:
    """The settings with the bundles that judge: the default, and the shadow that people chose beside it."""
    chosen = {"bundle": judging_folder(service), "shadow": releases.shadow_folder}
    return service.settings.model_copy(update=chosen)


def _listen(settings: Settings) -> socket.socket:
    """A socket that listens; raises BadInput where the address is in use or not of this machine."""
    host = settings.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, settings.port))
        listening.listen(BACKLOG)  # who connects from now on is answered as soon as all is open
    except OSError as error:
        listening.close()
        raise BadInput(
            f"--host {host} --port {settings.port}: cannot listen there ({error.strerror or error}); choose "
            "another --port, or an address of this machine"
        ) from error
    listening.setblocking(False)
    return listening


def _address(settings: Settings, listening: socket.socket) -> str:
    """The address to open in a browser."""
    if settings.public_url is not None:
        return settings.public_url.rstrip("/")
    host, port = listening.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _greet(service: Service, address: str, report: Callable[[str], None]) -> None:
    report(f"Steelsight on {address}; ledger {service.ledger.address}")
    if service.settings.open:
        report("--open: everybody on this machine is admitted without login")
        return
    path = first_login(service)
    if path is not None:
        report(f"first login, once: {address}{path}")


class _Server(uvicorn.Server):
    """Ends event streams and the station as soon as a signal comes: they never end by themselves."""

    def __init__(self, config: uvicorn.Config, station: StationProcess | None) -> None:
        super().__init__(config)
        self._station = station

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        super().handle_exit(sig, frame)
        self.config.app.state.hub.close()  # type: ignore[union-attr]
        if self._station is not None:
            self._station.begin_stop()


def server_options() -> dict[str, Any]:
    """How uvicorn runs the application, besides its address."""
    return {
        "http": BoundedProtocol,
        "ws": "none",
        "lifespan": "on",
        "log_config": None,
        "access_log": False,  # the app writes its own
        "proxy_headers": False,  # the guard reads them, from trusted proxies alone
        "server_header": False,
        "timeout_keep_alive": KEEP_ALIVE_S,
        "timeout_graceful_shutdown": GRACE_S,
    }


def _log_to_stderr(level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    access = logging.getLogger("steelsight.access")
    access.handlers, access.propagate = [handler], False
    access.setLevel(logging.INFO if level in ("debug", "info") else logging.WARNING)
    other = logging.StreamHandler(sys.stderr)
    other.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    for name in ("steelsight", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [other], False
        logger.setLevel("WARNING" if name == "uvicorn" and level == "info" else level.upper())


@contextmanager
def _signals() -> Iterator[None]:
    """Signals end the server, which raises them again when it has ended: they end nothing more."""
    before = {number: signal.signal(number, lambda *_: None) for number in STOP}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
