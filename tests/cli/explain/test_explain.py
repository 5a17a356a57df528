"""`explain` from the command line: figures, one JSON line, exit codes."""

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from steelsight.cli import app as whole_app
from steelsight.cli.explain.explain import explain
from steelsight.explanations.catalog import METHODS as CATALOG
from steelsight.models.catalog import ModelSpec, build_model
from steelsight.models.checkpoint import Card, save_checkpoint
from steelsight.runs.options import METHODS
from steelsight.sheets.images.pixels import read_size
from steelsight.types import InputSpec


def invoke(*arguments: object) -> Result:
    """Run the verb under the whole program's error handling."""
    app = typer.Typer(cls=whole_app.info.cls)
    app.callback()(lambda: None)  # keeps `explain` a verb although it is alone
    app.command()(explain)
    return CliRunner().invoke(app, ["explain", *map(str, arguments)])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    spec = ModelSpec(name="squeezenet_reduced", head="direct", outputs=2, height=32, width=64)
    card = Card(
        task="binary",
        class_names=("none", "defect"),
        model=spec,
        input=InputSpec(height=32, width=64),
        data_hash="0",
        seed=0,
    )
    save_checkpoint(tmp_path / "run", build_model(spec), card)
    return tmp_path / "run"


@pytest.fixture
def tiles(tmp_path: Path, rng: np.random.Generator) -> Path:
    for folder, name in (("Free", "a.jpg"), ("Crack", "b.jpg"), ("Crack", "deep/b.jpg")):
        path = tmp_path / "tiles" / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (64, 128), dtype=np.uint8)).save(path)
    mask = np.zeros((64, 128), dtype=np.uint8)
    mask[10:30, 40:80] = 255
    Image.fromarray(mask).save(tmp_path / "tiles" / "Crack" / "b.png")
    return tmp_path / "tiles"


def test_writes_a_figure_a_sheet_and_one_json_line(run: Path, tiles: Path) -> None:
    result = invoke(run, tiles, "--data", tiles, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout.splitlines()[-1])
    assert report == json.loads((run / "explanations" / "explanations.json").read_text())
    names = [Path(sheet["figure"]).name for sheet in report["sheets"]]
    assert sorted(names) == ["a.gradcam.png", "b-2.gradcam.png", "b.gradcam.png"]
    for sheet in report["sheets"]:
        assert read_size(Path(sheet["figure"]))[1] > 500
        assert sum(sheet["probabilities"].values()) == pytest.approx(1)
        assert list(sheet["maps"]) == ["none", "defect"]
        assert sheet["confidence"] == max(sheet["probabilities"].values())
    truths = {
        Path(sheet["image"]).relative_to(tiles).as_posix(): sheet["truth"] for sheet in report["sheets"]
    }
    assert truths == {"Crack/b.jpg": "Crack", "Crack/deep/b.jpg": "Crack", "Free/a.jpg": "Free"}
    assert [sheet["mask"] for sheet in report["sheets"]].count(True) == 1
    assert report["set_aside"] == []


def test_many_sheets_go_through_in_chunks(run: Path, tiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = json.loads(invoke(run, tiles, "--json").stdout)["sheets"]
    monkeypatch.setattr("steelsight.runs.explain.CHUNK", 1)
    one_by_one = json.loads(invoke(run, tiles, "--json").stdout)["sheets"]
    for name in ("image", "figure", "verdict", "truth", "mask"):
        assert [sheet[name] for sheet in one_by_one] == [sheet[name] for sheet in whole]
    for one, same in zip(one_by_one, whole, strict=True):  # another batch size rounds differently
        assert one["confidence"] == pytest.approx(same["confidence"], abs=1e-5)


def test_one_image_one_class_another_folder(run: Path, tiles: Path, tmp_path: Path) -> None:
    result = invoke(
        run, tiles / "Crack" / "b.jpg", "--target", "defect", "--out", tmp_path / "figures", "--json"
    )
    sheet = json.loads(result.stdout)["sheets"][0]
    assert list(sheet["maps"]) == ["defect"]
    assert sheet["truth"] is None
    assert sheet["mask"] is True
    assert Path(sheet["figure"]) == tmp_path / "figures" / "b.gradcam.png"
    assert not (run / "explanations").exists()


def test_bad_image_is_set_aside_and_the_rest_explained(run: Path, tiles: Path) -> None:
    (tiles / "Crack" / "bad.jpg").write_text("no image")
    result = invoke(run, tiles, "--json")
    assert result.exit_code == 2
    report = json.loads(result.stdout)
    assert len(report["sheets"]) == 3
    assert [rejection["id"] for rejection in report["set_aside"]] == ["Crack/bad.jpg"]
    assert "set aside: Crack/bad.jpg" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("RUN", "absent.jpg"), "expected an image or a folder of images, found nothing"),
        (("absent", "IMAGES"), "expected a RUN folder, found none"),
        (("RUN", "IMAGES", "--method", "tarot"), "gradient, got 'tarot'"),
        (
            ("RUN", "IMAGES", "--target", "hole"),
            "expected one of none, defect, or its number from 0, got 'hole'",
        ),
        (("RUN", "IMAGES", "--data", "absent"), "expected a DATA folder"),
        (("RUN", "EMPTY"), "none of 0 can be read"),
        (("RUN", "BAD"), "none of 1 can be read; the first:"),
        (("RUN", "IMAGES", "--out", "FILE"), "could not be written"),
    ],
)
def test_bad_input_ends_with_its_message_and_exit_code_2(
    arguments: tuple[str, ...], message: str, run: Path, tiles: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.jpg").write_bytes(b"")
    places = {
        "RUN": run,
        "IMAGES": tiles,
        "EMPTY": tmp_path / "empty",
        "BAD": tmp_path / "bad.jpg",
        "FILE": tmp_path / "bad.jpg",
    }
    result = invoke(*(places.get(argument, argument) for argument in arguments))
    assert result.exit_code == 2, result.output
    assert message in result.stderr.replace("\n", "")
    assert "Traceback" not in result.output


@pytest.mark.realdata
def test_real_strips_and_tiles(run: Path, data_root: Path, tmp_path: Path) -> None:
    strip = data_root / "severstal" / "train_images" / "002fc4e19.jpg"
    tile = next((data_root / "magnetic_tile").rglob("MT_Crack/*.jpg"))
    result = invoke(run, strip, "--data", data_root / "severstal", "--out", tmp_path / "strip", "--json")
    sheet = json.loads(result.stdout)["sheets"][0]
    assert sheet["mask"] is True
    assert " + " in sheet["truth"]
    result = invoke(run, tile, "--out", tmp_path / "tile", "--json")
    assert json.loads(result.stdout)["sheets"][0]["mask"] is True


def test_every_method_of_the_catalog_is_a_choice(run: Path, tiles: Path, tmp_path: Path) -> None:
    assert tuple(CATALOG) == METHODS
    result = invoke(run, tiles / "Crack" / "b.jpg", "--method", "guided_gradcam", "--out", tmp_path, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout.splitlines()[-1])
    assert report["method"] == "guided_gradcam"
    assert Path(report["sheets"][0]["figure"]).name == "b.guided_gradcam.png"
