"""The package is lazy: importing it loads nothing heavy, and what runs beside the line loads no torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import steelsight as ss

HEAVY = (
    "torch",
    "numpy",
    "matplotlib",
    "pandas",
    "pyarrow",
    "scipy",
    "sklearn",
    "openvino",
    "rich",
    "pydantic",
)


def _modules_after(code: str) -> set[str]:
    told = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(told.stdout.split())


def test_importing_the_package_imports_its_version_alone():
    loaded = _modules_after("import steelsight as ss; dir(ss)")
    assert not [name for name in HEAVY if name in loaded]
    assert {name for name in loaded if name.startswith("steelsight.")} == {"steelsight.version"}


def test_naming_every_call_imports_no_torch():
    assert "torch" not in _modules_after(
        "import steelsight as ss; [getattr(ss, name) for name in ss.__all__]"
    )


def test_the_plant_works_without_torch(data, tmp_path):
    code = (
        f"import steelsight as ss; print(len(ss.open_data({str(data)!r}).sheets.items)); "
        f"ss.load('fast', threads=1).inspect_batch([b'none']); "
        f"ss.scan('fast', {str(data / 'train_images')!r}, {str(tmp_path / 'out')!r}, workers=1); "
        f"ss.open_data({str(data)!r}).describe(); ss.verify_bundle('fast', threads=1); "
        f"ss.list_runs({str(tmp_path)!r})"
    )
    assert "torch" not in _modules_after(code)


def test_every_name_is_typed_for_editors():
    tree = ast.parse(Path(ss.__file__).read_text(encoding="utf-8"))
    (guarded,) = (node for node in tree.body if isinstance(node, ast.If))
    typed = {
        alias.asname: node.module
        for node in guarded.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == ss._MODULES
    assert set(ss.__all__) == {*typed, "__version__"}


def test_every_name_exists():
    assert {name for name in ss.__all__ if getattr(ss, name) is None} == set()
    assert set(ss.__all__) <= set(dir(ss))


def test_completion_shows_names_of_the_api_and_modules_alone():
    code = "import steelsight as ss; import steelsight.errors; print(*dir(ss))"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    names = {name for name in shown.split() if not name.startswith("_")}
    assert names == {*ss.__all__, "version", "errors", "names"} - {"__version__"}


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'steelsight' has no attribute 'trian'"):
        ss.trian  # noqa: B018
