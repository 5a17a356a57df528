"""Which folders Steelsight wrote itself: runs, bundles, scans, reports. Their pictures are no sheets.

Beside the images of a DATA folder such folders are passed over; given in place of one they are refused in
words. A folder of images that also holds a result of ours stays a folder of images.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Final

from steelsight.errors import BadInput
from steelsight.files import RESULT_FILES
from steelsight.reading import parse_object, read_regular
from steelsight.sheets.images.image_file import IMAGE_SUFFIXES

__all__ = ["OwnFolders", "folder_kind"]

RUN: Final = "a RUN folder of Steelsight"
BUNDLE: Final = "a BUNDLE folder of Steelsight"
# A folder is known by its files, all of one entry.
_KINDS: Final = (
    (("card.json", "model.safetensors"), RUN),
    (("card.json", "model.onnx"), BUNDLE),
    (("recipe.json", "metrics.json"), RUN),
    (("recipe.json", "progress.safetensors"), RUN),
    (("scan.json",), "results of a scan"),
)
_EXPLAINED: Final = "explanations.json"
_INNER: Final = re.compile(  # folders that verbs write below a RUN, a scan or a report
    r"figures|explanations|earlier|evaluations|shortcuts|neurons|transplant|verdicts|partitions|heatmaps|methods"
    r"|(layers|robustness|prove)-.+|fold-\d+-\d+"
)
_LEVELS: Final = 4  # how far above a folder the result is looked for: RUN/shortcuts/prove-x/earlier/1


def folder_kind(names: Collection[str]) -> str:
    """What of ours a folder with files of these names is; "" = nothing."""
    kind = next((what for files, what in _KINDS if set(files) <= set(names)), "")
    pages = {name.removesuffix(".html") for name in names if name.endswith(".html")}
    if not kind and any(f"{page}.json" in names for page in pages):
        return "a report of Steelsight"
    return kind


class OwnFolders:
    """Refuses paths of folders that Steelsight wrote; each folder is listed once."""

    def __init__(self, wanted: str, error: type[BadInput]) -> None:
        """Nothing is read yet.

        wanted  what is expected, such as "a DATA folder"
        error   class of the error that `refuse` raises
        """
        self._wanted, self._error = wanted, error
        self._kinds: dict[Path, str] = {}

    def refuse(self, path: Path) -> None:
        """Raise the error where a path is a folder of ours, or lies in one as a part of it.

        A path that cannot be read is left to its reader.
        """
        here = Path(os.path.abspath(path))  # noqa: PTH100  # Path.resolve would follow links
        folder = here if here.is_dir() else here.parent
        kind = self._kind(folder)
        if kind and (_is_result(folder, kind) if folder == here else _wrote(folder, here.name, kind)):
            raise self._refusal(path, kind if folder == here else f"a figure in {kind}")
        for above in (folder, *folder.parents)[1 : _LEVELS + 1]:
            kind = self._kind(above) if _INNER.fullmatch(folder.relative_to(above).parts[0]) else ""
            if kind:
                raise self._refusal(path, f"a part of {above}, {kind}")

    def _kind(self, folder: Path) -> str:
        if folder not in self._kinds:
            self._kinds[folder] = _kind_of(folder)
        return self._kinds[folder]

    def _refusal(self, path: Path, found: str) -> BadInput:
        return self._error(
            f"{path}: expected {self._wanted}, got {found}, whose pictures are no sheets; "
            "give the images of the sheets"
        )


def _kind_of(folder: Path) -> str:
    names = {entry.name for entry in _entries(folder)}
    return folder_kind(names) or ("explanations of a run" if _EXPLAINED in names else "")


def _is_result(folder: Path, kind: str) -> bool:
    """Whether a folder of this kind holds no images but those that were written with it."""
    for entry in _entries(folder):
        if entry.is_dir():
            if not _INNER.fullmatch(entry.name) and _holds_images(Path(entry.path)):
                return False
        elif _is_image(entry.name) and not _wrote(folder, entry.name, kind):
            return False
    return True


def _wrote(folder: Path, name: str, kind: str) -> bool:
    """Whether an image directly in a folder of this kind was written with it."""
    return kind in {RUN, BUNDLE} or name in _listed(folder)


def _listed(folder: Path) -> set[str]:
    """The files that the results in a folder list as theirs."""
    listed: set[str] = set()
    for entry in _entries(folder):
        if entry.name.endswith(".json"):
            try:
                files = parse_object(read_regular(Path(entry.path))).get(RESULT_FILES)
            except (OSError, ValueError):  # no result of ours
                continue
            listed.update(
                name for name in (files if isinstance(files, list) else ()) if isinstance(name, str)
            )
    return listed


def _holds_images(folder: Path) -> bool:
    """Whether a folder holds images of its own, outside folders that Steelsight wrote."""
    for inside, folders, files in os.walk(folder):
        if _kind_of(Path(inside)):
            folders.clear()
        elif any(_is_image(name) for name in files):
            return True
    return False


def _is_image(name: str) -> bool:
    return Path(name).suffix.lower() in IMAGE_SUFFIXES and not name.startswith(".")


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
