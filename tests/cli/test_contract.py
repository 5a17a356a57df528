"""The command line is a stable surface: verbs, their options and defaults are those of `options.json`.

A new verb or option is added to the file on purpose:

    python tests/cli/test_contract.py > tests/cli/options.json
"""

import json
from enum import Enum
from pathlib import Path
from typing import Any

import typer

from steelsight.cli import app

STORED = Path(__file__).parent / "options.json"


def verbs() -> dict[str, Any]:
    """Every verb of the command line by its name, such as `shortcuts find`."""
    found = {}

    def walk(command: Any, path: tuple[str, ...]) -> None:
        if hasattr(command, "commands"):
            for name, sub in command.commands.items():
                walk(sub, (*path, name))
        else:
            found[" ".join(path)] = command

    walk(typer.main.get_command(app), ())
    return found


def describe(command: Any) -> dict[str, dict[str, Any]]:
    """Names, default and kind of each parameter."""
    found = {}
    for each in command.params:
        default = each.default.value if isinstance(each.default, Enum) else each.default
        found[" ".join([*each.opts, *each.secondary_opts])] = {
            "default": str(default) if isinstance(default, Path) else default,
            "required": each.required,
            "repeatable": each.multiple or each.nargs != 1,
        }
    return found


def surface() -> dict[str, Any]:
    """The options of the program, and those of each verb without the two that all have."""
    program = describe(typer.main.get_command(app))
    return {"": program} | {name: describe(command) for name, command in sorted(verbs().items())}


def test_verbs_options_and_defaults_are_the_stored_ones():
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    here = json.loads(json.dumps(surface()))
    assert set(here) == set(stored)
    for verb, parameters in stored.items():
        assert here[verb] == parameters, verb


if __name__ == "__main__":
    typer.echo(json.dumps(surface(), indent=1, sort_keys=True))
