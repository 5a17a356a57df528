"""The whole search on a small trained run: page, numbers, and refused inputs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.counterfactuals.conftest import draw_one

from steelsight.errors import BadData, BadInput
from steelsight.models.catalog import ModelSpec, build_model
from steelsight.shortcuts.find.forward import forward
from steelsight.shortcuts.find.numbers import find_json
from steelsight.shortcuts.find.options import SearchOptions
from steelsight.shortcuts.find.report import headline, write_find_page
from steelsight.shortcuts.find.run import find_shortcuts
from steelsight.training.predict import predict_logits
from steelsight.training.recipe_files import load_recipe
from steelsight.training.run import train_run

SMALL = (
    "model.name=adhoc",
    "height=64",
    "width=160",
    "batch_size=8",
    "max_epochs=2",
    "threads=1",
    "precision=fp32",
    "split.method=stratified",
)


def _write(root: Path, count: int = 60) -> Path:
    """Class folders with masks; half of the good sheets are stained."""
    rng = np.random.default_rng(3)
    for kind in ("good", "crack"):
        (root / kind).mkdir(parents=True)
        for number in range(count):
            defect = kind == "crack"
            stain = not defect and number % 2 == 0
            gray, mask = draw_one(rng, defect=defect, stain=stain, end=number % 3 == 0)
            Image.fromarray(gray).save(root / kind / f"{kind}{number:03}.jpg", quality=80 + number % 15)
            if defect:
                Image.fromarray(mask.astype(np.uint8) * 255).save(root / kind / f"{kind}{number:03}.png")
    return root


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    data = _write(tmp_path_factory.mktemp("mill") / "mill <b>")
    run = tmp_path_factory.mktemp("runs") / "run"
    train_run(data, recipe=load_recipe("default", SMALL), out=run)
    return run, data


def test_page_and_numbers_agree(trained: tuple[Path, Path], tmp_path: Path) -> None:
    run, data = trained
    options = SearchOptions(split="train", limit=60, segments="grid")
    found, card = find_shortcuts(run, data, options)
    write_find_page(tmp_path / "shortcuts.html", found, title="run", seed=0, model=card.model.name)
    page = (tmp_path / "shortcuts.html").read_text()
    written = json.loads((tmp_path / "shortcuts.json").read_text())["find"]
    assert "mill &lt;b&gt;" in page
    assert "mill <b>" not in page
    assert written["sheets"] == 60
    assert [each["key"] for each in written["candidates"]] == [each.property.key for each in found.candidates]
    keys = {each["key"] for each in written["candidates"]}
    assert {"stain", "end", "jpeg_quality", "file_size", "concept:1"} <= keys
    assert written["candidates"][0]["effect"]["estimate"] == found.candidates[0].association.effect.estimate
    assert headline(found) in page.replace("&#39;", "'")
    assert "60 of 72 sheets, drawn at random" in written["notes"]
    assert not any(key.startswith("folder") for key in keys)  # folders are the classes here
    assert "in folder crack" in written["notes"][-1]
    again, _ = find_shortcuts(run, data, options)
    assert find_json(again) == find_json(found)


def test_unusable_options_and_folders_are_refused(trained: tuple[Path, Path], tmp_path: Path) -> None:
    run, data = trained
    with pytest.raises(BadInput, match="--limit: expected at least 1, got 0"):
        find_shortcuts(run, data, SearchOptions(limit=0))
    with pytest.raises(BadInput, match="--split: expected one of test, validation, train, unseen, got"):
        find_shortcuts(run, data, SearchOptions(split="future"))
    with pytest.raises(BadData, match="trained run, so figures"):
        find_shortcuts(run, data, SearchOptions(split="all"))
    other = _write(tmp_path / "other", count=2)
    (other / "crack").rename(other / "dent")
    recipe = load_recipe("default", [*SMALL, "task=multiclass", "max_epochs=1"])
    train_run(data, recipe=recipe, out=tmp_path / "m")
    with pytest.raises(BadData, match="expected only classes of the run"):
        find_shortcuts(tmp_path / "m", other, SearchOptions(split="unseen"))


def test_the_forward_pass_gives_the_predicted_logits(rng: np.random.Generator) -> None:
    model = build_model(ModelSpec(name="squeezenet_reduced", outputs=3, height=48, width=64)).eval()
    images = rng.integers(0, 256, (5, 48, 64), dtype=np.uint8)
    found = forward(model, images, batch=2)
    assert found.logits == pytest.approx(predict_logits(model, images), abs=1e-4)
    assert found.embeddings.shape == (5, 384)
    assert found.verdict_maps.shape == found.maps.shape[:1] + found.maps.shape[2:]
    row = int(found.logits[3].argmax())
    assert (found.verdict_maps[3] == found.maps[3, row]).all()


def test_a_multilabel_run_is_refused(trained: tuple[Path, Path], tmp_path: Path) -> None:
    _, data = trained
    recipe = load_recipe("default", [*SMALL, "task=multilabel", "max_epochs=1"])
    train_run(data, recipe=recipe, out=tmp_path / "types")
    with pytest.raises(BadInput, match="expected a binary or multiclass run, got multilabel"):
        find_shortcuts(tmp_path / "types", data)


def test_a_folder_without_a_class_gives_a_note(trained: tuple[Path, Path], tmp_path: Path) -> None:
    run, _ = trained
    flawless = _write(tmp_path / "flawless", count=30)
    for path in (flawless / "crack").iterdir():
        path.unlink()
    options = SearchOptions(split="unseen", segments="grid", allow_bad=1)
    found, _ = find_shortcuts(run, flawless, options)
    assert any("no sheet of defect" in note for note in found.notes)
    assert not found.findings
