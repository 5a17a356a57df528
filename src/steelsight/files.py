"""Write files atomically: after a crash or on a full disk a file is either complete or unchanged."""

from __future__ import annotations

import ctypes
import errno
import io
import json
import os
import stat
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from steelsight.errors import BadOutput
from steelsight.names import short_name, shown_name
from steelsight.plain import plain
from steelsight.reading import parse_object, read_regular

__all__ = [
    "EARLIER",
    "NAME_BYTES",
    "PARTIAL",
    "EarlierResult",
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
    "write_json",
    "write_synced",
]

EARLIER: Final = "earlier"  # folder of earlier results, beside the newest
NAME_BYTES: Final = 255  # longest name of a file on common file systems
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
    """The name of a file while it is written: within the 255 bytes that file systems allow."""
    end = f".{os.getpid()}{PARTIAL}"
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

    Files that the new result would overwrite move to FOLDER/earlier/1, 2, ...; the newest result is always in
    FOLDER itself, where pages link to it and other verbs read it. A result of the same settings is replaced.
    """

    def __init__(self, folder: Path, numbers: str, settings: Mapping[str, Any]) -> None:
        """Compare an earlier result with a new one.

        folder    of both
        numbers   name of the JSON file whose key `settings` tells how a result was made
        settings  of the new one
        """
        self.folder = folder
        self.same = _settings_in(folder / numbers) == plain(settings)
        self.moved: Path | None = None  # the folder that holds the earlier result; None where nothing moved
        self.keep(numbers)

    def keep(self, *names: str) -> None:
        """Move files of the folder, named relative to it, that exist; raises BadOutput."""
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

    def _new_folder(self) -> Path:
        taken = [int(path.name) for path in (self.folder / EARLIER).glob("*") if path.name.isdecimal()]
        new = self.folder / EARLIER / str(max(taken, default=0) + 1)
        new.mkdir(parents=True)
        return new


def keep_earlier(
    folder: Path, numbers: str, settings: Mapping[str, Any], files: Iterable[str]
) -> dict[str, Any]:
    """Keep an earlier result of other settings, as `EarlierResult`, before the new one is written.

    files    further files of the result, relative to the folder; patterns such as figures/*.png
    returns  what the new result's JSON says: `settings`, and `earlier_result`, the folder that holds the
             earlier one, or None
    raises   BadOutput
    """
    earlier = EarlierResult(folder, numbers, settings)
    earlier.keep(*(str(path.relative_to(folder)) for pattern in files for path in folder.glob(pattern)))
    return {
        "settings": plain(settings),
        "earlier_result": None if earlier.moved is None else str(earlier.moved),
    }


def _settings_in(path: Path) -> Any:
    """The settings a JSON file names; None where there is no such file or key."""
    try:
        return parse_object(read_regular(path)).get("settings")
    except (OSError, ValueError):
        return None


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
