"""`steelsight study` from the outside."""

import json

import numpy as np
import pytest
from PIL import Image
from typer import Typer
from typer.testing import CliRunner

from steelsight.cli.study import study
from steelsight.errors import BadRecipe


@pytest.fixture
def app() -> Typer:
    """The verb alone; how errors become exit codes is the command line's own test."""
    alone = Typer()
    alone.command()(study)
    return alone


@pytest.fixture
def sheets(tmp_path):
    rng = np.random.default_rng(0)
    for kind in ("free", "crack"):
        (tmp_path / "data" / kind).mkdir(parents=True)
        for number in range(20):
            gray = rng.integers(100, 200, (48, 64), dtype=np.uint8)
            gray[:, 20:26] = 20 if kind == "crack" else 150
            Image.fromarray(gray).save(tmp_path / "data" / kind / f"{kind}{number}.png")
    return tmp_path / "data"


ONE_EPOCH = ["--models", "adhoc", "--epochs", "1", "--set", "input.height=48", "--set", "input.width=64"]


def test_writes_the_report_and_ends_with_one_json_line(app, sheets, tmp_path, monkeypatch):
    monkeypatch.setattr("steelsight.study.run._inspect_chosen", lambda study: study)  # see tests/study
    out = tmp_path / "out"
    arguments = [str(sheets), "--out", str(out), *ONE_EPOCH, "--quick", "--threads", "1", "--json"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    told = json.loads(result.stdout.splitlines()[-1])
    assert told["report"] == str(out / "report.html")
    assert set(told["models"]) == {"adhoc"}
    assert 0 <= told["models"]["adhoc"]["noisy"]["accuracy"]["estimate"] <= 1
    assert json.loads((out / "report.json").read_text())["study"] == told
    assert (out / "runs" / "adhoc" / "metrics.json").exists()


def test_unknown_network(app, sheets, tmp_path):
    with pytest.raises(BadRecipe, match="got resnet"):
        CliRunner().invoke(
            app, [str(sheets), "--out", str(tmp_path / "o"), "--models", "resnet"], catch_exceptions=False
        )


def test_help_names_every_option(app):
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).stdout
    for option in ("--models", "--vgg", "--epochs", "--quick", "--seed", "--threads", "--json", "--groups"):
        assert option in shown
