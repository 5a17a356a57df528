"""Confidence scores of a model: what they are fitted on, and their comparison."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from steelsight.evaluation.abstention.selective import aurc
from steelsight.models.catalog import ModelSpec, build_model
from steelsight.runs.abstention.confidence import SCORE_TITLES, compare_scores, fit_confidence, soften
from steelsight.training.predict import ModelOutputs, predict_logits, predict_views


@pytest.fixture
def scored(rng: np.random.Generator) -> tuple[ModelOutputs, np.ndarray]:
    """Sixty sheets of three classes, logits right in most, flips nearly alike."""
    labels = rng.integers(0, 3, 60)
    logits = (3 * np.eye(3)[labels] + rng.normal(0, 1.5, (60, 3))).astype(np.float32)
    views = np.stack([logits + rng.normal(0, 0.3, (60, 3)) for _ in range(4)]).astype(np.float32)
    features = (np.eye(3)[labels] @ rng.normal(0, 1, (3, 5)) + rng.normal(0, 0.3, (60, 5))).astype(np.float32)
    return ModelOutputs(logits, features, views), labels


def test_every_score_has_a_title_and_a_value_a_sheet(
    scored: tuple[ModelOutputs, np.ndarray],
) -> None:
    outputs, labels = scored
    confidence = fit_confidence(outputs, labels, outputs, labels)
    columns = confidence.columns(outputs)
    assert set(columns) | {"perfect"} == set(SCORE_TITLES)
    assert all(score.shape == (60,) and np.isfinite(score).all() for score in columns.values())
    assert columns["max_probability"] == pytest.approx(soften(outputs.logits, confidence.temperature).max(1))


def test_without_validation_sheets_nothing_is_combined(
    scored: tuple[ModelOutputs, np.ndarray],
) -> None:
    outputs, labels = scored
    nothing = ModelOutputs(outputs.logits[:0], outputs.features[:0], outputs.views[:, :0])
    confidence = fit_confidence(outputs, labels, nothing, labels[:0])
    assert confidence.temperature == 1
    assert confidence.trust is None
    assert "trust" not in confidence.columns(outputs)


def test_comparison_is_on_the_same_sheets(
    scored: tuple[ModelOutputs, np.ndarray], rng: np.random.Generator
) -> None:
    outputs, labels = scored
    columns = fit_confidence(outputs, labels, outputs, labels).columns(outputs)
    right = outputs.logits.argmax(1) == labels
    rows = {row.name: row for row in compare_scores(columns, right, rng=rng, resamples=30)}
    assert rows["max_probability"].against_softmax is None
    for name, score in columns.items():
        assert rows[name].aurc == pytest.approx(aurc(right, score))
    difference = rows["perfect"].against_softmax
    assert difference is not None
    assert difference.difference.estimate == pytest.approx(
        rows["perfect"].aurc - rows["max_probability"].aurc
    )
    assert rows["perfect"].coverage_99.estimate == pytest.approx(right.mean(), abs=0.02)


def test_views_are_the_logits_of_the_flipped_images(rng: np.random.Generator) -> None:
    model = build_model(ModelSpec(name="squeezenet_reduced", outputs=3, height=48, width=64)).eval()
    images = rng.integers(0, 256, (5, 48, 64), dtype=np.uint8)
    outputs = predict_views(model, images, batch=2)
    flips = (images, images[:, :, ::-1], images[:, ::-1], images[:, ::-1, ::-1])
    for view, flipped in zip(outputs.views, flips, strict=True):
        assert view == pytest.approx(predict_logits(model, np.ascontiguousarray(flipped)), abs=1e-4)
    assert (outputs.logits == outputs.views[0]).all()
    assert outputs.features.shape == (5, 384)
    model.train()
    again = predict_views(model, images)
    assert again.logits == pytest.approx(outputs.logits, abs=1e-4)
    assert model.training
    assert torch.is_grad_enabled()
    assert all(parameter.requires_grad for parameter in model.parameters())
