"""The OUT folder of a scan: which scan it belongs to, and the lock that lets one process write to it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import PIL
import pyarrow as pa

from steelsight.errors import BadOutput
from steelsight.files import PARTIAL, refuse_output, take_lock, write_json
from steelsight.plain import plain
from steelsight.reading import parse_object, read_regular
from steelsight.runtime.bundle.open import Bundle
from steelsight.runtime.engine.engine import Engine
from steelsight.runtime.processor import processor_type
from steelsight.runtime.scan.parts import PARTITIONS, VERDICTS
from steelsight.runtime.scan.plan import PLAN_FILE
from steelsight.runtime.scan.sources import source_id
from steelsight.version import __version__

__all__ = [
    "OURS",
    "QUARANTINE",
    "REPORT",
    "REPORT_NUMBERS",
    "SCAN_FILE",
    "SUMMARY",
    "ScanIdentity",
    "identify",
    "load_scan",
    "lock_for_worker",
    "lock_output",
    "machine_facts",
    "remove_partial_files",
    "save_scan",
]

SCAN_FILE, QUARANTINE, SUMMARY = "scan.json", "quarantine.csv", "summary.json"
REPORT, REPORT_NUMBERS = "report.html", "report.json"
LOCK: Final = ".lock"
WORKERS_LOCK: Final = ".workers"  # shared by the workers of a scan, which end shortly after a killed scan
WAIT_SECONDS: Final = 60.0  # for such workers; they check for their parent between batches
FORMAT: Final = 1
OURS: Final = {
    PLAN_FILE,
    SCAN_FILE,
    QUARANTINE,
    SUMMARY,
    REPORT,
    REPORT_NUMBERS,
    LOCK,
    WORKERS_LOCK,
    VERDICTS,
    PARTITIONS,
}


@dataclass(frozen=True)
class ScanIdentity:
    """What two scans must have in common for one to continue the other."""

    bundle: Mapping[str, Any]
    sources: Sequence[str]
    options: Mapping[str, Any]
    versions: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "bundle": dict(self.bundle),
            "sources": list(self.sources),
            "options": dict(self.options),
            "versions": dict(self.versions),
        }


def identify(
    bundle: Bundle,
    sources: Sequence[str | Path],
    engine: Engine,
    *,
    heatmaps: bool,
    watch: bool,
    mixed: bool = False,
) -> ScanIdentity:
    """The identity of a scan; the number of workers does not belong to it.

    mixed  whether machines with other processors may judge sheets of it too
    """
    versions = machine_facts(engine)
    options = {"engine": versions.pop("engine"), "batch": engine.batch, "heatmaps": heatmaps, "watch": watch}
    if mixed:
        options["mixed"] = True
        del versions["machine"], versions["processor"]
    return ScanIdentity(
        {"model_id": bundle.card.model_id, "checksum": checksum_of(bundle)},
        [source_id(source) for source in sources],
        options,
        versions,
    )


def machine_facts(engine: Engine) -> dict[str, str]:
    """What the rows of a scan depend on beside bundle and options: versions, engine and processor."""
    return {
        "steelsight": __version__,
        "pyarrow": pa.__version__,
        "pillow": PIL.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
        "processor": processor_type(),
        "engine": engine.about,
    }


def checksum_of(bundle: Bundle) -> str:
    """Checksum of the card, which holds the checksums of all other files."""
    return hashlib.sha256(bundle.card.model_dump_json().encode()).hexdigest()


@contextmanager
def lock_output(out: Path, *, fresh: bool) -> Iterator[None]:
    """Lock OUT for this process while the block runs.

    fresh   remove the files of an earlier scan, and no others
    raises  BadOutput where OUT cannot be written, holds something else, or another process scans into it
    """
    try:
        lock = _open_locked(out, fresh)
    except OSError as error:
        raise refuse_output(out, error) from error
    with lock:
        yield


@contextmanager
def lock_for_worker(out: Path, parent: int) -> Iterator[None]:
    """Keep other scans from starting in OUT while the block runs.

    parent  process number of the scan that has locked OUT
    raises  BadOutput where that scan has ended, because another may have locked OUT since
    """
    with (out / WORKERS_LOCK).open("ab") as lock:
        take_lock(lock.fileno(), shared=True)  # fails only while another scan locks OUT; then ours has ended
        if os.getppid() != parent:
            raise BadOutput(f"{out}: the scan that this worker belongs to has ended; start it again")
        yield


def load_scan(out: Path, identity: ScanIdentity, *, shown: object | None = None) -> dict[str, Any] | None:
    """What an earlier scan saved in OUT; None where there is none.

    shown   what messages call OUT; None = by its path
    raises  BadOutput naming what differs where it was another scan
    """
    path, shown = out / SCAN_FILE, out if shown is None else shown
    if not path.exists():
        return None
    try:
        saved = parse_object(read_regular(path))
        if saved["format"] != FORMAT:
            raise ValueError(f"format {saved['format']!r}")  # noqa: TRY301
        if saved["checksum"] != _checksum(saved):
            raise ValueError("a changed file: its checksum does not match")  # noqa: TRY301
        earlier = {key: saved[key] for key in identity.as_dict()}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise BadOutput(
            f"{shown}/{SCAN_FILE}: expected the scan.json of this version, got {error!r:.120}; use --fresh"
        ) from error
    differs = list(_differences("", earlier, identity.as_dict()))
    if differs:
        raise BadOutput(
            f"{shown}: expected a folder of this scan, got one of another: {'; '.join(differs)}; "
            "choose another --out, or use --fresh"
        )
    result: dict[str, Any] = saved
    return result


def save_scan(out: Path, identity: ScanIdentity, **more: Any) -> None:
    """Write scan.json, from which a later call continues the scan."""
    saved = {"format": FORMAT, **identity.as_dict(), **more}
    write_json(out / SCAN_FILE, {**saved, "checksum": _checksum(saved)})


def _checksum(saved: Mapping[str, Any]) -> str:
    """Of what scan.json holds, without the checksum itself."""
    kept = {key: value for key, value in saved.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(plain(kept), sort_keys=True).encode()).hexdigest()


def _differences(name: str, earlier: Any, now: Any) -> Iterator[str]:
    if isinstance(earlier, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*earlier, *now]):
            yield from _differences(key, earlier.get(key), now.get(key))
    elif earlier != now:
        yield f"{name} was {_short(earlier)}, now {_short(now)}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _open_locked(out: Path, fresh: bool) -> BinaryIO:
    """Create and lock the folder; returns the open lock."""
    if out.parts[:1] == ("s3:",):  # as Path shortens an address
        raise BadOutput(
            f"{out}: expected a folder; an address of object storage is given as text: 's3://BUCKET/PREFIX'"
        )
    out.mkdir(parents=True, exist_ok=True)
    foreign = sorted(
        entry.name for entry in out.iterdir() if entry.name not in OURS and not entry.name.endswith(PARTIAL)
    )
    if not (out / SCAN_FILE).exists() and (foreign or any((out / VERDICTS).glob("*"))):
        came = foreign[0] if foreign else f"{VERDICTS}/ without {SCAN_FILE}"
        raise BadOutput(
            f"{out}: expected a new folder or an earlier scan, found {came}; choose another --out"
        )
    lock = (out / LOCK).open("ab")
    try:
        _lock_alone(lock.fileno(), out)
        _wait_for_workers(out)
        (out / VERDICTS).mkdir(exist_ok=True)
        _clear(out, fresh)
    except BaseException:
        lock.close()
        raise
    return lock


def remove_partial_files(out: Path) -> None:
    """Remove the partly written files of processes that have ended; for the holder of OUT's lock."""
    partials = [
        *out.glob(f"*{PARTIAL}"),
        *(out / VERDICTS).glob(f"*{PARTIAL}"),
        *(out / PARTITIONS).rglob(f"*{PARTIAL}"),
    ]
    for partial in partials:
        partial.unlink(missing_ok=True)


