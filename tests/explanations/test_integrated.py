"""Integrated gradients against Captum, and their completeness error."""

from __future__ import annotations

import pytest
import torch
from captum import attr
from torch import Tensor, nn

from steelsight.errors import BadInput
from steelsight.explanations.baselines import black_sheet, make_baselines
from steelsight.explanations.integrated import integrated_gradients, integrated_gradients_report
from steelsight.models.catalog import ModelSpec, build_model
from steelsight.models.inputs import to_input


def sheets(count: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return to_input(torch.randint(0, 256, (count, 64, 80), dtype=torch.uint8, generator=generator))


@pytest.fixture(params=["squeezenet_reduced", "adhoc", "vgg16_bn"])
def model(request: pytest.FixtureRequest) -> nn.Module:
    spec = ModelSpec(name=request.param, head="study", outputs=3, pretrained="none", height=64, width=80)
    return build_model(spec, generator=torch.Generator().manual_seed(0)).eval()


def test_against_captum_at_the_same_nodes(model: nn.Module) -> None:
    images, target = sheets(), torch.tensor([1, 2])
    theirs = attr.IntegratedGradients(model).attribute(
        images.contiguous(), black_sheet(images), target=target, n_steps=6, internal_batch_size=2
    )
    for each in (model, nn.Sequential(model)):
        ours = integrated_gradients(each, images, target, steps=6)
        assert torch.cosine_similarity(ours.flatten(1), theirs.sum(1).flatten(1).float()).min() >= 0.999


def test_the_reported_error_is_the_completeness_error(model: nn.Module) -> None:
    images = sheets()
    starts = make_baselines("blurred", images)
    report = integrated_gradients_report(model, images, 1, baselines=starts, steps=3)
    with torch.no_grad():
        rise = (model(images) - model(starts))[:, 1]
    missing = (report.maps.sum((1, 2)) - rise).abs()
    assert torch.allclose(report.error, missing, atol=1e-3 * float(rise.abs().max()))
    assert report.steps.tolist() == [3, 3]


def test_nodes_double_until_the_bound_is_met(model: nn.Module) -> None:
    rough = integrated_gradients_report(model, sheets(), 1, steps=2)
    bound = float(rough.relative_error.max()) / 4
    fine = integrated_gradients_report(model, sheets(), 1, steps=2, error_bound=bound)
    assert (fine.relative_error <= bound).all() or fine.steps.max() >= 1024
    assert fine.steps.max() > 2


def test_a_linear_model_needs_one_node() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 80, 2))
    images = sheets(1)
    report = integrated_gradients_report(model, images, 1, steps=1)
    exact = model[1].weight[1].detach().reshape(1, 3, 64, 80) * (images - black_sheet(images))
    assert torch.allclose(report.maps, exact.sum(1), atol=1e-5)
    assert report.relative_error.max() < 1e-4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps"),
        ({"error_bound": 0.0}, "error_bound"),
        ({"baselines": torch.zeros(1, 3, 8, 8)}, "baselines"),
        ({"baselines": torch.full((1, 3, 64, 80), float("nan"))}, "baselines"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, object], message: str) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 80, 2))
    with pytest.raises(BadInput, match=message):
        integrated_gradients(model, sheets(1), 0, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["black", "mean", "blurred", "clean"])
def test_baselines_have_the_shape_of_images(kind: str) -> None:
    images = sheets(3)
    made = make_baselines(kind, images, clean=images[:1])  # type: ignore[arg-type]
    assert made.shape[1:] == images.shape[1:]
    assert len(made) in (1, 3)
    assert torch.isfinite(made).all()


def test_a_constant_sheet_equals_its_mean_and_blur() -> None:
    flat = to_input(torch.full((1, 64, 80), 90, dtype=torch.uint8))
    for kind in ("mean", "blurred"):
        assert torch.allclose(make_baselines(kind, flat), flat, atol=1e-5)  # type: ignore[arg-type]


def test_baselines_that_cannot_be_made_are_refused() -> None:
    with pytest.raises(BadInput, match="clean"):
        make_baselines("clean", sheets(1))
    with pytest.raises(BadInput, match="black, mean"):
        make_baselines("white", sheets(1))  # type: ignore[arg-type]
