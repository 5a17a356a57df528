"""The wheel holds the package and nothing else, and works where only it is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

pytest.importorskip("build")
pytest.importorskip("hatchling")

MOST_BYTES = 25 * 2**20
ROOT = Path(__file__).parents[1]
DATA_FILES = {
    "steelsight/explanations/benchmark/league.toml",
    "steelsight/models/steel/squeezenet_reduced.safetensors",
    "steelsight/py.typed",
    "steelsight/reports/templates/document.css",
    "steelsight/reports/templates/document.html",
    "steelsight/runtime/bundles/accurate/card.json",
    "steelsight/runtime/bundles/accurate/familiarity.npz",
    "steelsight/runtime/bundles/accurate/model.onnx",
    "steelsight/runtime/bundles/accurate/probes.npz",
    "steelsight/runtime/bundles/fast/card.json",
    "steelsight/runtime/bundles/fast/familiarity.npz",
    "steelsight/runtime/bundles/fast/model.onnx",
    "steelsight/runtime/bundles/fast/probes.npz",
    "steelsight/study/contents.toml",
    "steelsight/study/published.toml",
    "steelsight/training/recipes/default.toml",
    "steelsight/training/recipes/parts.toml",
    "steelsight/training/recipes/study.toml",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def _install(wheel: Path, site: Path) -> dict[str, str]:
    """Install the wheel alone; returns the environment in which it precedes any other steelsight."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*command, "--target", str(site), str(wheel)], check=True, capture_output=True)
    return {**os.environ, "PYTHONPATH": str(site)}


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")}
    metadata = {name for name in names if ".dist-info/" in name}
    source = ROOT / "src"
    written = {
        path.relative_to(source).as_posix()
        for path in (source / "steelsight").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names - metadata == written
    assert wheel.stat().st_size <= MOST_BYTES
    assert written >= DATA_FILES
    assert {Path(name).suffix for name in written} <= {".py", ".typed", ".toml", ".html", ".css", ".md"} | {
        *(".js", ".txt", ".po", ".mo", ".cfg"),  # the console: scripts, their licences, catalogs
        *(Path(name).suffix for name in DATA_FILES),
    }
    assert {name.partition("/")[2] for name in metadata} == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
    }


def test_the_plant_requires_no_torch(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
    required = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert any(line.startswith("openvino") for line in required)
    assert not [line for line in required if line.startswith(("torch", "scipy", "scikit"))]


def test_the_demo_passes_with_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    environment = _install(wheel, site)
    where = [sys.executable, "-c", "import steelsight; print(steelsight.__file__)"]
    found = subprocess.run(
        where, env=environment, cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout
    assert Path(found.strip()).is_relative_to(site)
    demo = [
        sys.executable,
        str(site / "bin" / "steelsight"),
        "demo",
        "--count",
        "6",
        "--out",
        "demo",
        "--json",
    ]
    done = subprocess.run(demo, env=environment, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["judged"], told["states"]["bad_image"]) == (6, 0)
    assert (tmp_path / "demo" / "scan" / "report.html").is_file()
