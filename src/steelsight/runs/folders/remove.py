"""Removes RUN folders; nothing else can be removed by it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from steelsight.errors import BadInput, BadOutput
from steelsight.runs.folders.find import check_run_folder, find_run_folders
from steelsight.runs.folders.read import RunFolder

__all__ = ["RunRemoval", "check_removable", "remove_run_folder"]


@dataclass(frozen=True)
class RunRemoval:
    """A RUN folder that may be removed, and what goes with it."""

    run: RunFolder
    files: int  # in it and in the folders below
    bytes: int
    others: tuple[Path, ...]  # further RUN folders below it

    def __str__(self) -> str:
        inside = f", and {len(self.others)} RUN folders in it" if self.others else ""
        return f"{self.run.folder}: {self.run.state}, {self.files} files, {self.bytes / 1e6:.1f} MB{inside}"


def check_removable(folder: Path) -> RunRemoval:
    """Look at a folder that is to be removed, without removing it.

    raises  BadInput where it is no RUN folder, a link to one, or holds the folder this process works in
    """
    if folder.is_symlink():
        raise BadInput(f"{folder}: expected a RUN folder, got a link; name the folder that it leads to")
    run = check_run_folder(folder)
    if Path.cwd().is_relative_to(folder.resolve()):
        raise BadInput(
            f"{folder}: holds the folder in which this command runs; nothing was removed; leave it first"
        )
    sizes = [
        os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118  os.walk gives text
        for place, _, names in os.walk(folder)
        for name in names
    ]
    others = tuple(each.folder for each in find_run_folders(folder).runs if each.folder != folder)
    return RunRemoval(run, len(sizes), sum(sizes), others)


def remove_run_folder(folder: Path) -> None:
    """Remove a RUN folder that was checked.

    It is renamed first, so that no half of it is ever taken for a run.

    raises  BadOutput where it cannot be renamed, and then stays as it is, or not be removed wholly
    """
    doomed = folder.resolve().with_name(f".{folder.resolve().name[:200]}.removed-{os.getpid()}")
    try:
        folder.rename(doomed)
    except OSError as error:
        raise BadOutput(
            f"{folder}: could not be removed ({error.strerror or error}) and is unchanged; change the "
            f"permissions of {folder.resolve().parent}"
        ) from error
    try:
        shutil.rmtree(doomed)
    except OSError as error:
        raise BadOutput(
            f"{doomed}: was {folder}, and could not be removed wholly ({error.strerror or error}); remove "
            "the rest by hand"
        ) from error
