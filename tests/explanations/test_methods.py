"""The contract of every method of the catalog, on the catalog's networks and on another one."""

from __future__ import annotations

import copy
import functools

import pytest
import torch
from torch import Tensor, nn

from steelsight.errors import BadInput, UnknownLayer
from steelsight.explanations.catalog import METHODS, find_method
from steelsight.models.catalog import ModelSpec, build_model
from steelsight.models.inputs import to_input

SIZE = (64, 80)
FEW = {"lime": {"samples": 40}, "integrated_gradients": {"steps": 4}}


class Residual(nn.Module):
    """A network with batch norm, a residual sum, one ReLU used three times and another in place."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, stride=2)
        self.norm = nn.BatchNorm2d(6)
        self.relu = nn.ReLU()
        self.second = nn.Conv2d(6, 6, 3, padding=1)
        self.features = nn.Sequential(nn.Conv2d(6, 8, 3, stride=2), nn.ReLU(inplace=True))
        self.linear = nn.Linear(8, classes)

    def forward(self, images: Tensor) -> Tensor:
        values = self.relu(self.norm(self.first(images)))
        values = self.relu(values + self.second(values))
        return self.linear(self.relu(self.features(values)).mean((2, 3)))


def sheets(count: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return to_input(torch.randint(0, 256, (count, *SIZE), dtype=torch.uint8, generator=generator))


def ours(head: str = "direct", name: str = "squeezenet_reduced") -> nn.Module:
    spec = ModelSpec(
        name=name,
        head=head,
        outputs=3,
        pretrained="none",
        height=SIZE[0],
        width=SIZE[1],
    )
    return build_model(spec, generator=torch.Generator().manual_seed(1))


@pytest.fixture(params=["direct", "study", "residual"])
def model(request: pytest.FixtureRequest) -> nn.Module:
    return made(request.param)


@pytest.fixture(
    params=[
        "direct",
        "study",
        "residual",
        "efficientnet_lite0",
        "two_scales",
        "timm:resnet10t",
        "timm:convnext_atto",
    ]
)
def any_model(request: pytest.FixtureRequest) -> nn.Module:
    return made(request.param)


def made(kind: str) -> nn.Module:
    """A copy of the network, which is built once."""
    torch.manual_seed(2)
    return copy.deepcopy(_made(kind))


@functools.cache
def _made(kind: str) -> nn.Module:
    if kind == "residual":
        return stirred(Residual())
    if kind in ("direct", "study"):
        return stirred(ours(kind))
    return stirred(ours("direct", kind))


def stirred(built: nn.Module) -> nn.Module:
    """Batch norms as if they had seen other data."""
    torch.manual_seed(2)
    for module in built.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return built


def explain(name: str, model: nn.Module, images: Tensor, target: object) -> Tensor:
    return METHODS[name].explain(model, images, target, **FEW.get(name, {}))


@pytest.mark.parametrize("name", METHODS)
def test_maps_have_a_row_an_image_and_do_not_depend_on_the_batch(name: str, any_model: nn.Module) -> None:
    model = any_model
    images, target = sheets(), [2, 0, 1]
    maps = explain(name, model, images, target)
    assert maps.shape == (3, *SIZE)
    assert maps.dtype == torch.float32
    assert torch.isfinite(maps).all()
    assert not maps.requires_grad
    if name == "lime":  # draws its sets image after image
        return
    back = explain(name, model, images.flip(0), target[::-1]).flip(0)
    assert torch.allclose(maps, back, atol=1e-4 * float(maps.abs().max()))
    alone = explain(name, model, images[1:2], 0)
    assert torch.allclose(maps[1:2], alone, atol=1e-4 * float(maps.abs().max()))


@pytest.mark.parametrize("name", METHODS)
def test_the_model_is_left_as_it_was(name: str, any_model: nn.Module) -> None:
    model = any_model
    model.train()
    next(model.parameters()).requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    wanted = [parameter.requires_grad for parameter in model.parameters()]
    images = sheets(1)
    explain(name, model, images, 1)
    with pytest.raises(BadInput, match="got 99"):
        explain(name, model, images, 99)
    assert modes == [module.training for module in model.modules()]
    assert wanted == [parameter.requires_grad for parameter in model.parameters()]
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert not any(m._forward_hooks or m._backward_hooks or m._forward_pre_hooks for m in model.modules())


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda images: images.half(), "float32"),
        (lambda images: images[0], "shape"),
        (lambda images: images.clone().index_fill_(3, torch.tensor([3]), float("nan")), "finite"),
    ],
)
def test_bad_images_are_refused(name: str, spoil: object, message: str, model: nn.Module) -> None:
    with pytest.raises(BadInput, match=message):
        explain(name, model, spoil(sheets(2)), 1)  # type: ignore[operator]


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("target", [-1, 3, [0, 1], torch.tensor(0.5), torch.tensor([[0, 1, 2]])])
def test_targets_that_do_not_exist_are_refused(name: str, target: object, model: nn.Module) -> None:
    with pytest.raises(BadInput, match="target"):
        explain(name, model, sheets(3), target)


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.layer])
def test_an_unknown_layer_lists_those_that_exist(name: str, model: nn.Module) -> None:
    with pytest.raises(UnknownLayer, match="features"):
        METHODS[name].explain(model, sheets(1), 0, layer="no such layer")


class Constant(nn.Module):
    """Logits are constants."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 4, 3)
        self.logits = nn.Parameter(torch.tensor([1.0, -2.0]))

    def forward(self, images: Tensor) -> Tensor:
        return (self.features(images) * 0).mean((2, 3))[:, :2] + self.logits


