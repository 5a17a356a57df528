"""Weights that a training starts from: those that come along, and what of them is taken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from steelsight.errors import BadRecipe, MissingWeights
from steelsight.models import starts
from steelsight.models.catalog import ModelSpec, assemble, build_model
from steelsight.models.inputs import to_input
from steelsight.models.starts import STEEL, STEEL_PARTS, HeadFacts, StartWeights, read_steel
from steelsight.models.steel_file import write_steel
from steelsight.runtime.bundle.default import BUNDLES
from steelsight.runtime.bundle.open import open_bundle
from steelsight.runtime.parity.verify import read_probes

# Of logits up to 15: the file holds float16, whose relative rounding of 5e-4 adds up over the layers.
LOGIT_TOLERANCE = 0.03


def test_every_bundle_is_one_that_a_training_can_start_from() -> None:
    assert {open_bundle(folder).card.model for folder in BUNDLES.values()} <= {*STEEL, *STEEL_PARTS}


@pytest.mark.parametrize(
    "bundle", [name for name in BUNDLES if open_bundle(BUNDLES[name]).card.model in STEEL]
)
def test_the_network_started_from_steel_answers_as_the_bundle(bundle: str) -> None:
    opened = open_bundle(BUNDLES[bundle])
    card, probes = opened.card, read_probes(opened)
    steel = read_steel(card.model)
    assert steel.head.class_names == card.class_names
    assert (steel.head.task, steel.head.clean) == (card.task, card.defect_free_class)
    model = assemble(_spec(card.source["recipe"], steel))
    assert steel.fill(model, steel.head) == ("features", "head")
    with torch.no_grad():
        logits = model.eval()(to_input(torch.from_numpy(probes.images))).numpy()
    assert np.abs(logits - probes.source.logits).max() < LOGIT_TOLERANCE
    assert (logits.argmax(1) == probes.source.logits.argmax(1)).all()


def _spec(recipe: dict, steel: StartWeights) -> ModelSpec:
    model, size = recipe["model"], recipe["input"]
    return ModelSpec(
        name=steel.network,
        outputs=len(steel.head.class_names),
        head=model["head"],
        pooling=model["pooling"],
        sharpness=model["sharpness"],
        top_share=model["top_share"],
        height=size["height"],
        width=size["width"],
    )


@pytest.mark.parametrize("network", STEEL)
def test_for_other_classes_the_features_alone_are_taken(network: str) -> None:
    spec = ModelSpec(name=network, outputs=3, head="direct", pooling="lse", height=64, width=128)
    drawn, steel = build_model(spec), read_steel(network)
    started = build_model(spec.model_copy(update={"pretrained": "steel"}))
    assert started.pretrained == ("features",)
    for name, own in started.state_dict().items():
        if name.startswith("features."):
            assert torch.equal(own, steel.state[name].to(own.dtype)), name
        else:
            assert torch.equal(own, drawn.state_dict()[name]), name


def test_a_network_without_such_weights_is_told_which_have_them() -> None:
    spec = ModelSpec(name="adhoc", outputs=2, pretrained="steel")
    with pytest.raises(BadRecipe, match=r"squeezenet_reduced.*got adhoc; use one of them"):
        build_model(spec)


def test_weights_of_a_run_are_not_built_anew() -> None:
    with pytest.raises(MissingWeights, match="started from the weights of another run"):
        build_model(ModelSpec(name="adhoc", outputs=2, pretrained="run"))


def test_written_weights_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build_model(ModelSpec(name="vgg16_bn", outputs=2, head="direct", height=32, width=32))
    head = HeadFacts("direct", "average", "binary", ("none", "defect"), "none")
    path = tmp_path / "vgg16_bn.safetensors"
    write_steel(StartWeights("vgg16_bn", head, model.state_dict()), path)
    monkeypatch.setattr(starts, "STEEL", {"vgg16_bn": path})
    came = read_steel("vgg16_bn")
    assert came.head == head
    for name, own in model.state_dict().items():  # batch norms count in integers
        assert torch.allclose(own, came.state[name].to(own.dtype), rtol=1e-3, atol=1e-6), name
    other = build_model(ModelSpec(name="adhoc", outputs=2))
    with pytest.raises(BadRecipe, match="expected the weights of network adhoc, got those of vgg16_bn"):
        came.fill(other, replace(head, class_names=()))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(MissingWeights, match=r"vgg16_bn\.safetensors: expected weights"):
        read_steel("vgg16_bn")
