"""Networks of timm as features: timm's own computation, seeded starts, weights, and what is refused."""

import sys
from pathlib import Path

import pytest
import timm
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from steelsight.errors import BadRecipe, MissingWeights
from steelsight.models.backbones.find import find_backbone
from steelsight.models.backbones.sequence import Wrapped, as_features
from steelsight.models.backbones.timm_nets import timm_features
from steelsight.models.catalog import ModelSpec, SheetClassifier, build_model, find_model
from steelsight.models.inputs import to_input

LITE0 = "tf_efficientnet_lite0"
FILE = f"{LITE0}_imagenet.safetensors"


def built(name: str, **settings: object) -> SheetClassifier:
    facts = {"name": name, "outputs": 3, "head": "direct", "height": 64, "width": 96}
    return build_model(ModelSpec.model_validate(facts | settings))


def gray_sheets(count: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 64, 96), dtype=torch.uint8, generator=generator)


def as_timm_sees(gray: Tensor, name: str) -> Tensor:
    """Three equal channels on a scale of 0 to 1, normalised as timm names for the network."""
    facts = timm.get_pretrained_cfg(name)
    mean, std = (torch.tensor(getattr(facts, key))[:, None, None] for key in ("mean", "std"))
    return (gray[:, None].expand(-1, 3, -1, -1) / 255 - mean) / std


@pytest.mark.parametrize("name", [LITE0, "resnet10t", "convnext_atto"])
def test_features_are_timms_of_gray_in_its_own_normalisation(name: str) -> None:
    features = timm_features(name).eval()
    twin = timm.create_model(name, num_classes=0, global_pool="").eval()
    twin.load_state_dict(features.state_dict())
    gray = gray_sheets()
    with torch.no_grad():
        ours, wanted = features(to_input(gray)), twin(as_timm_sees(gray, name))
    assert isinstance(features, nn.Sequential)
    assert ours.shape == (2, find_backbone(f"timm:{name}").channels, 2, 3)
    # The normalisation is computed in another order.
    assert torch.allclose(ours, wanted, rtol=1e-3, atol=1e-4 * wanted.abs().max().item())


def test_a_network_that_branches_between_its_parts_is_wrapped() -> None:
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 4, 3, stride=2)
            self.second = nn.Conv2d(4, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x)
            return x + self.second(x)

    net = Branching()
    features = as_features(net, (0.5,) * 3, (0.5,) * 3, "mine:branching")
    assert isinstance(features, Wrapped)
    gray = gray_sheets()
    wanted = net(gray[:, None].expand(-1, 3, -1, -1) / 127.5 - 1)
    assert torch.allclose(features(to_input(gray)), wanted, atol=1e-5)


def test_random_starts_follow_their_generator_and_leave_the_global_one() -> None:
    spec = ModelSpec(name="timm:resnet10t", outputs=2, head="direct", height=64, width=96)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    starts = [
        build_model(spec, generator=torch.Generator().manual_seed(seed)).state_dict() for seed in (1, 1, 2)
    ]
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(starts[0][key], starts[1][key]) for key in starts[0])
    assert not torch.equal(starts[0]["features.conv1.0.weight"], starts[2]["features.conv1.0.weight"])


@pytest.mark.weights
def test_named_lite0_starts_from_the_weights_in_the_folder(
    weights_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEELSIGHT_WEIGHTS", str(weights_root))
    model = built("efficientnet_lite0", pretrained="imagenet").eval()
    assert model.pretrained == ("features",)
    twin = timm.create_model(LITE0).eval()
    twin.load_state_dict({key: value.float() for key, value in load_file(weights_root / FILE).items()})
    gray = gray_sheets()
    with torch.no_grad():
        wanted = twin.forward_features(as_timm_sees(gray, LITE0))
        assert torch.allclose(model.features(to_input(gray)), wanted, rtol=1e-3, atol=1e-3)


def test_weights_of_another_network_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = timm.create_model("resnet10t").state_dict()
    save_file(state, tmp_path / FILE)
    monkeypatch.setenv("STEELSIGHT_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingWeights, match=r"expected conv_stem.weight of shape .* not timm's"):
        built("efficientnet_lite0", pretrained="imagenet")


def test_failed_download_is_an_error_and_not_a_random_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.delenv("STEELSIGHT_WEIGHTS", raising=False)
    monkeypatch.setattr("timm.models.load_state_dict_from_hf", fail)
    with pytest.raises(
        MissingWeights, match=r"timm's download failed \(OSError: no route to host\)"
    ) as caught:
        built("efficientnet_lite0", pretrained="imagenet")
    assert FILE in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("timm:resnet19", "no such model; did you mean resnet1"),
        ("timm:vit_tiny_patch16_224", "expected a spatial feature map"),
        ("timm:swin_tiny_patch4_window7_224", "expected|do not take"),
        ("timm:", "expected timm:NAME"),
        (":resnet18", "expected timm:NAME"),
        ("resnet18", "expected one of adhoc, .* timm:NAME, .* got 'resnet18'"),
    ],
)
def test_what_is_no_convolutional_network_is_refused(name: str, message: str) -> None:
    with pytest.raises(BadRecipe, match=message):
        find_model(name)
    with pytest.raises(ValidationError, match=message):
        ModelSpec(name=name, outputs=2)


def test_without_timm_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(BadRecipe, match=r"package timm, which is not installed; install steelsight\[lab\]"):
        timm_features("resnet18")
