"""What every verb shares: where people's lines go, where the JSON line goes, how bad input ends."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from steelsight.errors import BadInput, SteelsightError
from steelsight.files import dump_json

__all__ = [
    "AllowBadOption",
    "GroupsOption",
    "JsonFlag",
    "console",
    "emit_json",
    "exit_on_error",
    "fail",
    "telling",
]

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
GroupsOption = Annotated[
    str | None,
    typer.Option(
        help="What keeps sheets together: column:NAME, frames[:GAP], duplicates, or several joined by +."
    ),
]

AllowBadOption = Annotated[int, typer.Option(min=0, help="Go on without so many bad items.")]

_EXTRAS = dict.fromkeys(
    ("accelerate", "nncf", "onnx", "safetensors", "sklearn", "statsmodels", "torch"), "lab"
)
_EXTRAS |= {"torchvision": "lab", "skimage": "lab", "scipy": "synth"}

console = Console(stderr=True, highlight=False)  # progress and tables; stdout belongs to results


@contextmanager
def telling(first: str) -> Iterator[Callable[[str], None]]:
    """A spinner with what is being done; the function given says the next step, in a log as a line."""
    with console.status(first) as status:

        def say(text: str) -> None:
            status.update(text)
            if not console.is_terminal:  # a log shows no spinner
                console.print(text, markup=False, soft_wrap=True)

        yield say


def emit_json(result: Mapping[str, Any]) -> None:
    """Write one JSON object as one line on stdout; NaN becomes null, because JSON has no NaN."""
    sys.stdout.write(dump_json(result, indent=None))
    sys.stdout.flush()


def fail(error: SteelsightError) -> NoReturn:
    """Print the message on stderr and leave with exit code 2 for bad input, 1 for anything else."""
    console.print(f"[bold red]error[/] {type(error).__name__}:", end=" ")
    console.print(str(error), markup=False, soft_wrap=True)
    raise typer.Exit(2 if isinstance(error, BadInput) else 1)


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Turn the package's own errors into a message and an exit code; let surprises keep their traceback."""
    try:
        yield
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        fail(BadInput(f"{error.name} is not installed, and this needs it; pip install 'steelsight[{extra}]'"))
    except SteelsightError as error:
        fail(error)
