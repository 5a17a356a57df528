"""The group of all verbs: help and completion list them without importing them; every error is one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from typer.core import TyperGroup

from steelsight.cli.boundary import exit_on_error, show_names
from steelsight.cli.verbs import VERBS, LazyVerbs

__all__ = ["Verbs"]


class Verbs(TyperGroup):
    """All verbs: every error ends as one line and an exit code."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._verbs = LazyVerbs(VERBS)
        self.commands: Any = self._verbs
        self._brief = False

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  as Typer calls it
        """The names of the verbs in the order of the help."""
        return list(self._verbs)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  as Typer calls it
        """The command of a name, None where there is none; in lists of verbs with its summary alone."""
        return self._verbs.brief(cmd_name) if self._brief else self._verbs.get(cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help, by users of the verbs."""
        with self._summaries():
            super().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """The verbs and options that begin so, for completion."""
        with self._summaries():
            return super().shell_complete(ctx, incomplete)

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Parse the arguments; a name that is no text is shown with escapes."""
        show_names()
        with exit_on_error():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        with exit_on_error(show_traceback=bool(ctx.params.get("show_traceback"))):
            return super().invoke(ctx)

    @contextmanager
    def _summaries(self) -> Iterator[None]:
        """Take the commands from the table inside the `with`."""
        self._brief = True
        try:
            yield
        finally:
            self._brief = False
