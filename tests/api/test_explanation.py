"""`ss.explain` gives the maps of the methods themselves, for torch modules, runs and bundles."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import steelsight as ss
from steelsight.errors import BadImage, BadInput, BadRecipe, UnknownLayer
from steelsight.explanations.gradcam import grad_cam
from steelsight.explanations.integrated import integrated_gradients
from steelsight.explanations.verdicts import explain_images
from steelsight.models.inputs import to_input


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)
    )


@pytest.fixture(scope="module")
def batch() -> torch.Tensor:
    return torch.rand(3, 3, 20, 28, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def paths(data):
    return sorted((data / "train_images").iterdir())[:4]


def test_any_torch_module(network, batch):
    network.train()
    found = ss.explain(network, batch, layer="1", target=[0, 3, 1])
    assert network.training
    expected = grad_cam(network, batch, [0, 3, 1], layer="1").numpy()
    np.testing.assert_array_equal(found.maps, expected)
    assert (found.maps.shape, found.images.shape, found.logits.shape) == ((3, 20, 28), (3, 20, 28), (3, 4))
    assert found.probabilities is None
    assert found.class_names == ("0", "1", "2", "3")
    assert "maps" in found.figures()
    assert found._repr_html_().count("<img ") == 1
    assert [row["explains"] for row in found.as_dict()["images"]] == ["0", "3", "1"]


def test_without_target_the_verdict_is_explained(network, batch):
    found = ss.explain(network, batch.numpy(), method="integrated_gradients")
    with torch.no_grad():
        verdicts = network(batch).argmax(1)
    assert found.targets.tolist() == verdicts.tolist()
    np.testing.assert_array_equal(found.maps, integrated_gradients(network, batch, verdicts).detach().numpy())


def test_class_names_of_a_module(network, batch):
    found = ss.explain(network, batch, layer="0", target="dent", class_names=["ok", "dent", "pit", "rust"])
    assert set(found.targets.tolist()) == {1}


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (4, "class index from 0 to 3, got 4"),
        (True, "got True"),
        ([0, 1], "expected one class, or 3, one an image, got 2"),
        ("rust", "class index from 0 to 3, got 'rust'"),
    ],
)
def test_a_wrong_target_is_refused(target, message, network, batch):
    with pytest.raises(BadInput, match=message):
        ss.explain(network, batch, layer="1", target=target)


def test_what_is_no_model_or_no_image_is_refused(network, batch, tmp_path):
    with pytest.raises(BadInput, match="expected a torch module, a Run, an Inspector or a path, got int"):
        ss.explain(3, batch)
    with pytest.raises(BadInput, match="expected float32 images of shape"):
        ss.explain(network, batch.double())
    with pytest.raises(UnknownLayer, match="it has 0, 1, 2, 3, 4"):
        ss.explain(network, batch)
    with pytest.raises(BadRecipe, match="method: expected one of gradcam"):
        ss.explain(network, batch, method="gradcamm")


def test_a_run_gives_the_maps_of_its_verdicts(trained, paths):
    found = ss.explain(trained, paths)
    expected = explain_images(trained.model, trained.card, found.images)
    for row, each in enumerate(expected):
        target = int(each.probabilities.argmax())
        assert found.targets[row] == target
        np.testing.assert_allclose(found.maps[row], each.maps[target], atol=1e-5)  # closed form and hooks
        np.testing.assert_allclose(found.probabilities[row], each.probabilities, atol=1e-6)
    assert found.names == tuple(path.name for path in paths)


def test_paths_bytes_and_arrays_of_a_run(trained, paths):
    one = ss.explain(trained.folder, paths[0], target=trained.class_names[0], method="gradient")
    two = ss.explain(trained, paths[0].read_bytes(), target=0, method="gradient")
    three = ss.explain(trained, one.images[0], target=[0], method="gradient")
    for other in (two, three):
        np.testing.assert_array_equal(one.maps, other.maps)
    expected = trained.model(to_input(torch.from_numpy(one.images))).detach().numpy()
    np.testing.assert_allclose(one.logits, expected, atol=1e-5)


def test_a_bundle_gives_the_maps_of_its_run(trained, exported, paths):
    inside = ss.explain(exported.load(), paths, target=1)
    outside = ss.explain(trained, paths, target=1)
    np.testing.assert_array_equal(inside.images, outside.images)
    for ours, theirs in zip(inside.maps, outside.maps, strict=True):
        cosine = (ours * theirs).sum() / np.sqrt((ours**2).sum() * (theirs**2).sum())
        assert cosine > 0.999  # the engine's arithmetic differs in the last digits
    np.testing.assert_array_equal(ss.explain(exported.bundle, paths, target=1).maps, inside.maps)


def test_a_bundle_has_grad_cam_alone(exported, paths):
    with pytest.raises(BadRecipe, match=r"expected gradcam without settings for a bundle.*got lime"):
        ss.explain(exported.bundle, paths, method="lime")
    with pytest.raises(BadRecipe, match="got the settings layer"):
        ss.explain(exported.bundle, paths, layer="features")


def test_an_image_that_cannot_be_read_is_named(trained, tmp_path):
    (tmp_path / "text.jpg").write_text("no image")
    with pytest.raises(BadImage, match=r"text\.jpg"):
        ss.explain(trained, tmp_path / "text.jpg")
    with pytest.raises(BadInput, match="expected at least one image, got none"):
        ss.explain(trained, [])