def _clear(out: Path, fresh: bool) -> None:
    """Remove partly written files, and with `fresh` the earlier scan."""
    remove_partial_files(out)
    if fresh:
        for part in (out / VERDICTS).glob("part-*.parquet"):
            part.unlink(missing_ok=True)
        _remove_partitions(out / PARTITIONS)
        for name in sorted(OURS - {LOCK, VERDICTS, PARTITIONS}, key=lambda name: name == SCAN_FILE):
            (out / name).unlink(missing_ok=True)  # scan.json last: parts without it are refused


def _remove_partitions(folder: Path) -> None:
    """Remove the files of partitions, and the folders that are empty then."""
    for part in folder.rglob("part-*.parquet"):
        part.unlink(missing_ok=True)
    below = sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True)  # inner ones first
    for each in (*below, folder):
        if each.is_dir() and not any(each.iterdir()):
            each.rmdir()


def _lock_alone(handle: int, out: Path) -> None:
    if not take_lock(handle):
        raise BadOutput(f"{out}: another scan writes there; wait for it or choose another --out")


def _wait_for_workers(out: Path) -> None:
    """Wait for the workers of a killed scan, which end after their batch."""
    with (out / WORKERS_LOCK).open("ab") as lock:
        end = time.monotonic() + WAIT_SECONDS
        while not take_lock(lock.fileno()):
            if time.monotonic() > end:
                raise BadOutput(f"{out}: workers of an earlier scan still write there; end them first")
            time.sleep(0.05)
