"""Receptive fields against the support of gradients in a copy with positive weights and active ReLUs."""

import pytest
import torch
from torch import Tensor, nn

from steelsight.errors import UnknownLayer
from steelsight.inspection.neurons.receptive_field import WHOLE, receptive_field_of
from steelsight.inspection.neurons.truncated import run_to
from steelsight.models.catalog import ModelSpec, build_model

HEIGHT, WIDTH = 64, 96
LAYERS = {
    "adhoc": ["features.0", "features.2", "features.4", "features.8", "features.11", "features"],
    "squeezenet_reduced": [
        "features.1",
        "features.2",
        "features.3.squeeze",
        "features.3.expand1x1",
        "features.3.expand3x3_activation",
        "features.3",
        "features.5",
        "features.7",
        "features.9",
        "head.conv",
        "head.relu",
    ],
    "vgg16_bn": ["features.2", "features.6", "features.9"],
}


class _Average(nn.Module):
    """A pooling's window, all of it."""

    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        self.window = nn.AvgPool2d(pool.kernel_size, pool.stride, pool.padding, ceil_mode=pool.ceil_mode)

    def forward(self, images: Tensor) -> Tensor:
        return self.window(images)


def with_active_relus(module: nn.Module) -> nn.Module:
    """The same geometry, but every input of a window moves its output."""
    for name, child in module.named_children():
        if isinstance(child, nn.MaxPool2d):
            setattr(module, name, _Average(child))
        elif isinstance(child, nn.ReLU | nn.BatchNorm2d | nn.Dropout):
            setattr(module, name, nn.Identity())
        else:
            with_active_relus(child)
        if isinstance(child, nn.Conv2d):
            nn.init.constant_(child.weight, 1 / child.weight[0].numel())
            nn.init.zeros_(child.bias)
    return module


@pytest.mark.parametrize("name", LAYERS)
def test_boxes_are_the_support_of_the_gradient(name: str) -> None:
    model = build_model(ModelSpec(name=name, outputs=2, height=HEIGHT, width=WIDTH))
    fields = {layer: receptive_field_of(model, layer) for layer in LAYERS[name]}
    active = with_active_relus(model).double()
    for layer, reach in fields.items():
        with run_to(active, layer) as run:
            leaf = torch.zeros(1, 3, HEIGHT, WIDTH, dtype=torch.float64, requires_grad=True)
            output = run(leaf)
            rows, columns = output.shape[2:]
            for place in {(0, 0), (rows // 2, columns // 2), (rows - 1, columns - 1)}:
                at = output[0][:, *place].sum()  # all channels: a Fire module has two kinds
                gradient = torch.autograd.grad(at, leaf, retain_graph=True)[0][0].sum(0)
                touched = gradient.nonzero()
                low, high = touched.amin(0).tolist(), (touched.amax(0) + 1).tolist()
                assert reach.box(place, (HEIGHT, WIDTH)) == (*low, *high), (layer, place)


def test_the_studys_last_fire_module_has_a_field_higher_than_a_sheet() -> None:
    model = build_model(ModelSpec(name="squeezenet_reduced", outputs=2))
    reach = receptive_field_of(model, "features.9")
    assert (reach.start, reach.size, reach.step) == ((-40, -40), (111, 111), (16, 16))


@pytest.mark.parametrize("layer", ["head.pool", "head.linear", "head.flatten", "head"])
def test_global_pooling_counts_as_the_whole_image(layer: str) -> None:
    model = build_model(ModelSpec(name="squeezenet_reduced", outputs=2, height=HEIGHT, width=WIDTH))
    assert receptive_field_of(model, layer) == WHOLE
    assert receptive_field_of(model, layer).box((0, 0), (HEIGHT, WIDTH)) == (0, 0, HEIGHT, WIDTH)


def test_an_unknown_container_counts_as_the_whole_image() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, images: Tensor) -> Tensor:
            return self.conv(images)

    assert receptive_field_of(nn.Sequential(Own()), "0.conv") == WHOLE
    with pytest.raises(UnknownLayer, match="layer 'conv': Sequential has none"):
        receptive_field_of(nn.Sequential(Own()), "conv")
