"""The class of commands: what is checked before every verb, and how each verb ends."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from typer.core import TyperCommand

from steelsight.cli.boundary import exit_on_error
from steelsight.cli.console import console
from steelsight.cli.verbosity import output_options, verbose_log
from steelsight.errors import BadInput
from steelsight.runtime.scan.objects.address import SCHEME, is_address

__all__ = ["Verb"]

_OUTPUTS: Final = ("out", "convert")  # parameters that name a folder to write


class Verb(TyperCommand):
    """A verb: its output folders are checked before it works."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The verb's own parameters, and those that every verb has."""
        return [*super().get_params(ctx), *output_options()]

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        show_traceback = bool(ctx.find_root().params.get("show_traceback")) or console.verbose
        options = {flag for parameter in self.params for flag in parameter.opts}
        with (
            exit_on_error(show_traceback=show_traceback, verb=ctx.command_path, options=options),
            verbose_log(ctx.command_path),
        ):
            return self._run(ctx)

    def _run(self, ctx: Any) -> Any:
        from steelsight.files import check_output  # NumPy

        given = ctx.params
        _refuse_addresses(given.values())
        for name in _OUTPUTS:
            value = given.get(name)
            if isinstance(value, Path) or (isinstance(value, str) and not is_address(value)):
                check_output(Path(value))
        run = given.get("run")
        if isinstance(run, Path) and given.get("out") is None and run.is_dir():  # the verb writes into RUN
            advice = "choose another folder with --out" if "out" in given else "change its permissions"
            check_output(run, advice=advice)
        return super().invoke(ctx)


def _refuse_addresses(values: Iterable[Any]) -> None:
    """Refuse object storage where a verb takes a path; addresses are text."""
    for value in values:
        for path in value if isinstance(value, list | tuple) else (value,):
            if isinstance(path, Path) and path.parts[:1] == (SCHEME.rstrip("/"),):
                address = f"{SCHEME}{'/'.join(path.parts[1:])}"[:200]
                raise BadInput(
                    f"{address}: expected a path of this computer; of all verbs `scan` alone reads and "
                    "writes object storage, as SOURCE and --out; copy what is there to a folder first: "
                    f"`aws s3 sync {address} FOLDER`"
                )