class Disconnected(nn.Module):
    """Logits do not depend on the features."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 4, 3)

    def forward(self, images: Tensor) -> Tensor:
        self.features(images)
        return torch.zeros(len(images), 2)


@pytest.mark.parametrize("build", [Constant, Disconnected])
@pytest.mark.parametrize("name", METHODS)
def test_a_model_that_ignores_its_input_has_empty_maps(name: str, build: type[nn.Module]) -> None:
    assert not explain(name, build(), sheets(2), 1).any()


@pytest.mark.parametrize("name", METHODS)
def test_without_images_there_are_no_maps(name: str) -> None:
    assert explain(name, ours(), sheets(1)[:0], 0).shape == (0, *SIZE)


@pytest.mark.parametrize("name", [name for name in METHODS if name != "gradcam"])
def test_a_small_memory_cap_does_not_change_maps(name: str, model: nn.Module) -> None:
    images = sheets(3)
    settings = FEW.get(name, {})
    wide = METHODS[name].explain(model, images, 1, **settings)
    narrow = METHODS[name].explain(model, images, 1, memory_mb=0.001, **settings)
    if name == "lime":
        assert torch.allclose(wide, narrow, atol=2e-2 * float(wide.abs().max()))
    else:
        assert torch.allclose(wide, narrow, atol=1e-4 * float(wide.abs().max()))
    with pytest.raises(BadInput, match="memory_mb"):
        METHODS[name].explain(model, images, 1, memory_mb=0.0, **settings)


def test_other_image_sizes_are_explained_or_refused() -> None:
    larger = torch.zeros(1, 3, 96, 96)
    for name in METHODS:
        assert explain(name, Residual(), larger + torch.randn(1, 3, 96, 96), 1).shape == (1, 96, 96)
    spec = ModelSpec(name="adhoc", outputs=3, pretrained="none", height=64, width=80)
    for name in METHODS:
        with pytest.raises(BadInput, match="64x80"):
            explain(name, build_model(spec), sheets(1)[..., :72], 1)


def test_an_unknown_method_lists_those_that_exist() -> None:
    with pytest.raises(BadInput, match=r"expected one of gradcam, .*deepshap.*, got 'oracle'"):
        find_method("oracle")
