"""`models` from the command line."""

import json
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from steelsight.cli import app as whole_app
from steelsight.cli.lab.models import models
from steelsight.models.catalog import BACKBONES, MODELS


def invoke(*arguments: str) -> Result:
    app = typer.Typer(cls=whole_app.info.cls)
    app.callback()(lambda: None)
    app.command()(models)
    return CliRunner().invoke(app, ["models", *arguments])


def test_lists_every_network(tmp_path: Path) -> None:
    result = invoke("--json", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert list(report["models"]) == [*MODELS, *BACKBONES]
    assert report["models"]["squeezenet_reduced"]["macs"] == pytest.approx(113.1e6, rel=1e-3)
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted([*MODELS, *BACKBONES])
    assert "features.9" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("lenet",),
            "vgg16_bn, efficientnet_lite0, two_scales, or timm:NAME, torchvision:NAME, "
            "module:callable, got 'lenet'",
        ),
        (("adhoc", "--height", "20"), "at least 46x46, got 20x400"),
        (("adhoc", "--head", "none"), "'study' or 'direct'"),
    ],
)
def test_bad_input(arguments: tuple[str, ...], message: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr.replace("\n", "")
