"""DeepLift and DeepSHAP against a slow float64 implementation, Captum and shap."""

import copy
import warnings
from collections.abc import Callable

import pytest
import torch
from captum.attr import DeepLift, DeepLiftShap
from tests.explanations.deeplift.cases import (
    CASES,
    black,
    build,
    cosine,
    incompleteness,
    sheets,
    without_writing,
)
from tests.explanations.deeplift.slow_deeplift import slow_deep_lift
from torch import Tensor, nn

from steelsight.explanations.deeplift.api import deep_lift, deep_shap


@pytest.mark.parametrize(("name", "head", "pooling"), CASES)
def test_agrees_with_the_slow_implementation(name: str, head: str, pooling: str) -> None:
    model = build(name, head, pooling)
    image, reference = sheets(2).split(1)
    expected = slow_deep_lift(model, image, reference, 1)
    assert incompleteness(expected, model, image, reference, 1) < 1e-9
    assert cosine(deep_lift(model, image, 1, baselines=reference), expected) >= 0.9999


@pytest.mark.parametrize(("name", "head", "pooling"), CASES)
def test_maps_are_complete_and_deep_shap_is_the_mean_over_references(
    name: str, head: str, pooling: str
) -> None:
    """Additivity of DeepSHAP; completeness of both."""
    model = build(name, head, pooling)
    images, references = sheets(2), sheets(2, seed=5) * 0.5
    shap_maps = deep_shap(model, images, 2, baselines=references)
    assert incompleteness(shap_maps, model, images, references, 2) <= 1e-4
    alone = [deep_lift(model, images, 2, baselines=each[None]) for each in references]
    assert torch.allclose(shap_maps, torch.stack(alone).mean(0), atol=1e-5 * float(shap_maps.abs().max()))
    assert incompleteness(deep_lift(model, images, 2), model, images, black(), 2) <= 1e-4
    for each, maps in zip(references, alone, strict=True):
        assert incompleteness(maps, model, images, each[None], 2) <= 1e-4


class Plain(nn.Module):
    """A network without overlapping pools, for which Captum and shap are exact as well."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, padding=1),
            nn.Sigmoid(), nn.AvgPool2d(3, 2), nn.Conv2d(8, 6, 1), nn.Tanh(), nn.AdaptiveAvgPool2d((2, 3)),
            nn.Flatten(), nn.Dropout(), nn.Linear(36, 3),
        )  # fmt: skip
        self.body[3].running_mean.uniform_(-0.5, 0.5)
        self.body[3].running_var.uniform_(0.5, 2)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images)


class Once(nn.Module):
    def forward(self, values: Tensor) -> Tensor:
        return values * 1


def for_captum(model: nn.Module) -> nn.Module:
    """A copy with a product by 1 before every pool.

    Captum 0.9 hooks tensors: where a ReLU's output is a pool's input, the ReLU gets the gradient as it was
    before the pool's rule, and completeness is lost even without overlap.
    """
    model = without_writing(model)
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.MaxPool2d):
                setattr(module, name, nn.Sequential(Once(), child))
    return model


@pytest.mark.parametrize("make", [Plain, lambda: build("adhoc", "study"), lambda: build("vgg16_bn")])
def test_agrees_with_captum_where_no_pool_overlaps(make: Callable[[], nn.Module]) -> None:
    model, images, references = make(), sheets(2), sheets(3, seed=7)
    peer = for_captum(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        single = DeepLift(peer).attribute(images.clone(), references[:1], target=1).sum(1).detach()
        many = DeepLiftShap(peer).attribute(images.clone(), references, target=1).sum(1).detach()
    assert cosine(deep_lift(model, images, 1, baselines=references[:1]), single) >= 0.9999
    assert cosine(deep_shap(model, images, 1, baselines=references), many) >= 0.9999


def test_maps_are_complete_where_captum_is_not() -> None:
    """SqueezeNet's pools overlap: Captum scatters without adding and loses a share of the logit."""
    model, image, reference = build("squeezenet_reduced"), sheets(1), black()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = DeepLift(for_captum(model)).attribute(image.clone(), reference, target=1).sum(1).detach()
    assert incompleteness(deep_lift(model, image, 1), model, image, reference, 1) < 1e-4
    assert incompleteness(theirs, model, image, reference, 1) > 0.01


def test_agrees_with_shap_where_its_sum_holds() -> None:
    shap = pytest.importorskip("shap")
    torch.manual_seed(4)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 6, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(6 * 21 * 27, 3),
    ).eval()  # fmt: skip
    images, references = sheets(2).contiguous(), sheets(4, seed=9).contiguous()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        explainer = shap.DeepExplainer(copy.deepcopy(model), references)
        values = torch.as_tensor(explainer.shap_values(images.clone(), check_additivity=True))
    expected = values[..., 1].sum(1)
    assert cosine(deep_shap(model, images, 1, baselines=references), expected) >= 0.9999
