"""DeepLift from its definition: layer by layer, window by window, float64.

Uses no autograd and none of the package's rules.
"""

import itertools
import math

import torch
from tests.explanations.deeplift.cases import without_writing
from torch import Tensor, nn
from torchvision.models.squeezenet import Fire

from steelsight.models.catalog import SheetClassifier
from steelsight.models.heads import AverageMaxHead, ConvHead, DirectHead, LinearHead, Pooling


def slow_deep_lift(model: SheetClassifier, image: Tensor, reference: Tensor, target: int) -> Tensor:
    """DeepLift of one image from the definition: multipliers of the last layer, propagated back by hand."""
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
