"""Write files atomically: after a crash or on a full disk a file is either complete or unchanged."""

from __future__ import annotations

import ctypes
import errno
import io
import json
import os
import stat
import threading
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from steelsight.errors import BadOutput
from steelsight.names import short_name, shown_name
from steelsight.plain import plain
from steelsight.reading import inside, parse_object, read_regular

__all__ = [
    "EARLIER",
    "NAME_BYTES",
    "PARTIAL",
    "RESULT_FILES",
    "EarlierResult",
    "add_files",
    "check_output",
    "dump_json",
    "keep_earlier",
    "pack_arrays",
    "refuse_output",
    "replace_file",
    "replace_files",
    "replace_folder",
    "replace_through",
    "sync_folder",
    "take_lock",
    "write_json",
    "write_synced",
]

EARLIER: Final = "earlier"  # folder of earlier results, beside the newest
NAME_BYTES: Final = 255  # longest name of a file on common file systems
RESULT_FILES: Final = "result_files"  # key of a result's JSON: its files, relative to its folder
PARTIAL: Final = ".part"  # suffix of a file being written; those of an ended process may be removed
_HERE: Final = -100  # AT_FDCWD: relative paths are of the working folder
_EXCHANGE: Final = 2  # RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS

ADVICE: Final = "free space or choose another --out, and run the same command again"


def replace_file(
    path: Path, content: bytes | str | Callable[[BinaryIO], object], *, advice: str = ADVICE
) -> None:
    """Write beside `path`, sync, rename, sync the folder; missing folders are created.

    content  bytes, text as `shown_name` writes it in UTF-8, or a function that fills the open file
    advice   end of the message: what to do where writing fails
    raises   BadOutput where writing fails; an earlier file stays unchanged
    """
    replace_files({path: content}, advice=advice)


def replace_files(
    contents: Mapping[Path, bytes | str | Callable[[BinaryIO], object]], *, advice: str = ADVICE
) -> None:
    """As `replace_file` for files that belong together: none is replaced before all are on the disk."""

    def filler(content: bytes | str | Callable[[BinaryIO], object]) -> Callable[[Path], None]:
        def fill(partial: Path) -> None:
            with partial.open("wb") as file:
                if isinstance(content, str):
                    file.write(shown_name(content).encode())
                elif isinstance(content, bytes):
                    file.write(content)
                else:
                    content(file)

        return fill

    _replace({path: filler(content) for path, content in contents.items()}, advice)


def replace_through(path: Path, write: Callable[[Path], object], *, advice: str = ADVICE) -> None:
    """As `replace_file`, for a library that writes to a path: `write` receives the path to write to."""
    _replace({path: write}, advice)


def _replace(writers: Mapping[Path, Callable[[Path], object]], advice: str) -> None:
    """Write every file beside its path, then rename all of them."""
    partials: list[tuple[Path, Path]] = []
    path = Path()
    try:
        try:
            for path, write in writers.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                partials.append((path.with_name(_partial_name(path.name)), path))
                write(partials[-1][0])
                _sync(partials[-1][0])
            for partial, path in partials:
                partial.replace(path)
        except BaseException:  # also after an interrupt
            for partial, _ in partials:
                partial.unlink(missing_ok=True)
            raise
        for folder in {path.parent for path in writers}:
            sync_folder(folder)
    except OSError as error:
        raise refuse_output(path, error, advice=advice) from error


def replace_folder(new: Path, out: Path) -> None:
    """Put a complete folder in the place of another in one step: after a kill, OUT is the old one or the new.

    new     beside OUT, its files on the disk; afterwards it is the old folder, or gone where there was none
    raises  OSError, also where the file system cannot exchange two folders; OUT is then unchanged
    """
    if out.is_dir() and any(out.iterdir()):
        _exchange(new, out)
    else:
        new.rename(out)
    sync_folder(out.parent)


def _exchange(one: Path, other: Path) -> None:
    """Exchange two folders by one call of the system: renameat2 of Linux, renamex_np of macOS."""
    system: Any = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None
    first, second = os.fsencode(one), os.fsencode(other)
    if hasattr(system, "renameat2"):
        failed = system.renameat2(_HERE, first, _HERE, second, _EXCHANGE)
    elif hasattr(system, "renamex_np"):
        failed = system.renamex_np(first, second, _EXCHANGE)
    else:
        raise OSError(errno.ENOTSUP, "this system cannot exchange two folders in one step")
    if failed:
        number = ctypes.get_errno()
        if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
            raise OSError(number, "this file system cannot exchange two folders in one step")
        raise OSError(number, os.strerror(number), str(other))


def _partial_name(name: str) -> str:
    """The name of a file while a thread writes it, within the 255 bytes that file systems allow."""
    end = f".{os.getpid()}-{threading.get_native_id()}{PARTIAL}"
    return short_name(name, NAME_BYTES - len(end)) + end


def dump_json(value: Any, *, indent: int | None = 2) -> str:
    """One JSON document with a line end; NaN and infinity are written as null, because JSON has neither."""
    return json.dumps(plain(value), indent=indent, allow_nan=False) + "\n"


def write_json(path: Path, value: Any) -> None:
    """One readable JSON document, as `dump_json` writes it, by `replace_file`."""
    replace_file(path, dump_json(value))


