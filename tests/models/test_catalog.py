"""The four networks: the study's shapes, seeded starts, sizes they take and refuse."""

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torchvision.models import squeezenet1_1, vgg16_bn

from steelsight.errors import BadInput, BadRecipe
from steelsight.models.catalog import MODELS, ModelSpec, SheetClassifier, build_model, structure
from steelsight.models.heads import AverageMaxHead, DirectHead, LinearHead, Pooling
from steelsight.models.weights import draw_weights

HEADS = ("study", "direct")
CATALOG = pytest.mark.parametrize(("name", "head"), [(name, head) for name in MODELS for head in HEADS])


def spec_of(
    name: str, head: str = "study", *, height: int = 64, width: int = 96, outputs: int = 3
) -> ModelSpec:
    return ModelSpec(name=name, head=head, outputs=outputs, height=height, width=width)


def images_of(height: int, width: int, count: int = 2) -> Tensor:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(0))


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(name == twin and torch.equal(tensor, copy) for (name, tensor), (twin, copy) in pairs)


@CATALOG
def test_gives_logits_at_several_sizes(name: str, head: str) -> None:
    for height, width in ((64, 96), (100, 47), (MODELS[name].smallest, MODELS[name].smallest)):
        model = build_model(spec_of(name, head, height=height, width=width)).eval()
        with torch.no_grad():
            logits = model(images_of(height, width))
        assert logits.shape == (2, 3)
        assert torch.isfinite(logits).all()


@CATALOG
def test_smallest_is_what_the_features_really_need(name: str, head: str) -> None:
    entry = MODELS[name]
    features = entry.features().eval()
    assert features(images_of(entry.smallest, entry.smallest)).shape[1] == entry.channels
    with pytest.raises(RuntimeError, match="too small"):
        features(images_of(entry.smallest - 1, entry.smallest))


@CATALOG
def test_same_seed_same_weights_and_the_global_generator_is_left_alone(name: str, head: str) -> None:
    before = torch.get_rng_state()
    first, again, other = (
        build_model(spec_of(name, head), generator=torch.Generator().manual_seed(seed)) for seed in (5, 5, 6)
    )
    assert same_weights(first, again)
    assert not same_weights(first, other)
    assert torch.equal(torch.get_rng_state(), before)


@CATALOG
def test_every_weight_is_drawn(name: str, head: str) -> None:
    """Memory starts uninitialised, so a forgotten layer would hold leftovers: fill all with NaN first."""
    model = structure(spec_of(name, head)).to_empty(device="cpu")
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.fill_(float("nan") if tensor.is_floating_point() else -1)
    draw_weights(model, torch.Generator().manual_seed(0))
    assert all(torch.isfinite(tensor).all() for tensor in model.state_dict().values())
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.num_batches_tracked == 0


@CATALOG
def test_weights_are_channels_last(name: str, head: str) -> None:
    model = build_model(spec_of(name, head))
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in model.parameters() if p.ndim == 4)


def test_squeezenet_is_torchvisions() -> None:
    model = build_model(spec_of("squeezenet")).eval()
    twin = squeezenet1_1(weights=None).eval()
    twin.features.load_state_dict(model.features.state_dict())
    twin.classifier[1].load_state_dict(model.head.conv.state_dict())
    images = images_of(64, 96)
    with torch.no_grad():  # torchvision's own classifier is the study head up to its last linear layer
        assert torch.allclose(model(images), model.head.linear(twin(images)), atol=1e-5)


def test_reduced_squeezenet_has_five_fire_modules_and_384_channels() -> None:
    features = MODELS["squeezenet_reduced"].features()
    assert [type(layer).__name__ for layer in features].count("Fire") == 5
    assert features(images_of(64, 400)).shape == (2, 384, 3, 24)


def test_vgg_is_torchvisions() -> None:
    model = build_model(spec_of("vgg16_bn")).eval()
    twin = vgg16_bn(weights=None).eval()
    twin.features.load_state_dict(model.features.state_dict())
    assert isinstance(model.head, LinearHead)
    assert model.head.linear1.in_features == 25088
    images = images_of(64, 96)
    with torch.no_grad():
        pooled = twin.avgpool(twin.features(images)).flatten(1)
        hidden = model.head.linear2(model.head.linear1(pooled).relu()).relu()
        assert torch.allclose(model(images), model.head.linear3(hidden), atol=1e-5)


def test_adhoc_has_the_studys_1472_inputs() -> None:
    head = build_model(spec_of("adhoc", height=64, width=400)).head
    assert isinstance(head, LinearHead)
    assert [layer.in_features for layer in (head.linear1, head.linear2, head.linear3)] == [1472, 256, 32]


@pytest.mark.parametrize(("name", "dropout"), [("adhoc", 0.3), ("squeezenet", 0.5), ("vgg16_bn", 0.5)])
@pytest.mark.parametrize("head", HEADS)
def test_dropout_defaults_to_the_studys(name: str, dropout: float, head: str) -> None:
    def rates(spec: ModelSpec) -> set[float]:
        return {module.p for module in structure(spec).modules() if isinstance(module, nn.Dropout)}

    assert rates(spec_of(name, head)) == {dropout}
    assert rates(spec_of(name, head).model_copy(update={"dropout": 0.1})) == {0.1}


