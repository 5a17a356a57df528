"""The share of sheets that are correct with and without a nuisance, on networks with known verdicts."""

from __future__ import annotations

import numpy as np
import pytest
from tests.counterfactuals.proof_cases import Network, make_sheets, network, nuisance_of, stained

from steelsight.models.catalog import ModelSpec, build_model
from steelsight.models.classifier import SheetClassifier
from steelsight.shortcuts.repair import evaluate
from steelsight.shortcuts.repair.evaluate import robust_share

SHEETS = make_sheets(40, stains=(0.5, 0.0))  # 10 none with a stain, 10 none and 20 defects without
STAINED = np.stack([stained(gray)[0] for gray in SHEETS.images])


@pytest.fixture
def model() -> SheetClassifier:
    """A network whose predictions the tests replace."""
    return build_model(ModelSpec(name="squeezenet_reduced", outputs=2, height=64, width=160))


@pytest.mark.parametrize(
    ("reads", "with_toggled", "by_groups"),
    [
        (network(), 1.0, 1.0),
        (network(white=9), 0.5, 1.0),  # stains turn every defect into none
        (lambda images: np.tile(np.float32([1, 0]), (len(images), 1)), 0.5, 2 / 3),  # always none
        (lambda images: np.tile(np.float32([0, 1]), (len(images), 1)), 0.5, 1 / 3),  # always defect
    ],
)
def test_a_sheet_counts_if_it_is_correct_with_and_without_the_nuisance(
    model: SheetClassifier,
    monkeypatch: pytest.MonkeyPatch,
    reads: Network,
    with_toggled: float,
    by_groups: float,
) -> None:
    monkeypatch.setattr(evaluate, "predict_logits", lambda _model, images: reads(images))
    nuisance = nuisance_of(SHEETS)
    assert robust_share(model, SHEETS, STAINED, nuisance) == pytest.approx(with_toggled)
    assert robust_share(model, SHEETS, None, nuisance) == pytest.approx(by_groups)
