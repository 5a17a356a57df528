"""The boundary of the command line: whatever a verb raises becomes one line on stderr and an exit code.

2    bad input: Steelsight's own BadInput, a path or a text file that cannot be used
1    anything else; of an unexpected error a report with its traceback is written
130  Ctrl-C
141  the reader of the output has gone, as in `steelsight ... | head`; nothing is printed
"""

from __future__ import annotations

import errno
import io
import os
import platform
import re
import select
import shlex
import sys
import tempfile
import time
import traceback
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, TextIO

import typer
from rich.text import Text

from steelsight.cli.console import console, print_line
from steelsight.errors import BadInput, SteelsightError, is_out_of_memory
from steelsight.names import SHOWN, shown_name
from steelsight.version import __version__

__all__ = ["BROKEN_PIPE", "INTERRUPTED", "exit_on_error", "flush_output", "open_streams", "show_names"]

INTERRUPTED: Final = 130  # as shells report Ctrl-C
BROKEN_PIPE: Final = 141  # as shells report SIGPIPE

_PATH_ERRORS: Final = {  # errno of a path that cannot be used, with advice
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "a part of this path is a file; choose another path",
    errno.EISDIR: "expected a file",
    errno.EEXIST: "choose another path",
    errno.EACCES: "change its permissions or choose another path",
    errno.EPERM: "change its permissions or choose another path",
    errno.EROFS: "choose another path",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "it is a link to itself; choose another path",
}
_OF_DATA: Final = ("--bits", "--defect-free", "--layout", "--masks")  # options that say what a DATA folder is
_EXTRAS: Final = {
    **dict.fromkeys(("accelerate", "nncf", "onnx", "safetensors", "sklearn", "statsmodels", "torch"), "lab"),
    **{"torchvision": "lab", "skimage": "lab", "scipy": "synth", "cryptography": "sign"},
    **dict.fromkeys(("aiomqtt", "alembic", "argon2", "authlib", "fastapi", "httptools", "httpx"), "serve"),
    **dict.fromkeys(("joserfc", "pg8000", "prometheus_client", "pydantic_settings"), "serve"),
    **{"ray": "cluster", "boto3": "s3", "botocore": "s3"},
    **dict.fromkeys(("python_multipart", "rfc8785", "sqlalchemy", "uvicorn", "uvloop"), "serve"),
}
_OF_ADAPT: Final = ("onnx", "scipy", "skimage", "sklearn")  # others of the lab need them too
_ADAPTING: Final = ("adapt", "gate", "reviews")  # verbs that need them and not the lab


@dataclass(frozen=True)
class _Ending:
    """How a verb ends: what is printed, and its exit code."""

    text: str
    code: int
    unexpected: bool = False  # a report is written


@contextmanager
def exit_on_error(
    *, show_traceback: bool = False, verb: str = "", options: Collection[str] = ()
) -> Iterator[None]:
    """Turn every error into one line and an exit code.

    show_traceback  print the traceback before that line, instead of writing a report
    verb            the command that runs, and its options: where a message names one of `data` that it
                    lacks, the line says how to use it all the same
    raises          typer.Exit
    """
    try:
        yield
    except KeyboardInterrupt:
        _end(_Ending("interrupted; every file written so far is complete", INTERRUPTED))
    except Exception as error:
        if isinstance(error, typer.Exit | typer.Abort) or hasattr(error, "format_message"):
            raise  # the parser's own
        if isinstance(error, BrokenPipeError) and _reader_gone():
            _silence_output()
            raise typer.Exit(BROKEN_PIPE) from None
        _end(_ending_of(error, verb, options), error, show_traceback=show_traceback)


def _end(ending: _Ending, error: Exception | None = None, *, show_traceback: bool = False) -> NoReturn:
    text = ending.text
    console.quiet = False  # errors are printed in any case
    try:
        if error is not None and show_traceback:
            print_line("".join(traceback.format_exception(error)).rstrip())
        elif error is not None and ending.unexpected:
            text += f"; {_report(error)}"
        if error is not None:
            console.print(Text("error", style="bold red"), f"{type(error).__name__}:", end=" ")
        print_line(" ".join(text.split()))
    except BrokenPipeError:
        _silence_output()
    except OSError:  # stderr itself cannot be written; the exit code still says it
        _discard(sys.stderr)
    raise typer.Exit(ending.code) from None


