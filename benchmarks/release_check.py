"""`make release-check`: whether this tree can be released, and the figures of docs/results/release.md.

Builds wheel and sdist twice and compares the bytes; installs the wheel into empty environments on the oldest
and the newest Python and libraries that can be had here, and runs `steelsight demo` there; writes SBOMs and
the list of licences, and refuses what the rules refuse. Ends with exit code 1 at the first check that fails.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from release_build import ROOT, Built, build_twice, commit
from release_environments import (
    Environment,
    help_seconds,
    import_seconds,
    interpreters,
    lowest,
    make,
    metadata_of,
    requirements,
    run_demo,
)
from release_licences import CORE, Package, closure, packages, refusals
from release_sbom import environment_sbom, select, write_sbom

MOST_WHEEL_MB = 25.0
MOST_PLANT_MB = 600.0
NAME = "steelsight"
DEVELOPMENT = ("dev", "release", "test")  # extras that no user installs
SHOWN = ("numpy", "openvino", "pyarrow", "pillow", "pydantic", "typer", "matplotlib", "scipy")


@dataclass(frozen=True)
class Figures:
    """What is written to docs/results/release.md."""

    built: Built
    plant_mb: float
    import_s: float
    help_s: tuple[float, float]  # of the program: time, and processor time
    verb_help_s: tuple[float, float]  # of `scan`
    environments: Mapping[str, Mapping[str, str]]  # versions by title


def check_environments(built: Built, work: Path) -> tuple[Figures, Environment]:
    """Install and run the wheel on the oldest and the newest; the figures are those of the newest."""
    headers = metadata_of(built.wheel)
    found = interpreters(str(headers["Requires-Python"]))
    if not found:
        raise SystemExit(f"expected a Python {headers['Requires-Python']} with venv, found none")
    (oldest, old_python), (newest, new_python) = found[0], found[-1]
    old = make(
        old_python,
        f"oldest: Python {oldest}",
        work / "oldest",
        f"{built.wheel}[synth]",
        *lowest([*requirements(headers), *_more(headers, "synth")]),
    )
    judged = run_demo(old, work / "demo-oldest")
    _say(f"{old.title}: {judged} sheets judged; {_shown(old.versions())}")
    new = make(new_python, f"newest: Python {newest}", work / "newest", str(built.wheel))
    plant_mb = new.megabytes()
    seconds = import_seconds(new), help_seconds(new), help_seconds(new, "scan")
    new.run(
        "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"{built.wheel}[synth]"
    )
    judged = run_demo(new, work / "demo-newest")
    _say(f"{new.title}: {judged} sheets judged; {_shown(new.versions())}")
    _say(f"plant {plant_mb:.0f} MB; import {seconds[0]:.3f} s; help {seconds[1]}, of scan {seconds[2]}")
    versions = {each.title: each.versions() for each in (old, new)}
    return Figures(built, plant_mb, *seconds, versions), new


def _more(headers: Message, extra: str) -> list[Requirement]:
    """What an extra adds to the requirements."""
    without = set(map(str, requirements(headers)))
    return [each for each in requirements(headers, extra) if str(each) not in without]


def check_licences(built: Built, plant: Environment, out: Path) -> list[Package]:
    """Write the SBOMs and check all licences; raises SystemExit where one is refused.

    The plant's packages are those of the empty environment, the extras' those installed beside this program.
    """
    headers = metadata_of(built.wheel)
    lines = headers.get_all("Requires-Dist", [])
    extras = [each for each in headers.get_all("Provides-Extra", []) if each not in DEVELOPMENT]
    refused = []
    for title, python, users in (
        ("plant", plant.python, (CORE,)),
        ("all", Path(sys.executable), (CORE, *extras)),
    ):
        requires = _requires(plant if title == "plant" else None) | {NAME: lines}
        core = closure(requires, NAME)
        needs = {each: core if each == CORE else closure(requires, NAME, each) - core for each in users}
        bom = select(environment_sbom(python), set[str]().union(*needs.values()), NAME)
        write_sbom(bom, out / f"{NAME}-{headers['Version']}.{title}.cdx.json")
        listed = packages(bom, needs)
        refused += refusals(listed)
    if refused:
        raise SystemExit("\n".join(refused))
    return listed


def _requires(environment: Environment | None) -> dict[str, list[str]]:
    """The requirement lines of the packages of an environment by name; None = of this program's."""
    path = sys.path
    if environment is not None:
        script = "import sysconfig; print(sysconfig.get_path('purelib'))"
        path = [environment.run("python", "-c", script).strip()]
    return {canonicalize_name(each.name): each.requires or [] for each in distributions(path=path)}


