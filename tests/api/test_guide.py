"""Every block of code of docs/api.md runs, in its order, on the generated sheets."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import steelsight as ss

GUIDE = Path(__file__).parents[2] / "docs" / "api.md"
OTHER_PROGRAMS = Path(__file__).parents[2] / "docs" / "guides" / "other-programs.md"


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


def test_the_lines_that_read_predictions_of_a_run_read_its_predictions(trained, tmp_path, monkeypatch):
    import pandas as pd

    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    shutil.copytree(trained.folder, tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    lines = re.findall(
        r"`([^`\n]*run/predictions\.parquet[^`\n]*)`", OTHER_PROGRAMS.read_text(encoding="utf-8")
    )
    by_pandas, by_duckdb = (eval(line, {"pd": pd, "duckdb": duckdb}) for line in lines)
    splits = pd.read_csv("run/splits.csv")
    assert len(by_pandas) == len(splits)
    assert set(by_pandas["split"]) == {"train", "validation", "test"}
    test = by_pandas[by_pandas["split"] == "test"]
    right = (test["label"] == test["predicted"]).mean()
    assert right == pytest.approx(trained.metrics["test"]["accuracy"]["estimate"])
    counts = by_duckdb.df()
    assert counts["sheets"].sum() == len(by_pandas)
    wanted = by_pandas.groupby(["label", "predicted"]).size()
    assert counts.set_index(["label", "predicted"])["sheets"].to_dict() == wanted.to_dict()
