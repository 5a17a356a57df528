"""Networks, sheets and measures shared by the DeepLift tests."""

import copy
import functools
import itertools

import torch
from torch import Tensor, nn

from steelsight.models.catalog import MODELS, ModelSpec, SheetClassifier, build_model
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


def cosine(actual: Tensor, expected: Tensor) -> float:
    return float(torch.cosine_similarity(actual.double().flatten(), expected.double().flatten(), dim=0))


def incompleteness(maps: Tensor, model: nn.Module, images: Tensor, references: Tensor, target: int) -> float:
    """Relative error of the maps' sums as differences of logits.

    Where contributions cancel to less than a hundredth of their total, the error is relative to that
    hundredth, which is float32's limit.
    """
    exact = copy.deepcopy(model).double().eval()
    with torch.no_grad():
        rise = exact(images.double())[:, target] - exact(references.double())[:, target].mean()
    size = torch.maximum(rise.abs(), 0.01 * maps.double().abs().sum((1, 2)))
    return float(((maps.double().sum((1, 2)) - rise).abs() / size).max())


def without_writing(model: nn.Module) -> nn.Module:
    """A copy whose ReLUs leave their input as it is."""
    model = copy.deepcopy(model)
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return model


def black() -> Tensor:
    return to_input(torch.zeros(1, *SIZE, dtype=torch.uint8))
