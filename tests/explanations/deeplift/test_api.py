"""DeepLift and DeepSHAP against a slow float64 twin, Captum and shap; axioms; what they refuse."""

import copy
import functools
import itertools
import math
import warnings
from collections.abc import Callable

import pytest
import torch
from captum.attr import DeepLift, DeepLiftShap
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.squeezenet import Fire

from steelsight.errors import BadInput
from steelsight.explanations.deeplift.api import deep_lift, deep_shap
from steelsight.models.catalog import MODELS, ModelSpec, SheetClassifier, build_model
from steelsight.models.heads import AverageMaxHead, ConvHead, DirectHead, LinearHead, Pooling
from steelsight.models.inputs import to_input

SIZE = (48, 61)
POOLINGS = ("average", "max", "lse", "top", "average+max")
CASES = [(name, "study", "average") for name in MODELS] + [
    (name, "direct", pooling)
    for name, pooling in itertools.product(MODELS, POOLINGS)
    if name in ("adhoc", "squeezenet_reduced") or pooling == "max"  # the larger ones share their heads
]


@functools.cache
def build(name: str, head: str = "direct", pooling: str = "average") -> SheetClassifier:
    spec = ModelSpec(name=name, head=head, pooling=pooling, outputs=3, height=SIZE[0], width=SIZE[1])
    return build_model(spec, generator=torch.Generator().manual_seed(1)).eval()


