"""How much the command line prints: `--quiet` and `--verbose`, of the program and of every verb."""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

from steelsight.cli.console import console, print_line
from steelsight.version import __version__

__all__ = ["QuietFlag", "VerboseFlag", "output_options", "set_verbosity", "verbose_log"]

_PANEL = "Output"
_QUIET = "Print errors only; results are in files and, where asked for, on standard output."
_VERBOSE = "Print versions, every step with its time, log messages of libraries, and tracebacks of errors."


def _quiet_option(**more: Any) -> Any:
    return typer.Option("--quiet", "-q", help=_QUIET, rich_help_panel=_PANEL, **more)


def _verbose_option(**more: Any) -> Any:
    return typer.Option("--verbose", "-v", help=_VERBOSE, rich_help_panel=_PANEL, **more)


QuietFlag = Annotated[bool, _quiet_option()]
VerboseFlag = Annotated[bool, _verbose_option()]


def set_verbosity(*, quiet: bool, verbose: bool) -> None:
    """Set how much this process prints; raises typer.BadParameter for both."""
    if quiet and verbose:
        raise typer.BadParameter("expected --quiet or --verbose, got both; leave one out")
    console.set_verbosity(quiet=quiet, verbose=verbose)


def _more_quiet(value: bool) -> bool:
    if value:
        set_verbosity(quiet=True, verbose=console.verbose)
    return value


def _more_verbose(value: bool) -> bool:
    if value:
        set_verbosity(quiet=console.quiet, verbose=True)
    return value


@cache
def output_options() -> tuple[Any, ...]:
    """`--quiet` and `--verbose` as parameters of a verb, which itself does not receive them."""
    holder = typer.Typer(add_completion=False)

    @holder.command()
    def _flags(
        quiet: Annotated[bool, _quiet_option(callback=_more_quiet, expose_value=False)] = False,
        verbose: Annotated[bool, _verbose_option(callback=_more_verbose, expose_value=False)] = False,
    ) -> None:
        del quiet, verbose

    return tuple(typer.main.get_command(holder).params)


class _ConsoleHandler(logging.Handler):
    """Log messages on the console, as plain lines."""

    def emit(self, record: logging.LogRecord) -> None:
        console.say(f"{record.name}: {self.format(record)}")


@contextmanager
def verbose_log(command: str) -> Iterator[None]:
    """With --verbose: versions first, log messages of level INFO meanwhile, and the time at the end."""
    if not console.verbose:
        yield
        return
    print_line(f"steelsight {__version__}, Python {platform.python_version()}, {platform.platform()}")
    print_line(f"{command}, in {Path.cwd()}")
    root, handler = logging.getLogger(), _ConsoleHandler()
    level, started = root.level, time.monotonic()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        print_line(f"took {time.monotonic() - started:.1f} s")
