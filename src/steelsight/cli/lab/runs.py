"""`steelsight runs list|show|rm`: RUN folders, what they hold, and their removal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from steelsight.cli.console import JsonFlag, emit_json, print_line
from steelsight.cli.verb import Verb
from steelsight.errors import BadInput
from steelsight.names import on_one_line, shown_name

if TYPE_CHECKING:
    from steelsight.runs.folders.read import RunFolder
    from steelsight.runs.folders.remove import RunRemoval
    from steelsight.types import Interval

__all__ = ["runs"]

runs = typer.Typer(name="runs", help="List, show and remove RUN folders.", no_args_is_help=True)

HEADINGS: Final = ("FOLDER", "STATE", "CHANGED (UTC)", "TASK", "DATA", "NETWORK", "ACCURACY", "AUC")
RunsArgument = Annotated[list[Path], typer.Argument(help="RUN folders to remove.", metavar="RUN...")]


@runs.command("list", cls=Verb)
def list_(
    folder: Annotated[
        Path, typer.Argument(help="Folder to look in, and in all below it.", metavar="FOLDER")
    ] = Path(),
    as_json: JsonFlag = False,
) -> None:
    """List the RUN folders below a folder, the newest first: state, task, data, figures on test sheets.

    A cross-validation is one line. States: finished; resumable, where the command that began it goes on; and
    incomplete, where it can only start over.
    """
    from steelsight.api.lab.stored_runs import list_runs

    found = list_runs(folder)
    for reason in found.unreadable:
        print_line(f"not looked into: {reason}")
    if as_json:
        emit_json(found.as_dict())
        return
    if not found.folders:
        print_line(f"no RUN folder in {folder} or below")
        return
    _echo_table([HEADINGS, *(_row(each, folder) for each in found.found.runs)])


@runs.command("show", cls=Verb)
def show(
    folder: Annotated[Path, typer.Argument(help="RUN folder to show.", metavar="RUN")],
    as_json: JsonFlag = False,
) -> None:
    """Show what a RUN folder holds: its training, data, classes and figures with intervals."""
    from steelsight.api.lab.stored_runs import show_run

    shown = show_run(folder)
    if as_json:
        emit_json(shown.as_dict())
        return
    _echo_table(list(_facts(shown.run).items()))


@runs.command("rm", cls=Verb)
def rm(
    folders: RunsArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Remove RUN folders with all that lies in them, after a question; other folders are refused."""
    from steelsight.api.lab.stored_runs import check_removable, remove_run

    chosen = [check_removable(each) for each in _deepest_first(folders)]  # all, before the first is removed
    for each in chosen:
        print_line(f"to remove: {_contents(each)}")
    if not yes and not _confirmed(len(chosen)):
        print_line("nothing was removed")
        chosen = []
    for each in chosen:
        remove_run(each)
        print_line(f"removed: {each.run.folder}")
    if as_json:
        emit_json({"removed": [str(each.run.folder) for each in chosen]})


def _deepest_first(folders: Iterable[Path]) -> list[Path]:
    """Each folder once, and those in another one before it: with that one they would be gone."""
    places = {folder.resolve(): folder for folder in folders}
    outer = {place: sum(place.is_relative_to(other) for other in places) for place in places}
    return [places[place] for place in sorted(places, key=lambda each: -outer[each])]


def _confirmed(count: int) -> bool:
    try:
        return typer.confirm(f"Remove {count} RUN folder{'s' * (count > 1)}?", err=True)
    except typer.Abort:
        raise BadInput(
            "nothing was removed: expected the answer y or n, got none; give --yes where nobody can answer"
        ) from None


def _contents(removal: RunRemoval) -> str:
    run = removal.run
    figures = f", accuracy {_figure(run.figures, 'accuracy')}" if "accuracy" in run.figures else ""
    nested = f", and {len(removal.others)} RUN folders in it" if removal.others else ""
    size = f"{removal.files} files, {removal.bytes / 1e6:.1f} MB"
    return f"{run.folder} ({_state(run)}{figures}): {size}{nested}"


def _state(run: RunFolder) -> str:
    if run.folds:
        return f"{run.state}, {run.folds} folds"
    if run.state == "resumable" and run.epochs is not None:
        return f"{run.state} after epoch {run.epochs}"
    return run.state


def _row(run: RunFolder, root: Path) -> tuple[str, ...]:
    place = run.folder.relative_to(root) if run.folder != root else run.folder
    accuracy = _figure(run.figures, "accuracy", "all_types_right")
    auc = _figure(run.figures, "auc", "mean_auc")
    when = f"{run.changed:%Y-%m-%d %H:%M}"
    return (str(place), _state(run), when, run.task, run.data, run.network, accuracy, auc)


def _facts(run: RunFolder) -> dict[str, str]:
    """What is shown of one run, by name; what is not known is left out."""
    facts = {
        "folder": str(run.folder),
        "state": _state(run),
        "problem": run.problem,
        "changed": f"{run.changed:%Y-%m-%d %H:%M} UTC",
        "task": run.task,
        "classes": ", ".join(run.class_names),
        "network": run.network,
        "data": run.data + (f", {run.sheets:,} sheets" if run.sheets else ""),
        "parts": ", ".join(f"{count:,} {part}" for part, count in run.parts.items()),
        "seed": "" if run.seed is None else str(run.seed),
        "epochs": "" if run.epochs is None else str(run.epochs),
        "best epoch": "" if run.best_epoch is None else str(run.best_epoch),
        "threshold": "" if run.threshold is None else f"{run.threshold:g}",
        **{_words(name): _figure(run.figures, name) for name in run.figures},
        **{f"{_words(name)}, with noise": _figure(run.noisy_figures, name) for name in run.noisy_figures},
        "written by": f"steelsight {run.version}" if run.version else "",
    }
    notes = {f"note {number}": text for number, text in enumerate(run.notes, 1)}
    return {name: value for name, value in {**facts, **notes}.items() if value}


def _words(name: str) -> str:
    return name.replace("_", " ").replace("auc", "AUC").replace("f1", "F1")


def _figure(figures: Mapping[str, Interval], *names: str) -> str:
    """The first of these figures that a run has, with its interval; empty without."""
    from steelsight.reports.cells import cell_text

    return next((cell_text(figures[name]) for name in names if name in figures), "")


def _echo_table(rows: list[tuple[str, ...]]) -> None:
    """Write rows in columns on standard output, for a reader or another program."""
    shown = [[on_one_line(shown_name(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        typer.echo(_line(zip(row, widths, strict=True)))


def _line(cells: Iterable[tuple[str, int]]) -> str:
    return "  ".join(f"{cell or '-':<{width}}" for cell, width in cells).rstrip()
