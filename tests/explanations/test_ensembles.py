"""Combined maps: their parts, batch order and flips."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from steelsight.errors import BadInput
from steelsight.explanations import ensembles as fusions
from steelsight.explanations.gradcam import grad_cam
from steelsight.models.capture import capture
from steelsight.models.catalog import ModelSpec, SheetClassifier, build_model

SIZE = (48, 64)


@pytest.fixture(scope="module")
def model() -> SheetClassifier:
    return build_model(
        ModelSpec(name="squeezenet_reduced", head="direct", outputs=3, height=48, width=64)
    ).eval()


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 3, *SIZE, generator=torch.Generator().manual_seed(0))


TARGETS = torch.tensor([0, 2, 1])


@pytest.mark.parametrize(
    "method",
    [
        fusions.grad_cam_scales,
        fusions.grad_cam_layers,
        fusions.grad_cam_contrast,
        fusions.grad_cam_views_contrast,
        fusions.class_map_views,
        fusions.class_map_contrast,
    ],
    ids=lambda method: method.__name__,
)
def test_maps_have_the_sheet_size_and_follow_the_batch(
    method: object, model: SheetClassifier, images: Tensor
) -> None:
    maps = method(model, images, TARGETS)
    assert maps.shape == (3, *SIZE)
    assert maps.dtype == torch.float32
    assert (maps >= 0).all()
    turned = method(model, images.flip(0), TARGETS.flip(0))
    assert torch.allclose(turned, maps.flip(0), atol=1e-4 * float(maps.max()))


def test_one_scale_is_grad_cam(model: SheetClassifier, images: Tensor) -> None:
    maps = fusions.grad_cam_scales(model, images, TARGETS, scales=(1.0,))
    assert torch.allclose(maps, fusions.positive_unit(grad_cam(model, images, TARGETS)))


def test_views_are_flipped_back() -> None:
    def left(_model: nn.Module, images: Tensor, _target: Tensor) -> Tensor:
        return images.mean(1)  # a method that answers with the sheet itself

    images = torch.arange(24.0).reshape(1, 1, 4, 6)
    maps = fusions.over_views(left, nn.Identity(), images, torch.zeros(1, dtype=torch.int64))
    assert torch.equal(maps[0], images[0, 0])


def test_flipped_sheets_have_flipped_views(model: SheetClassifier, images: Tensor) -> None:
    whole = fusions.over_views(grad_cam, model, images, TARGETS)
    flipped = fusions.over_views(grad_cam, model, images.flip(3), TARGETS)
    assert torch.allclose(flipped.flip(2), whole, atol=1e-4 * float(whole.abs().max()))


def test_layers_are_the_ends_of_stages(model: SheetClassifier, images: Tensor) -> None:
    assert fusions.stages(model, images) == ["features.4", "features.7", "features.9"]
    with pytest.raises(BadInput, match="expected `features` that compute feature maps"):
        fusions.stages(nn.Linear(2, 2), images)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "two_scales", "timm:resnet10t", "timm:convnext_atto"])
def test_stages_of_other_networks_are_their_coarsest_grids(name: str, images: Tensor) -> None:
    spec = ModelSpec(name=name, head="direct", outputs=3, pretrained="none", height=48, width=64)
    net = build_model(spec).eval()
    names = fusions.stages(net, images)
    with capture(net, names) as captured:
        net(images)
    areas = [captured.activations[each][0, 0].numel() for each in names]
    assert len(names) == 3
    assert areas == sorted(areas, reverse=True)
    assert len(set(areas)) == 3
    assert areas[-1] == net.map_shapes().grid[0] * net.map_shapes().grid[1]
    maps = fusions.grad_cam_layers(net, images, TARGETS)
    assert maps.shape == (len(images), *SIZE)
    assert torch.isfinite(maps).all()


def test_agreement_is_high_only_where_both_maps_are() -> None:
    one, other = torch.zeros(1, 20, 20), torch.zeros(1, 20, 20)
    one[0, 5, 5] = one[0, 15, 15] = other[0, 5, 5] = 1.0
    both = fusions.agree([one, other], sigma=1.0)
    assert both[0, 5, 5] > 100 * both[0, 15, 15]


def test_blur_is_scipys(images: Tensor) -> None:
    expected = gaussian_filter(images[:, 0].numpy(), (0, 2, 2), mode="nearest")
    assert np.allclose(fusions.blur(images[:, 0], 2.0).numpy(), expected, atol=1e-5)


def test_blur_of_any_size_is_possible() -> None:
    assert torch.allclose(fusions.blur(torch.ones(1, 4, 5), 9.0), torch.ones(1, 4, 5))


def test_contrast_depends_only_on_changes_of_brightness() -> None:
    flat = torch.full((1, 3, 32, 32), 0.7)
    assert fusions.contrast(flat).abs().max() < 1e-5
    flat[:, :, 10:14, 10:14] = 2.0
    assert fusions.contrast(flat)[0, 12, 12] == fusions.contrast(flat).max()


def test_a_model_of_one_size_is_refused_other_sizes() -> None:
    model = build_model(ModelSpec(name="adhoc", outputs=2, height=48, width=64))
    with pytest.raises(BadInput, match="takes images of 48x64 only"):
        fusions.grad_cam_scales(model, torch.zeros(1, 3, 48, 64), torch.zeros(1, dtype=torch.int64))


def test_the_class_map_needs_the_direct_head(images: Tensor) -> None:
    model = build_model(ModelSpec(name="squeezenet_reduced", head="study", outputs=3, height=48, width=64))
    with pytest.raises(BadInput, match="with the direct head, got SheetClassifier"):
        fusions.class_map_views(model, images, TARGETS)