@pytest.mark.parametrize("name", MODELS)
def test_direct_logits_are_the_pooled_class_map(name: str) -> None:
    model = build_model(spec_of(name, "direct")).eval()
    images = images_of(64, 96)
    evidence = model.class_map(images)
    assert torch.allclose(model(images), evidence.mean((2, 3)), atol=1e-6)
    assert evidence.min() < 0, "a ReLU after the class map would hide what speaks against a class"


def test_pooling_kinds_follow_their_formulas() -> None:
    evidence = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]])
    assert Pooling("average")(evidence).item() == 3
    assert Pooling("max")(evidence).item() == 6
    assert Pooling("top", top_share=0.5)(evidence).item() == 4.5
    assert Pooling("top", top_share=0.01)(evidence).item() == 6, "at least one place counts"
    expected = torch.log(torch.exp(2 * evidence).mean()) / 2
    assert Pooling("lse", sharpness=2.0)(evidence).item() == pytest.approx(expected.item())
    assert Pooling("lse", sharpness=1e-3)(evidence).item() == pytest.approx(3, abs=0.01)
    assert Pooling("lse", sharpness=500.0)(evidence).item() == pytest.approx(6, abs=0.01)


def test_average_and_maximum_of_the_features() -> None:
    spec = ModelSpec(name="adhoc", head="direct", outputs=2, pooling="average+max", height=64, width=96)
    model = build_model(spec).eval()
    head = model.head
    assert isinstance(head, AverageMaxHead)
    assert head.conv.weight.std().item() == pytest.approx(0.01, rel=0.3)  # 128 draws, the direct head's rule
    images = images_of(64, 96)
    features = model.features(images)
    described = torch.cat([features.mean((2, 3)), features.amax((2, 3))], 1)
    expected = described @ head.conv.weight.flatten(1).T + head.conv.bias
    assert torch.allclose(model(images), expected, atol=1e-6)
    assert torch.equal(head.pooled(features), described)
    even = features[:, :, :1, :1].expand(-1, -1, 3, 5)
    assert torch.allclose(head(even), head.class_map(even)[:, :, 1, 2], atol=1e-6)


@pytest.mark.parametrize("pooling", ["average", "average+max"])
def test_set_linear_sets_the_weights_on_pooled_features(pooling: str) -> None:
    model = build_model(
        ModelSpec(name="adhoc", head="direct", outputs=3, pooling=pooling, height=64, width=96)
    ).eval()
    features = model.features(images_of(64, 96))
    described = model.head.pooled(features)
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(3, described.shape[1], generator=generator)
    bias = torch.randn(3, generator=generator)
    model.head.set_linear(weight, bias)
    assert torch.allclose(model.head(features), described @ weight.T + bias, atol=1e-5)


def test_pooling_reaches_the_head() -> None:
    spec = ModelSpec(name="adhoc", head="direct", outputs=2, pooling="top", top_share=0.25)
    head = build_model(spec).head
    assert isinstance(head, DirectHead)
    assert repr(head.pooling) == "Pooling(top, top_share=0.25)"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"name": "resnet"},
            "expected one of adhoc, squeezenet, squeezenet_reduced, vgg16_bn, .* timm:NAME, .* got 'resnet'",
        ),
        ({"height": 30}, "at least 46x46, got 30x96"),
        ({"head": "direct", "pooling": "median"}, r"'average', 'max', 'lse', 'top' or 'average\+max'"),
        ({"pooling": "max"}, "only the direct head has a choice of pooling"),
        ({"outputs": 0}, "greater than or equal to 1"),
        ({"dropout": 1.0}, "less than 1"),
        ({"sharpness": 0.0}, "greater than 0"),
        ({"top_share": 1.5}, "less than or equal to 1"),
        ({"colour": "rgb"}, "Extra inputs are not permitted"),
    ],
)
def test_bad_specs_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ModelSpec(**({"name": "adhoc", "outputs": 3, "height": 64, "width": 96} | changes))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "lse", "sharpness": 0.0}, "above 0, got 0.0"),
        ({"kind": "lse", "sharpness": float("inf")}, "above 0, got inf"),
        ({"kind": "top", "top_share": 0.0}, "above 0 and at most 1, got 0.0"),
    ],
)
def test_bad_pooling_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(BadRecipe, match=message):
        Pooling(**settings)


def refused(model: SheetClassifier, images: Tensor) -> str:
    with pytest.raises(BadInput, match=r"expected|made for") as caught:
        model(images)
    return str(caught.value)


def test_forward_refuses_what_the_network_cannot_take() -> None:
    adhoc, reduced = build_model(spec_of("adhoc")), build_model(spec_of("squeezenet_reduced"))
    assert "made for 64x96 images, got 64x400" in refused(adhoc, images_of(64, 400))
    assert "at least 17x17, got 16x96" in refused(reduced, images_of(16, 96))
    assert "(n, 3, h, w), got (2, 64, 96)" in refused(reduced, images_of(64, 96)[:, 0])
    assert "(n, 3, h, w), got (2, 1, 64, 96)" in refused(reduced, images_of(64, 96)[:, :1])


def test_other_input_sizes_are_accepted_without_a_fixed_grid() -> None:
    for name, head in (("squeezenet", "study"), ("vgg16_bn", "study"), ("adhoc", "direct")):
        assert build_model(spec_of(name, head)).eval()(images_of(80, 120)).shape == (2, 3)


def test_class_map_is_refused_without_a_direct_head() -> None:
    with pytest.raises(BadInput, match="study head, which has no class map"):
        build_model(spec_of("squeezenet")).class_map(images_of(64, 96))
