"""DeepLift on torch models outside the catalog: reused modules, functions, attention; models it refuses."""

import pytest
import torch
from tests.explanations.deeplift.cases import cosine, incompleteness, sheets
from torch import Tensor, nn
from torch.nn import functional

from steelsight.errors import BadInput
from steelsight.explanations.deeplift.api import deep_lift, deep_shap


class Residual(nn.Module):
    """One ReLU module used three times, in place; a residual sum, a gate, functions instead of modules."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(6)
        self.first, self.second, self.third = (
            nn.Conv2d(3, 6, 3),
            nn.Conv2d(6, 6, 3, padding=1),
            nn.Conv2d(6, 6, 1),
        )
        self.norm = nn.BatchNorm2d(6)
        self.relu = nn.ReLU(inplace=True)
        self.linear = nn.Linear(12, 3)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        x = self.relu(self.first(images))
        y = self.relu(self.norm(self.second(x)))
        y = self.third(y)
        self.relu(y)  # the next line relies on the in-place result
        x = functional.max_pool2d(x + y, 3, 2, padding=1)
        gate = torch.sigmoid(x.mean((2, 3), keepdim=True))
        x = functional.leaky_relu(x * gate - 0.1, 0.2)
        pooled = torch.cat([x.amax((2, 3)), x.flatten(2).max(2)[0]], 1)
        return self.linear(functional.hardtanh(pooled, -2, 2))


class Attention(nn.Module):
    """Softmax, products of what depends on the image, division, a dilated adaptive pool."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(8)
        self.embed, self.linear = nn.Conv2d(3, 6, 5, stride=5), nn.Linear(6, 3)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        tokens = functional.adaptive_max_pool2d(self.embed(images), (4, 5)).flatten(2).transpose(1, 2)
        scores = (tokens @ tokens.transpose(1, 2) / 3).softmax(-1)
        mixed = functional.gelu(scores @ tokens)
        scale = 1 + (mixed**2).mean((1, 2))
        return self.linear(mixed.mean(1) / scale[:, None]).log_softmax(1)


class LayerNormed(nn.Module):
    """Layer norms with and without their own scale, over channels and over whole maps."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.embed, self.norm, self.linear = nn.Conv2d(3, 6, 5, stride=5), nn.LayerNorm(6), nn.Linear(6, 3)
        nn.init.normal_(self.norm.weight)
        nn.init.normal_(self.norm.bias)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        maps = functional.gelu(self.norm(self.embed(images).permute(0, 2, 3, 1)))
        return self.linear(functional.layer_norm(maps, maps.shape[1:]).relu().mean((1, 2)))


@pytest.mark.parametrize("make", [Residual, Attention, LayerNormed])
def test_torch_models_outside_the_catalog_are_explained(make: type[nn.Module]) -> None:
    model = make()
    images, references = sheets(3), sheets(2, seed=11)
    before = images.clone(), references.clone()
    maps = deep_shap(model, images, 1, baselines=references)
    assert incompleteness(maps, model, images, references, 1) < 1e-4
    assert torch.equal(images, before[0])
    assert torch.equal(references, before[1])
    paired = deep_lift(model, images, [0, 1, 2], baselines=images.flip(0))
    for at in range(3):
        alone = deep_lift(model, images[at : at + 1], at, baselines=images.flip(0)[at : at + 1])
        assert torch.allclose(paired[at], alone[0], atol=1e-5 * float(paired.abs().max()))


def test_small_differences_give_the_gradient() -> None:
    model, image = Residual(), sheets(1)
    leaf = image.clone().requires_grad_()
    (slope,) = torch.autograd.grad(model(leaf)[0, 1], leaf)
    step = 1e-3 * torch.randn(image.shape, generator=torch.Generator().manual_seed(1))
    maps = deep_lift(model, image, 1, baselines=image - step)
    assert cosine(maps, (slope * step).sum(1)) > 0.99


class Normed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv, self.norm, self.linear = nn.Conv2d(3, 4, 5, stride=4), nn.GroupNorm(2, 4), nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.linear(self.norm(self.conv(images)).relu().mean((2, 3)))


class Scripted(nn.Module):
    """An autograd function of its own, which has no rule."""

    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, values: Tensor) -> Tensor:
            ctx.save_for_backward(values)
            return values.detach() ** 3

        @staticmethod
        def backward(ctx, grad: Tensor) -> Tensor:
            return 3 * ctx.saved_tensors[0] ** 2 * grad

    def forward(self, images: Tensor) -> Tensor:
        return self.Cube.apply(images).mean((2, 3))


class Branching(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        pooled = images.mean((2, 3))
        return pooled.sigmoid() if bool(images.sum() > 0) else pooled.relu()


class Mixing(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(0, 1).relu().reshape(images.shape).mean((2, 3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Normed, r"add up to .* of a logit difference of .* calls group_norm.*use integrated_gradients"),
        (Scripted, "cannot be observed"),
        (Branching, "calls other functions for the images"),
        (Mixing, "mixes the batch axis with others: give one image at a time"),
    ],
)
def test_models_without_a_complete_rule_are_refused(make: type[nn.Module], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        deep_lift(make().eval(), sheets(2) + 2, 1)


def test_a_model_that_mixes_the_batch_is_explained_one_image_at_a_time() -> None:
    assert deep_lift(Mixing(), sheets(1), 1).any()
