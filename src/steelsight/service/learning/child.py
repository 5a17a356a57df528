"""The job itself, in a process of its own: reviewed sheets, a fitted head, a bundle among the candidates.

The process ends with the service, and where a person cancels it. It writes its stages into the job's file.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from steelsight.child_processes import end_with_parent
from steelsight.errors import AdaptationRefused, BadBundle, SteelsightError
from steelsight.ledger.writing.writer import now_us
from steelsight.service.learning.state import CANCEL, WORK, Job, Note, Outcome, write_job

__all__ = ["CANCELLED", "JobWords", "run_job"]

CANCELLED: Final = 4  # exit code
LOOK_S: Final = 0.2  # whether somebody cancels
NICER: Final = 10  # the line comes first


@dataclass(frozen=True)
class JobWords:
    """What the process is told; never on its command line, where others see a password."""

    parent: int  # process id
    job: str  # as JSON
    candidates: str
    ledger: str  # address
    images: str  # image store
    base: str  # folder of the bundle


def run_job(words: JobWords) -> None:
    """Export, adapt, and put the new bundle among the candidates."""
    end_with_parent(words.parent)
    candidates = Path(words.candidates)
    job = Job.model_validate_json(words.job)
    _end_when_cancelled(candidates / WORK / CANCEL, job.id)
    if hasattr(os, "nice"):
        os.nice(NICER)
    found = _Progress(candidates, job)
    work = candidates / WORK / job.id
    try:
        _learn(words, found, work)
    except AdaptationRefused as error:
        found.end("refused", message=str(error), comparison=error.comparison)
    except SteelsightError as error:
        found.end("failed", message=str(error))
    except Exception as error:
        found.end("failed", message=f"{type(error).__name__}: {error}"[:5000])
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _learn(words: JobWords, found: _Progress, work: Path) -> None:
    from steelsight.adaptation.options import AdaptOptions
    from steelsight.adaptation.reviews.export import export_reviews
    from steelsight.adaptation.reviews.options import ReviewExportOptions
    from steelsight.adaptation.run import adapt_bundle
    from steelsight.ledger.database.open import opened
    from steelsight.ledger.images.store import ImageStore

    job = found.job
    found.note("exporting", "exporting the reviewed sheets")
    work.mkdir(mode=0o700)
    with opened(words.ledger) as ledger:
        options = ReviewExportOptions(part=("train", "validation"))
        done = export_reviews(ledger, ImageStore(words.images), work / "data", options)
    found.change(sheets=done.classes, reviews=done.reviews)
    adapted = adapt_bundle(
        Path(words.base),
        work / "data",
        work / "bundle",
        AdaptOptions(groups="column:coil", take_classes=job.take_classes),
        note=lambda stage: found.note(stage.name, str(stage), stage.sheets),
    )
    _refuse_other_base(adapted.card.source, job)
    out = Path(words.candidates) / f"own-{time.strftime('%Y%m%d-%H%M', time.gmtime())}-{job.id[:6]}"
    (work / "bundle").rename(out)
    found.end("written", comparison=adapted.comparison.as_dict(), name=out.name, model=adapted.card.model_id)


def _refuse_other_base(source: dict[str, Any], job: Job) -> None:
    """Raise BadBundle where the folder held another bundle than the one that was chosen."""
    adapted = source.get("adapted")
    last = adapted[-1] if isinstance(adapted, list) and adapted else None
    came = last.get("from_model_id") if isinstance(last, dict) else None
    if came != job.base:
        raise BadBundle(
            f"{job.base_name}: expected the bundle {job.base}, found {came}; it was replaced meanwhile, "
            "start again"
        )


class _Progress:
    """The job as its file tells it."""

    def __init__(self, candidates: Path, job: Job) -> None:
        self.job = job
        self._candidates = candidates

    def change(self, **values: Any) -> None:
        self.job = self.job.model_copy(update=values)
        write_job(self._candidates, self.job)

    def note(self, stage: str, text: str, sheets: int | None = None) -> None:
        made = Note(at_us=now_us(), stage=stage, text=text[:2000], sheets=sheets)
        self.change(notes=(*self.job.notes, made))

    def end(self, outcome: Outcome, **values: Any) -> None:
        self.change(outcome=outcome, ended_us=now_us(), **values)


def _end_when_cancelled(mark: Path, job: str, leave: Callable[[int], Any] = os._exit) -> None:
    """Start a thread that ends this process when a person has cancelled this job."""

    def watch() -> None:
        while True:
            time.sleep(LOOK_S)
            try:
                cancelled = mark.read_text(encoding="utf-8").partition(" ")[0] == job
            except OSError:  # nobody has
                continue
            if cancelled:
                leave(CANCELLED)

    threading.Thread(target=watch, name="cancel", daemon=True).start()
