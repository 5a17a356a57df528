"""Write a BUNDLE folder, whole or not at all."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from steelsight.errors import BadOutput
from steelsight.files import write_synced
from steelsight.runtime.bundle.card import BundleCard, FileFact
from steelsight.runtime.bundle.open import CARD_FILE, open_bundle

__all__ = ["describe_files", "write_bundle"]


def describe_files(files: Mapping[str, bytes]) -> dict[str, FileFact]:
    """Checksum and size of each file, as the card holds them."""
    return {
        name: FileFact(sha256=hashlib.sha256(content).hexdigest(), size=len(content))
        for name, content in sorted(files.items())
    }


def write_bundle(out: Path, card: BundleCard, files: Mapping[str, bytes]) -> None:
    """Write card and files beside OUT, open the result as a check, then rename it to OUT.

    out     must not exist, or be a bundle, which is replaced as a whole
    raises  BadOutput where OUT is something else or cannot be written; BadBundle where the result
            cannot be opened
    """
    if out.exists() and not _replaceable(out):
        raise BadOutput(
            f"{out}: expected a new folder or a bundle with no other files, found other files; "
            "choose another --out"
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            for name, content in {
                **files,
                CARD_FILE: (card.model_dump_json(indent=2) + "\n").encode(),
            }.items():
                write_synced(new / name, content)
            new.chmod(0o755)
            open_bundle(new)
            if out.exists():
                shutil.rmtree(out)
            new.rename(out)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    except OSError as error:
        raise BadOutput(
            f"{out}: the bundle could not be written ({error.strerror or error}); "
            "free space or choose another --out"
        ) from error


def _replaceable(out: Path) -> bool:
    """Whether a folder is empty, or holds the files of a bundle and no others; a RUN has a card.json too."""
    if not out.is_dir():
        return False
    names = {entry.name for entry in out.iterdir()}
    if CARD_FILE not in names:
        return not names
    try:
        card = BundleCard.model_validate_json((out / CARD_FILE).read_bytes())
    except (OSError, ValueError):
        return False
    return names <= {CARD_FILE, *card.files}
