"""The place head: its grid, its formula, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from steelsight.errors import BadInput
from steelsight.explanations.places import place_evidence
from steelsight.models.catalog import ModelSpec, SheetClassifier, build_model
from steelsight.models.inputs import to_input
from steelsight.models.places import LIMIT, PlaceHead, repeat_places, run_tapped

GRIDS = {  # of the finest feature map that is read, for 64x96 px
    "squeezenet": (15, 23),
    "squeezenet_reduced": (15, 23),
    "efficientnet_lite0": (8, 12),
    "two_scales": (8, 12),
    "adhoc": None,  # the last feature map
}


def _network(name: str, places: int = 3, **spec: object) -> SheetClassifier:
    return build_model(
        ModelSpec(name=name, outputs=3, head="direct", height=64, width=96, places=places, **spec)
    )


def _images(count: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return to_input(torch.randint(0, 256, (count, 64, 96), dtype=torch.uint8, generator=generator))


def _started(model: SheetClassifier, images: torch.Tensor) -> SheetClassifier:
    assert model.places is not None
    with torch.no_grad():
        _, maps = run_tapped(model.eval().features, model.places.taps, images)
    torch.manual_seed(0)
    model.places.start(maps)
    return model


@pytest.mark.parametrize("name", GRIDS)
def test_the_grid_is_that_of_the_finest_map(name: str) -> None:
    model = _started(_network(name), _images())
    with torch.no_grad():
        found = model.place_map(_images())
        last = model.features(_images()).shape[2:]
    assert tuple(found.shape) == (2, 3, *(GRIDS[name] or last))
    assert float(found.std()) > 0


@pytest.mark.parametrize("given", [(1, 1), (3, 5), (8, 12)])
def test_places_are_repeated_to_their_nearest(given: tuple[int, int]) -> None:
    coarse = torch.arange(given[0] * given[1], dtype=torch.float32).reshape(1, 1, *given)
    fine = repeat_places(coarse, (8, 12))[0, 0]
    for row in range(8):
        for column in range(12):
            near = (int((row + 0.5) * given[0] / 8), int((column + 0.5) * given[1] / 12))
            assert fine[row, column] == coarse[0, 0, near[0], near[1]]


def test_the_formula() -> None:
    torch.manual_seed(1)
    fine, coarse = torch.randn(2, 4, 4, 6) * 3, torch.randn(2, 5, 2, 3)
    head = PlaceHead(("a", "b"), (4, 5), outputs=3, hidden=2)
    head.start([fine, coarse])
    head.eval()
    parts = []
    for number, values in enumerate((fine, coarse)):
        mean, spread = values.mean((0, 2, 3), keepdim=True), values.std((0, 2, 3), keepdim=True)
        standard = ((values - mean) / spread).clamp(-LIMIT, LIMIT)
        parts.append(torch.einsum("mk,nkhw->nmhw", head.scales[number].conv.weight[:, :, 0, 0], standard))
    total = parts[0] + parts[1].repeat_interleave(2, 2).repeat_interleave(2, 3)
    hidden = (total + head.scales[0].conv.bias[:, None, None]).relu()
    wanted = torch.einsum("cm,nmhw->nchw", head.classes.weight[:, :, 0, 0], hidden)
    wanted = wanted + head.classes.bias[:, None, None]
    with torch.no_grad():
        assert torch.allclose(head([fine, coarse]), wanted, atol=1e-5)


def test_a_place_head_changes_nothing_else() -> None:
    plain, with_places = _network("squeezenet_reduced", 0).eval(), _network("squeezenet_reduced", 8).eval()
    assert plain.places is None
    own = with_places.state_dict()
    assert all(torch.equal(values, own[name]) for name, values in plain.state_dict().items())
    with torch.no_grad():
        assert torch.equal(plain(_images()), with_places(_images()))
        assert not with_places.place_map(_images()).any()  # until it is fitted


def test_hooks_are_removed_after_an_error() -> None:
    model = _network("squeezenet_reduced")
    with pytest.raises(BadInput, match="expected images of shape"):
        model.place_map(_images()[0])
    with pytest.raises(RuntimeError):  # of a convolution that gets too few axes
        run_tapped(model.features, model.places.taps, torch.zeros(3))
    assert not any(module._forward_hooks for module in model.modules())


def test_a_network_without_place_head_says_so() -> None:
    with pytest.raises(BadInput, match=r"has no place head; train with places\.hidden above 0"):
        _network("adhoc", 0).place_map(_images())
    with pytest.raises(BadInput, match="expected a network with a place head, got Linear"):
        place_evidence(torch.nn.Linear(2, 2), _images(), 0)


def test_patches_have_no_place_head() -> None:
    with pytest.raises(ValueError, match="expected a network that sees whole sheets, got one of 2 patches"):
        ModelSpec(name="adhoc", outputs=2, height=64, width=400, patches=2, places=4)


def test_evidence_as_a_map_is_that_of_the_place_head() -> None:
    model = _started(_network("adhoc"), _images())
    maps = place_evidence(model, _images(), [2, 0])
    with torch.no_grad():
        coarse = model.place_map(_images())
    assert maps.shape == (2, 64, 96)
    assert not maps.requires_grad
    for row, target in enumerate((2, 0)):
        assert np.isclose(float(maps[row].max()), float(coarse[row, target].max()), atol=0.2)
    with pytest.raises(BadInput, match="target"):
        place_evidence(model, _images(), 3)
