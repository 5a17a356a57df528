"""A worker process of a scan: reads part numbers from stdin, writes those parts, reports them on stdout.

Messages are JSON objects, one a line. It ends with stdin, and with the process that started it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from steelsight.child_processes import end_with_parent
from steelsight.errors import BadBundle, SteelsightError
from steelsight.runtime.bundle.open import open_bundle
from steelsight.runtime.engine.engine import open_engine
from steelsight.runtime.scan.output import checksum_of, lock_for_worker
from steelsight.runtime.scan.part_scanner import PartScanner
from steelsight.runtime.scan.parts import PartRows, write_part
from steelsight.runtime.scan.plan import open_plan

__all__ = ["main", "open_scanner"]


def main() -> None:
    """Scan the parts named on stdin until it ends."""
    stdout = _take_stdout()

    def send(message: Mapping[str, Any]) -> None:
        stdout.write(json.dumps(message) + "\n")
        stdout.flush()

    try:
        settings = json.loads(sys.stdin.readline())
        end_with_parent(settings["parent"])
        with lock_for_worker(Path(settings["out"]), settings["parent"]):
            _scan_parts(settings, send)
    except SteelsightError as error:
        send({"error": type(error).__name__, "message": str(error)})
    except BrokenPipeError:  # the parent has ended
        os._exit(1)


def _scan_parts(settings: Mapping[str, Any], send: Callable[[Mapping[str, Any]], None]) -> None:
    def pause() -> None:
        if os.getppid() != settings["parent"]:
            raise SystemExit(1)

    out = Path(settings["out"])
    scanner, plan = open_scanner(settings), open_plan(out)
    scanner.warm_up()
    send({"ready": True})
    for line in sys.stdin:
        number = int(json.loads(line))
        sheets = plan.part(number)
        table = scanner(number, sheets, pause=pause)
        write_part(out, number, table)
        send({"part": number, "sheets": len(sheets)})


def open_scanner(settings: Mapping[str, Any]) -> PartScanner:
    """The scanner described by the settings of `workers.run_parts`, on one thread; raises BadBundle."""
    bundle = open_bundle(Path(settings["bundle"]))
    if checksum_of(bundle) != settings["checksum"]:
        raise BadBundle(
            f"{bundle.folder}: the bundle was replaced while the scan began; start the scan again"
        )
    engine = open_engine(bundle, settings["engine"], threads=1, batch=settings["batch"])
    return PartScanner(bundle, engine, PartRows(bundle.card, settings["plan"], settings["heatmaps"]))


def _take_stdout() -> TextIO:
    """The pipe to the parent; from here on, what libraries print goes to stderr."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return pipe
