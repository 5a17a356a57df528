"""Pages of the command line, from the Typer application: every verb with arguments, options and defaults."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

import typer
from site_text import NOTICE, anchor, code, escape, first_sentence, paragraphs, table

__all__ = ["cli_pages", "verbs"]

FOLDER: Final = "reference/cli"
# The folders of steelsight.cli, in the order of the work.
ROOMS: Final = {
    "data": "Data and generated sheets",
    "lab": "Training and evaluation",
    "explain": "Explanations and the inside of a network",
    "shortcuts": "Shortcuts",
    "plant": "Bundles, scans and the gate",
    "service": "The line, the ledger and the service",
    "study": "The study",
}
KINDS: Final = {int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH"}
INTRODUCTION: Final = """# Command line

{notice}
Every verb has `--help`. With `--json` it prints one JSON object as its last line. Options of the program
itself stand before the verb: `steelsight --traceback train DATA --out run`.

| exit code | means |
|---|---|
| 0 | done |
| 1 | done, and the answer is no (a gate, a ledger that does not verify), or an error not of the input |
| 2 | the input cannot be used; the last line says what to do ([messages](../errors.md)) |
| 130 | stopped by Ctrl-C; every file written so far is complete |

"""


def verbs() -> dict[str, Any]:
    """Every verb of the command line by its name, such as `shortcuts find`, in the order of the help."""
    from steelsight.cli import app

    found: dict[str, Any] = {}

    def walk(command: Any, path: tuple[str, ...]) -> None:
        if hasattr(command, "commands"):
            for name, sub in command.commands.items():
                walk(sub, (*path, name))
        else:
            found[" ".join(path)] = command

    walk(typer.main.get_command(app), ())
    return found


def cli_pages() -> dict[str, str]:
    """Path and text of each page: one for each folder of `steelsight.cli`, and an overview."""
    by_room: dict[str, dict[str, Any]] = {room: {} for room in ROOMS}
    for name, command in verbs().items():
        by_room.setdefault(_room(command), {})[name] = command
    pages = {f"{FOLDER}/index.md": _overview(by_room)}
    for room, commands in by_room.items():
        text = f"# {_title(room)}\n\n{NOTICE}\n"
        text += "\n".join(_verb(name, command) for name, command in commands.items())
        pages[f"{FOLDER}/{room}.md"] = text
    return pages


def _title(room: str) -> str:
    return ROOMS.get(room, room.capitalize())


def _room(command: Any) -> str:
    """The folder, or the file, of `steelsight.cli` that a verb is in."""
    return str(inspect.unwrap(command.callback).__module__).split(".")[2]


def _overview(by_room: dict[str, dict[str, Any]]) -> str:
    text = INTRODUCTION.format(notice=NOTICE)
    for room, commands in by_room.items():
        rows = [
            (f"[`{name}`]({room}.md#{anchor(name)})", first_sentence(command.help or ""))
            for name, command in commands.items()
        ]
        text += f"## {_title(room)}\n\n{table(('verb', 'what it does'), rows)}\n"
    return text


def _verb(name: str, command: Any) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    usage = " ".join(
        ["steelsight", name, *map(_usage, arguments), *map(_usage, _needed(options)), "[OPTIONS]"]
    )
    text = f"## steelsight {name} {{#{anchor(name)}}}\n\n"
    text += f"```text\n{usage}\n```\n\n{paragraphs(inspect.cleandoc(command.help or ''))}\n"
    text += (
        table(("argument", "what it is"), [(code(_metavar(each)), _help(each)) for each in arguments]) + "\n"
    )
    rows = [(_flags(each), _default(each), _help(each)) for each in options]
    return text + table(("option", "default", "what it does"), rows)


def _needed(options: list[Any]) -> Iterator[Any]:
    return (each for each in options if each.required)


def _usage(parameter: Any) -> str:
    name = _metavar(parameter)
    if parameter.param_type_name == "option":
        return f"{parameter.opts[0]} {name}"
    several = f"{name}..." if parameter.nargs != 1 else name
    return several if parameter.required else f"[{several}]"


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper().replace("_", "-"))


def _flags(parameter: Any) -> str:
    flags = " ".join(code(flag) for flag in [*parameter.opts, *parameter.secondary_opts])
    return flags if getattr(parameter, "is_flag", False) else f"{flags} {code(_value(parameter))}"


def _value(parameter: Any) -> str:
    """What an option takes: its choices, or a word for its kind."""
    kind = parameter.type_descriptor.annotation
    while get_origin(kind) in (list, Union, UnionType):
        kind = next(each for each in get_args(kind) if each is not NoneType)
    if get_origin(kind) is Literal:
        return "|".join(map(str, get_args(kind)))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(str(each.value) for each in kind)
    return str(parameter.metavar or KINDS.get(kind, "VALUE"))


def _default(parameter: Any) -> str:
    value = parameter.default.value if isinstance(parameter.default, Enum) else parameter.default
    if parameter.required:
        return "required"
    if value is None or value in ((), [], "") or callable(value):
        return ""
    if isinstance(value, bool):
        return ("on" if value else "off") if parameter.secondary_opts else ""
    shown = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return code(Path(shown).as_posix() if isinstance(value, Path) else shown)


def _help(parameter: Any) -> str:
    notes = [escape((parameter.help or "").replace("\\[", "["))]  # escaped for Rich
    bounds = {"at least": parameter.min, "at most": parameter.max}
    given = [f"{words} {value:g}" for words, value in bounds.items() if value is not None]
    if given:
        notes.append(f"*{', '.join(given)}*")
    if parameter.param_type_name == "option" and parameter.multiple and "repeatable" not in notes[0]:
        notes.append("*may be given several times*")
    if parameter.envvar:
        names = parameter.envvar if isinstance(parameter.envvar, list | tuple) else [parameter.envvar]
        notes.append(f"*environment:* {' '.join(map(code, names))}")
    return " ".join(notes)
