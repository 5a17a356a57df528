"""Every verb that writes a result keeps an earlier one of other settings, and replaces one of the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from steelsight.checksums import read_checked
from steelsight.cli import app
from steelsight.training.recipe_files import load_recipe
from steelsight.training.run import train_run

RECIPE = (
    "task=multiclass",
    "model.name=adhoc",
    "height=48",
    "width=64",
    "batch_size=8",
    "max_epochs=1",
    "threads=1",
    "precision=fp32",
    "split.method=stratified",
)
LEAGUE = ("report.resamples=20", "report.repeats=1", "checks.sheets=0")
SET = [part for setting in LEAGUE for part in ("--set", setting)]
# Arguments of a call, what the second call has instead, the file with the numbers.
VERBS = {
    "evaluate": (["RUN", "DATA", "--out", "OUT"], ["--seed", "1"], "metrics.json"),
    "explain": (["RUN", "IMAGES", "--out", "OUT"], ["--target", "crack"], "explanations.json"),
    "explain --errors": (["RUN", "DATA", "--out", "OUT"], ["--most", "1"], "errors.json"),
    "league": (
        ["RUN", "DATA", "--methods", "contrast", *SET, "--out", "OUT"],
        ["--limit", "1"],
        "league.json",
    ),
    "robustness": (["RUN", "DATA", "--limit", "4", "--out", "OUT"], ["--seed", "1"], "report.json"),
    "calibrate": (["RUN", "DATA"], ["--seed", "1"], "calibration.json"),
    "confidence": (["RUN", "DATA", "--out", "OUT"], ["--seed", "1"], "confidence.json"),
    "compare": (["RUN", "RUN", "--data", "DATA", "--out", "OUT"], ["--seed", "1"], "compare.json"),
    "inspect layers": (
        ["RUN", "DATA", "--layers", "features.2", "--controls", "random", "--tsne", "0", "--out", "OUT"],
        ["--seed", "1"],
        "layers.json",
    ),
    "shortcuts find": (["RUN", "DATA", "--out", "OUT"], ["--seed", "1"], "shortcuts.json"),
    "shortcuts prove": (
        ["RUN", "DATA", "--nuisance", "LIST", "--split", "train", "--out", "OUT"],
        ["--seed", "1"],
        "proof.json",
    ),
    "data": (["DATA", "--out", "OUT"], ["--groups", "frames"], "data.json"),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "mill"
    rng = np.random.default_rng(0)
    for kind, width in (("free", 0), ("crack", 4), ("patch", 20)):
        (root / kind).mkdir(parents=True)
        for number in range(10):
            gray = np.clip(rng.normal(120, 10, (48, 64)), 0, 255).astype(np.uint8)
            if width:
                mask = np.zeros((48, 64), dtype=np.uint8)
                left = int(rng.integers(2, 40))
                mask[10:40, left : left + width] = 255
                gray[mask > 0] = 20
                Image.fromarray(mask).save(root / kind / f"{kind}_{number}.png")
            Image.fromarray(gray).save(root / kind / f"{kind}_{number}.jpg", quality=95)
    (root.parent / "odd.csv").write_text(
        "ImageId\n" + "".join(f"free/free_{number}.jpg\n" for number in range(0, 10, 2)), encoding="utf-8"
    )
    return root


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "run"
    train_run(data, recipe=load_recipe("default", RECIPE), out=out)
    return out


@pytest.mark.parametrize("verb", VERBS)
def test_an_earlier_result_of_other_settings_stays(verb: str, run: Path, data: Path, tmp_path: Path) -> None:
    arguments, other, numbers = VERBS[verb]
    places = {
        "RUN": run,
        "DATA": data,
        "IMAGES": data / "crack",
        "OUT": tmp_path / "out",
        "LIST": data.parent / "odd.csv",
    }
    folder = run if verb == "calibrate" else tmp_path / "out"

    def call(*more: str) -> tuple[str, bytes]:
        words = [*verb.split(), *(str(places.get(word, word)) for word in arguments), *more]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
        return result.stderr, (folder / numbers).read_bytes()

    _, first = call()
    again, repeated = call()
    assert "earlier result" not in again
    assert json.loads(repeated)["settings"] == json.loads(first)["settings"]
    assert not (folder / "earlier").exists()
    told, second = call(*other)
    kept = folder / "earlier" / "1"
    assert f"an earlier result, of other settings, is kept in {kept}" in told.replace("\n", "")
    assert json.loads(second)["earlier_result"] == str(kept)
    assert json.loads(second)["settings"] != json.loads(first)["settings"]
    assert json.loads((kept / numbers).read_text())["settings"] == json.loads(first)["settings"]
    if verb != "explain":
        assert (kept / numbers).read_bytes() == repeated
        pages = {path.name for path in kept.glob("*.html")}
        assert (
            pages == {path.name for path in folder.glob("*.html")} - {"report.html"} or "report.html" in pages
        )
    else:
        for row in json.loads((kept / numbers).read_text())["sheets"]:
            assert Path(row["figure"]).parent == kept
            assert Path(row["figure"]).is_file()


def test_figures_move_with_their_result_and_other_files_stay_where_they_are(
    run: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / "figures").mkdir(parents=True)
    (out / "notes.txt").write_text("mine")
    image = str(data / "crack" / "crack_0.jpg")
    for method in ("gradcam", "gradient"):
        result = CliRunner().invoke(app, ["explain", str(run), image, "--method", method, "--out", str(out)])
        assert result.exit_code == 0, result.output
    assert (out / "notes.txt").read_text() == "mine"
    assert {path.name for path in out.glob("*.png")} == {"crack_0.gradient.png"}
    moved = {path.name for path in (out / "earlier" / "1").iterdir()}
    assert moved == {"explanations.json", "crack_0.gradcam.png"}
    (row,) = json.loads((out / "earlier" / "1" / "explanations.json").read_text())["sheets"]
    assert row["figure"] == str(out / "earlier" / "1" / "crack_0.gradcam.png")
    assert Path(row["figure"]).is_file()


def test_checksums_move_with_their_proof(run: Path, data: Path, tmp_path: Path) -> None:
    out, arguments = tmp_path / "out", ["--nuisance", str(data.parent / "odd.csv"), "--split", "train"]
    for seed in ("0", "1"):
        call = ["shortcuts", "prove", str(run), str(data), *arguments, "--seed", seed, "--out", str(out)]
        assert CliRunner().invoke(app, call).exit_code == 0
    names = {"proof.json", "proof.html", "checksums.json"}
    assert {path.name for path in (out / "earlier" / "1").iterdir()} == names
    for folder in (out, out / "earlier" / "1"):
        assert read_checked(folder / "proof.json", advice="")


def test_svg_figures_lie_beside_and_are_linked_and_move_with_their_result(
    run: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for more in (["--svg"], ["--svg"], ["--seed", "1"]):
        result = CliRunner().invoke(app, ["evaluate", str(run), str(data), "--out", str(out), *more])
        assert result.exit_code == 0, result.output
        if more == ["--svg"]:
            page = (out / "report.html").read_text()
            pictures = sorted(path.stem for path in (out / "figures").glob("*.png"))
            assert pictures
            assert sorted(path.stem for path in (out / "figures").glob("*.svg")) == pictures
            assert all(f'href="figures/{name}.svg"' in page for name in pictures)
    assert not list((out / "figures").glob("*.svg"))
    kept = json.loads((out / "earlier" / "1" / "metrics.json").read_text())
    assert all((out / "earlier" / "1" / name).is_file() for name in kept["result_files"])
    assert sorted(path.stem for path in (out / "earlier" / "1" / "figures").glob("*.svg")) == pictures
    assert ".svg" not in (out / "report.html").read_text()
