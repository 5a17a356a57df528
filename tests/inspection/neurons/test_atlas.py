"""The atlas and the comparison of two models, from sheets to page."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from steelsight.errors import BadData, BadInput, BadRecipe, UnknownLayer
from steelsight.inspection.neurons.atlas import Atlas, AtlasPlan, NeuronSheets, make_atlas
from steelsight.inspection.neurons.page import forms_figure, write_atlas, write_neuron_pairs
from steelsight.inspection.neurons.pairs import compare_neurons
from steelsight.inspection.neurons.settings import GROWN_SHEET, PLAIN_SHEET, Neuron
from steelsight.models.catalog import ModelSpec, SheetClassifier, build_model
from steelsight.plain import plain
from steelsight.reports.document import Document

QUICK = replace(PLAIN_SHEET, steps=6)
QUICK_GROWN = replace(GROWN_SHEET, steps=4, every=2, kernels=(3,))
PLAN = AtlasPlan(count=2, plain=QUICK, grown=QUICK_GROWN, resamples=20)


def small(name: str = "adhoc", seed: int = 0, outputs: int = 2) -> SheetClassifier:
    spec = ModelSpec(name=name, outputs=outputs, height=48, width=64)
    return build_model(spec, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def shown() -> NeuronSheets:
    """Plain sheets, and sheets with a bright patch."""
    rng = np.random.default_rng(0)
    images = rng.normal(110, 12, (12, 48, 64))
    labels = np.arange(12) % 2
    images[labels == 1, 10:40, 20:44] = 235
    ids = tuple(f"sheet <{n}>.png" for n in range(12))
    return NeuronSheets(np.clip(images, 0, 255).astype(np.uint8), labels, ("none", "patch"), ids)


def atlas_of(shown: NeuronSheets, layers: list[str], plan: AtlasPlan = PLAN, **options: object) -> Atlas:
    model = options.get("model") or small()
    return make_atlas(model, shown, layers, plan, rng=np.random.default_rng(0), seed=0)


@pytest.fixture(scope="module")
def atlas(shown: NeuronSheets) -> Atlas:
    return atlas_of(shown, ["features.1", "features.7", "head.relu1"])


def test_every_neuron_has_its_images_crops_and_responses(atlas: Atlas) -> None:
    assert [page.layer for page in atlas.layers] == ["features.1", "features.7", "head.relu1"]
    for page in atlas.layers:
        assert len(page.profiles) == 2
        for profile in page.profiles:
            assert profile.plain.shape == (1, 48, 64)
            assert len(profile.crops) == 9
            assert set(profile.responses) == {"none", "patch"}
            assert profile.neuron.channel not in page.dead
            assert profile.value >= profile.best_real
    assert atlas.layers[0].profiles[0].grown.shape == (1, 90, 90)
    assert atlas.layers[2].profiles[0].grown is None
    assert "no second form: model adhoc: its linear layer is made for 48x64" in atlas.layers[2].note


def test_numbers_are_json_and_the_page_is_complete(atlas: Atlas) -> None:
    numbers = json.loads(json.dumps(plain(atlas.as_dict()), allow_nan=False))
    first = numbers["layers"][0]["neurons"][0]
    assert first["neuron"].startswith("features.1:")
    assert len(first["crops"]) == 9
    document = Document("neurons")
    write_atlas(document, atlas)
    html = document.render()
    assert "sheet &lt;" in html
    assert "sheet <" not in html
    tables = {b.id: b for chapter in document.chapters for b in chapter.blocks if hasattr(b, "columns")}
    dead = {row[0].value: row[4].value for row in tables["dead-neurons"].rows}
    assert dead == {page.layer: len(page.dead) for page in atlas.layers}
    assert forms_figure(atlas.layers, each=2) is not None
    assert forms_figure(atlas.layers[2:], each=2) is None


def test_the_ascent_restarts_from_a_real_sheet_with_a_higher_response(shown: NeuronSheets) -> None:
    slow = replace(QUICK, rate=1e-3, steps=3)
    made = atlas_of(shown, ["features.1"], replace(PLAN, plain=slow, grown=None))
    profiles = made.layers[0].profiles
    assert any(profile.restarted for profile in profiles)
    assert all(profile.value >= profile.best_real * (1 - 1e-5) for profile in profiles)


def test_named_and_randomly_drawn_neurons(shown: NeuronSheets) -> None:
    named = (Neuron("features.4", 5), Neuron("features.1", 2, (3, 4)))
    made = atlas_of(shown, ["features.10"], replace(PLAN, neurons=named, grown=None))
    assert [p.neuron for page in made.layers for p in page.profiles] == list(named)
    drawn = atlas_of(shown, ["features.4"], replace(PLAN, choose="drawn", plain=None))
    assert drawn.layers[0].profiles[0].plain is None
    assert drawn.layers[0].profiles[0].value == drawn.layers[0].profiles[0].grown_value
    document = Document("neurons")
    write_atlas(document, drawn)
    assert "Second form" in document.render()


def test_a_dead_layer_has_an_empty_page(shown: NeuronSheets) -> None:
    model = small()
    with torch.no_grad():
        model.features[0].bias.fill_(-1e4)
    made = atlas_of(shown, ["features.1", "features.4"], model=model)
    assert len(made.layers[0].dead) == 32
    assert made.layers[0].profiles == ()
    assert "no channel is ever above zero" in made.layers[0].note
    document = Document("neurons")
    write_atlas(document, made)
    assert "and 0 more" not in document.render()


@pytest.mark.parametrize("kept", [[0, 2, 4], []])
def test_one_class_or_no_sheets_is_refused(shown: NeuronSheets, kept: list[int]) -> None:
    few = NeuronSheets(
        shown.images[kept], shown.labels[kept], shown.class_names, tuple(shown.ids[i] for i in kept)
    )
    message = (
        "of at least two classes, got 1 among 3 sheets" if kept else "sheets to show the model, got none"
    )
    with pytest.raises(BadData, match=message):
        atlas_of(few, ["features.1"])


def test_missing_neurons_are_refused(shown: NeuronSheets) -> None:
    with pytest.raises(UnknownLayer, match=r"layer 'features\.77'"):
        atlas_of(shown, ["features.77"])
    with pytest.raises(BadInput, match=r"neuron features\.1:40: the layer has 32 channels, 0 to 31, got 40"):
        atlas_of(shown, [], replace(PLAN, neurons=(Neuron("features.1", 40),)))
    with pytest.raises(BadRecipe, match="choose: expected telling or drawn, got 'best'"):
        replace(PLAN, choose="best")
    with pytest.raises(BadRecipe, match="count: expected at least 1 neuron a layer, got 0"):
        replace(PLAN, count=0)
    with pytest.raises(BadRecipe, match="form: expected plain, grown or both, got none"):
        replace(PLAN, plain=None, grown=None)


def test_a_model_compared_with_itself_has_equal_neurons() -> None:
    neurons = [Neuron(layer, channel) for layer in ("features.1", "features.7") for channel in range(4)]
    model = small(outputs=2)
    other = small(outputs=5)  # another head, the same features
    other.features.load_state_dict(model.features.state_dict())
    rng = np.random.default_rng(0)
    same = compare_neurons(model, other, neurons, QUICK, seed=0, rng=rng)
    assert np.allclose(same.correlations, 1)
    assert [layer.found.estimate for layer in same.layers] == [1.0, 1.0]
    assert all(layer.others.estimate < layer.own.estimate for layer in same.layers)
    other = compare_neurons(model, small(seed=1), neurons, QUICK, seed=0, rng=rng)
    assert other.correlations.max() < 0.99
    document = Document("twins")
    document.chapter("twins")
    write_neuron_pairs(document, same, names=("one", "two"))
    assert len(json.loads(json.dumps(plain(same.as_dict())))["neurons"]) == 8


def test_models_of_different_architecture_are_refused() -> None:
    with pytest.raises(BadInput, match="expected one architecture, got adhoc and squeezenet_reduced"):
        compare_neurons(
            small(),
            small("squeezenet_reduced"),
            [Neuron("features.1", 0)],
            QUICK,
            seed=0,
            rng=np.random.default_rng(0),
        )
