"""README.md and CONTRIBUTING.md name only what exists, and show the floors of `.importlinter`."""

import configparser
import re
from pathlib import Path

import pytest
import typer

from steelsight.cli import app

ROOT = Path(__file__).parent.parent
GUIDES = ("README.md", "CONTRIBUTING.md")
NAMED = re.compile(r"(?<![\w/.-])((?:src|tests|docs|benchmarks)/[\w./<>-]*)")


@pytest.mark.parametrize("guide", GUIDES)
def test_every_named_path_exists(guide):
    text = (ROOT / guide).read_text(encoding="utf-8")
    named = set(NAMED.findall(text)) | {
        link for link in re.findall(r"\]\(([^)#]+)\)", text) if not link.startswith("http")
    }
    assert named
    for path in sorted(named):
        real = path if "<" not in path else path.partition("<")[0]  # src/models/<name>.py: its folder
        assert (ROOT / real.rstrip(".")).exists(), f"{guide}: {path} does not exist"


def test_contributing_shows_the_floors_that_are_checked():
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter")
    layers = config["importlinter:contract:floors"]["layers"].split("\n")
    checked = [set(re.findall(r"(?<!\()\b(\w+)\b(?!\))", layer)) for layer in layers if layer.strip()]
    floors, lowest = checked[:7], set().union(*checked[7:])  # all below the rooms is one floor in the guide
    table = re.findall(r"^\| \d \| ([^|]+) \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.M)
    assert [set(re.findall(r"`(\w+)`", row)) for row in table] == [*floors, lowest]


def test_readme_names_only_verbs_that_exist():
    known = set()

    def walk(command, path):
        for name, sub in getattr(command, "commands", {}).items():
            known.add(" ".join((*path, name)))
            walk(sub, (*path, name))

    walk(typer.main.get_command(app), ())
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for first, second in re.findall(r"^steelsight ([a-z-]+)(?: ([a-z]+))?", text, re.M):
        assert first in known or f"{first} {second}" in known, f"README.md: steelsight {first} {second}"
