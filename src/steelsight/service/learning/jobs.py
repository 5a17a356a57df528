"""Starts, follows and ends the job; one at a time among all services on the same folder of candidates."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from steelsight.errors import SteelsightError
from steelsight.files import replace_file
from steelsight.ledger.chain.entries import Event
from steelsight.ledger.chain.event_names import LEARNING_ENDED, LEARNING_STARTED
from steelsight.ledger.database.postgres import PASSWORD
from steelsight.ledger.writing.writer import now_us
from steelsight.service.access.roles import Caller
from steelsight.service.context import Service
from steelsight.service.learning.child import CANCELLED, JobWords
from steelsight.service.learning.state import (
    CANCEL,
    WORK,
    Job,
    job_folder,
    locked,
    read_job,
    runs,
    write_job,
)
from steelsight.service.problem import Problem
from steelsight.service.releases.places import find_bundle
from steelsight.service.reviewing.people import known_person, reviewer

__all__ = ["Learning", "missing_parts"]

LOG: Final = logging.getLogger("steelsight.service.learning")
VARIABLE: Final = "STEELSIGHT_LEARNING"
PROGRAM: Final = (
    "import json, os\n"
    "from steelsight.service.learning.child import JobWords, run_job\n"
    f"run_job(JobWords(**json.loads(os.environ.pop('{VARIABLE}'))))\n"
)
PARTS: Final = ("onnx", "skimage", "sklearn")  # of the extra [adapt]
END_S: Final = 5.0


def missing_parts() -> list[str]:
    """What of the extra [adapt] is not installed."""
    return [name for name in PARTS if importlib.util.find_spec(name) is None]


class Learning:
    """The job of one service; `close` ends a running one."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None

    def job(self) -> Job | None:
        """The last job; one whose process is gone without an outcome has the outcome `stopped`."""
        folder = self._service.settings.candidates
        running = runs(folder)
        job = read_job(folder)
        if job is not None and job.outcome is None and not running and not self._ending():
            return job.model_copy(update={"outcome": "stopped"})
        return job

    def _ending(self) -> bool:
        """Whether this process still has to write how its job ended."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, caller: Caller, base: str, *, job: str, take_classes: bool = False) -> Job:
        """Start a job.

        base     model id of the bundle that is adapted
        job      id of the job, chosen with the form: the same form sent twice starts one
        returns  the job
        raises   Problem: 409 adapt_missing, no_candidates, no_images, learning_runs, bundle_not_at_hand;
                 403 person_needed
        """
        person = reviewer(self._service, caller)
        folder = self._ready()
        with self._lock:
            earlier = read_job(folder)
            if earlier is not None and earlier.id == job:
                return earlier
            bundle = find_bundle(self._service, base)
            if bundle is None:
                raise Problem(
                    409, "bundle_not_at_hand", f"the bundle {base!r:.60} is not at hand", "choose another one"
                )
            name = bundle.folder.resolve().name
            with locked(folder) as handle:
                if handle is None:
                    raise Problem(
                        409, "learning_runs", "a head is being fitted already", "wait for it, or cancel it"
                    )
                made = Job(
                    id=job,
                    person=person,
                    base=base,
                    base_name=name[:300],
                    take_classes=take_classes,
                    started_us=now_us(),
                )
                self._begin(caller, folder, made, bundle.folder, handle)
        return made

    def _ready(self) -> Path:
        """The folder of candidates, where everything that a job needs is there."""
        missing, settings = missing_parts(), self._service.settings
        if missing:
            raise Problem(
                409,
                "adapt_missing",
                f"learning needs the extra [adapt], of which {', '.join(missing)} is not installed",
                "run `pip install 'steelsight[adapt]'` where the service runs, and start it again",
            )
        if settings.candidates is None:
            raise Problem(
                409,
                "no_candidates",
                "expected the setting candidates, a folder for new bundles, found none",
                "start the service with `--set candidates=FOLDER`",
            )
        if self._service.images is None:
            raise Problem(
                409,
                "no_images",
                "expected an image store, found none: there are no images to learn from",
                "start the service with `--set images=STORE`",
            )
        try:
            job_folder(settings.candidates)
        except OSError as error:
            raise _not_writable(error) from error
        return settings.candidates

    def _begin(self, caller: Caller, folder: Path, job: Job, base: Path, handle: int) -> None:
        """Put the start on record, then start the process with the lock."""
        _clear(folder)
        write_job(folder, job)
        with self._service.console.transaction() as (connection, writer):
            person = known_person(connection, self._service, caller)
            details = {"job": job.id, "take_classes": job.take_classes}
            writer.append_within(
                connection,
                [Event(name=LEARNING_STARTED, person=person, subject=job.base, details=details)],
            )
        ledger, images = self._service.ledger.engine.url, self._service.images
        words = JobWords(
            parent=os.getpid(),
            job=job.model_dump_json(),
            candidates=str(folder.absolute()),
            ledger=_address(ledger),
            images="" if images is None else images.address,
            base=str(base.absolute()),
        )
        try:
            self._process = _spawn(words, handle)
        except OSError as error:
            write_job(folder, job.model_copy(update={"outcome": "failed", "message": str(error)}))
            self._tell(folder, job.id, -1)
            raise Problem(503, "no_process", f"no process could be started ({error})", "try again") from error
        self._thread = threading.Thread(
            target=self._wait, args=(self._process, folder, job), name="learning", daemon=True
        )
        self._thread.start()

    def _wait(self, process: subprocess.Popen[bytes], folder: Path, job: Job) -> None:
        code = process.wait()
        try:
            self._tell(folder, job.id, code)
        except SteelsightError as error:
            LOG.warning("the end of a job could not be put on record: %s", error)

    def _tell(self, folder: Path, identity: str, code: int) -> None:
        """Put the end on record."""
        job = read_job(folder)
        if job is None or job.id != identity:
            return
        person = None
        if job.outcome is None:
            cancelled = code == CANCELLED
            person = _canceller(folder) if cancelled else None
            message = "" if cancelled else f"its process ended with code {code}"
            outcome = "cancelled" if cancelled else "failed"
            job = job.model_copy(update={"outcome": outcome, "ended_us": now_us(), "message": message})
            write_job(folder, job)
        shutil.rmtree(folder / WORK / job.id, ignore_errors=True)
        details: dict[str, Any] = {"job": job.id, "outcome": job.outcome, "base": job.base}
        if job.model:
            details |= {"model": job.model, "sheets": sum(job.sheets.values())}
        events = [Event(name=LEARNING_ENDED, person=person, subject=job.model or job.base, details=details)]
        if job.reviews:
            rows = {"sheets": sum(job.sheets.values()), "reviews": job.reviews}
            exported = {"format": "data", "rows": rows}
            events.insert(0, Event(name="export", person=job.person, details=exported))
        with self._service.console.transaction() as (connection, writer):
            writer.append_within(connection, events)

    def cancel(self, caller: Caller, job: str) -> None:
        """End a running job; one that has ended stays as it is.

        raises  Problem 409 learning_changed where another job is the last one; 403 person_needed
        """
        person, folder = reviewer(self._service, caller), self._service.settings.candidates
        found = self.job()
        if found is None or folder is None or found.id != job:
            raise Problem(
                409, "learning_changed", "this job is not the last one any more", "look at the page anew"
            )
        if found.outcome is None:
            replace_file(folder / WORK / CANCEL, f"{job} {person}\n")

    def close(self) -> None:
        """End a running job of this process."""
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
        if self._thread is not None:
            self._thread.join(END_S)


def _not_writable(error: OSError) -> Problem:
    return Problem(
        409,
        "candidates_unwritable",
        f"the folder of candidates cannot be written ({error.strerror or error})",
        "free space, or name another folder by the setting candidates",
    )


def _clear(folder: Path) -> None:
    """Remove what earlier jobs left."""
    work = job_folder(folder)
    (work / CANCEL).unlink(missing_ok=True)
    for each in work.iterdir():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each, ignore_errors=True)


def _canceller(folder: Path) -> str | None:
    """The person who cancelled, as the mark says."""
    try:
        person = (folder / WORK / CANCEL).read_text(encoding="utf-8").split()[1]
    except (OSError, IndexError, ValueError):
        return None
    return person if len(person) == 32 and not set(person) - set("0123456789abcdef") else None


def _address(url: Any) -> str:
    """The ledger's address with its password, for the process alone."""
    if url.get_backend_name() == "sqlite":
        return str(Path(str(url.database)).absolute())
    if PASSWORD in url.query:  # the file holds it
        url = url._replace(password=None)
    return str(url.set(drivername="postgresql").render_as_string(hide_password=False))


def _spawn(words: JobWords, handle: int) -> subprocess.Popen[bytes]:
    environment: Mapping[str, str] = {**os.environ, VARIABLE: json.dumps(asdict(words))}
    handles = (handle,) if os.name == "posix" else ()
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=handles,
    )
