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
from steelsight.models.checkpoint import Card, load_checkpoint, save_checkpoint
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


def test_a_damaged_earlier_result_is_kept_as_it_is(run: Path, tiles: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "explanations.json").write_text("{")
    result = invoke(run, tiles / "Free" / "a.jpg", "--out", out)
    assert result.exit_code == 0, result.output
    assert (out / "earlier" / "1" / "explanations.json").read_text() == "{"
    assert json.loads((out / "explanations.json").read_text())["sheets"]


def documented_code(after: str) -> str:
    """The first Python block of docs/maps.md after a heading."""
    text = (Path(__file__).parents[3] / "docs" / "maps.md").read_text(encoding="utf-8")
    return text.partition(after)[2].partition("```python\n")[2].partition("```")[0]


@pytest.mark.parametrize("fit", ["stretch", "letterbox", "crop"])
def test_arrays_are_the_maps_of_the_figures_in_the_documented_frame(
    fit: str, run: Path, tiles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, card = load_checkpoint(run)
    save_checkpoint(run, model, card.model_copy(update={"input": InputSpec(32, 64, fit)}))
    Image.fromarray(np.full((90, 61), 120, dtype=np.uint8)).save(tiles / "Crack" / "sheet.jpg")
    Image.fromarray(np.full((90, 61), 255, dtype=np.uint8)).save(tiles / "Crack" / "sheet.png")
    result = invoke(run, tiles, "--data", tiles, "--target", "defect", "--arrays", "--json")
    assert result.exit_code == 0, result.output
    for row in json.loads(result.stdout)["sheets"]:
        assert Path(row["arrays"]) == Path(row["figure"]).with_suffix(".npz")
        with np.load(row["arrays"], allow_pickle=False) as arrays:
            kept = dict(arrays)
        assert kept["maps"].shape == (1, 32, 64)
        assert kept["maps"].dtype == np.float32
        assert kept["maps"].min() == np.float32(row["maps"]["defect"]["lowest"])
        assert kept["maps"].max() == np.float32(row["maps"]["defect"]["highest"])
        assert kept["map_classes"].tolist() == ["defect"]
        assert dict(zip(kept["class_names"].tolist(), kept["probabilities"].tolist(), strict=True)) == (
            pytest.approx(row["probabilities"])
        )
        assert kept["temperature"] == 1
        assert kept["image"].shape == (32, 64)
        assert kept["original_size"].tolist() == list(read_size(Path(row["image"])))
        assert ("mask" in kept) == row["mask"]
        if Path(row["image"]).name == "sheet.jpg":  # its mask covers what the input shows of the image
            left, top, right, bottom = kept["model_box"].tolist()
            shown = np.zeros((32, 64), dtype=np.float32)
            shown[top:bottom, left:right] = 1
            np.testing.assert_allclose(kept["mask"], shown, atol=1e-5)

    monkeypatch.chdir(run.parent)
    code, names = documented_code("## `steelsight explain"), dict[str, object]()
    exec(compile(code, "docs/maps.md", "exec"), names)
    x0, y0, x1, y1 = (names[key] for key in ("image_left", "image_top", "image_right", "image_bottom"))
    assert x0 < names["x"] < x1
    assert y0 < names["y"] < y1


def test_equal_calls_give_equal_arrays(run: Path, tiles: Path, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        invoke(run, tiles, "--arrays", "--out", tmp_path / folder)
    names = [path.name for path in sorted((tmp_path / "one").glob("*.npz"))]
    assert names == ["a.gradcam.npz", "b-2.gradcam.npz", "b.gradcam.npz"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_every_key_of_the_arrays_is_documented(run: Path, tiles: Path) -> None:
    invoke(run, tiles, "--data", tiles, "--arrays")
    text = (Path(__file__).parents[3] / "docs" / "maps.md").read_text(encoding="utf-8")
    with np.load(run / "explanations" / "b.gradcam.npz", allow_pickle=False) as arrays:
        shown = {name: arrays[name] for name in arrays.files}
    assert "mask" in shown
    for name, array in shown.items():
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{name}` |")]
        _, shape, kind, _ = (cell.strip() for cell in row.strip("|").split("|", 3))
        assert shape.count(",") + (shape not in ("()",) and not shape.endswith(",)")) == array.ndim
        assert kind == ("text" if array.dtype.kind == "U" else array.dtype.name)


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
        (("RUN", "IMAGES", "--arrays", "--errors"), "--arrays: expected without --errors"),
        (("RUN", "EMPTY"), "none of 0 can be read"),
        (("RUN", "BAD"), "none of 1 can be read; the first:"),
        (("RUN", "IMAGES", "--out", "FILE"), "is a file; choose another folder"),
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
