"""`ss.list_runs`, `ss.show_run` and `ss.remove_run`: RUN folders on this computer. No model is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from steelsight.argument_types import checked

if TYPE_CHECKING:
    from steelsight.api.results.stored_runs import RunList, StoredRun
    from steelsight.runs.folders.remove import RunRemoval

__all__ = ["check_removable", "list_runs", "remove_run", "show_run"]


@checked
def list_runs(folder: Path | str = ".") -> RunList:
    """Find the RUN folders in a folder and all below it: state, task, data, figures on test sheets.

    Links and hidden folders are left out; a cross-validation is one entry. States: finished; resumable, where
    the call that began it goes on; and incomplete, where it can only start over.

    raises  BadInput where `folder` is none
    """
    from steelsight.api.results.stored_runs import RunList
    from steelsight.runs.folders.find import find_run_folders

    return RunList(find_run_folders(Path(folder)))


@checked
def show_run(folder: Path | str) -> StoredRun:
    """Read what a RUN folder says of itself, also where its training is not finished; `open_run` opens it.

    raises  BadInput where it is no RUN folder
    """
    from steelsight.api.results.stored_runs import StoredRun
    from steelsight.runs.folders.find import check_run_folder

    return StoredRun(check_run_folder(Path(folder)))


@checked
def check_removable(folder: Path | str) -> RunRemoval:
    """Look at what `remove_run` would remove, and remove nothing.

    returns  the run, the number and the bytes of the files, and further RUN folders inside
    raises   BadInput where it is no RUN folder, a link to one, or holds the folder this process works in
    """
    from steelsight.runs.folders.remove import check_removable as check

    return check(Path(folder))


@checked
def remove_run(folder: RunRemoval | Path | str) -> RunRemoval:
    """Remove a RUN folder with all that lies in it, without a question; other folders are refused.

    folder   its path, or what `check_removable` returned
    returns  what was removed, as `check_removable`
    raises   BadInput as `check_removable`; BadOutput where it could not be removed
    """
    from steelsight.runs.folders.remove import remove_run_folder

    removal = check_removable(folder) if isinstance(folder, Path | str) else folder
    remove_run_folder(removal.run.folder)
    return removal
