"""Every rule of an operator against torch, in the engine that runs bundles and in another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnxruntime
import openvino
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from steelsight.deploy.graph import build_graph
from steelsight.deploy.traced.features import RULES
from steelsight.errors import BadInput
from steelsight.models.backbones.sequence import as_features
from steelsight.models.classifier import SheetClassifier
from steelsight.models.heads import DirectHead, Pooling
from steelsight.models.inputs import IMAGENET_MEAN, IMAGENET_STD, to_input
from steelsight.runtime.bundle.graph.check import check_graph

SIZE = (20, 29)
K = 6  # channels


class Of(nn.Module):
    """A convolution, and behind it a function of its six channels."""

    def __init__(self, function: Callable[[Tensor], Tensor], **conv: object) -> None:
        super().__init__()
        facts: dict[str, object] = {"kernel_size": 3, "padding": 1, **conv}
        self.conv = nn.Conv2d(3, K, **facts)  # type: ignore[arg-type]
        self.function = function

    def forward(self, images: Tensor) -> Tensor:
        return self.function(self.conv(images))


class Layers(nn.Module):
    """Layers behind a convolution."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, K, 3, padding=1), *layers)

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images)


def last(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A function of maps with the channels last."""
    return lambda x: function(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def gated(x: Tensor) -> Tensor:
    return x * functional.adaptive_avg_pool2d(x, 1).sigmoid()


def shuffled(x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


def halves(x: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=1)
    a, b = x.split([2, 4], dim=1)
    return torch.cat([first * second, b - 0.5, a], dim=1)


def response_normed(x: Tensor) -> Tensor:
    length = torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True)
    return torch.addcmul(x, x, length / (length.mean(1, keepdim=True) + 1e-6), value=0.3)


def attended(x: Tensor) -> Tensor:
    rows = x.flatten(2)
    return ((rows @ rows.transpose(1, 2)).softmax(-1) @ rows).unflatten(2, x.shape[2:])


def residual(x: Tensor) -> Tensor:
    y = x.relu()
    y += x
    return y.clamp_(-1, 2)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    **{
        name: lambda function=function: Of(function)
        for name, function in {
            "abs": torch.abs,
            "clamp": lambda x: x.clamp(min=-0.2).clamp(max=0.3),
            "elu": functional.elu,
            "exp": torch.exp,
            "gelu": functional.gelu,
            "gelu-tanh": lambda x: functional.gelu(x, approximate="tanh"),
            "hard-sigmoid": functional.hardsigmoid,
            "hard-swish": functional.hardswish,
            "leaky": lambda x: functional.leaky_relu(x, 0.2),
            "mish": functional.mish,
            "neg": lambda x: -x,
            "numbers": lambda x: (2 * x + 1) / 3 - 0.5,
            "alpha": lambda x: torch.add(x, x.relu(), alpha=0.5),
            "relu6": functional.relu6,
            "hard-tanh": lambda x: functional.hardtanh(x, -0.3, 0.4),
            "thirds": lambda x: torch.cat(x.split(2, dim=1)[::-1], dim=1),
            "sigmoid": torch.sigmoid,
            "silu": functional.silu,
            "softplus": functional.softplus,
            "square": lambda x: x**2,
            "root": lambda x: (x.abs() + 1) ** 0.5,
            "sqrt": lambda x: torch.sqrt(x * x + 1),
            "tanh": torch.tanh,
            "gate": gated,
            "shuffle": shuffled,
            "halves": halves,
            "response": response_normed,
            "attention": attended,
            "residual": residual,
            "index_select": lambda x: x.index_select(2, torch.tensor([1, 0, 0, 2])),
            "slice": lambda x: x[:, 1:5, ::2, 3:],
            "squeeze": lambda x: x.mean(1, keepdim=True).squeeze(1).unsqueeze(1) + x,
            "sum": lambda x: x.sum((2, 3), keepdim=True) + x,
            "largest": lambda x: x.amax(1, keepdim=True) - x,
            "average": lambda x: functional.avg_pool2d(x, 3, 2, 1),
            "average-edge": lambda x: functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
            "maximum": lambda x: functional.max_pool2d(x, 3, 2, 1),
            "flat": lambda x: x.flatten(2).view(x.shape) + x,
        }.items()
    },
    "batch-norm": lambda: Layers(nn.BatchNorm2d(K), nn.ReLU(), nn.BatchNorm2d(K)),
    "layer-norm": lambda: Layers(_Last(nn.LayerNorm(K)), _Last(nn.LayerNorm(K, elementwise_affine=False))),
    "linear": lambda: Layers(_Last(nn.Linear(K, 2 * K)), _Last(nn.Linear(2 * K, K, bias=False))),
    "group-norm": lambda: Layers(nn.GroupNorm(2, K), nn.GroupNorm(3, K, affine=False)),
    "grouped": lambda: Layers(
        nn.Conv2d(K, K, 3, stride=2, padding=1, groups=K, bias=False), nn.ReLU(inplace=True)
    ),
    "dilated": lambda: Layers(nn.Conv2d(K, K, 3, dilation=2, padding=(2, 1)), nn.Dropout(0.5)),
    "padded": lambda: Layers(nn.ZeroPad2d((0, 1, 1, 2)), nn.Conv2d(K, K, 3, stride=2)),
    "first-padded": lambda: nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, K, 3, stride=2)),
    "first-valid": lambda: nn.Conv2d(3, K, 3),
    "first-grouped": lambda: nn.Conv2d(3, K, 3, padding=1, groups=3),
    "first-pooled": lambda: nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(3, K, 3)),
}


class _Last(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def classifier(net: nn.Module, *, equal: bool) -> SheetClassifier:
    """A model on these features; weights and statistics at random."""
    generator = torch.Generator().manual_seed(3)
    mean, std = ((0.5,) * 3, (0.4,) * 3) if equal else (IMAGENET_MEAN, IMAGENET_STD)
    features = as_features(net, mean, std, "small")
    with torch.no_grad():
        for name, tensor in features.state_dict().items():
            if tensor.is_floating_point():
                tensor.uniform_(*((0.5, 2) if name.endswith("var") else (-0.5, 0.5)), generator=generator)
        channels = features.eval()(torch.zeros(1, 3, *SIZE)).shape[1]
    head = DirectHead(channels, 2, 0.0, Pooling("average"))
    return SheetClassifier(features, head, name="small", size=SIZE, smallest=1).eval()


@pytest.mark.parametrize("equal", [True, False], ids=["one-mean", "three-means"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_graph_computes_what_torch_does(name: str, equal: bool) -> None:
    model = classifier(NETWORKS[name](), equal=equal)
    images = np.random.default_rng(0).integers(0, 256, (4, *SIZE), dtype=np.uint8)
    images[0], images[1] = 0, 255
    with torch.inference_mode():
        features = model.features(to_input(torch.from_numpy(images)))
        logits, evidence = model.head.logits_and_map(features)
    graph = build_graph(model).SerializeToString()
    checked = check_graph(graph, name).encode()
    session = onnxruntime.InferenceSession(checked, providers=["CPUExecutionProvider"])
    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(model=checked), "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    )
    found = compiled(images)
    for got in (
        dict(
            zip(
                ("logits", "maps", "embedding"),
                session.run(["logits", "maps", "embedding"], {"images": images}),
                strict=True,
            )
        ),
        {key: found[key] for key in ("logits", "maps", "embedding")},
    ):
        places = evidence.shape[2] * evidence.shape[3]
        maps = (evidence - model.head.conv.bias[:, None, None]).detach().numpy() / places
        for key, wanted in (
            ("logits", logits.numpy()),
            ("maps", maps),
            ("embedding", features.mean((2, 3)).numpy()),
        ):
            # Rounding, and the engines' own approximations of roots and exponentials.
            assert np.abs(got[key] - wanted).max() <= 1e-4 * max(1e-6, np.abs(wanted).max()), key


def test_every_rule_is_tried() -> None:
    """By the operators that torch runs for the networks above."""
    from torch.fx.experimental.proxy_tensor import make_fx

    tried = set()
    for build in NETWORKS.values():
        with torch.no_grad():
            traced = make_fx(build().eval(), pre_dispatch=True)(torch.zeros(3, 3, *SIZE))
        for node in traced.graph.nodes:
            if node.op == "call_function":
                kind = str(getattr(node.target, "overloadpacket", node.target))
                tried.add(kind.removeprefix("aten.").removesuffix("_"))
    spare = {
        "alias",
        "clone",
        "contiguous",
        "detach",
        "to",
        "constant_pad_nd",
        "relu6",
        "view",
        "split_with_sizes",
    }
    assert RULES.keys() - tried <= spare


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: functional.pixel_shuffle(x.repeat(1, 2, 1, 1), 2), "no rule is written for operator"),
        (lambda x: x**3, "expected a square or a square root, got 3"),
        (lambda x: functional.pad(x, (1, 1, 1, 1), mode="reflect"), "expected padding with zeros"),
        (lambda x: functional.adaptive_avg_pool2d(x, 2), "expected one place"),
        (lambda x: torch.linalg.vector_norm(x, ord=1, dim=1, keepdim=True), "expected the Euclidean length"),
        (lambda x: x.flatten(0, 1).unsqueeze(1), "expected the images along the first axis"),
        (lambda x: functional.batch_norm(x, None, None, training=True), "without running statistics"),
    ],
)
def test_what_has_no_rule_is_refused(function: Callable[[Tensor], Tensor], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        build_graph(classifier(Of(function), equal=True))
