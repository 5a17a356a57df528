"""Builds wheel and sdist of a tree twice, in different folders, and compares the bytes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Built:
    """The two files of a release."""

    wheel: Path
    sdist: Path

    def sums(self) -> dict[str, str]:
        """SHA-256 of each by its name."""
        files = (self.wheel, self.sdist)
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def git(*words: str) -> str:
    """What git says of this tree."""
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def commit() -> str:
    """The short id of the commit; with a plus where tracked files have changed since."""
    return git("rev-parse", "--short=10", "HEAD").strip() + "+" * bool(git("diff", "HEAD", "--stat"))


def copy_tree(to: Path) -> Path:
    """The tracked files of the tree in another folder, with the times of their copying."""
    for name in filter(None, git("ls-files", "-z").split("\0")):
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            shutil.copyfile(ROOT / name, to / name)
    return to


def build(tree: Path, out: Path, *more: str) -> Built:
    """Build wheel and sdist; times in them are those of the commit."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), *more, str(tree)]
    variables = {**os.environ, "SOURCE_DATE_EPOCH": git("log", "-1", "--format=%ct").strip()}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return Built(wheel, sdist)


def build_twice(work: Path) -> Built:
    """The built files; raises SystemExit where a second build, in another folder, has other bytes.

    The first wheel is built from the sdist, the second from the tree: the sdist is complete.
    """
    first = build(copy_tree(work / "tree"), work / "dist")
    again = build(copy_tree(work / "again" / "elsewhere"), work / "again" / "dist", "--sdist", "--wheel")
    one, other = first.sums(), again.sums()
    differing = [name for name in one if one[name] != other.get(name)]
    if differing:
        raise SystemExit(f"{', '.join(differing)}: expected the same bytes from two builds, got others")
    return first
