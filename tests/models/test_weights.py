"""Pretrained weights: from the folder, else downloaded, never replaced by a silent random start."""

import pickle
import ssl
import urllib.error
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torchvision.models import squeezenet1_1, vgg16_bn

from steelsight.errors import BadRecipe, MissingWeights
from steelsight.models import weights
from steelsight.models.catalog import ModelSpec, build_model

FILE = "squeezenet1_1_imagenet.safetensors"


def spec_of(name: str, head: str = "study") -> ModelSpec:
    return ModelSpec(name=name, head=head, outputs=2, height=64, width=96, pretrained="imagenet")


@pytest.fixture
def torchvisions() -> dict[str, Tensor]:
    """A state dict as torchvision's, rounded to fp16 as an offline copy may be."""
    state = squeezenet1_1(weights=None).state_dict()
    return {name: tensor.half() for name, tensor in state.items()}


@pytest.fixture
def folder(tmp_path: Path, torchvisions: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch) -> Path:
    save_file(torchvisions, tmp_path / FILE)
    monkeypatch.setenv("STEELSIGHT_WEIGHTS", str(tmp_path))
    return tmp_path


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fail)


def test_full_squeezenet_takes_features_and_the_1000_way_convolution(
    folder: Path, torchvisions: dict[str, Tensor]
) -> None:
    model = build_model(spec_of("squeezenet"))
    assert model.pretrained == ("features", "head.conv")
    assert torch.equal(model.head.conv.weight, torchvisions["classifier.1.weight"].float())
    for name, tensor in model.features.state_dict().items():
        assert torch.equal(tensor, torchvisions[f"features.{name}"].float())


def test_reduced_squeezenet_takes_the_first_ten_and_draws_its_head(
    folder: Path, torchvisions: dict[str, Tensor]
) -> None:
    model = build_model(spec_of("squeezenet_reduced"))
    assert model.pretrained == ("features",)
    assert len(model.features) == 10
    for name, tensor in model.features.state_dict().items():
        assert torch.equal(tensor, torchvisions[f"features.{name}"].float())
    drawn = build_model(spec_of("squeezenet_reduced").model_copy(update={"pretrained": "none"}))
    assert torch.equal(model.head.conv.weight, drawn.head.conv.weight)


def test_direct_head_is_drawn(folder: Path) -> None:
    assert build_model(spec_of("squeezenet", "direct")).pretrained == ("features",)


def test_random_start_reads_no_file(offline: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STEELSIGHT_WEIGHTS", raising=False)
    assert build_model(spec_of("squeezenet").model_copy(update={"pretrained": "none"})).pretrained == ()


def test_download_is_torchvisions_own_checked_by_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}

    def download(url: str, **options: object) -> dict[str, Tensor]:
        asked.update(options, url=url)
        return vgg16_bn(weights=None).state_dict()

    monkeypatch.delenv("STEELSIGHT_WEIGHTS", raising=False)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", download)
    assert build_model(spec_of("vgg16_bn")).pretrained == ("features",)
    assert "vgg16_bn" in str(asked["url"])
    assert asked["check_hash"] is True
    assert asked["weights_only"] is True


@pytest.mark.parametrize(
    "error",
    [
        urllib.error.URLError("no route to host"),
        urllib.error.HTTPError("https://x", 404, "Not Found", None, None),  # type: ignore[arg-type]
        TimeoutError("timed out"),
        ConnectionResetError("reset by peer"),
        ssl.SSLError("certificate verify failed"),
        RuntimeError('invalid hash value (expected "b8a52dc0", got "00")'),
        pickle.UnpicklingError("corrupt cache"),
        EOFError("ran out of input"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_failed_download_is_an_error_and_not_a_random_start(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.delenv("STEELSIGHT_WEIGHTS", raising=False)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fail)
    with pytest.raises(
        MissingWeights, match=r"STEELSIGHT_WEIGHTS is not set, and .* download failed"
    ) as caught:
        build_model(spec_of("squeezenet"))
    assert type(error).__name__ in str(caught.value)
    assert FILE in str(caught.value), "the message says what to put into the folder"
    if isinstance(error, urllib.error.HTTPError):
        error.close()


@pytest.mark.parametrize("name", ["squeezenet_reduced", "vgg16_bn"])
def test_folder_without_the_file_and_no_network(
    name: str, offline: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEELSIGHT_WEIGHTS", str(tmp_path / "absent"))
    with pytest.raises(
        MissingWeights, match=r"_imagenet\.safetensors does not exist, and .*no route to host"
    ):
        build_model(spec_of(name))


def test_adhoc_has_no_imagenet_weights() -> None:
    with pytest.raises(BadRecipe, match=r"model adhoc: there are no ImageNet weights.*pretrained = none"):
        build_model(spec_of("adhoc"))


def test_damaged_file(folder: Path, offline: None) -> None:
    whole = (folder / FILE).read_bytes()
    for damaged in (b"", b"not safetensors", whole[: len(whole) // 2]):
        (folder / FILE).write_bytes(damaged)
        with pytest.raises(MissingWeights, match=r"expected safetensors.*fetch it again"):
            build_model(spec_of("squeezenet"))


def test_file_of_another_network(folder: Path, torchvisions: dict[str, Tensor]) -> None:
    torchvisions["features.3.squeeze.weight"] = torch.zeros(16, 64, 3, 3)
    save_file(torchvisions, folder / FILE)
    expected = r"expected features\.3\.squeeze\.weight of shape \(16, 64, 1, 1\), got shape \(16, 64, 3, 3\)"
    with pytest.raises(MissingWeights, match=expected):
        build_model(spec_of("squeezenet"))
    del torchvisions["features.3.squeeze.weight"]
    save_file(torchvisions, folder / FILE)
    with pytest.raises(MissingWeights, match="got nothing"):
        build_model(spec_of("squeezenet"))


@pytest.mark.weights
def test_real_weights_recognise_imagenet_textures(
    weights_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(weights.WEIGHTS_VARIABLE, str(weights_root))
    model = build_model(spec_of("squeezenet"))
    state = load_file(weights_root / FILE)
    twin = squeezenet1_1(weights=None).eval()
    twin.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    images = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ours = model.eval().head.conv(model.features(images)).relu().mean((2, 3))
        assert torch.allclose(ours, twin(images), atol=1e-4)
