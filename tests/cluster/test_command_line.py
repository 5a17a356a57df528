"""The option `--ray` of trainings, with a cluster and without Ray."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tests.cluster.comparing import assert_same_runs, figures
from tests.training.conftest import folder
from typer.testing import CliRunner

from steelsight.cli import app

__all__ = ["folder"]
SETTINGS = ("model.name=adhoc", "height=48", "width=64", "batch_size=4", "threads=1", "precision=fp32")


def test_a_cross_validation_by_ray_has_the_figures_of_one_made_here(nodes, ray_head, folder, tmp_path):
    words = [word for value in SETTINGS for word in ("--set", value)]
    command = [
        "train",
        str(folder(classes=2)),
        "--folds",
        "2",
        "--epochs",
        "2",
        "--json",
        *words,
    ]
    told = {}
    for name, ray in (("here", []), ("there", ["--ray", ray_head.address])):
        result = CliRunner().invoke(app, [*command, "--out", str(tmp_path / name), *ray])
        assert result.exit_code == 0, result.output
        told[name] = figures(json.loads(result.stdout.splitlines()[-1])) | {"out": ""}
    assert told["here"] == told["there"]
    assert_same_runs(tmp_path / "here", tmp_path / "there")
    pooled = [(tmp_path / name / "predictions.parquet").read_bytes() for name in ("here", "there")]
    assert pooled[0] == pooled[1]
    lines = [" ".join(line.split()) for line in result.stderr.splitlines()]
    for number in range(1, 3):
        own = [line.partition(": ")[2] for line in lines if line.startswith(f"fold {number} of 2: ")]
        epochs = [line for line in own if "epoch" in line]
        assert "up to 2 epochs" in epochs[0]
        assert [line[:7] for line in epochs[1:]] == ["epoch 1", "epoch 2"]
    kept = (tmp_path / "there").rglob("model.safetensors")
    times = {path: path.stat().st_mtime_ns for path in kept}
    again = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "there"), "--ray", ray_head.address])
    assert again.exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in times} == times  # finished trainings are kept


def test_one_training_is_not_for_a_cluster(folder, tmp_path):
    command = ["train", str(folder(classes=2)), "--out", str(tmp_path / "out"), "--ray", "local"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "--ray: expected --folds or --all" in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", ["train", "scan"])
def test_without_ray_the_extra_is_named_in_one_line(verb, folder, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("steelsight.cluster.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ray", None)
    data = str(folder(classes=2))
    command = {"train": ["train", data, "--folds", "2"], "scan": ["scan", "fast", data]}[verb]
    result = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "out"), "--ray", "local"])
    assert result.exit_code == 2
    assert "pip install 'steelsight[cluster]'" in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()


HIDE = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name in ("ray", "steelsight.cluster"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hidden())
from steelsight.cli import app
app(sys.argv[1:])
"""


@pytest.mark.long
def test_nothing_of_ray_is_imported_without_the_option(folder, tmp_path):
    command = ["train", folder(classes=2), "--out", tmp_path / "out", "--folds", "2", "--epochs", "1"]
    words = [word for value in SETTINGS for word in ("--set", value)]
    told = subprocess.run(
        [sys.executable, "-c", HIDE, *map(str, command), *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert told.returncode == 0, told.stderr
