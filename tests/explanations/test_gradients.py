"""Gradient, guided backpropagation and guided Grad-CAM against Captum."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from captum import attr
from torch import Tensor, nn

from steelsight.explanations.gradcam import grad_cam
from steelsight.explanations.gradient import gradient
from steelsight.explanations.guided import guided_backprop, guided_grad_cam
from steelsight.models.catalog import MODELS, ModelSpec, build_model
from steelsight.models.inputs import to_input

SIZE = (64, 80)
HEADS = [("study", "average"), ("direct", "average"), ("direct", "lse"), ("direct", "average+max")]


def sheets(count: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return to_input(torch.randint(0, 256, (count, *SIZE), dtype=torch.uint8, generator=generator))


@pytest.fixture(params=[(name, *head) for name in MODELS for head in HEADS], ids="-".join)
def model(request: pytest.FixtureRequest) -> nn.Module:
    name, head, pooling = request.param
    spec = ModelSpec(
        name=name, head=head, pooling=pooling, outputs=3, pretrained="none", height=SIZE[0], width=SIZE[1]
    )
    return build_model(spec, generator=torch.Generator().manual_seed(0)).eval()


def peer_of(model: nn.Module) -> nn.Module:
    """A copy without in-place ReLUs, which Captum's hooks do not support."""
    peer = copy.deepcopy(model)
    for module in peer.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return peer


def cosine(ours: Tensor, theirs: Tensor) -> float:
    return float(torch.cosine_similarity(ours.flatten(1).double(), theirs.flatten(1).double()).min())


@pytest.fixture(autouse=True)
def quiet_peers() -> object:
    """Silence warnings that Captum always gives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def test_against_captum(model: nn.Module) -> None:
    images, target = sheets(), torch.tensor([1, 2])
    peer = peer_of(model)

    def leaf() -> Tensor:
        return images.clone().contiguous().requires_grad_()

    theirs = attr.Saliency(peer).attribute(leaf(), target=target, abs=False).sum(1)
    assert cosine(gradient(model, images, target), theirs) >= 0.999
    theirs = attr.GuidedBackprop(peer).attribute(leaf(), target=target).sum(1).detach()
    assert cosine(guided_backprop(model, images, target), theirs) >= 0.999
    method = attr.GuidedGradCam(peer, peer.features)
    theirs = method.attribute(leaf(), target=target, interpolate_mode="bilinear").sum(1).detach()
    if theirs.flatten(1).norm(dim=1).min() > 0:  # a random network's Grad-CAM may be nowhere positive
        assert cosine(guided_grad_cam(model, images, target), theirs) >= 0.999
    coarse = attr.LayerGradCam(peer, peer.features).attribute(leaf(), target=target)
    theirs = attr.LayerAttribution.interpolate(coarse, SIZE, interpolate_mode="bilinear").detach()
    assert cosine(grad_cam(model, images, target), theirs) >= 0.999


def test_guided_backprop_covers_functional_and_in_place_relus() -> None:
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.first, self.second, self.last = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(4, 2)

        def forward(self, images: Tensor) -> Tensor:
            values = torch.relu(self.first(images))
            values = nn.functional.relu(self.second(values), inplace=True)
            return self.last(values.mean((2, 3)))

    class Modules(Functional):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.ReLU(), nn.ReLU()

        def forward(self, images: Tensor) -> Tensor:
            return self.last(self.two(self.second(self.one(self.first(images)))).mean((2, 3)))

    images = sheets()
    theirs = attr.GuidedBackprop(Modules()).attribute(images.clone().requires_grad_(), target=1).sum(1)
    assert cosine(guided_backprop(Functional(), images, 1), theirs.detach()) >= 0.99999
