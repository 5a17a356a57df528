"""A worker process of a scan: takes part numbers on stdin, writes those parts, says so on stdout.

One JSON object a line, both ways. It ends when stdin does, and when the process that started it is gone.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from steelsight.errors import BadBundle, SteelsightError
from steelsight.runtime.bundle.open import open_bundle
from steelsight.runtime.engine.engine import open_engine
from steelsight.runtime.scan.judge import PartJudge
from steelsight.runtime.scan.output import checksum_of, hold_as_worker
from steelsight.runtime.scan.parts import PartRows, write_part
from steelsight.runtime.scan.plan import open_plan

__all__ = ["main", "open_judge"]


def main() -> None:
    """Serve until stdin ends."""
    answers = _take_stdout()

    def say(message: Mapping[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    try:
        settings = json.loads(sys.stdin.readline())
        with hold_as_worker(Path(settings["out"]), settings["parent"]):
            _serve(settings, say)
    except SteelsightError as error:
        say({"error": type(error).__name__, "message": str(error)})
    except BrokenPipeError:  # nobody is left to tell
        os._exit(1)


def _serve(settings: Mapping[str, Any], say: Callable[[Mapping[str, Any]], None]) -> None:
    def pause() -> None:
        if os.getppid() != settings["parent"]:
            raise SystemExit(1)

    out = Path(settings["out"])
    judge, plan = open_judge(settings), open_plan(out)
    judge.warm_up()
    say({"ready": True})
    for line in sys.stdin:
        number = int(json.loads(line))
        sheets = plan.part(number)
        table = judge(number, sheets, pause=pause)
        write_part(out, number, table)
        say({"part": number, "sheets": len(sheets)})


def open_judge(settings: Mapping[str, Any]) -> PartJudge:
    """The judge that the settings of `workers.run_parts` describe, on one thread; raises BadBundle."""
    bundle = open_bundle(Path(settings["bundle"]))
    if checksum_of(bundle) != settings["checksum"]:
        raise BadBundle(f"{bundle.folder}: replaced while the scan began; start it again")
    engine = open_engine(bundle, settings["engine"], threads=1, batch=settings["batch"])
    return PartJudge(bundle, engine, PartRows(bundle.card, settings["plan"], settings["heatmaps"]))


def _take_stdout() -> TextIO:
    """The pipe to the parent, out of reach of libraries that print."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return pipe
