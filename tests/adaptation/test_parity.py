"""Parity of an adapted bundle: sheets of every class, and the bounds of an export for bf16."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.adaptation.conftest import HEIGHT, WIDTH

from steelsight.adaptation import parity as module
from steelsight.adaptation.options import AdaptOptions
from steelsight.adaptation.run import adapt_bundle
from steelsight.adaptation.sheets import read_folders
from steelsight.runtime.bundle.open import open_bundle
from steelsight.runtime.parity import compare as bounds
from steelsight.runtime.parity.verify import read_probes
from steelsight.types import InputSpec

COUNTS = {"none": 14, "bar": 12, "block": 10}
QUICK = AdaptOptions(folds=3, repeats=1)
Make = Callable[..., Path]


@pytest.mark.parametrize("probes", [24, 40])
def test_each_class_has_its_probes(probes: int, make_bundle: Make, make_data: Make, tmp_path: Path) -> None:
    """Seven sheets of the rare classes among 127: all of them are compared and carried."""
    data = make_data({"none": 120, "bar": 4, "block": 3})
    adapt_bundle(make_bundle(), data, tmp_path / "new", replace(QUICK, probes=probes))
    new = open_bundle(tmp_path / "new")
    carried = read_probes(new).images
    assert len(carried) == probes
    sheets = read_folders((data,), InputSpec(HEIGHT, WIDTH), QUICK, {})
    types = {image.tobytes(): types for image, types in zip(sheets.images, sheets.types, strict=True)}
    counts = Counter(types[image.tobytes()] for image in carried)
    assert counts == {(): probes - 7, ("bar",): 4, ("block",): 3}
    assert new.card.parity["f32"]["engines"][0]["sheets"] == max(32, probes) + 13  # 13 edge cases


def test_few_sheets_do_not_prove_bf16(make_bundle: Make, make_data: Make, tmp_path: Path) -> None:
    adapted = adapt_bundle(make_bundle(precision="bf16"), make_data(COUNTS), tmp_path / "new", QUICK)
    assert adapted.card.precision == "f32"
    assert list(adapted.card.parity) == ["f32"]
    assert (
        "the bundle ran at bf16, the new one runs at float32: 36 sheets of one type, mirrored too, are fewer "
        "than the 2000 that bf16 must be compared on"
    ) in adapted.notes


@pytest.mark.parametrize(("loss", "precision"), [(1.0, "bf16"), (-1.0, "f32")])
def test_bf16_is_held_to_the_loss_of_balanced_accuracy(
    loss: float,
    precision: str,
    make_bundle: Make,
    make_data: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FEWEST", 100)
    for name, bound in (("LOSS", loss), ("NEAR", 1.0), ("AGREEMENT", 0.0), ("COSINE", -1.0)):
        monkeypatch.setattr(bounds, name, bound)
    seen: dict[str, object] = {}
    compare = module.compare

    def spy(*args: object, **options: object) -> object:
        seen.update(options)
        return compare(*args, **options)

    monkeypatch.setattr(module, "compare", spy)
    card = adapt_bundle(make_bundle(precision="bf16"), make_data(COUNTS), tmp_path / "new", QUICK).card
    assert card.precision == precision
    told = card.parity["bf16"]["engines"][0]
    assert told["sheets"] == 113
    assert told["loss"] is not None
    assert len(seen["groups"]) == np.size(seen["labels"]) == 100
    assert len(set(seen["groups"])) == 36  # views of a sheet stay together
