"""Progress of the API's calls: one callback for all of them, or a bar.

    def show(event: ss.ProgressEvent) -> None:
        print(event.kind, event.message)

A callback may raise, KeyboardInterrupt too: the call then ends as on Ctrl-C, and a RUN stays resumable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from steelsight.errors import BadInput

if TYPE_CHECKING:
    from rich.console import Console

    from steelsight.training.loop.progress import ConsoleProgress, TrainingProgress
    from steelsight.training.loop.state import EpochRow

__all__ = [
    "Progress",
    "ProgressEvent",
    "console_progress",
    "counted_progress",
    "stage_progress",
    "training_progress",
]

Kind = Literal["start", "step", "epoch", "trained", "stage", "note", "count"]


@dataclass(frozen=True)
class ProgressEvent:
    """One event of a call.

    start    a training begins; total = its epochs at most
    step     `done` of `total` batches of the epoch are done
    epoch    an epoch has ended; `values` has its losses and accuracies, and whether it is the best
    trained  `done` of `total` trainings are done
    stage    another stage of the work begins
    note     what a user should read
    count    `done` of `total` images or sheets are done
    """

    kind: Kind
    message: str = ""
    done: int = 0
    total: int | None = None
    values: dict[str, Any] | None = None


Callback = Callable[[ProgressEvent], None]
Progress = Any  # None or False, True for a bar, a callback, or a TrainingProgress


def console_progress(console: Console) -> ConsoleProgress:
    """A bar with the epochs' figures on a Rich console, and plain lines in a log; use it in a `with`."""
    from steelsight.training.loop.progress import ConsoleProgress

    return ConsoleProgress(console)


@contextmanager
def training_progress(progress: Progress) -> Iterator[TrainingProgress]:
    """What a training tells its events to.

    progress  None or False: nobody; True: a bar on standard error; a callback; a TrainingProgress
    raises    BadInput for anything else
    """
    from rich.console import Console

    from steelsight.training.loop.progress import NoProgress, TrainingProgress

    if progress is None or progress is False:
        yield NoProgress()
    elif progress is True:
        with console_progress(Console(stderr=True)) as shown:
            yield shown
    elif isinstance(progress, TrainingProgress):
        yield progress
    else:
        yield _CallbackProgress(_callback(progress))


def stage_progress(progress: Progress, kind: Literal["stage", "note"] = "stage") -> Callable[[str], None]:
    """A function of a text that tells a stage or a note."""
    if progress is None or progress is False:
        return lambda _text: None
    call = _callback(progress)
    return lambda text: call(ProgressEvent(kind, text))


def counted_progress(progress: Progress) -> Callable[[int, int], None]:
    """A function of the number done and of the total."""
    if progress is None or progress is False:
        return lambda _done, _total: None
    call = _callback(progress)
    return lambda done, total: call(ProgressEvent("count", f"{done:,} of {total:,}", done, total))


def _callback(progress: Progress) -> Callback:
    if progress is True:
        return _print_event
    if callable(progress):
        return progress  # type: ignore[no-any-return]
    raise BadInput(
        f"progress: expected None, True or a function of a ProgressEvent, got {type(progress).__name__}"
    )


def _print_event(event: ProgressEvent) -> None:
    """Write an event as one line on standard error."""
    from rich.console import Console

    Console(stderr=True, highlight=False).print(event.message, markup=False, soft_wrap=True)


class _CallbackProgress:
    """A TrainingProgress that calls a function."""

    def __init__(self, call: Callback) -> None:
        self._call = call

    def start(self, title: str, epochs: int) -> None:
        self._call(ProgressEvent("start", title, 0, epochs))

    def step(self, done: int, steps: int) -> None:
        self._call(ProgressEvent("step", f"{done} of {steps}", done, steps))

    def epoch(self, row: EpochRow, *, best: bool) -> None:
        from steelsight.training.loop.progress import describe_epoch

        values = {**asdict(row), "best": best}
        self._call(ProgressEvent("epoch", describe_epoch(row, best=best), row.epoch, None, values))

    def note(self, line: str) -> None:
        self._call(ProgressEvent("note", line))

    def trained(self, done: int, of: int) -> None:
        self._call(ProgressEvent("trained", f"{done} of {of} trainings done", done, of))
