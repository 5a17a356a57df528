"""Predictions for masked sheets equal the model's logits on sheets mixed pixel by pixel."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from steelsight.errors import BadInput
from steelsight.explanations.lime import masking
from steelsight.explanations.lime.masking import masked_predictor, match_backgrounds, mean_colours
from steelsight.explanations.lime.segments import segment_sheet
from steelsight.models.catalog import MODELS, ModelSpec, build_model
from steelsight.models.inputs import to_input

SIZE = (64, 96)
HEADS = [("study", "average")] + [
    ("direct", each) for each in ("average", "max", "lse", "top", "average+max")
]


def sheet() -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return to_input(torch.randint(0, 256, (1, *SIZE), dtype=torch.uint8, generator=generator))[0]


def build(name: str, head: str, pooling: str) -> nn.Module:
    spec = ModelSpec(name=name, head=head, pooling=pooling, outputs=3, height=SIZE[0], width=SIZE[1])
    return build_model(spec, generator=torch.Generator().manual_seed(1)).eval()


@pytest.fixture
def cut() -> np.ndarray:
    return segment_sheet(np.zeros(SIZE), "grid", cells=12)


def mixtures(image: Tensor, hidden: Tensor, cut: np.ndarray, masks: Tensor) -> Tensor:
    """Mixed pixel by pixel from the definition."""
    return torch.stack([torch.where(mask[torch.from_numpy(cut)] > 0, image, hidden) for mask in masks.T])


@pytest.mark.parametrize(("name", "head"), list(itertools.product(MODELS, HEADS)))
@pytest.mark.parametrize("own_colour", [True, False])
def test_pooled_maps_equal_the_models_logits(
    name: str, head: tuple[str, str], own_colour: bool, cut: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masking, "_fast_dtype", lambda _device: torch.float32)
    model, image = build(name, *head), sheet()
    masks = torch.randint(0, 2, (12, 13), generator=torch.Generator().manual_seed(4)).float()
    black = to_input(torch.zeros(1, *SIZE, dtype=torch.uint8))[0]
    hidden = mean_colours(image, torch.from_numpy(cut).flatten()) if own_colour else black
    predictor = masked_predictor(model, image, cut, 2, None if own_colour else black, memory_mb=512.0)
    values = predictor.predict(masks)
    assert values.shape == (13, predictor.grid[0] * predictor.grid[1])
    with torch.no_grad():
        expected = model(mixtures(image, hidden, cut, masks))[:, 2].double()
    logits = predictor.pool(values)
    assert (logits - expected).abs().max() < 1e-4 * max(1.0, float(expected.abs().max()))
    if predictor.linear:
        assert torch.allclose(logits, values.mean(1))


@pytest.mark.parametrize("name", MODELS)
def test_low_precision_keeps_the_ranking(name: str, cut: np.ndarray) -> None:
    """In bfloat16, where the processor has it, logits correlate with those in float32."""
    model, image = build(name, "direct", "lse"), sheet()
    masks = torch.randint(0, 2, (12, 60), generator=torch.Generator().manual_seed(4)).float()
    low, exact = (
        (predictor.pool(predictor.predict(masks)))
        for predictor in (
            masked_predictor(each, image, cut, 1, None, 512.0) for each in (model, nn.Sequential(model))
        )
    )
    assert torch.corrcoef(torch.stack([low, exact]))[0, 1] > 0.99


def test_class_maps_are_used_where_the_logit_is_pooled_from_one(cut: np.ndarray) -> None:
    image = sheet()
    for (head, pooling), mapped in zip(HEADS, (True, True, True, True, True, False), strict=True):
        predictor = masked_predictor(build("squeezenet", head, pooling), image, cut, 0, None, 512.0)
        assert (predictor.grid == (3, 5)) == mapped, (head, pooling)
    assert masked_predictor(build("adhoc", "study", "average"), image, cut, 0, None, 512.0).grid == (1, 1)
    wrapped = nn.Sequential(build("squeezenet", "direct", "average"))
    assert masked_predictor(wrapped, image, cut, 0, None, 512.0).grid == (1, 1)


def test_coloured_sheets_are_mixed_in_colour(cut: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_fast_dtype", lambda _device: torch.float32)
    model, image = build("squeezenet_reduced", "direct", "lse"), torch.randn(3, *SIZE)
    masks = torch.eye(12)
    hidden = mean_colours(image, torch.from_numpy(cut).flatten())
    predictor = masked_predictor(model, image, cut, 1, None, 512.0)
    with torch.no_grad():
        expected = model(mixtures(image, hidden, cut, masks))[:, 1].double()
    assert torch.allclose(predictor.pool(predictor.predict(masks)), expected, atol=1e-4)


def test_mean_colours_are_means_over_superpixels(cut: np.ndarray) -> None:
    image = torch.randn(3, *SIZE)
    means = mean_colours(image, torch.from_numpy(cut).flatten())
    for piece in range(12):
        there = torch.from_numpy(cut == piece)
        assert torch.allclose(
            means[:, there], image[:, there].mean(1, keepdim=True).expand(3, int(there.sum())), atol=1e-6
        )


def test_backgrounds_are_matched_or_refused() -> None:
    images = torch.zeros(2, 3, 8, 8)
    assert match_backgrounds(None, images) is None
    assert match_backgrounds(torch.ones(1, 3, 8, 8), images).shape == (2, 3, 8, 8)
    with pytest.raises(BadInput, match=r"LIME baselines: expected shape \(1 or 2, 3, 8, 8\)"):
        match_backgrounds(torch.ones(3, 3, 8, 8), images)
    with pytest.raises(BadInput, match="LIME baselines: expected finite"):
        match_backgrounds(torch.full((1, 3, 8, 8), float("inf")), images)
