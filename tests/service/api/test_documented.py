"""docs/service.md names every code of an error, every figure and every route of the core API."""

import re
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra [serve]")

from steelsight.service.app import API

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
SOURCES = [
    path
    for folder in ("alarms", "api", "judging", "learning", "pages", "releases", "reviewing", "serving")
    for path in (ROOT / "src" / "steelsight" / "service" / folder).rglob("*.py")
]


def test_every_code_of_an_error_is_on_the_page():
    text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    codes = set(re.findall(r"Problem\(\s*\d{3},\s*\"(\w+)\"", text))
    codes |= set(re.findall(r"_refuse\(\d{3}, \"(\w+)\"", text))
    codes |= {f"unknown_{kind}" for kind in re.findall(r"unknown\(\"(\w+)\"", text)}
    assert len(codes) > 25
    missing = sorted(code for code in codes if f"`{code}`" not in PAGE)
    assert not missing


def test_every_code_on_the_page_exists():
    text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    text += (ROOT / "src/steelsight/service/access/guard.py").read_text(encoding="utf-8")
    text += (ROOT / "src/steelsight/service/access/origin.py").read_text(encoding="utf-8")
    table = PAGE.partition("| status | codes |")[2].partition("\n\n")[0]
    for code in re.findall(r"`([a-z]+_[a-z_]+)`", table):
        kind = code.removeprefix("unknown_")
        assert f'"{code}"' in text or f'unknown("{kind}"' in text, code


def test_every_route_and_figure_is_on_the_page(lite_client):
    document = lite_client.app.openapi()
    for path, operations in document["paths"].items():
        tags = {tag for operation in operations.values() for tag in operation["tags"]}
        if tags & {"inspect", "sheets", "reviews", "plant", "health"}:
            shown = path.removeprefix(API)
            assert shown in PAGE or shown.rpartition("/")[2] in PAGE, path
    figures = set(re.findall(r"^# TYPE (steelsight_\w+)", lite_client.get("/metrics").text, re.M))
    core = {name for name in figures if re.match(r"steelsight_(sheet|drift|abst|queue|request)", name)}
    for name in core:
        if not name.endswith("_created"):
            assert name in PAGE, name
