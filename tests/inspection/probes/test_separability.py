"""Layers of small networks with known content: planted classes, controls, trends, reports."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.manifold import TSNE, trustworthiness
from sklearn.preprocessing import StandardScaler

from steelsight.errors import BadInput
from steelsight.inspection.probes.controls import (
    CONTROLS,
    IMAGENET,
    RANDOM,
    SHUFFLED,
    TRAINED,
    build_controls,
    choose_controls,
)
from steelsight.inspection.probes.embedding import (
    MapSpec,
    chance_agreement,
    draw_map,
    map_layers,
    neighbour_agreement,
)
from steelsight.inspection.probes.outputs import KINDS
from steelsight.inspection.probes.report import (
    describe_layers,
    describe_lengths,
    layers_json,
    write_maps,
    write_probes,
)
from steelsight.inspection.probes.resamples import resample
from steelsight.inspection.probes.selection import ProbeSheets
from steelsight.inspection.probes.separability import ProbeOptions, Separability, inspect_layers
from steelsight.inspection.probes.trends import features_end, rise, trend
from steelsight.models.catalog import ModelSpec, SheetClassifier, build_model
from steelsight.reports.document import Document
from steelsight.types import Interval

SPEC = ModelSpec(name="adhoc", outputs=2, height=48, width=64)
LAYERS = ("features.0", "features.2", "features.11", "head.linear3")


def _sheets(seed: int = 0, *, planted: bool = True, count: int = 60, groups: int = 0) -> ProbeSheets:
    """Grain; in the sheets of class 1 the left half is brighter than the right, in class 0 darker."""
    rng = np.random.default_rng(seed)
    labels = np.arange(2 * count) % 2
    images = rng.normal(120, 10, (2 * count, 48, 64))
    if planted:
        images[:, :, :32] += (40 * labels - 20)[:, None, None]
    names = [f"g{i // groups}" if groups else "" for i in range(2 * count)]
    gray = np.clip(images, 0, 255).astype(np.uint8)
    return ProbeSheets(gray, labels, tuple(names), count, ("none", "defect"))


@pytest.fixture(scope="module")
def model() -> SheetClassifier:
    return build_model(SPEC, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def found(model: SheetClassifier) -> Separability:
    nets, missing = build_controls(SPEC, CONTROLS, seed=5)
    return inspect_layers(
        {TRAINED: model, **nets},
        _sheets(),
        LAYERS,
        ProbeOptions(maps=MapSpec(sheets=40), resamples=100),
        missing=missing,
    )


def test_planted_classes_are_separable_at_the_input_and_permuted_labels_are_at_chance(
    found: Separability,
) -> None:
    for kind in KINDS:
        assert found.curves[TRAINED, kind].accuracy[0].estimate == 1.0
        permuted = found.curves[SHUFFLED, kind].accuracy
        # The mean of five permutations of 60 sheets has a deviation of 0.03; four of them are allowed.
        assert all(abs(point.estimate - 0.5) < 0.12 for point in permuted)
    assert found.majority == 0.5


def test_noise_is_at_chance_in_every_layer(model: SheetClassifier) -> None:
    result = inspect_layers(
        {TRAINED: model}, _sheets(planted=False), LAYERS, ProbeOptions(shuffled=False, resamples=200)
    )
    assert set(result.nets) == {TRAINED}
    points = [point for curve in result.curves.values() for point in curve.accuracy]
    inside = [point.low <= 0.5 <= point.high for point in points]
    assert np.mean(inside) >= 0.8  # of ten intervals at 95 %, on the same sheets


def test_every_net_and_input_has_a_curve_of_every_layer(found: Separability) -> None:
    assert [layer.name for layer in found.layers] == ["input", *LAYERS]
    assert set(found.curves) == {(net, kind) for net in (TRAINED, RANDOM, SHUFFLED) for kind in KINDS}
    assert found.layers[1].shape == (32, 46, 62)
    assert found.layers[1].title == "features.0 conv"
    for curve in found.curves.values():
        assert curve.right.shape == (5, 60)
        assert len(curve.accuracy) == len(curve.penalty) == 5
    assert "there are no ImageNet weights for it" in found.missing[IMAGENET]


def test_the_number_of_workers_does_not_change_results(model: SheetClassifier, found: Separability) -> None:
    nets, _ = build_controls(SPEC, CONTROLS, seed=5)
    again = inspect_layers(
        {TRAINED: model, **nets}, _sheets(), LAYERS, ProbeOptions(resamples=100, workers=3)
    )
    for key, curve in found.curves.items():
        assert np.array_equal(curve.right, again.curves[key].right)
        assert curve.accuracy == again.curves[key].accuracy


def test_controls_are_other_networks_of_the_same_structure(model: SheetClassifier) -> None:
    nets, _ = build_controls(SPEC, (RANDOM, SHUFFLED), seed=2)
    assert set(nets) == {RANDOM}
    state, own = nets[RANDOM].state_dict(), model.state_dict()
    assert {key: tensor.shape for key, tensor in state.items()} == {k: t.shape for k, t in own.items()}
    assert not torch.equal(state["features.0.weight"], own["features.0.weight"])
    again = build_controls(SPEC, (RANDOM,), seed=2)[0][RANDOM].state_dict()
    assert all(torch.equal(tensor, again[key]) for key, tensor in state.items())


@pytest.mark.weights
def test_the_imagenet_control_has_the_features_of_imagenet(weights_root) -> None:
    spec = ModelSpec(name="squeezenet_reduced", outputs=2)
    nets, missing = build_controls(spec, CONTROLS, seed=0)
    assert not missing
    assert nets[IMAGENET].pretrained == ("features",)


def test_control_names_are_checked() -> None:
    assert choose_controls(None) == CONTROLS
    assert choose_controls("shuffled, random") == (RANDOM, SHUFFLED)
    assert choose_controls("") == ()
    with pytest.raises(BadInput, match="controls: expected some of imagenet, random, shuffled, got magic"):
        choose_controls("random,magic")


def _with_accuracies(found: Separability, levels: list[float]) -> Separability:
    """The same findings, but each layer right on the first so many sheets."""
    count = found.sheets.judge_labels.size
    right = np.array([(np.arange(count) < round(level * count)).astype(float) for level in levels])
    curves = {key: replace(curve, right=right) for key, curve in found.curves.items()}
    return replace(found, curves=curves)


def test_trends_distinguish_rising_from_falling(found: Separability) -> None:
    rising = _with_accuracies(found, [0.9, 0.5, 0.6, 0.8, 0.9])
    curve = rising.curves[TRAINED, "pooled"]
    assert features_end(rising) == 3
    assert trend(rising, curve).estimate == pytest.approx(1.0), "the sheet itself is no layer"
    assert rise(rising, curve).estimate == pytest.approx(0.3)
    assert rise(rising, curve).low > 0
    falling = _with_accuracies(found, [0.9, 0.9, 0.8, 0.6, 0.5])
    assert trend(falling, falling.curves[TRAINED, "pooled"]).high < 0


def test_report_and_json_hold_every_number(found: Separability) -> None:
    document = Document("t")
    document.chapter("c")
    write_probes(document, found, title="Ad-hoc CNN")
    write_maps(document, found)
    html = document.render()
    assert "there are no ImageNet weights for it" in html
    assert "perplexity 13, seed 0" in html
    numbers = json.loads(json.dumps(layers_json(found), allow_nan=False))
    assert [layer["name"] for layer in numbers["layers"]] == ["input", *LAYERS]
    assert len(numbers["layers"][0]["probes"]) == 6
    first = numbers["layers"][0]["probes"][0]
    assert (first["network"], first["input"]) == (TRAINED, "pooled")
    assert first["accuracy"]["estimate"] == found.curves[TRAINED, "pooled"].accuracy[0].estimate
    assert set(numbers["tsne"]["neighbours_alike"]) == {"input", *LAYERS}
    assert numbers["tsne"]["perplexity"] == 13.0
    assert "rank correlation" in describe_layers(found)


def test_maps_keep_planted_classes_together(found: Separability) -> None:
    by_layer = {each.layer: each for each in found.maps}
    assert by_layer["input"].agreement.estimate > 0.95
    assert by_layer["input"].places.shape == (40, 2)
    assert all((each.rows == found.maps[0].rows).all() for each in found.maps)


def test_a_map_keeps_neighbours_as_well_as_scikit_learn(rng: np.random.Generator) -> None:
    """Rounding alone moves a t-SNE map, so not places are compared but how far neighbours can be trusted."""
    rows = rng.normal(size=(40, 3)).astype(np.float32)
    places = draw_map(rows, perplexity=5.0, seed=3)
    assert np.array_equal(places, draw_map(rows, perplexity=5.0, seed=3))
    scaled = StandardScaler().fit_transform(rows.astype(np.float64)).astype(np.float32)
    expected = TSNE(perplexity=5.0, init="pca", random_state=3).fit_transform(scaled)
    ours, theirs = trustworthiness(scaled, places), trustworthiness(scaled, expected)
    assert ours > theirs - 0.02 > 0.85


def test_neighbours_of_the_same_group_do_not_count() -> None:
    places = np.array([[0, 0], [0, 1], [0, 2], [9, 0], [9, 1], [9, 2]], dtype=np.float32)
    labels = np.array([0, 0, 0, 1, 1, 1])
    assert neighbour_agreement(places, labels, [""] * 6).tolist() == [1.0] * 6
    tied = neighbour_agreement(places, labels, ["a", "a", "", "", "", ""])
    assert tied.tolist()[:2] == [1.0, 1.0], "the one other of its class outside its group is its nearest"
    alone = neighbour_agreement(places, np.array([0, 1, 1, 1, 1, 1]), [""] * 6)
    assert np.isnan(alone[0])


def test_a_map_where_every_sheet_is_alone_in_its_class_has_no_agreement(rng: np.random.Generator) -> None:
    images = np.zeros((12, 2, 2), dtype=np.uint8)
    labels = np.array([0, 1] * 4 + [0, 1, 2, 3])
    sheets = ProbeSheets(images, labels, ("",) * 12, 8, ("a", "b", "c", "d"))
    rows = rng.normal(size=(12, 5)).astype(np.float32)
    (drawn,) = map_layers({"x": rows}, sheets, MapSpec())
    assert np.isnan(drawn.agreement.estimate)
    assert drawn.places.shape == (4, 2)


@pytest.mark.parametrize(
    ("spec", "count", "message"),
    [
        (
            MapSpec(perplexity=30.0),
            20,
            "perplexity: expected at least 1 and below .* sheets, 20, got 30",
        ),
        (MapSpec(perplexity=0.5), 20, "got 0.5"),
        (MapSpec(), 3, "t-SNE: expected at least 4 sheets, got 3"),
    ],
)
def test_maps_that_cannot_be_drawn_are_refused(spec: MapSpec, count: int, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        spec.perplexity_for(count)


def test_constant_layers_are_mapped_and_probed(model: SheetClassifier) -> None:
    dead = build_model(SPEC)
    with torch.no_grad():
        dead.features[0].weight.zero_()
        dead.features[0].bias.fill_(-1)
    result = inspect_layers(
        {TRAINED: dead}, _sheets(count=20), ("features.1",), ProbeOptions(maps=MapSpec(), resamples=50)
    )
    assert result.curves[TRAINED, "pooled"].accuracy[1].estimate == 0.5
    assert np.isfinite(result.maps[1].places).all()


@pytest.mark.parametrize("size", [2, 7])
def test_permuted_labels_are_at_chance_where_groups_hold_both_classes(
    model: SheetClassifier, size: int
) -> None:
    """Pairs of one sheet of each class, permuted whole and in order, would get their own labels back."""
    result = inspect_layers({TRAINED: model}, _sheets(groups=size), LAYERS[:1], ProbeOptions(resamples=50))
    for kind in KINDS:
        for point in result.curves[SHUFFLED, kind].accuracy:
            assert abs(point.estimate - 0.5) < 0.12


@pytest.mark.parametrize("groups", [1, 4, 20])
@pytest.mark.parametrize("classes", [2, 4])
def test_chance_agreement_is_that_of_random_places(
    rng: np.random.Generator, classes: int, groups: int
) -> None:
    """Against its twin: the mean agreement over random maps, with groups of one class as tiles have."""
    labels = np.repeat(rng.permutation(np.arange(120 // groups) % classes), groups)
    names = [f"g{i // groups}" if groups > 1 else "" for i in range(labels.size)]
    shares = []
    for _ in range(60):
        places = rng.random((labels.size, 2)).astype(np.float32)
        alike = neighbour_agreement(places, labels, names)
        known = np.unique(labels[~np.isnan(alike)])  # a class of one group has no neighbours elsewhere
        shares.append(np.mean([np.nanmean(alike[labels == kind]) for kind in known]))
    assert chance_agreement(labels, names) == pytest.approx(np.mean(shares), abs=0.01)
    if groups == 20:
        assert chance_agreement(labels, names) < 1 / classes - 0.04  # the own group is left out


def test_chance_agreement_without_other_groups_is_undefined() -> None:
    assert np.isnan(chance_agreement(np.array([0, 0, 1, 1]), ["a", "a", "b", "b"]))


@pytest.mark.parametrize("levels", [(0.3, 0.45), (0.45, 0.3), (0.394, 0.404), (0.0, 1.0)])
def test_permuted_labels_are_bounded_over_both_descriptions(
    found: Separability, levels: tuple[float, float]
) -> None:
    count = len(found.layers)
    curves = dict(found.curves)
    for kind, level in zip(KINDS, levels, strict=True):
        accuracy = tuple(Interval(level - 0.01 * (i > 0), 0.0, 1.0) for i in range(count))
        curves[SHUFFLED, kind] = replace(curves[SHUFFLED, kind], accuracy=accuracy)
    told = describe_layers(replace(found, curves=curves))
    assert f"With permuted labels no layer exceeds {max(levels):.2f}" in told


@pytest.mark.parametrize(
    ("lengths", "words", "equal"),
    [
        ([(2048, 512), (4, 4)], "averages over its places (4 to 2,048 numbers)", False),
        ([(100, 512), (100, 512)], "averages over its places (100 numbers)", True),
        ([(100, 512), (100, 511)], "a random projection (511 to 512 numbers)", False),
        ([(2047, 512), (2048, 512)], "averages over its places (2,047 to 2,048 numbers)", False),
    ],
)
def test_lengths_are_those_of_the_layers(found: Separability, lengths, words: str, equal: bool) -> None:
    layers = tuple(
        replace(found.layers[0], pooled=pooled, projected=projected) for pooled, projected in lengths
    )
    told = describe_lengths(replace(found, layers=layers))
    assert words in told
    assert ("size is no advantage" in told) == equal
    assert "nearly" not in told


@pytest.mark.parametrize("groups", [2, 6, 30])
def test_probes_that_no_resample_tells_apart_have_bounds(rng: np.random.Generator, groups: int) -> None:
    right = np.tile((rng.random(60) < 0.5).astype(float), (3, 1))
    right[2, 0] = 1 - right[2, 0]
    names = [f"g{i % groups}" for i in range(60)]
    scored = resample(right, np.arange(60) % 2, names, rng=rng)
    same = scored.difference(1, 0)
    most = 1 - 0.025 ** (1 / groups)
    assert (same.low, same.estimate, same.high) == pytest.approx((-most, 0, most))
    assert (scored.difference(1, 1).low, scored.difference(1, 1).high) == (0, 0)
    assert scored.difference(2, 0).high - scored.difference(2, 0).low > 0


def test_a_single_group_has_no_bounds(rng: np.random.Generator) -> None:
    right = np.ones((2, 10))
    assert np.isnan(resample(right, np.arange(10) % 2, ["a"] * 10, rng=rng).difference(1, 0).low)
