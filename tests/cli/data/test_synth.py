"""`steelsight synth`: options to a folder, bad options to a message and exit code 2."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from steelsight.cli.boundary import exit_on_error
from steelsight.cli.data.synth import synth
from steelsight.errors import BadRecipe

SMALL = ["--count", "6", "--size", "64x400", "--workers", "1", "--shares", "even"]
app = typer.Typer()
app.command()(synth)


def run(*options: str | Path) -> list[str]:
    result = CliRunner().invoke(app, [str(option) for option in options], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout.splitlines()


def test_writes_a_set_and_one_json_line(tmp_path: Path) -> None:
    last = json.loads(run(tmp_path / "set", *SMALL, "--json")[-1])
    assert last["sheets"] == 6
    assert last["spec"]["height"] == 64
    assert len(list((tmp_path / "set" / "train_images").glob("*.jpg"))) == 6


def test_compares_with_given_masks(tmp_path: Path) -> None:
    run(tmp_path / "one", *SMALL)
    masks = tmp_path / "masks.csv"
    masks.write_text("ImageId,ClassId,EncodedPixels\na.jpg,1,1000 40 1256 40\nb.jpg,3,1 256 257 256\n")
    last = json.loads(run(tmp_path / "two", *SMALL, "--compare", masks, "--json")[-1])
    assert (tmp_path / "two" / "compare.png").stat().st_size > 5000
    assert set(last["comparison"]["ks_distance"]) == {"1", "3"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", "64"], "--size: expected two whole numbers joined by 'x'; found '64'"),
        (["--shares", ".5,.5"], "--shares: expected five numbers"),
        (["--shares", ".5,.5,.5,0,0"], "class_shares: .*sum to 1"),
        (["--stain-given-none", "3"], "stain_given_none"),
        (["--quality", "high"], "--quality: expected two whole numbers joined by '-'"),
        (["--end-given-class", "0,0,0,0,x"], "--end-given-class: expected five numbers"),
    ],
)
def test_refuses_bad_options(options: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(BadRecipe, match=message):
        CliRunner().invoke(app, [str(tmp_path / "set"), *options], catch_exceptions=False)


def test_bad_option_ends_with_code_2(tmp_path: Path) -> None:
    with pytest.raises(typer.Exit) as ended, exit_on_error():
        CliRunner().invoke(app, [str(tmp_path), "--size", "x"], catch_exceptions=False)
    assert ended.value.exit_code == 2
