"""Write a BUNDLE folder, whole or not at all."""

from __future__ import annotations

import glob
import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from steelsight.errors import BadBundle, BadOutput
from steelsight.files import NAME_BYTES, PARTIAL, replace_folder, sync_folder, write_synced
from steelsight.names import short_name
from steelsight.runtime.bundle.card import BundleCard, FileFact
from steelsight.runtime.bundle.open import CARD_FILE, SIGNATURE_FILE, Bundle, open_bundle
from steelsight.runtime.bundle.seal import parse_card, seal, write_card

__all__ = ["copy_bundle", "describe_files", "refuse_replacing", "write_bundle"]


def describe_files(files: Mapping[str, bytes]) -> dict[str, FileFact]:
    """Checksum and size of each file, as the card holds them."""
    return {
        name: FileFact(sha256=hashlib.sha256(content).hexdigest(), size=len(content))
        for name, content in sorted(files.items())
    }


def write_bundle(out: Path, card: BundleCard, files: Mapping[str, bytes]) -> BundleCard:
    """Write card and files beside OUT, open the result as a check, then put it in OUT's place in one step.

    out      must not exist, or be a bundle, which is replaced as a whole
    returns  the card as written, with the hash over the whole bundle as its id
    raises   BadOutput where OUT is something else or cannot be written; BadBundle where the result cannot be
             opened. An earlier bundle is then unchanged
    """
    refuse_replacing(out)
    sealed = seal(card)
    _write_files(out, {**files, CARD_FILE: write_card(sealed)})
    return sealed


def copy_bundle(out: Path, bundle: Bundle, card_text: bytes) -> None:
    """Write the files of an opened bundle with this text of its card, as `write_bundle` does.

    card_text  bytes of card.json; they name the same files
    """
    refuse_replacing(out)
    _write_files(out, {**bundle.files, CARD_FILE: card_text})


def refuse_replacing(out: Path) -> None:
    """Raise BadOutput where OUT exists and is no bundle that may be replaced."""
    if out.exists() and not _replaceable(out):
        raise BadOutput(
            f"{out}: expected a new folder or a bundle with no other files, found other files; "
            "choose another --out"
        )


def _write_files(out: Path, files: Mapping[str, bytes]) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(out)
        new = out.with_name(_name_beside(out, os.getpid()))
        try:
            new.mkdir()
            for name, content in files.items():
                write_synced(new / name, content)
            sync_folder(new)
            open_bundle(new)
            replace_folder(new, out)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    except OSError as error:
        raise BadOutput(
            f"{out}: the bundle could not be written ({error.strerror or error}); an earlier one is "
            "unchanged; free space or choose another --out"
        ) from error


def _name_beside(out: Path, process: int | str) -> str:
    """The name of the folder that is written, and of the replaced one until it is removed."""
    end = f".{process}{PARTIAL}"
    return f".{short_name(out.name, NAME_BYTES - len(end) - 1)}{end}"


def _remove_leftovers(out: Path) -> None:
    """Remove what killed processes left beside OUT."""
    for found in out.parent.glob(glob.escape(_name_beside(out, "")[: -len(PARTIAL)]) + "*" + PARTIAL):
        process = found.name.removesuffix(PARTIAL).rpartition(".")[2]
        if process.isdecimal() and not _is_running(int(process)):
            shutil.rmtree(found, ignore_errors=True)


def _is_running(process: int) -> bool:
    if os.name != "posix":
        return True  # where `os.kill` would end the process
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _replaceable(out: Path) -> bool:
    """Whether a folder is empty, or holds the files of a bundle and no others; a RUN has a card.json too."""
    if not out.is_dir():
        return False
    names = {entry.name for entry in out.iterdir()}
    if CARD_FILE not in names:
        return not names
    try:
        card = parse_card((out / CARD_FILE).read_bytes(), CARD_FILE)
    except (OSError, BadBundle):
        return False
    return names <= {CARD_FILE, SIGNATURE_FILE, *card.files}
