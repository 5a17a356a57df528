"""What all verbs share: arguments and options, the console on stderr, the JSON line on stdout."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from steelsight.errors import BadOutput
from steelsight.files import dump_json
from steelsight.names import on_one_line
from steelsight.runtime.bundle.default import BUNDLE_HELP

__all__ = [
    "BundleArgument",
    "DataArgument",
    "JsonFlag",
    "RunArgument",
    "ThreadsOption",
    "console",
    "emit_json",
    "print_earlier",
    "print_line",
    "progress_bar",
    "set_threads",
    "step_status",
]

BundleArgument = Annotated[Path, typer.Argument(help=BUNDLE_HELP, metavar="BUNDLE")]
RunArgument = Annotated[Path, typer.Argument(help="RUN folder of a trained model.", metavar="RUN")]
DataArgument = Annotated[
    Path,
    typer.Argument(
        help="DATA folder: Kaggle's Severstal layout, class folders, or what other tools write.",
        metavar="DATA",
    ),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
ThreadsOption = Annotated[
    int, typer.Option(min=0, help="Number of processor threads; 0 = PyTorch's own choice.")
]


class _Terminal(Console):
    """Rich's console, which prints text as text.

    Markup and emoji codes in names are not read, control characters are shown as escapes. A reader that has
    gone is left to the boundary, which knows the exit code.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Render as Rich does, without the control characters of texts."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                text = "\n".join(map(on_one_line, segment.text.split("\n")))
                yield Segment(text, segment.style)

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


console = _Terminal(
    stderr=True, highlight=False, markup=False, emoji=False
)  # progress and tables; stdout belongs to results


@contextmanager
def step_status(first: str) -> Iterator[Callable[[str], None]]:
    """Show the current step beside a spinner; in a log, one line a step. Yields the function that sets it."""
    with console.status(Text(first)) as status:

        def say(text: str) -> None:
            status.update(Text(text))
            if not console.is_terminal:  # a log shows no spinner
                print_line(text)

        yield say


@contextmanager
def progress_bar(text: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show a progress bar on a terminal. Yields a function of the number done and the total."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(text, total=None)

        def report(done: int, total: int | None) -> None:
            progress.update(task, completed=done, total=total)

        yield report


def print_line(text: str) -> None:
    """Print one line on stderr without wrapping."""
    console.print(text, soft_wrap=True)


def print_earlier(numbers: Mapping[str, Any]) -> None:
    """Say where an earlier result of other settings is kept, if there was one."""
    if numbers.get("earlier_result"):
        print_line(f"an earlier result, of other settings, is kept in {numbers['earlier_result']}")


def set_threads(threads: int) -> None:
    """Limit PyTorch to a number of threads; 0 = leave it as it is."""
    if threads:
        import torch

        torch.set_num_threads(threads)


def emit_json(result: Mapping[str, Any]) -> None:
    """Write one JSON object as one line on stdout; NaN becomes null, because JSON has no NaN.

    raises  BadOutput where stdout is closed
    """
    if sys.stdout is None:
        raise BadOutput("--json: expected an open standard output, got a closed one; redirect it to a file")
    sys.stdout.write(dump_json(result, indent=None))
    sys.stdout.flush()
