"""What all verbs share: arguments and options, the console on stderr, the JSON line on stdout."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from steelsight.errors import BadOutput
from steelsight.names import on_one_line
from steelsight.runtime.bundle.default import BUNDLE_HELP, BUNDLES

if TYPE_CHECKING:
    from rich.status import Status

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


def _complete_bundle(incomplete: str) -> list[str]:
    """Names of the package's bundles, for completion; where none fits the shell completes paths."""
    return [name for name in BUNDLES if name.startswith(incomplete)]


BundleArgument = Annotated[
    Path, typer.Argument(help=BUNDLE_HELP, metavar="BUNDLE", autocompletion=_complete_bundle)
]
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
    gone is left to the boundary, which knows the exit code. Bars and spinners are drawn where the console is
    interactive; elsewhere, and with `--verbose`, progress is lines.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.verbose = False
        self._draws = self.is_interactive
        self._started = time.monotonic()

    def set_verbosity(self, *, quiet: bool = False, verbose: bool = False) -> None:
        """Print nothing, or steps as lines with their time."""
        self.quiet = quiet
        self.verbose = verbose
        self.is_interactive = self._draws and not (quiet or verbose)

    def say(self, text: RenderableType) -> None:
        """Print a step as one line without wrapping; with `--verbose` after the seconds since the start."""
        if self.verbose:
            self.print(f"{time.monotonic() - self._started:8.1f} s", end="  ")
        self.print(text, soft_wrap=True)

    def status(self, status: RenderableType, **looks: Any) -> Status:
        """Show the current step beside a spinner; where none can be drawn, one line a step."""
        if self.is_interactive:
            return super().status(status, **looks)
        from steelsight.cli.progress_lines import StatusLines

        return StatusLines(status, self.say)

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


def _drawable() -> bool | None:
    """False where stderr is no terminal, whatever FORCE_COLOR says; None = Rich decides, by TERM."""
    return None if sys.stderr is not None and sys.stderr.isatty() else False


console = _Terminal(
    stderr=True, highlight=False, markup=False, emoji=False, force_interactive=_drawable()
)  # progress and tables; stdout belongs to results


@contextmanager
def step_status(first: str) -> Iterator[Callable[[str], None]]:
    """Show the current step beside a spinner; in a log, one line a step. Yields the function that sets it."""
    with console.status(Text(first)) as status:
        yield lambda text: status.update(Text(text))


@contextmanager
def progress_bar(text: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show a progress bar; in a log, lines. Yields a function of the number done and the total."""
    if not console.is_interactive:
        from steelsight.cli.progress_lines import ProgressLines

        yield ProgressLines(text, console.say).report
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
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
    from steelsight.files import dump_json  # NumPy

    if sys.stdout is None:
        raise BadOutput("--json: expected an open standard output, got a closed one; redirect it to a file")
    sys.stdout.write(dump_json(result, indent=None))
    sys.stdout.flush()
