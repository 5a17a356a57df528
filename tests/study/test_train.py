"""The remark on a model names every difference from the study's training, and is empty without one."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from steelsight.models.card import Card
from steelsight.models.catalog import build_model
from steelsight.models.checkpoint import save_checkpoint
from steelsight.study.data import open_study_data
from steelsight.study.recipes import recipe_for
from steelsight.study.train import TrainingJob, train_job, training_difference
from steelsight.training.loop.progress import NoProgress


@pytest.mark.parametrize(
    ("sheets", "epochs", "pretrained", "expected"),
    [
        (10, None, "imagenet", ""),
        (10, 60, "imagenet", ""),
        (10, None, "none", "trained from a random start, where the study started from ImageNet"),
        (10, 1, "imagenet", "trained for at most 1 epoch, where the study allowed 60"),
        (4, None, "imagenet", "trained on 4 of 10 sheets, where the study used all"),
        (
            4,
            3,
            "none",
            "trained on 4 of 10 sheets for at most 3 epochs from a random start, "
            "where the study used all, allowed 60 and started from ImageNet",
        ),
    ],
)
def test_differences_from_the_studys_training_are_named(sheets, epochs, pretrained, expected):
    assert training_difference(sheets, 10, epochs=epochs, pretrained=pretrained) == expected


@pytest.mark.parametrize(
    ("name", "vgg", "pretrained", "stopped_early", "words"),
    [
        ("vgg16_bn", "full", "none", True, ["from a random start"]),
        ("vgg16_bn", "full", "none", False, ["for at most 1 epoch from a random start"]),
        ("vgg16_bn", "full", "imagenet", False, ["for at most 1 epoch, where the study allowed 60"]),
        ("vgg16_bn", "subset", "none", False, ["on 6 of 36 sheets for at most 1 epoch from a random start"]),
        ("vgg16_bn", "full", "imagenet", True, []),
        ("adhoc", "full", "none", False, []),
    ],
)
def test_the_remark_follows_the_training_and_the_checkpoint(
    tiny_data, tiny_options, tmp_path, name, vgg, pretrained, stopped_early, words
):
    options = replace(tiny_options, vgg=vgg)
    study_data, recipe = open_study_data(tiny_data, options), recipe_for(name, options)

    def train(data, split, recipe, folder, *, seed, fresh, progress):
        spec = recipe.model_spec(2).model_copy(update={"pretrained": "none"})
        card = Card(
            task="binary",
            class_names=data.labelled.class_names,
            model=spec.model_copy(update={"pretrained": pretrained}),
            input=data.input,
            recipe=recipe.model_dump(mode="json"),
            data_hash=data.data_hash,
            data_name=data.name,
            seed=seed,
            mask_supervised=False,
        )
        save_checkpoint(folder, build_model(spec, generator=torch.Generator().manual_seed(0)), card)
        return SimpleNamespace(folder=folder, metrics={"training": {"stopped_early": stopped_early}})

    job = TrainingJob(name, name, tmp_path / name, recipe)
    remark = train_job(job, study_data, train=train, watcher=NoProgress()).remark
    assert bool(remark) == bool(words)
    assert all(word in remark for word in words)