def check_output(folder: Path, *, advice: str = "choose another folder") -> None:
    """Refuse a folder that cannot be written, before any work is done for it; nothing is created.

    advice  end of the message: what to do
    raises  BadOutput where the folder or one above it is a file or write-protected, or a name is too long
    """
    for path in (folder, *folder.parents):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        except NotADirectoryError:  # the file itself is one of the parents
            continue
        except OSError as error:
            raise BadOutput(f"{folder}: cannot be written ({error.strerror or error}); {advice}") from error
        if not stat.S_ISDIR(status.st_mode):
            raise BadOutput(f"{folder}: expected a folder to write, but {path} is a file; {advice}")
        if not os.access(path, os.W_OK | os.X_OK):
            raise BadOutput(f"{folder}: expected a folder to write, but {path} is write-protected; {advice}")
        return


def refuse_output(path: Path, error: OSError, *, advice: str = ADVICE) -> BadOutput:
    """The error for a path that cannot be written."""
    return BadOutput(
        f"{path}: could not be written ({error.strerror or error}); an earlier file is unchanged; {advice}"
    )


class EarlierResult:
    """What a folder holds of an earlier result; its files are kept where the new result has other settings.

    The earlier result's JSON says how it was made (`settings`) and which files belong to it (`result_files`).
    They move to FOLDER/earlier/1, 2, ... with it; the newest result is always in FOLDER itself, where pages
    link to it and other verbs read it. A result of the same settings is replaced.
    """

    def __init__(self, folder: Path, numbers: str, settings: Mapping[str, Any]) -> None:
        """Compare an earlier result with a new one, and keep it where they differ; raises BadOutput.

        folder    of both
        numbers   name of the JSON file with a result's `settings` and `result_files`
        settings  of the new one
        """
        earlier = _read_result(folder / numbers)
        self.folder = folder
        self.numbers = numbers
        self.settings = plain(settings)
        self.same = earlier.get("settings") == self.settings
        self.moved: Path | None = None  # the folder that holds the earlier result; None where nothing moved
        self._listed = _listed_files(folder, earlier)
        self.keep(*self._listed, numbers)

    def keep(self, *names: str) -> None:
        """Move further files of the folder, named relative to it, that exist; raises BadOutput.

        Needed for files that the new result overwrites and the earlier one does not list.
        """
        for name in names if not self.same else ():
            if not (self.folder / name).is_file():
                continue
            try:
                self.moved = self.moved or self._new_folder()
                target = self.moved / name
                target.parent.mkdir(parents=True, exist_ok=True)
                (self.folder / name).replace(target)
            except OSError as error:
                raise refuse_output(self.folder / name, error) from error

    def facts(self, files: Iterable[str]) -> dict[str, Any]:
        """What the new result's JSON says: `settings`, `earlier_result` (a folder or None), `result_files`.

        files  of the new result beside its JSON, relative to the folder; a replaced result's are listed
               too where they still exist
        """
        replaced = [name for name in self._listed if self.same and (self.folder / name).is_file()]
        return {
            "settings": self.settings,
            "earlier_result": None if self.moved is None else str(self.moved),
            RESULT_FILES: list(dict.fromkeys((self.numbers, *files, *replaced))),
        }

    def _new_folder(self) -> Path:
        taken = [int(path.name) for path in (self.folder / EARLIER).glob("*") if path.name.isdecimal()]
        new = self.folder / EARLIER / str(max(taken, default=0) + 1)
        new.mkdir(parents=True)
        return new


def keep_earlier(
    folder: Path, numbers: str, settings: Mapping[str, Any], files: Iterable[str]
) -> dict[str, Any]:
    """Keep an earlier result of other settings, as `EarlierResult`, before the new one is written.

    files    that the new result writes beside its JSON, relative to the folder
    returns  what the new result's JSON says, as `EarlierResult.facts`
    raises   BadOutput
    """
    earlier, names = EarlierResult(folder, numbers, settings), tuple(files)
    earlier.keep(*names)
    return earlier.facts(names)


def add_files(result: dict[str, Any], names: Iterable[str]) -> None:
    """Add names of files, relative to the folder, to those that a result lists."""
    result[RESULT_FILES] = list(dict.fromkeys((*result[RESULT_FILES], *names)))


def _read_result(path: Path) -> Mapping[str, Any]:
    """A result's JSON; empty where there is none, or it cannot be read."""
    try:
        return parse_object(read_regular(path))
    except (OSError, ValueError):
        return {}


def _listed_files(folder: Path, result: Mapping[str, Any]) -> list[str]:
    """The files that a result names as its own; names that lead out of the folder are left alone."""
    names = result.get(RESULT_FILES)
    listed = []
    for name in names if isinstance(names, list) else []:
        try:
            path = inside(folder, str(name))
        except ValueError:
            continue
        if path.parent.resolve().is_relative_to(folder.resolve()):
            listed.append(path.relative_to(folder).as_posix())
    return listed


def pack_arrays(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays as the bytes of a compressed .npz, equal for equal arrays."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in sorted(arrays.items()):
            inner = io.BytesIO()
            np.lib.format.write_array(inner, np.asarray(array, order="C"), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, inner.getvalue())
    return packed.getvalue()


def write_synced(path: Path, content: bytes) -> None:
    """Write a file and force it to the disk; for files of a folder that is renamed afterwards."""
    path.write_bytes(content)
    _sync(path)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut; some systems cannot open folders, where this does nothing."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def take_lock(handle: int, *, shared: bool = False) -> bool:
    """Whether the lock was taken. The system frees it when the process ends; without such locks, True."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