def sheets(count: int, seed: int = 2) -> Tensor:
    gray = torch.randint(
        0, 256, (count, *SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )
    return to_input(gray)


def general(model: nn.Module) -> nn.Module:
    """The same network, unknown to the catalog: only the general way takes it."""
    return nn.Sequential(model)


def cosine(came: Tensor, expected: Tensor) -> float:
    return float(torch.cosine_similarity(came.double().flatten(), expected.double().flatten(), dim=0))


def incompleteness(maps: Tensor, model: nn.Module, images: Tensor, references: Tensor, target: int) -> float:
    """How far the maps' sums are from the difference of logits, relative to it.

    Where what adds and what subtracts cancel to less than a hundredth, relative to that hundredth: float32
    holds no more.
    """
    exact = copy.deepcopy(model).double().eval()
    with torch.no_grad():
        rise = exact(images.double())[:, target] - exact(references.double())[:, target].mean()
    size = torch.maximum(rise.abs(), 0.01 * maps.double().abs().sum((1, 2)))
    return float(((maps.double().sum((1, 2)) - rise).abs() / size).max())


# --- the twin: layer by layer, window by window, float64, no autograd and nothing of the package's rules ---


def twin(model: SheetClassifier, image: Tensor, reference: Tensor, target: int) -> Tensor:
    """DeepLift of one image, from the definition: multipliers of the last layer, carried back by hand."""
    model = without_writing(model).double().eval()
    pair = [image.double(), reference.double()]
    steps = []
    with torch.no_grad():
        for layer in [*flat_layers(model.features), *flat_layers(model.head)]:
            before = pair
            pair = [layer(each) for each in pair]
            steps.append((layer, before, pair))
        multipliers = torch.zeros_like(pair[0])
        multipliers[0, target] = 1
        for layer, before, after in reversed(steps):
            multipliers = carry_back(layer, multipliers, before, after)
        return (multipliers * (image.double() - reference.double())).sum(1)


def without_writing(model: nn.Module) -> nn.Module:
    """A copy whose ReLUs leave their input as it is."""
    model = copy.deepcopy(model)
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return model


class Both(nn.Module):
    """Two layers side by side, their channels one after the other."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, values: Tensor) -> Tensor:
        return torch.cat([self.first(values), self.second(values)], 1)


class Maximum(nn.Module):
    """The largest of each channel, (n, k, 1, 1)."""

    def forward(self, values: Tensor) -> Tensor:
        return values.flatten(2).max(2).values[..., None, None]


def flat_layers(module: nn.Module) -> list[nn.Module]:
    match module:
        case nn.Sequential():
            return [inner for each in module for inner in flat_layers(each)]
        case Fire():
            relu = nn.ReLU()
            return [module.squeeze, relu, Both(module.expand1x1, module.expand3x3), relu]
        case ConvHead():
            return [module.conv, nn.ReLU(), module.pool, module.flatten, module.linear]
        case LinearHead():
            linears = (module.linear1, nn.ReLU(), module.linear2, nn.ReLU(), module.linear3)
            return [module.pool, module.flatten, *linears]
        case DirectHead():
            return [module.conv, module.pooling]
        case AverageMaxHead():
            return [Both(nn.AdaptiveAvgPool2d(1), Maximum()), module.conv, nn.Flatten()]
    return [module]


def carry_back(layer: nn.Module, after: Tensor, inputs: list[Tensor], outputs: list[Tensor]) -> Tensor:
    image, reference = inputs
    match layer:
        case nn.ReLU():
            step = image - reference
            slope = (image > 0).double()
            return after * torch.where(step == 0, slope, (outputs[0] - outputs[1]) / step)
        case nn.Conv2d():
            return conv_back(layer, after, image.shape)
        case nn.Linear():
            return after @ layer.weight
        case nn.BatchNorm2d():
            factor = layer.weight / torch.sqrt(layer.running_var + layer.eps)
            return after * factor[:, None, None]
        case nn.Flatten():
            return after.reshape(image.shape)
        case nn.Identity() | nn.Dropout():
            return after
        case nn.MaxPool2d():
            return windows_back(layer, after, image[0], reference[0])[None]
        case Both():
            parts = after.split([layer.first(image).shape[1], layer.second(image).shape[1]], 1)
            pairs = zip((layer.first, layer.second), parts, strict=True)
            return sum(carry_back(each, part, inputs, [each(image), each(reference)]) for each, part in pairs)
        case Maximum():
            return maximum_back(after, image, reference)
        case nn.AdaptiveAvgPool2d():
            back = torch.zeros_like(image)
            for place in itertools.product(range(after.shape[2]), range(after.shape[3])):
                (top, bottom), (left, right) = (
                    (at * size // grid, -(-(at + 1) * size // grid))
                    for at, size, grid in zip(place, image.shape[2:], after.shape[2:], strict=True)
                )
                share = after[:, :, place[0], place[1]] / ((bottom - top) * (right - left))
                back[:, :, top:bottom, left:right] += share[..., None, None]
            return back
        case Pooling():
            rows = [each.flatten(2)[0] for each in inputs]
            found = [pool_back(layer, x, r) for x, r in zip(*rows, strict=True)]
            return (after[0, :, None] * torch.stack(found)).reshape(image.shape)
    raise TypeError(layer)


def conv_back(layer: nn.Conv2d, after: Tensor, shape: torch.Size) -> Tensor:
    (sh, sw), (ph, pw) = layer.stride, layer.padding
    back = torch.zeros(shape[1], shape[2] + 2 * ph, shape[3] + 2 * pw, dtype=torch.float64)
    for i, j in itertools.product(range(layer.kernel_size[0]), range(layer.kernel_size[1])):
        spread = torch.einsum("ohw,ok->khw", after[0], layer.weight[:, :, i, j])
        high, wide = spread.shape[1:]
        back[:, i : i + sh * (high - 1) + 1 : sh, j : j + sw * (wide - 1) + 1 : sw] += spread
    return back[None, :, ph : ph + shape[2], pw : pw + shape[3]]


def windows_back(layer: nn.MaxPool2d, after: Tensor, image: Tensor, reference: Tensor) -> Tensor:
    size, stride = layer.kernel_size, layer.stride
    back = torch.zeros_like(image)
    for i, j in itertools.product(range(after.shape[2]), range(after.shape[3])):
        top, left = i * stride, j * stride
        window = (slice(None), slice(top, top + size), slice(left, left + size))
        share = maximum_back(after[:, :, i, j, None, None], image[window][None], reference[window][None])
        back[window] += share[0]
    return back


def maximum_back(after: Tensor, image: Tensor, reference: Tensor) -> Tensor:
    """All channels of one window: the whole difference to one place each."""
    x, r = image.flatten(2)[0], reference.flatten(2)[0]
    back = torch.zeros_like(x)
    for channel in range(len(x)):
        high, low = x[channel].max(), r[channel].max()
        at = int(x[channel].argmax() if high >= low else r[channel].argmax())
        step = x[channel, at] - r[channel, at]
        if step != 0:
            back[channel, at] = after[0, channel, 0, 0] * (high - low) / step
    return back.reshape(image.shape)


def pool_back(pooling: Pooling, x: Tensor, r: Tensor) -> Tensor:
    places = len(x)
    step = x - r
    match pooling.kind:
        case "average":
            return torch.full_like(x, 1 / places)
        case "max":
            return maximum_back(torch.ones(1, 1, 1, 1), x[None, None, None], r[None, None, None]).flatten()
        case "lse":
            sharp = pooling.sharpness
            total = [math.fsum(math.exp(sharp * float(z)) for z in each) for each in (x, r)]
            outer = (math.log(total[0]) - math.log(total[1])) / (total[0] - total[1])
            return outer * (torch.exp(sharp * x) - torch.exp(sharp * r)) / (sharp * step)
    kept = max(1, math.ceil(pooling.top_share * places))
    mine, others = (torch.argsort(each, descending=True)[:kept].tolist() for each in (x, r))
    back = torch.zeros_like(x)
    for at in set(mine) & set(others):
        back[at] += 1 / kept
    entered = [at for at in mine if at not in others]
    left = [at for at in others if at not in mine]
    for new, old in zip(entered, left, strict=True):
        at = new if x[new] >= r[old] else old
        back[at] += (x[new] - r[old]) / step[at] / kept
    return back


# --- oracles ---


@pytest.mark.parametrize(("name", "head", "pooling"), CASES)
def test_both_ways_agree_with_the_twin(name: str, head: str, pooling: str) -> None:
    model = build(name, head, pooling)
    image, reference = sheets(2).split(1)
    expected = twin(model, image, reference, 1)
    assert incompleteness(expected, model, image, reference, 1) < 1e-9
    for way in (model, general(model)):
        assert cosine(deep_lift(way, image, 1, baselines=reference), expected) >= 0.9999


@pytest.mark.parametrize(("name", "head", "pooling"), CASES)
def test_complete_and_the_mean_over_references(name: str, head: str, pooling: str) -> None:
    """Additivity of DeepSHAP; completeness of both, on either way."""
    model = build(name, head, pooling)
    images, references = sheets(2), sheets(2, seed=5) * 0.5
    for way in (model, general(model)):
        shap_maps = deep_shap(way, images, 2, baselines=references)
        assert incompleteness(shap_maps, model, images, references, 2) <= 1e-4
        alone = [deep_lift(way, images, 2, baselines=each[None]) for each in references]
        assert torch.allclose(shap_maps, torch.stack(alone).mean(0), atol=1e-5 * float(shap_maps.abs().max()))
        assert incompleteness(deep_lift(way, images, 2), model, images, black(), 2) <= 1e-4
        for each, maps in zip(references, alone, strict=True):
            assert incompleteness(maps, model, images, each[None], 2) <= 1e-4


def black() -> Tensor:
    return to_input(torch.zeros(1, *SIZE, dtype=torch.uint8))


class Plain(nn.Module):
    """No pool overlaps: what Captum and shap can do as well."""

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
    for way in (model, general(model)):
        assert cosine(deep_lift(way, images, 1, baselines=references[:1]), single) >= 0.9999
        assert cosine(deep_shap(way, images, 1, baselines=references), many) >= 0.9999


def test_complete_where_captum_is_not() -> None:
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


# --- any torch model ---


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
        self.relu(y)  # what follows relies on the writing in place
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


@pytest.mark.parametrize("make", [Residual, Attention])
def test_takes_any_torch_model(make: type[nn.Module]) -> None:
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


def test_small_differences_turn_into_the_gradient() -> None:
    model, image = Residual(), sheets(1)
    leaf = image.clone().requires_grad_()
    (slope,) = torch.autograd.grad(model(leaf)[0, 1], leaf)
    step = 1e-3 * torch.randn(image.shape, generator=torch.Generator().manual_seed(1))
    maps = deep_lift(model, image, 1, baselines=image - step)
    assert cosine(maps, (slope * step).sum(1)) > 0.99


# --- axioms ---


@given(seed=st.integers(0, 2**31), target=st.integers(0, 2), count=st.integers(1, 4))
@settings(max_examples=8)
def test_completeness_and_batch_order(seed: int, target: int, count: int) -> None:
    model = build("squeezenet_reduced", "direct", "lse")
    images, reference = sheets(count, seed), sheets(1, seed + 1) * 0.3
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    for way in (model, general(model)):
        maps = deep_lift(way, images, target, baselines=reference)
        size = float(maps.abs().max())
        assert torch.allclose(
            deep_lift(way, images[order], target, baselines=reference), maps[order], atol=1e-4 * size
        )
        with torch.no_grad():
            rise = model(images)[:, target] - model(reference)[:, target]
        assert torch.allclose(maps.sum((1, 2)), rise, atol=1e-6 * float(maps.abs().sum()))


class Deaf(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return torch.ones(len(images), 3)


def test_zero_where_nothing_depends_on_the_image() -> None:
    assert not deep_lift(Deaf(), sheets(2), 1).any()
    model = copy.deepcopy(build("squeezenet_reduced"))
    nn.init.zeros_(model.head.conv.weight)
    for way in (model, general(model)):
        assert not deep_shap(way, sheets(2), 1, baselines=sheets(2, seed=3)).any()


def test_zero_where_image_and_reference_are_one() -> None:
    model, images = build("squeezenet", "direct", "top"), sheets(2)
    for way in (model, general(model)):
        assert not deep_lift(way, images, 1, baselines=images).any()


@pytest.mark.parametrize("memory_mb", [1e-3, 8.0])
def test_a_small_cap_changes_nothing_but_the_chunks(memory_mb: float) -> None:
    model, images, references = build("squeezenet_reduced"), sheets(3), sheets(3, seed=4)
    for way in (model, general(model)):
        expected = deep_shap(way, images, 1, baselines=references)
        capped = deep_shap(way, images, 1, baselines=references, memory_mb=memory_mb)
        assert cosine(capped, expected) > 0.999999
        paired = [deep_lift(way, images, 1, baselines=references, memory_mb=mb) for mb in (memory_mb, 512.0)]
        assert cosine(*paired) > 0.999999


def test_new_weights_are_seen() -> None:
    """References and networks are remembered between calls, but never stale."""
    model, image = copy.deepcopy(build("squeezenet_reduced")), sheets(1)
    deep_lift(model, image, 1)
    with torch.no_grad():
        model.features[0].weight.mul_(-1)
    assert incompleteness(deep_lift(model, image, 1), model, image, black(), 1) < 1e-4


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_model_is_left_as_found(fails: bool, wrapped: bool) -> None:
    model = copy.deepcopy(build("vgg16_bn", "study")).train()
    model.head.linear1.weight.requires_grad_(False)
    model.features[0].eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    way = general(model) if wrapped else model
    if fails:
        with pytest.raises(BadInput):
            deep_shap(way, sheets(1), 99, baselines=sheets(2))
    else:
        deep_shap(way, sheets(1), 0, baselines=sheets(2))
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert [name for name, p in model.named_parameters() if not p.requires_grad] == ["head.linear1.weight"]
    assert all(p.grad is None for p in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


def test_works_where_autograd_is_off() -> None:
    model, images = general(build("adhoc")), sheets(1)
    expected = deep_lift(model, images, 1)
    with torch.no_grad():
        assert torch.equal(deep_lift(model, images, 1), expected)
    with torch.inference_mode():
        assert torch.allclose(deep_lift(model, images.clone(), 1), expected)


# --- refusals ---


class Normed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv, self.norm, self.linear = nn.Conv2d(3, 4, 5, stride=4), nn.GroupNorm(2, 4), nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.linear(self.norm(self.conv(images)).relu().mean((2, 3)))


class Scripted(nn.Module):
    """A backward of its own, which nothing can watch."""

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


class Fickle(nn.Module):
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
        (Scripted, "cannot be watched"),
        (Fickle, "another way for the images"),
        (Mixing, "mixes the batch axis with others: give one image at a time"),
    ],
)
def test_refuses_models_without_a_complete_rule(make: type[nn.Module], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        deep_lift(make().eval(), sheets(2) + 2, 1)


def test_one_image_at_a_time_where_the_batch_axis_is_mixed() -> None:
    assert deep_lift(Mixing(), sheets(1), 1).any()


@pytest.mark.parametrize("wrapped", [False, True])
def test_refuses_bad_input(wrapped: bool) -> None:
    model, images = build("adhoc", "study"), sheets(2)
    way = general(model) if wrapped else model
    for explain in (deep_lift, deep_shap):
        with pytest.raises(BadInput, match=r"class index from 0 to 2, got 3"):
            explain(way, images, 3)
        with pytest.raises(BadInput, match=r"expected 2 class indices, one an image, got 3"):
            explain(way, images, [0, 1, 2])
        with pytest.raises(BadInput, match=r"expected float32 images .* got torch\.float16"):
            explain(way, images.half(), 1)
        with pytest.raises(BadInput, match="image 1 holds NaN"):
            explain(way, torch.cat([images[:1], images[1:] * torch.nan]), 1)
        with pytest.raises(BadInput, match=r"baselines: expected .* got"):
            explain(way, images, 1, baselines=images[..., 1:])
        with pytest.raises(BadInput, match="memory_mb: expected a cap above 0"):
            explain(way, images, 1, memory_mb=0.0)
        with pytest.raises(BadInput, match="made for 48x61 images"):
            explain(way, images[..., :48].contiguous(), 1)
        assert explain(way, images[:0], 1).shape == (0, *SIZE)
    with pytest.raises(BadInput, match=r"DeepLift baselines: expected shape .* got \(3, 3, 48, 61\)"):
        deep_lift(way, images, 1, baselines=sheets(3))
