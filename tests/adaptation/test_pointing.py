"""Maps against masks, before and after, on sheets that were left out of the fit."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.adaptation.conftest import CHANNELS, GRID, HEIGHT, WIDTH
from tests.adaptation.test_graph import with_places
from typer.testing import CliRunner

from steelsight.adaptation import pointing as module
from steelsight.adaptation.classes import ClassPlan
from steelsight.adaptation.features import read_features, reference_outputs
from steelsight.adaptation.head import LIMIT, AdaptedHead
from steelsight.adaptation.nested import NestedScores
from steelsight.adaptation.options import AdaptOptions
from steelsight.adaptation.pointing import centre_inside, score_maps
from steelsight.adaptation.run import adapt_bundle
from steelsight.adaptation.sheets import LabelledSheets, SheetLabels, label_by_plan, read_folders
from steelsight.cli import app
from steelsight.runtime.bundle.card import GraphFacts
from steelsight.runtime.bundle.open import open_bundle
from steelsight.runtime.engine.engine import open_engine
from steelsight.types import InputSpec

COUNTS = {"none": 14, "bar": 12, "block": 10}
QUICK = AdaptOptions(folds=3, repeats=1, masks="_label")
PLAN = ClassPlan(("none", "bar", "block"), "none", (0, 1, 2), ())
Make = Callable[..., Path]


def with_masks(data: Path, most: int = 99) -> Path:
    """A mask beside so many sheets of each defect type: bars are 235, blocks 10."""
    for kind, gray in (("bar", 235), ("block", 10)):
        for path in sorted((data / kind).iterdir())[:most]:
            with Image.open(path) as image:
                mask = np.asarray(image) == gray
            Image.fromarray((255 * mask).astype(np.uint8)).save(path.with_name(f"{path.stem}_label.png"))
    return data


def test_the_centre_of_the_strongest_place() -> None:
    heatmap, truth = np.zeros((2, 3)), np.zeros((8, 12), dtype=bool)
    heatmap[1, 2] = 1
    assert not centre_inside(heatmap, truth)
    truth[6, 10] = True  # row 1.5 of 2 in 8 pixels, column 2.5 of 3 in 12
    assert centre_inside(heatmap, truth)
    assert not centre_inside(np.zeros((2, 3)), np.ones((8, 12), dtype=bool))


@pytest.fixture
def labelled(make_data: Make) -> tuple[LabelledSheets, SheetLabels]:
    sheets = read_folders((with_masks(make_data(COUNTS)),), InputSpec(HEIGHT, WIDTH), QUICK, {})
    return label_by_plan(sheets, PLAN, binary=False)


def random_heads(rng: np.random.Generator, count: int) -> tuple[AdaptedHead, ...]:
    width = 2 * CHANNELS
    return tuple(
        AdaptedHead(
            rng.normal(size=width), np.ones(width), rng.normal(size=(width, 3)), rng.normal(size=3), LIMIT
        )
        for _ in range(count)
    )


def folds(count: int) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    parts = [np.flatnonzero(np.arange(count) % 3 == fold) for fold in range(3)]
    return tuple((np.setdiff1d(np.arange(count), test), test) for test in parts)


@pytest.mark.parametrize("placed", [False, True])
def test_each_sheet_by_the_head_that_left_it_out(
    placed: bool,
    make_bundle: Make,
    labelled: tuple[LabelledSheets, SheetLabels],
    rng: np.random.Generator,
) -> None:
    """Against maps of whole passes, one head at a time, and masks read from the pixels."""
    sheets, labels = labelled
    more = {"graph_content": with_places(3)} if placed else {}
    facts = GraphFacts(opset=17, grid=GRID, embedding=CHANNELS, places=GRID if placed else None)
    bundle = open_bundle(make_bundle(graph=facts, **more))
    heads, count = random_heads(rng, 3), len(sheets.ids)
    scores = NestedScores(np.zeros((1, count, 3)), (), folds(count), heads)
    features = read_features(bundle, sheets.images)
    found = score_maps(bundle, features, scores, sheets, labels, PLAN)
    assert found is not None
    assert found.sheets == 22
    truths = {1: sheets.images == 235, 2: sheets.images == 10}
    own = open_engine(bundle)(sheets.images)
    after = [reference_outputs(bundle, head, sheets.images, (0, 1, 2)).maps for head in heads]
    hits = {"own": 0, "after": 0, "places": 0}
    for row, label in enumerate(labels.labels.tolist()):
        if label:
            truth = truths[label][row]
            hits["own"] += centre_inside(own.maps[row, label], truth)
            hits["after"] += centre_inside(after[row % 3][row, label], truth)
            hits["places"] += placed and centre_inside(own.where[row, label], truth)
    assert (found.before, found.after) == (hits["own"], hits["after"])
    assert found.place_head == (hits["places"] if placed else None)


def test_few_or_no_masks_and_classes_that_the_bundle_lacks(
    make_bundle: Make, labelled: tuple[LabelledSheets, SheetLabels], rng: np.random.Generator
) -> None:
    sheets, labels = labelled
    bundle, count = open_bundle(make_bundle()), len(sheets.ids)
    scores = NestedScores(np.zeros((1, count, 3)), (), folds(count), random_heads(rng, 3))
    features = read_features(bundle, sheets.images)

    def scored(items: object, plan: ClassPlan = PLAN) -> int | None:
        given = replace(sheets, items=items)
        found = score_maps(bundle, features, scores, given, labels, plan)
        return None if found is None else found.sheets

    bare = [replace(item, evidence="class", masks=()) if item.types else item for item in sheets.items]
    kept = [row for row, item in enumerate(sheets.items) if item.types]
    assert scored(tuple(bare)) is None
    for most in (module.FEWEST - 1, module.FEWEST):
        some = tuple(sheets.items[row] if row in kept[:most] else item for row, item in enumerate(bare))
        assert scored(some) == (most if most >= module.FEWEST else None)
    assert scored(sheets.items, replace(PLAN, own=(0, 1, None))) == 12  # the bars


def test_not_more_than_a_bounded_number(
    make_bundle: Make,
    labelled: tuple[LabelledSheets, SheetLabels],
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sheets, labels = labelled
    monkeypatch.setattr(module, "MOST", 7)
    bundle, count = open_bundle(make_bundle()), len(sheets.ids)
    scores = NestedScores(np.zeros((1, count, 3)), (), folds(count), random_heads(rng, 3))
    found = score_maps(bundle, read_features(bundle, sheets.images), scores, sheets, labels, PLAN)
    assert found is not None
    assert found.sheets == 7


def test_card_and_readme_tell_it(make_bundle: Make, make_data: Make, tmp_path: Path) -> None:
    data = with_masks(make_data(COUNTS))
    entry = adapt_bundle(make_bundle(), data, tmp_path / "new", QUICK).card.source["adapted"][0]
    told = entry["maps_on_masks"]
    assert told["sheets"] == 22
    assert told["place_head"] is None
    after = told["grad_cam_after"]
    assert after["estimate"] == pytest.approx(after["inside"] / 22)
    assert after["low"] < after["estimate"] or after["inside"] == 0
    words = (tmp_path / "new" / "README.md").read_text()
    assert "on 22 labelled sheets that were left out of the fit" in words
    assert f"| Grad-CAM of the new head | {after['inside']} of 22 | {after['estimate']:.3f} [" in words
    assert "place head, which is not refitted" not in words


def test_the_verb_tells_it(make_bundle: Make, make_data: Make, tmp_path: Path) -> None:
    data = with_masks(make_data(COUNTS))
    words = ["adapt", make_bundle(), data, "--out", tmp_path / "new", "--masks", "_label", "--repeats", 1]
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    assert re.search(
        r"strongest place in mask +Grad-CAM of the bundle \d+, of the new head \d+, of 22 sheets", done.output
    )


def test_nothing_is_said_without_masks(make_bundle: Make, make_data: Make, tmp_path: Path) -> None:
    data = with_masks(make_data(COUNTS), most=2)
    entry = adapt_bundle(make_bundle(), data, tmp_path / "new", QUICK).card.source["adapted"][0]
    assert entry["maps_on_masks"] is None
    assert "inside the mask" not in (tmp_path / "new" / "README.md").read_text()
