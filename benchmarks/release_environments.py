"""Empty environments on the oldest and the newest Python and libraries, and what a release does in them."""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

DEMO_SHEETS = 12
ROUNDS = 11  # of a time; the median is given


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the release and nothing else."""

    title: str
    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def run(self, *command: str | Path, cwd: Path | None = None) -> str:
        """What a program of the environment writes on standard output; raises SystemExit where it fails."""
        words = [str(self.folder / "bin" / str(command[0])), *map(str, command[1:])]
        hidden = ("PYTHONPATH", "STEELSIGHT_DATA", "STEELSIGHT_WEIGHTS", "VIRTUAL_ENV")
        clean = {name: value for name, value in os.environ.items() if name not in hidden}
        done = subprocess.run(words, env=clean, cwd=cwd, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(
                f"{self.title}: {' '.join(words)}: exit {done.returncode}\n{done.stderr[-3000:]}"
            )
        return done.stdout

    def versions(self) -> dict[str, str]:
        """The installed versions by name."""
        rows = json.loads(self.run("python", "-m", "pip", "list", "--format=json"))
        return {canonicalize_name(row["name"]): row["version"] for row in rows}

    def megabytes(self) -> float:
        """Size of all its files."""
        files = (path.lstat().st_size for path in self.folder.rglob("*") if not path.is_dir())
        return sum(files) / 1e6


def interpreters(requires: str) -> list[tuple[Version, Path]]:
    """The Pythons that can be had here and that a release accepts, the oldest first."""
    found = [shutil.which(f"python3.{minor}") for minor in range(8, 30)]
    pyenv = shutil.which("pyenv")
    if pyenv:
        root = subprocess.run([pyenv, "root"], check=True, capture_output=True, text=True).stdout.strip()
        found += map(str, sorted(Path(root).glob("versions/*/bin/python3")))
    versions: dict[Version, Path] = {}
    for path in filter(None, found):
        asked = subprocess.run(
            [path, "-c", "import platform, venv, ensurepip; print(platform.python_version())"],
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.returncode == 0:
            versions[Version(asked.stdout.strip())] = Path(path)
    accepted = SpecifierSet(requires)
    return sorted((version, path) for version, path in versions.items() if version in accepted)


def metadata_of(wheel: Path) -> Message:
    """The headers of a wheel's metadata."""
    with ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def requirements(headers: Message, extra: str = "") -> list[Requirement]:
    """What is installed with a package, and with one of its extras beside that."""
    needed = [Requirement(line) for line in headers.get_all("Requires-Dist", [])]
    return [each for each in needed if each.marker is None or each.marker.evaluate({"extra": extra})]


def lowest(requirements: Iterable[Requirement]) -> list[str]:
    """Each requirement at the lowest release line that it accepts.

    >>> lowest([Requirement("numpy>=2.0"), Requirement("pillow>=11,<13")])
    ['numpy==2.0.*', 'pillow==11.*']
    """
    lines = []
    for each in requirements:
        (floor,) = (part.version for part in each.specifier if part.operator == ">=")
        lines.append(f"{each.name}=={floor}.*")
    return lines


def make(python: Path, title: str, folder: Path, *what: str) -> Environment:
    """An environment with what pip is asked to install."""
    subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
    environment = Environment(title, folder)
    environment.run("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what)
    return environment


def run_demo(environment: Environment, work: Path) -> int:
    """The number of sheets that `steelsight demo` judged; raises SystemExit where one could not be."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    words = ("steelsight", "demo", "--count", str(DEMO_SHEETS), "--out", "demo", "--json")
    told = json.loads(environment.run(*words, cwd=work).splitlines()[-1])
    if told["judged"] != DEMO_SHEETS or told["states"]["bad_image"]:
        raise SystemExit(f"{environment.title}: expected {DEMO_SHEETS} judged sheets, got {told}")
    return int(told["judged"])


def import_seconds(environment: Environment) -> float:
    """Median time of `import steelsight` in a new process."""
    script = "import time; t = time.perf_counter(); import steelsight; print(time.perf_counter() - t)"
    return statistics.median(float(environment.run("python", "-c", script)) for _ in range(ROUNDS))


def help_seconds(environment: Environment, *verb: str) -> tuple[float, float]:
    """Median time and processor time of `steelsight [VERB] --help`, the start of Python included."""
    times, used = [], []
    for _ in range(ROUNDS):
        started, before = time.perf_counter(), _processor_seconds()
        environment.run("steelsight", *verb, "--help")
        times.append(time.perf_counter() - started)
        used.append(_processor_seconds() - before)
    return statistics.median(times), statistics.median(used)


def _processor_seconds() -> float:
    """Processor time of all child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