def _ending_of(error: Exception, verb: str = "", options: Collection[str] = ()) -> _Ending:
    if isinstance(error, ModuleNotFoundError) and (extra := _extra(error, verb)):
        return _Ending(
            f"{error.name} is not installed, and this needs it; pip install 'steelsight[{extra}]'", 2
        )
    if isinstance(error, SteelsightError):
        return _Ending(_reachable(str(error), verb, options), 2 if isinstance(error, BadInput) else 1)
    if is_out_of_memory(error):
        return _Ending("not enough memory; close other programs, or use fewer sheets or smaller ones", 1)
    if isinstance(error, OSError):
        return _Ending(_os_text(error), 2 if error.errno in _PATH_ERRORS else 1)
    if isinstance(error, UnicodeError):
        return _Ending(f"expected text or a name in UTF-8, got {error}", 2, unexpected=True)
    return _Ending(str(error) or "no message", 1, unexpected=True)


def _reachable(text: str, verb: str, own: Collection[str]) -> str:
    """A message, and where the verb lacks an option of `data` that it names, how to use it all the same.

    Many verbs read DATA, and not all of them have the options that say what a folder is.
    """
    named = {flag for flag in _OF_DATA if re.search(rf"{flag}(?![\w-])", text)}
    missing = sorted(named - set(own))
    if not verb or not missing:
        return text
    return (
        f"{text}; `{verb}` has no {' and no '.join(missing)}: write the folder anew with "
        f"`steelsight data DATA {missing[0]} ... --convert OUT` and use OUT"
    )


def _package(error: ModuleNotFoundError) -> str:
    return (error.name or "").partition(".")[0]


def _extra(error: ModuleNotFoundError, verb: str) -> str | None:
    """The extra that brings a package which a verb needs; None = none does."""
    package = _package(error)
    own = verb.split()[1:2]
    return "adapt" if own and own[0] in _ADAPTING and package in _OF_ADAPT else _EXTRAS.get(package)


def _os_text(error: OSError) -> str:
    what = error.strerror or str(error) or type(error).__name__
    paths = [os.fsdecode(path) for path in (error.filename, error.filename2) if isinstance(path, str | bytes)]
    default = "free space, or choose another disk" if error.errno == errno.ENOSPC else ""
    advice = _PATH_ERRORS.get(error.errno or 0, default)
    return " and ".join(paths) + ": " * bool(paths) + what + "; " * bool(advice) + advice


def _report(error: Exception) -> str:
    """Write the report of an unexpected error; words that say where it is."""
    name = f"steelsight-error-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    text = (
        f"steelsight {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"command: {shlex.join(sys.argv)}\n\n" + "".join(traceback.format_exception(error))
    )
    for folder in (Path(), Path(tempfile.gettempdir())):
        with suppress(OSError):
            (folder / name).write_text(shown_name(text), encoding="utf-8")
            return f"this is unexpected: please report it with {folder / name}"
    return "this is unexpected: see the traceback with `steelsight --traceback`"


def show_names() -> None:
    """Write text that a stream's encoding lacks as `shown_name` writes it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=SHOWN)


def flush_output() -> int:
    """Flush what is still to be written.

    returns  0; BROKEN_PIPE where the reader has gone, 1 where it cannot be written, which one line says
    """
    code = 0
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except BrokenPipeError:
            _silence_output()
            return BROKEN_PIPE
        except OSError as error:
            _discard(stream)
            code = 1
            if stream is sys.stdout:
                print_line(f"error OSError: standard output: {_os_text(error)}")
    return code


def open_streams() -> None:
    """Open what the caller has closed of stdin, stdout and stderr on nothing.

    Otherwise the first files that are opened get these numbers, and what is printed goes into them.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free


def _discard(stream: TextIO) -> None:
    """Send what a stream still holds nowhere."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    with suppress(OSError, ValueError, AttributeError):  # no file behind it
        os.dup2(devnull, stream.fileno())
        stream.flush()
    os.close(devnull)


def _silence_output() -> None:
    """Send what is still to be written nowhere, so that nothing fails on it when Python ends."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # no file behind it
            if not _is_open(stream.fileno()):
                os.dup2(devnull, stream.fileno())
    os.close(devnull)


def _reader_gone() -> bool:
    """Whether the reader of stdout or stderr has gone; a pipe to a worker process breaks too."""
    for stream in (sys.stdout, sys.stderr):
        try:
            number = stream.fileno()
        except (OSError, ValueError, AttributeError):
            return True  # not a file: it cannot be known
        if not _is_open(number):
            return True
    return False


def _is_open(number: int) -> bool:
    if not hasattr(select, "poll"):
        return False
    poll: Any = select.poll()
    poll.register(number, select.POLLOUT)
    return not any(event & (select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0))
