"""What is on record of the last job, in a file that every service on the folder of candidates reads.

Whether the job runs is told by a lock that its process holds, and by no process number.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from steelsight.files import replace_file, take_lock
from steelsight.reading import read_regular

__all__ = ["WORK", "Job", "Note", "Outcome", "job_folder", "locked", "read_job", "runs", "write_job"]

WORK: Final = ".learn"  # folder in that of the candidates
STATE: Final = "job.json"
LOCK: Final = "lock"
CANCEL: Final = "cancel"
MOST_BYTES: Final = 2**22
MOST_NOTES: Final = 100

Outcome = Literal["written", "refused", "failed", "cancelled", "stopped"]
JobId = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Note(_Part):
    """A stage that was reached."""

    at_us: int
    text: Annotated[str, Field(max_length=2000)]
    stage: Annotated[str, Field(max_length=100)] = ""  # exporting, or of adaptation.stages; "" = not known
    sheets: int | None = None  # that the stage is about


class Job(_Part):
    """One job."""

    id: JobId
    person: JobId  # who started it
    base: Annotated[str, Field(max_length=200)]  # model id of the bundle that is adapted
    base_name: Annotated[str, Field(max_length=300)]
    take_classes: bool = False
    started_us: int
    notes: Annotated[tuple[Note, ...], Field(max_length=MOST_NOTES)] = ()
    ended_us: int | None = None
    outcome: Outcome | None = None  # None = it runs, or its process is gone
    message: Annotated[str, Field(max_length=10_000)] = ""  # of a refusal or a failure
    sheets: dict[str, int] = Field(default_factory=dict)  # exported, by class
    reviews: int = 0
    comparison: dict[str, Any] | None = None  # as adaptation.compare gives it; None = not reached
    name: Annotated[str, Field(max_length=300)] = ""  # folder of the new bundle
    model: Annotated[str, Field(max_length=200)] = ""  # its id


def job_folder(candidates: Path) -> Path:
    """Where a job works; made where it is missing, readable by the service alone. raises OSError"""
    folder = candidates / WORK
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def read_job(candidates: Path | None) -> Job | None:
    """The last job; None = there was none, or its file is damaged."""
    if candidates is None:
        return None
    try:
        text = read_regular(candidates / WORK / STATE, most_bytes=MOST_BYTES)
        return Job.model_validate_json(text)
    except (OSError, ValidationError):  # the next job writes it anew
        return None


def write_job(candidates: Path, job: Job) -> None:
    """Replace what is on record; raises BadOutput."""
    kept = job.model_copy(update={"notes": job.notes[-MOST_NOTES:]})
    replace_file(candidates / WORK / STATE, kept.model_dump_json(indent=1))


@contextmanager
def locked(candidates: Path) -> Iterator[int | None]:
    """The lock of the job, for as long as the handle or a copy of it in a child is open; None = it is taken.

    raises  OSError
    """
    handle = os.open(job_folder(candidates) / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield handle if take_lock(handle) else None
    finally:
        os.close(handle)


def runs(candidates: Path | None) -> bool:
    """Whether a job's process runs."""
    if candidates is None or not (candidates / WORK / LOCK).exists():
        return False
    with locked(candidates) as handle:
        return handle is None
