"""What `steelsight reviews export` writes trains a run, and its lists of nuisances are taken by `prove`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.adaptation.reviews.review_cases import Plant, create_ledger, fill
from tests.counterfactuals.proof_cases import SMALL

from steelsight.adaptation.reviews.export import export_reviews
from steelsight.adaptation.reviews.options import ReviewExportOptions
from steelsight.counterfactuals.pasting import counterfactual, removal
from steelsight.ledger.images.store import ImageStore
from steelsight.runs.opening.open import open_run
from steelsight.sheets.options import DataOptions
from steelsight.shortcuts.prove.options import ProofOptions
from steelsight.shortcuts.prove.run import prove_run
from steelsight.training.recipe_files import load_recipe
from steelsight.training.run import train_run


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    (tmp_path / "plant").mkdir()
    ledger = create_ledger(str(tmp_path / "plant" / "ledger.db"))
    made = Plant(tmp_path / "plant", ledger, ImageStore(tmp_path / "plant" / "images"))
    with made.closing:
        yield made
    ledger.close()


def test_a_run_learns_from_reviews_and_is_proven_by_them(
    plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counterfactual, "RESAMPLES", 200)
    monkeypatch.setattr(removal, "RESAMPLES", 200)
    fill(plant, 80)
    data, run = tmp_path / "DATA", tmp_path / "RUN"
    export_reviews(plant.ledger, plant.store, data, ReviewExportOptions(places=True))
    settings = [each for each in SMALL if not each.startswith(("split", "max_epochs"))]
    settings += ["split.method=given", "max_epochs=2"]
    by_coil = DataOptions(groups="column:coil")
    train_run(data, by_coil, recipe=load_recipe("default", settings), out=run)
    opened = open_run(run, data, by_coil)
    given = {item.id: item.part for item in opened.data.items}
    assert {row.id: row.split for row in opened.splits} == given  # coils stay in their part
    found = prove_run(
        run,
        data,
        str(data / "nuisance_stain.csv"),
        ProofOptions(split="test", groups="column:coil", limit=10),
    )
    assert found.proof.nuisance == "nuisance_stain"
    assert found.proof.source == "list"
    assert found.proof.scores is None or found.proof.scores.sheets_with > 0
