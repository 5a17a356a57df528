"""The user's own networks: imported only from modules that are allowed, and refused where they do not fit."""

import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from steelsight.errors import BadRecipe
from steelsight.models.backbones.find import find_backbone
from steelsight.models.catalog import ModelSpec, build_model
from steelsight.models.inputs import to_input

MODULE = "line_networks"


def small() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=4, padding=2), nn.ReLU(), nn.Conv2d(8, 6, 3, stride=4, padding=1)
    )


class Summed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = small()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.net(images).mean((2, 3))


class Switched(nn.Module):
    """Rows and columns in the wrong order."""

    def __init__(self) -> None:
        super().__init__()
        self.net = small()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.net(images).permute(0, 2, 3, 1)


class Failing(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        raise KeyError("weights")


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], str]:
    """Put a callable into a module that may be imported; returns its name as a model."""
    find_backbone.cache_clear()

    def put(build: object) -> str:
        module = types.ModuleType(MODULE)
        module.build = build  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, MODULE, module)
        monkeypatch.setenv("STEELSIGHT_MODULES", f"another, {MODULE}")
        return f"{MODULE}:build"

    return put


def test_an_own_network_takes_imagenets_normalisation(offer: Callable[[object], str]) -> None:
    spec = ModelSpec(name=offer(small), outputs=2, head="direct", height=48, width=96)
    model = build_model(spec).eval()
    gray = torch.randint(0, 256, (2, 48, 96), dtype=torch.uint8)
    assert model(to_input(gray)).shape == (2, 2)
    assert model.features(to_input(gray)).shape == (2, 6, 3, 6)
    assert torch.allclose(model.features[0](to_input(gray)), to_input(gray), atol=1e-6)
    with pytest.raises(BadRecipe, match="no ImageNet weights"):
        build_model(spec.model_copy(update={"pretrained": "imagenet"}))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (7, "expected a callable build in line_networks, found 7"),
        (lambda: "a network", "expected a torch.nn.Module from calling it, got str"),
        (Summed, r"expected a spatial feature map of shape .*, got \(1, 6\)"),
        (Switched, "expected a feature map twice as wide as high"),
        (lambda: nn.Linear(10, 2), "do not take images of 224x224"),
        (lambda size: small(), "when called with nothing, got TypeError: .*'size'"),
        (
            lambda: Path("no such file").read_bytes(),
            "expected a callable that gives a network .*, got FileNotFoundError",
        ),
        (Failing, "do not take images of .*KeyError: 'weights'"),
        (lambda: nn.LSTM(224, 5), "do not take images of|expected a spatial feature map"),
    ],
)
def test_what_is_no_backbone_is_refused(build: object, message: str, offer: Callable[[object], str]) -> None:
    with pytest.raises(BadRecipe, match=message):
        find_backbone(offer(build))


def test_only_listed_modules_are_imported(
    offer: Callable[[object], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = offer(small)
    monkeypatch.setenv("STEELSIGHT_MODULES", "another")
    with pytest.raises(BadRecipe, match=r"STEELSIGHT_MODULES does not list \(it lists another\)"):
        find_backbone(name)
    monkeypatch.delenv("STEELSIGHT_MODULES")
    with pytest.raises(BadRecipe, match="it lists none"):
        find_backbone("os:system")
    monkeypatch.setenv("STEELSIGHT_MODULES", "no_such_module_here")
    with pytest.raises(BadRecipe, match="expected a module that can be imported"):
        find_backbone("no_such_module_here:build")


def test_a_module_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_networks.py").write_text("def build(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("STEELSIGHT_MODULES", "broken_networks")
    with pytest.raises(BadRecipe, match="expected a module that can be imported, got SyntaxError"):
        find_backbone("broken_networks:build")


def test_one_network_that_is_given_again_and_again_keeps_its_weights(offer: Callable[[object], str]) -> None:
    net = small()
    before = {name: values.clone() for name, values in net.state_dict().items()}
    spec = ModelSpec(name=offer(lambda: net), outputs=2, head="direct", height=48, width=96)
    first, second = build_model(spec), build_model(spec)
    for name, values in net.state_dict().items():
        assert values.device.type == "cpu"
        assert torch.equal(values, before[name])
    with torch.no_grad():
        for values in first.features.parameters():
            values.zero_()
    assert any(values.any() for values in second.features.parameters())
