"""The classes of commands: what is checked before every verb, and how each verb ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from typer.core import TyperCommand, TyperGroup

from steelsight.cli.boundary import exit_on_error, show_names
from steelsight.files import check_output

__all__ = ["Verb", "Verbs"]

_OUTPUTS: Final = ("out", "convert")  # parameters that name a folder to write


class Verb(TyperCommand):
    """A verb: its output folders are checked before it works."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        show_traceback = bool(ctx.find_root().params.get("show_traceback"))
        options = {flag for parameter in self.params for flag in parameter.opts}
        with exit_on_error(show_traceback=show_traceback, verb=ctx.command_path, options=options):
            return self._run(ctx)

    def _run(self, ctx: Any) -> Any:
        given = ctx.params
        for name in _OUTPUTS:
            if isinstance(given.get(name), Path):
                check_output(given[name])
        run = given.get("run")
        if isinstance(run, Path) and given.get("out") is None and run.is_dir():  # the verb writes into RUN
            advice = "choose another folder with --out" if "out" in given else "change its permissions"
            check_output(run, advice=advice)
        return super().invoke(ctx)


class Verbs(TyperGroup):
    """All verbs: every error ends as one line and an exit code."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Parse the arguments; a name that is no text is shown with escapes."""
        show_names()
        with exit_on_error():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        with exit_on_error(show_traceback=bool(ctx.params.get("show_traceback"))):
            return super().invoke(ctx)
