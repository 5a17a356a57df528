"""Progress of a training: a bar with the epoch's metrics where it can be drawn, plain lines elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, runtime_checkable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from steelsight.training.loop.state import EpochRow

__all__ = ["ConsoleProgress", "NoProgress", "TrainingProgress", "describe_epoch"]


@runtime_checkable
class TrainingProgress(Protocol):
    """Receives the events of a training."""

    def start(self, title: str, epochs: int) -> None:
        """A training of at most `epochs` epochs begins."""

    def step(self, done: int, steps: int) -> None:
        """`done` of the `steps` batches of the epoch are done."""

    def epoch(self, row: EpochRow, *, best: bool) -> None:
        """An epoch has ended."""

    def note(self, line: str) -> None:
        """A remark for the user."""

    def trained(self, done: int, of: int) -> None:
        """`done` of several trainings that are done at the same time have ended."""


class NoProgress:
    """Ignores all events."""

    def start(self, title: str, epochs: int) -> None:
        """Ignore."""

    def step(self, done: int, steps: int) -> None:
        """Ignore."""

    def epoch(self, row: EpochRow, *, best: bool) -> None:
        """Ignore."""

    def note(self, line: str) -> None:
        """Ignore."""

    def trained(self, done: int, of: int) -> None:
        """Ignore."""


def describe_epoch(row: EpochRow, *, best: bool) -> str:
    """One line: losses, accuracies, speed; a star marks the best so far."""
    figures = [f"train {row.train_loss:.4f}"]
    if row.validation_loss is not None:
        figures.append(f"validation {row.validation_loss:.4f}")
    if row.validation_accuracy is not None:
        figures.append(f"accuracy {row.validation_accuracy:.3f}")
    if row.validation_balanced_accuracy is not None:
        figures.append(f"balanced {row.validation_balanced_accuracy:.3f}")
    figures.append(f"{row.images_per_second:.0f} images/s")
    name = f"epoch {row.epoch:>3}" if row.epoch else "probe    "
    return f"{name}{' *' if best else '  '} " + "  ".join(figures)


class ConsoleProgress:
    """A TrainingProgress on a Rich console; use it in a `with`."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.title = ""
        self.bar: Progress | None = None
        if console.is_interactive:
            self.bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )
            self.task = self.bar.add_task("reading images", total=None)

    def __enter__(self) -> ConsoleProgress:
        if self.bar is not None:
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def start(self, title: str, epochs: int) -> None:
        """Name the training."""
        self.title = title
        self._print(f"{title}: up to {epochs} epochs")
        if self.bar is not None:
            self.bar.update(self.task, description="epoch 1", completed=0)

    def step(self, done: int, steps: int) -> None:
        """Move the bar."""
        if self.bar is not None:
            self.bar.update(self.task, completed=done, total=steps)

    def epoch(self, row: EpochRow, *, best: bool) -> None:
        """Print the epoch's line."""
        self._print(describe_epoch(row, best=best))
        if self.bar is not None:
            self.bar.update(self.task, description=f"epoch {row.epoch + 1}", completed=0)

    def note(self, line: str) -> None:
        """Print a line."""
        self._print(line)

    def trained(self, done: int, of: int) -> None:
        """Move the bar, which then counts trainings; elsewhere print a line."""
        if self.bar is None:
            self._print(f"{done} of {of} trainings done")
        else:
            self.bar.update(self.task, description="trainings", completed=done, total=of)

    def _print(self, line: str) -> None:
        self.console.print(line, markup=False, soft_wrap=True)
