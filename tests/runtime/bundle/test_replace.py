"""Replacing a bundle: after a kill at any step it is the old one or the new one, whole."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from steelsight import files
from steelsight.errors import BadOutput
from steelsight.files import replace_folder
from steelsight.runtime.bundle import writer
from steelsight.runtime.bundle.open import open_bundle
from steelsight.runtime.bundle.writer import write_bundle

Make = Callable[..., Path]

# One process for every step: a child writes the bundle and kills itself before that step.
KILLS = """
import json, os, signal, sys
from pathlib import Path
from steelsight.runtime.bundle import writer
from steelsight.runtime.bundle.open import open_bundle

folder = Path(sys.argv[1])
bundle = open_bundle(folder)
STEPS = ("write_synced", "sync_folder", "open_bundle", "replace_folder")
found = []

def killer(at):
    left = [at]
    def wrap(step):
        def run(*arguments, **more):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return step(*arguments, **more)
        return run
    for name in STEPS:
        setattr(writer, name, wrap(getattr(writer, name)))
    writer.shutil.rmtree = wrap(writer.shutil.rmtree)

for at in range(12):
    process = os.fork()
    if process == 0:
        killer(at)
        writer.write_bundle(folder, bundle.card.model_copy(update={"temperature": 2.0 + at}), bundle.files)
        os._exit(0)
    status = os.waitpid(process, 0)[1]
    opened = open_bundle(folder)
    found.append((os.WIFSIGNALED(status), opened.card.temperature))
writer.write_bundle(folder, bundle.card, bundle.files)
print(json.dumps([found, sorted(path.name for path in folder.parent.iterdir())]))
"""


def test_a_kill_at_any_step_leaves_the_old_bundle_or_the_new_one(
    make_bundle: Make, tmp_path: Path, record_attack: Callable[..., None]
) -> None:
    folder = make_bundle()
    before = sorted(path.name for path in tmp_path.iterdir())
    ran = subprocess.run(
        [sys.executable, "-c", KILLS, str(folder)], capture_output=True, text=True, check=False, timeout=300
    )
    assert ran.returncode == 0, ran.stderr
    found, left = json.loads(ran.stdout)
    killed = [temperature for dead, temperature in found if dead]
    assert len(killed) >= 7
    assert killed[0] == 1.0  # before anything was written
    assert killed[-1] == 2.0 + len(killed) - 1  # after the exchange, before the old folder was removed
    for number, (_, temperature) in enumerate(found):
        earlier = found[number - 1][1] if number else 1.0
        assert temperature in (earlier, 2.0 + number)
    assert left == before  # the next write removes what killed ones left
    assert open_bundle(folder).card.temperature == 1.0
    outcome = "each leaves the old bundle or the new one, whole; leftovers are removed by the next export"
    record_attack("bundles", "fault: killed before each step of replacing a bundle", len(killed), outcome)


@pytest.mark.parametrize("step", ["mkdir", "write", "sync", "exchange"])
def test_a_disk_that_is_full_at_any_step_leaves_the_old_bundle_and_says_so(
    make_bundle: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    folder = make_bundle()
    old = open_bundle(folder).card
    beside = sorted(path.name for path in tmp_path.iterdir())

    def full(*_arguments: object, **_more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    place = {
        "mkdir": (Path, "mkdir"),
        "write": (writer, "write_synced"),
        "sync": (writer, "sync_folder"),
        "exchange": (files, "_exchange"),
    }
    with monkeypatch.context() as patch:
        patch.setattr(*place[step], full)
        with pytest.raises(BadOutput, match=r"No space left on device.*an earlier one is unchanged"):
            write_bundle(folder, old.model_copy(update={"temperature": 3.0}), open_bundle(folder).files)
    assert open_bundle(folder).card == old
    assert sorted(path.name for path in tmp_path.iterdir()) == beside


def test_folders_are_exchanged_in_one_step(tmp_path: Path) -> None:
    new, out = tmp_path / "new", tmp_path / "out"
    new.mkdir()
    (new / "a").write_text("new")
    replace_folder(new, out)
    assert (out / "a").read_text() == "new"
    new.mkdir()
    (new / "a").write_text("newer")
    replace_folder(new, out)
    assert (out / "a").read_text() == "newer"
    assert (new / "a").read_text() == "new"


def test_a_system_that_cannot_exchange_folders_is_named(
    make_bundle: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_bundle()
    bundle = open_bundle(folder)
    monkeypatch.setattr(files.ctypes, "CDLL", lambda *_a, **_k: object())
    with pytest.raises(BadOutput, match=r"cannot exchange two folders in one step.*choose another --out"):
        write_bundle(folder, bundle.card, bundle.files)
    assert open_bundle(folder).card == bundle.card