def check_sizes(figures: Figures) -> None:
    """Raise SystemExit where the wheel or the plant's environment is too large."""
    wheel_mb = figures.built.wheel.stat().st_size / 1e6
    for what, size, most in (
        ("the wheel", wheel_mb, MOST_WHEEL_MB),
        ("the plant's environment", figures.plant_mb, MOST_PLANT_MB),
    ):
        if size > most:
            raise SystemExit(f"{what}: expected at most {most:.0f} MB, got {size:.1f} MB")


def write_licences(listed: list[Package], path: Path) -> None:
    """The table of licences."""
    rows = [
        "# Licences of what is installed with Steelsight",
        "",
        "Written by `make release-check`, which refuses a core dependency that is not permissive, and a GPL",
        "or unknown licence in an extra. `core` is `pip install steelsight`; the others are its extras.",
        "",
        "| package | version | licence | grade | needed by |",
        "|---|---|---|---|---|",
    ]
    for each in listed:
        grade = each.grade.name.lower().replace("_", " ")
        rows.append(
            f"| {each.name} | {each.version} | {each.licence} | {grade} | {', '.join(each.needed_by)} |"
        )
    path.write_text("\n".join(rows) + "\n" + further_sections(path), encoding="utf-8")


def further_sections(path: Path) -> str:
    """What the page has below its measured figures, from its first heading of the second level on."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    place = text.find("\n## ")
    return "" if place < 0 else text[place:]


def write_figures(figures: Figures, listed: list[Package], path: Path) -> None:
    """The page of figures."""
    built = figures.built
    load = os.getloadavg()[1]  # of five minutes
    rows = [
        "# Releases",
        "",
        f"Measured on {datetime.now(UTC):%Y-%m-%d} at commit {commit()}, {os.cpu_count()} cores, "
        f"{platform.system()} {platform.machine()}, load {load:.0f}.",
        "Where the load exceeds the cores, processor time says more than elapsed time.",
        "",
        "    make release-check",
        "",
        "| figure | value | aim |",
        "|---|---|---|",
        f"| `import steelsight`, median of 11 | {1000 * figures.import_s:.0f} ms | 100 ms |",
        f"| `steelsight --help`, likewise, start of Python included | {_seconds(figures.help_s)} | 0.4 s |",
        f"| `steelsight scan --help`, likewise | {_seconds(figures.verb_help_s)} | |",
        f"| wheel | {built.wheel.stat().st_size / 1e6:.1f} MB | {MOST_WHEEL_MB:.0f} MB |",
        f"| sdist | {built.sdist.stat().st_size / 1e6:.1f} MB | |",
        f"| environment of the plant, no extra | {figures.plant_mb:.0f} MB | {MOST_PLANT_MB:.0f} MB |",
        f"| packages with their licences in [licences](../licences.md) | {len(listed)} | |",
        "",
        "Wheel and sdist have the same bytes in two builds in different folders, once by way of the sdist.",
        "The times of their files are that of the commit (`SOURCE_DATE_EPOCH`).",
        "",
        "`steelsight demo` judged every sheet in empty environments on the oldest and the newest Python",
        "found here; the oldest has the lowest releases that `pyproject.toml` accepts:",
        "",
        f"| environment | {' | '.join(SHOWN)} |",
        f"|---|{'---|' * len(SHOWN)}",
    ]
    for title, versions in figures.environments.items():
        rows.append(f"| {title} | {' | '.join(versions.get(name, 'none') for name in SHOWN)} |")
    rows += ["", "The SBOMs, CycloneDX 1.6, are written beside the wheel: of the plant, and with all extras."]
    path.write_text("\n".join(rows) + "\n" + further_sections(path), encoding="utf-8")


def _seconds(times: tuple[float, float]) -> str:
    return f"{times[0]:.2f} s, {times[1]:.2f} s of a processor"


def _shown(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {versions[name]}" for name in SHOWN if name in versions)


def _say(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    """Run every check."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "release", help="folder to write")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder of the pages to write")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="steelsight-release-") as folder:
        work = Path(folder)
        built = build_twice(work)
        for name, digest in built.sums().items():
            _say(f"{name}: the same bytes twice, sha256 {digest}")
        figures, plant = check_environments(built, work)
        listed = check_licences(built, plant, options.out)
        _say(f"{len(listed)} packages with acceptable licences; SBOMs in {options.out}")
        check_sizes(figures)
        write_licences(listed, options.docs / "licences.md")
        write_figures(figures, listed, options.docs / "results" / "release.md")
        for path in (built.wheel, built.sdist):
            shutil.move(path, options.out / path.name)
    _say("this tree can be released")


if __name__ == "__main__":
    main()
