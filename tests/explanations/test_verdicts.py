"""Verdicts: effect of the card's task, threshold and temperature."""

import numpy as np
import pytest
import torch

from steelsight.errors import BadRecipe
from steelsight.explanations.gradcam import grad_cam
from steelsight.explanations.guided import guided_backprop
from steelsight.explanations.verdicts import explain_images, find_classes
from steelsight.models.card import Card
from steelsight.models.catalog import ModelSpec, SheetClassifier, build_model
from steelsight.models.inputs import to_input
from steelsight.types import InputSpec

NAMES = ("none", "scratch", "7")


def make(task: str = "multiclass", **changes: object) -> tuple[SheetClassifier, Card]:
    spec = ModelSpec(name="squeezenet_reduced", head="direct", outputs=3, height=32, width=64)
    facts = {"task": task, "class_names": NAMES, "model": spec, "input": InputSpec(height=32, width=64)}
    return build_model(spec), Card(**(facts | {"data_hash": "0", "seed": 0} | changes))


def with_logits(model: SheetClassifier, logits: list[float]) -> SheetClassifier:
    """The network that says the same of every sheet."""
    with torch.no_grad():
        model.head.conv.weight.zero_()
        model.head.conv.bias.copy_(torch.tensor(logits))
    return model


@pytest.fixture
def sheets(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (5, 32, 64), dtype=np.uint8)


def test_maps_equal_those_of_grad_cam(sheets: np.ndarray) -> None:
    model, card = make()
    explained = explain_images(model, card, sheets, targets=[2, 0], batch=2)
    assert len(explained) == 5
    for place, target in enumerate((2, 0)):
        maps = np.stack([each.maps[place] for each in explained])
        expected = grad_cam(model, to_input(torch.from_numpy(sheets)), target).numpy()
        assert np.allclose(maps, expected, atol=1e-5 * np.abs(expected).max())
    assert explain_images(model, card, sheets)[0].targets == (0, 1, 2)
    assert explain_images(model, card, sheets[:0]) == []


def test_verdict_is_the_most_probable_class(sheets: np.ndarray) -> None:
    model, card = make()
    logits = torch.tensor([0.0, 2.0, 1.0])
    first = explain_images(with_logits(model, logits.tolist()), card, sheets[:1])[0]
    assert first.verdict == "scratch"
    assert first.probabilities == pytest.approx(logits.softmax(0).tolist())
    assert first.confidence == pytest.approx(float(logits.softmax(0)[1]))


def test_temperature_lowers_confidence_and_a_threshold_marks_unsure(sheets: np.ndarray) -> None:
    model, card = make(temperature=4.0, threshold=0.6)
    explained = explain_images(with_logits(model, [0.0, 2.0, 1.0]), card, sheets[:1])[0]
    assert explained.probabilities == pytest.approx(torch.tensor([0.0, 0.5, 0.25]).softmax(0).tolist())
    assert explained.verdict == "unsure: scratch"


def test_a_threshold_of_1_leaves_every_verdict_unsure(sheets: np.ndarray) -> None:
    for threshold, verdict in ((1.0, "unsure: scratch"), (float(np.nextafter(1.0, 0.0)), "scratch")):
        model, card = make(threshold=threshold)
        explained = explain_images(with_logits(model, [0.0, 500.0, 1.0]), card, sheets[:1])[0]
        assert explained.confidence == 1.0
        assert explained.verdict == verdict


@pytest.mark.parametrize(
    ("logits", "verdict", "confidence"),
    [
        ([2.0, -1.0, 1.0], "none + 7", 1 / (1 + np.exp(-1))),
        ([-2.0, -1.0, -3.0], "none", 1 / (1 + np.exp(-1))),
    ],
)
def test_multilabel_names_every_type_present(
    logits: list[float], verdict: str, confidence: float, sheets: np.ndarray
) -> None:
    model, card = make("multilabel")
    explained = explain_images(with_logits(model, logits), card, sheets[:1])[0]
    assert explained.verdict == verdict
    assert explained.confidence == pytest.approx(confidence)
    assert explained.probabilities == pytest.approx(torch.tensor(logits).sigmoid().tolist())


def test_classes_are_found_by_name_first_then_by_number() -> None:
    card = make()[1]
    assert find_classes(["scratch", "0", "7", "2"], card) == [1, 0, 2, 2]
    for wrong in ("3", "-1", "Scratch", ""):
        with pytest.raises(
            BadRecipe, match=f"expected one of none, scratch, 7, or its number from 0, got '{wrong}'"
        ):
            find_classes([wrong], card)


def test_other_methods_explain_each_target(sheets: np.ndarray) -> None:
    model, card = make()
    explained = explain_images(model, card, sheets[:2], targets=[1, 2], method="guided_backprop")
    for place, target in enumerate((1, 2)):
        expected = guided_backprop(model, to_input(torch.from_numpy(sheets[:2])), target).numpy()
        found = np.stack([each.maps[place] for each in explained])
        assert np.allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    with pytest.raises(BadRecipe, match="method: expected one of gradcam"):
        explain_images(model, card, sheets, method="magic")
