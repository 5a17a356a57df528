"""Open what a service needs; on one machine make what is missing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import inspect

from steelsight.errors import BadInput, BadLedger
from steelsight.ledger.database.connect import connect, parse_url
from steelsight.ledger.database.open import Ledger, create_ledger, open_ledger
from steelsight.ledger.images.store import ImageStore
from steelsight.runtime.bundle.default import default_bundle, named_bundle
from steelsight.runtime.engine.inspector import Inspector, load
from steelsight.service.api.hosts import is_loopback
from steelsight.service.bundles import Bundles
from steelsight.service.console import SharedWriter
from steelsight.service.context import Service
from steelsight.service.settings.load import Settings
from steelsight.service.station.calibration_file import read_calibration
from steelsight.service.station.places import NamePattern
from steelsight.sheets.own_folders import OwnFolders

__all__ = ["complete_settings", "open_or_make_ledger", "open_service"]


def complete_settings(settings: Settings) -> Settings:
    """The settings with the places that follow from others: beside a ledger in a file, images,
    bundles that may be promoted, and a spool.

    raises  BadInput: `open` on an address that other machines reach; what a station cannot start with
    """
    if settings.open and not is_loopback(settings.host):
        raise BadInput(
            f"--open: admits everybody without login, so it needs a loopback address such as 127.0.0.1, got "
            f"--host {settings.host}; leave --open away and log in, or listen on 127.0.0.1"
        )
    if settings.watch is not None:
        _check_station(settings, settings.watch)
    url = parse_url(settings.ledger)
    added: dict[str, object] = {"bundle": _folder(settings.bundle)}
    if url.get_backend_name() == "sqlite":
        beside = Path(str(url.database))
        added["images"] = settings.images or str(beside.with_name(f"{beside.stem}.images"))
        added["candidates"] = settings.candidates or beside.with_name(f"{beside.stem}.bundles")
        added["spool"] = settings.spool or beside.with_name(f"{settings.station}.spool")
    return settings.model_copy(update=added)


def _check_station(settings: Settings, watch: Path) -> None:
    """Refuse now what would end the station again and again; raises BadInput."""
    if not watch.is_dir():
        raise BadInput(f"--watch {watch}: expected a folder that the camera writes into")
    OwnFolders("a folder that the camera writes into", BadInput).refuse(watch)
    if settings.pattern is not None:
        NamePattern(settings.pattern)
    if settings.calibration is not None:
        read_calibration(settings.calibration)
    if settings.audit and settings.audit_key is None:
        raise BadInput("audit: expected audit_key with it; make one with `openssl rand -out audit.key 32`")


def open_or_make_ledger(address: str, report: Callable[[str], None]) -> Ledger:
    """Open a ledger; make one where the file does not exist, or the database has no table.

    raises  BadLedger, also for a database that holds something else
    """
    url = parse_url(address)
    if url.get_backend_name() == "sqlite":
        path = Path(str(url.database))
        empty = not path.exists() or path.stat().st_size == 0
    else:
        engine = connect(address)
        try:
            empty = not inspect(engine).get_table_names()
        finally:
            engine.dispose()
    if not empty:
        return open_ledger(address)
    try:
        made = create_ledger(address)
    except BadLedger:  # another process has made it meanwhile; else opening it tells what is wrong
        return open_ledger(address)
    report(f"made the ledger {made.id} in {made.address}")
    return made


def open_service(settings: Settings, report: Callable[[str], None]) -> Service:
    """The parts of a service, opened.

    settings  of `complete_settings`
    report    called with a line of text about what was made
    raises    BadInput and its kinds: BadBundle, BadLedger; LeaseLost where another service runs on the ledger
    """
    with ExitStack() as undo:
        bundles = _open_bundles(settings)
        ledger = open_or_make_ledger(settings.ledger, report)
        undo.callback(ledger.close)
        images = None if settings.images is None else ImageStore(settings.images)
        console = SharedWriter(ledger, settings.writer)
        undo.pop_all()
    return Service(ledger, console, images, bundles, settings)


def _open_bundles(settings: Settings) -> Bundles:
    folders = [_folder(settings.bundle), *settings.more_bundles]
    return Bundles([(folder.resolve().name, _load(folder, settings)) for folder in folders])


def _folder(bundle: Path | None) -> Path:
    """The folder of a bundle that is given by its path or its name; None = of the package's own."""
    return default_bundle() if bundle is None else named_bundle(bundle)


def _load(folder: Path, settings: Settings) -> Inspector:
    return load(folder, engine=settings.engine, threads=settings.threads, batch=settings.batch)
