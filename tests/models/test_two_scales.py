"""The network of two scales: what it joins, and where its weights come from."""

from __future__ import annotations

import os
from itertools import product

import pytest
import torch

from steelsight.models.catalog import ModelSpec, build_model
from steelsight.models.inputs import to_input
from steelsight.models.starts import read_steel
from steelsight.models.two_scales import SMALLEST, TwoScales, two_scales_features
from steelsight.models.weights import WEIGHTS_VARIABLE

SIZE = (68, 132)


def spec(name: str = "two_scales", pretrained: str = "none", size: tuple[int, int] = SIZE) -> ModelSpec:
    height, width = size
    return ModelSpec(name=name, outputs=5, head="direct", height=height, width=width, pretrained=pretrained)


def images(size: tuple[int, int] = SIZE) -> torch.Tensor:
    gray = torch.randint(0, 256, (2, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return to_input(gray)


@pytest.mark.parametrize("size", [(SMALLEST, SMALLEST), (64, 400), (68, 132), (100, 37), (129, 801)])
def test_every_value_of_the_coarse_map_is_kept(size: tuple[int, int]) -> None:
    features = two_scales_features().eval()
    net = features.net
    with torch.inference_mode():
        given = features.rescale(images(size))
        fine, coarse, joined = net.fine(given), net.coarse(given), features(images(size))
    assert joined.shape == (2, fine.shape[1] + coarse.shape[1], *fine.shape[2:])
    assert torch.equal(joined[:, : fine.shape[1]], fine)
    spread = joined[:, fine.shape[1] :]
    assert torch.equal(spread.amax((2, 3)), coarse.amax((2, 3)))
    assert torch.equal(spread.amin((2, 3)), coarse.amin((2, 3)))


@pytest.mark.parametrize(("given", "wanted"), [((3, 5), (4, 7)), ((3, 24), (4, 25)), ((1, 1), (2, 3))])
def test_a_place_takes_the_nearest_one(given: tuple[int, int], wanted: tuple[int, int]) -> None:
    numbers = torch.arange(float(given[0] * given[1])).reshape(1, 1, *given)
    fine = torch.zeros(1, 1, *wanted)
    joined = TwoScales(_Fixed(fine), _Fixed(numbers))(torch.zeros(1, 3, 1, 1))[0, 1]
    for place in product(*map(range, wanted)):
        taken = divmod(int(joined[place]), given[1])
        for axis in range(2):
            wish = (place[axis] + 0.5) * given[axis] / wanted[axis] - 0.5
            assert abs(taken[axis] - wish) == min(abs(each - wish) for each in range(given[axis]))


class _Fixed(torch.nn.Module):
    def __init__(self, output: torch.Tensor) -> None:
        super().__init__()
        self.output = output

    def forward(self, _images: torch.Tensor) -> torch.Tensor:
        return self.output


@pytest.mark.skipif(WEIGHTS_VARIABLE not in os.environ, reason="needs ImageNet weights of both networks")
def test_each_part_is_the_network_it_is_named_after() -> None:
    """The coarse part sees the sheet at half size, as the reduced SqueezeNet alone would."""
    joined = build_model(spec(pretrained="steel")).eval()
    fine = build_model(spec("efficientnet_lite0", "imagenet")).eval()
    coarse = build_model(spec("squeezenet_reduced", "steel", (34, 66))).eval()
    with torch.inference_mode():
        found = joined.features(images())
        halved = torch.nn.functional.avg_pool2d(images(), 2)
        assert torch.allclose(found[:, :1280], fine.features(images()), atol=1e-4)
        expected = coarse.features(halved)
        assert torch.allclose(found[:, 1280:].amax((2, 3)), expected.amax((2, 3)), rtol=1e-4, atol=1e-3)
    assert joined.pretrained == ("features.net.coarse.squeezenet",)


@pytest.mark.skipif(WEIGHTS_VARIABLE not in os.environ, reason="needs ImageNet weights of both networks")
def test_imagenet_s_weights_go_into_both_parts() -> None:
    joined = build_model(spec(pretrained="imagenet")).features.net
    fine = build_model(spec("efficientnet_lite0", "imagenet")).features[1:]
    coarse = build_model(spec("squeezenet_reduced", "imagenet")).features
    for part, other in ((joined.fine, fine), (joined.coarse.squeezenet, coarse)):
        assert part.state_dict().keys() == other.state_dict().keys()
        assert all(torch.equal(part.state_dict()[name], value) for name, value in other.state_dict().items())
    steel = read_steel("squeezenet_reduced").state["features.0.weight"].float()
    assert not torch.equal(joined.coarse.squeezenet[0].weight, steel)
