"""Every block of code of docs/api.md runs, in its order, on the generated sheets."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import steelsight as ss

GUIDE = Path(__file__).parents[2] / "docs" / "api.md"


def test_the_code_of_the_guide_runs(data, trained, tmp_path, monkeypatch):
    text = GUIDE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    assert len(blocks) == text.count("```python") >= 8
    shutil.copytree(data, tmp_path / "DATA")
    shutil.copytree(trained.folder, tmp_path / "run")  # the guide trains the same, and finds it finished
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"docs/api.md, block {number}", "exec"), names)
    assert names["seen"] == ["note"]  # nothing was trained


def test_the_guide_names_every_name_of_the_package():
    text = GUIDE.read_text(encoding="utf-8")
    missing = [name for name in ss.__all__ if not name.startswith("__") and name not in text]
    assert missing == []
