"""Networks of torchvision up to their last feature map, against torchvision's own forward pass."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import get_model

from steelsight.errors import BadRecipe, MissingWeights
from steelsight.models.backbones.torchvision_nets import torchvision_features
from steelsight.models.catalog import ModelSpec, build_model, find_model


@pytest.mark.parametrize(
    ("name", "last"),
    [("resnet18", "layer4"), ("mobilenet_v3_small", "features"), ("squeezenet1_1", "features")],
)
def test_the_feature_map_is_torchvisions(name: str, last: str) -> None:
    net = get_model(name, weights=None).eval()
    features = torchvision_features(name).eval()
    features.load_state_dict(
        {key: value for key, value in net.state_dict().items() if key in features.state_dict()}
    )
    kept: list[torch.Tensor] = []
    net.get_submodule(last).register_forward_hook(lambda _module, _inputs, output: kept.append(output))
    images = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        net(images)
        assert torch.allclose(features(images), kept[0], atol=1e-5)
    assert isinstance(features, nn.Sequential)


def test_weights_come_from_the_folder_and_must_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEELSIGHT_WEIGHTS", str(tmp_path))
    state = get_model("resnet18", weights=None).state_dict()
    save_file(state, tmp_path / "resnet18_imagenet.safetensors")
    spec = ModelSpec(
        name="torchvision:resnet18", outputs=2, head="direct", height=64, width=96, pretrained="imagenet"
    )
    model = build_model(spec)
    assert model.pretrained == ("features",)
    assert torch.equal(model.features.conv1.weight, state["conv1.weight"])
    del state["layer4.1.conv2.weight"]
    save_file(state, tmp_path / "resnet18_imagenet.safetensors")
    with pytest.raises(
        MissingWeights, match=r"layer4\.1\.conv2\.weight .* got nothing; .* not torchvision's"
    ):
        build_model(spec)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet19", "no such model; did you mean resnet18"),
        ("vit_b_16", "expected a spatial feature map before the classifier, found Encoder"),
    ],
)
def test_what_has_no_feature_map_is_refused(name: str, message: str) -> None:
    with pytest.raises(BadRecipe, match=message):
        find_model(f"torchvision:{name}")
