"""Repair of a planted shortcut: `paste` reduces the verdicts that flip under a stain on held-out sheets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.counterfactuals.proof_cases import HEIGHT, SMALL, WIDTH, stained, steel, write_sheets

from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.models.checkpoint import load_checkpoint
from steelsight.shortcuts.repair.options import RepairOptions
from steelsight.shortcuts.repair.run import repair_run
from steelsight.training.predict import predict_logits
from steelsight.training.recipe_files import load_recipe
from steelsight.training.run import train_run

DEFECT_CONTRAST = 25  # gray levels; the grain has a standard deviation of 6


def _draw(count: int, *, stains: float, seed: int) -> ProofSheets:
    """Sheets of which every second one has a dark bar; a share of the others has a white stain."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % 2
    images, masks = np.empty((count, HEIGHT, WIDTH), np.uint8), np.zeros((count, HEIGHT, WIDTH), bool)
    for row in range(count):
        images[row] = steel(rng)
        if labels[row]:
            left = int(rng.integers(20, 60))
            masks[row, 8:56, left : left + 8] = True
            images[row][masks[row]] -= DEFECT_CONTRAST
        elif rng.random() < stains:
            images[row] = _with_stain(images[row], rng)
    return ProofSheets(
        name="planted",
        ids=tuple(f"sheet_{row:03}.png" for row in range(count)),
        class_names=("none", "defect"),
        images=images,
        labels=labels,
        located=np.ones(count, dtype=bool),
        defect=lambda row: masks[row],
        groups=("",) * count,
    )


def _with_stain(gray: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The sheet with a white square in its right half, away from every bar."""
    return stained(gray, top=int(rng.integers(4, 40)), left=int(rng.integers(84, 140)))[0]


def _flip_rate(run: Path, sheets: ProofSheets) -> float:
    """Share of the correctly classified defective sheets that become "none" with a stain."""
    rng = np.random.default_rng(9)
    model = load_checkpoint(run)[0]
    defective = sheets.images[sheets.labels == 1]
    right = predict_logits(model, defective).argmax(1) == 1
    assert right.mean() > 0.5
    pasted = np.stack([_with_stain(gray, rng) for gray in defective])
    return float((predict_logits(model, pasted).argmax(1) == 0)[right].mean())


def test_paste_halves_the_flips_under_a_planted_stain_on_held_out_sheets(tmp_path: Path) -> None:
    data = write_sheets(_draw(120, stains=0.9, seed=1), tmp_path / "DATA")
    held_out = _draw(120, stains=0.0, seed=2)
    recipe = load_recipe("default", [*SMALL, "max_epochs=5"])
    run = tmp_path / "RUN"
    train_run(data, recipe=recipe, out=run, seed=0)
    options = RepairOptions(methods=("paste",), epochs=5, limit=20)
    report = repair_run(run, data, "stain", options, out=tmp_path / "repair")
    before, after = _flip_rate(run, held_out), _flip_rate(report.folder / "paste", held_out)
    assert before >= 0.3
    assert after < before / 2
