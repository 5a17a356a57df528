"""Finds the RUN folders below a folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from steelsight.errors import BadInput
from steelsight.runs.folders.read import FOLDS, RunFolder, read_run_folder

__all__ = ["RunFolders", "check_run_folder", "find_run_folders"]


@dataclass(frozen=True)
class RunFolders:
    """The RUN folders below a folder."""

    root: Path
    runs: tuple[RunFolder, ...]  # the newest first
    unreadable: tuple[str, ...]  # folders that could not be looked into, with the reason

    def as_dict(self) -> dict[str, Any]:
        """All of it, in JSON's types."""
        return {
            "folder": str(self.root),
            "runs": [each.as_dict() for each in self.runs],
            "unreadable": list(self.unreadable),
        }


def find_run_folders(root: Path) -> RunFolders:
    """Look for RUN folders in a folder and all below it, links and hidden folders left out.

    raises  BadInput where it is no folder
    """
    if not root.is_dir():
        found = "a file" if root.exists() else "none"
        raise BadInput(f"{root}: expected a folder to look for RUN folders in, found {found}; check the path")
    runs: list[RunFolder] = []
    unreadable: list[str] = []
    for place, names, _ in os.walk(root, onerror=lambda error: unreadable.append(_why(error))):
        names[:] = sorted(name for name in names if not name.startswith("."))
        try:
            run = read_run_folder(Path(place))
        except OSError as error:
            unreadable.append(_why(error))
            continue
        if run is not None:
            runs.append(run)
            if run.folds:  # shown as one
                names[:] = [name for name in names if not fnmatch(name, FOLDS)]
    runs.sort(key=lambda run: run.changed, reverse=True)
    return RunFolders(root, tuple(runs), tuple(unreadable))


def check_run_folder(folder: Path) -> RunFolder:
    """What a RUN folder says of itself; raises BadInput where the folder is none."""
    run = read_run_folder(folder) if folder.is_dir() else None
    if run is None:
        found = "another folder" if folder.is_dir() else "a file" if folder.exists() else "none"
        raise BadInput(
            f"{folder}: expected a RUN folder as `steelsight train` writes it, found {found}; "
            "`steelsight runs list FOLDER` lists those below a folder"
        )
    return run


def _why(error: OSError) -> str:
    return f"{error.filename}: {error.strerror or error}"
