"""Recipes: complete, commented, and refused with the key that was meant."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path

import pytest

from steelsight.errors import BadRecipe
from steelsight.training.recipe import Recipe
from steelsight.training.recipe_files import RECIPES, load_recipe, override, recipe_keys, recipe_text


@pytest.mark.parametrize("name", RECIPES)
def test_every_key_is_written_with_its_reason(name: str) -> None:
    text = (resources.files("steelsight.training") / "recipes" / f"{name}.toml").read_text()
    extends = "extends = " in text
    section, written = "", []
    for line in text.splitlines():
        if header := re.match(r"\[(\w+)\]", line):
            section = header[1] + "."
        elif entry := re.match(r"(\w+) = [^#]+(#.*)?$", line):
            written.append(section + entry[1])
            if entry[1] in ("extends", "task") and extends:
                continue
            assert entry[2], f"{name}.toml: {line} has no reason"
            assert len(entry[2]) > 3
    if extends:
        assert set(written) - {"extends"} < set(recipe_keys())
    else:
        assert tuple(written) == recipe_keys()


@pytest.mark.parametrize(
    ("name", "model", "method"),
    [
        ("aug_cnn", "adhoc", "flips"),
        ("squeeze", "squeezenet", "none"),
        ("weighted_squeeze", "squeezenet", "loss"),
        ("aug_reduced_squeeze", "squeezenet_reduced", "flips"),
        ("vgg16", "vgg16_bn", "none"),
        ("aug_vgg16", "vgg16_bn", "flips"),
    ],
)
def test_slide_models_differ_from_the_study_only_as_their_names_say(
    name: str, model: str, method: str
) -> None:
    recipe, study = load_recipe(name), load_recipe("study")
    assert (recipe.task, recipe.model.name, recipe.balance.method) == ("multiclass", model, method)
    changes = {"task": "multiclass", "model.name": model, "balance.method": method}
    assert recipe == override(study, changes)
    assert recipe.balance.power == 1.0
    assert recipe.flips.chance == pytest.approx(2**-0.5)


def test_settings_refused_for_multilabel() -> None:
    for setting in ("logit_adjust=1", "patches.count=6", "to_share=.1"):
        with pytest.raises(BadRecipe, match="expected a task of one class a sheet, got multilabel"):
            load_recipe("default", ["task=multilabel", setting])


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_survives_json(name: str) -> None:
    recipe = load_recipe(name)
    assert Recipe.model_validate(json.loads(recipe.model_dump_json())) == recipe


def test_study_recipe_has_the_published_values() -> None:
    recipe = load_recipe("study")
    assert (recipe.optimiser.method, recipe.optimiser.learning_rate) == ("adam", 1e-4)
    assert (recipe.batch_size, recipe.stop.max_epochs, recipe.stop.patience) == (10, 60, 5)
    assert (recipe.noise.sigma, recipe.noise.double) == (0.15, True)
    assert (recipe.input.height, recipe.input.width) == (64, 400)
    assert (recipe.split.method, recipe.split.train, recipe.split.validation) == ("random", 0.6, 0.2)
    assert recipe.model_spec(2).pretrained == "imagenet"
    assert recipe.optimiser.schedule == "constant"
    assert recipe.balance.method == "none"


def test_auto_start_knows_which_networks_have_weights() -> None:
    assert load_recipe("study", ["model.name=adhoc"]).model_spec(2).pretrained == "none"


def test_settings_by_whole_name_and_by_last_part() -> None:
    recipe = load_recipe("default", ["optimiser.learning_rate=1e-3", "max_epochs = 7", "fit=letterbox"])
    assert recipe.optimiser.learning_rate == 1e-3
    assert recipe.stop.max_epochs == 7
    assert recipe.input.fit == "letterbox"
    assert override(recipe, {"batch_size": 3}).batch_size == 3


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("learning_rte=1", r"unknown key learning_rte; did you mean optimiser\.learning_rate\?"),
        ("optimizer.learning_rate=1", r"did you mean optimiser\.learning_rate\?"),
        ("model.nmae=adhoc", r"did you mean model\.name\?"),
        ("qqqqqq=1", r"unknown key qqqqqq; the keys are task, batch_size"),
        ("batch_size", r"expected key=value"),
        ("batch_size=0", r"batch_size: .*greater than or equal to 1, got 0"),
        ("batch_size=many", r"batch_size: .*got 'many'"),
        ("method=adam", r"method: expected one key, got 3"),
        ("model.name=resnet", r"expected one of adhoc, squeezenet.*resnet"),
        ("split.train=.9", r"shares that sum to 1, got 0\.9"),
        ("transpose=.5", r"augment\.transpose: expected a square input, got 64x400"),
        ("head=study", r"pooling lse: only the direct head"),
        ("max_epochs=0", r"nothing would be trained; set probe\.enabled = true"),
        ("penalty=0", r"probe\.penalty: .*greater than 0, got 0"),
    ],
)
def test_bad_settings_suggest_the_nearest_key(setting: str, message: str) -> None:
    with pytest.raises(BadRecipe, match=message):
        load_recipe("default", [setting])


def test_group_balance_needs_sampling() -> None:
    with pytest.raises(BadRecipe, match=r"balance\.group_power: loss weights are one a class"):
        load_recipe("default", ["balance.method=loss", "group_power=1"])


def test_a_probe_needs_the_direct_head() -> None:
    with pytest.raises(BadRecipe, match=r"probe\.enabled: only the direct head"):
        load_recipe("study", ["probe.enabled=true"])


def test_masks_need_the_direct_head() -> None:
    with pytest.raises(BadRecipe, match=r"masks train the direct head's class map"):
        load_recipe("study", ["masks=1.0"])


def test_a_file_has_only_the_keys_that_differ(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('extends = "study"\nbatch_size = 5\n[stop]\npatience = 9\n')
    recipe = load_recipe(path)
    assert (recipe.batch_size, recipe.stop.patience, recipe.noise.sigma) == (5, 9, 0.15)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("batch_size = ", r"mine\.toml: expected TOML"),
        ("bach_size = 3", r"mine\.toml: unknown key bach_size; did you mean batch_size\?"),
        ("[stop]\npatiense = 3", r"did you mean stop\.patience\?"),
        ('extends = "best"', r"extends: expected one of default, accurate, parts, study, .*, got 'best'"),
        ("model = 3", r"unknown key model"),
    ],
)
def test_errors_name_the_file_and_the_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(BadRecipe, match=message):
        load_recipe(path)


def test_a_missing_file_lists_the_shipped_recipes() -> None:
    message = r"recipe nothing: expected default, accurate, parts, study, .*, aug_vgg16 or a TOML file"
    with pytest.raises(BadRecipe, match=message):
        load_recipe("nothing")


def test_a_value_that_came_is_named_once() -> None:
    with pytest.raises(BadRecipe) as refused:
        load_recipe("default", ["model.name=foo"])
    assert str(refused.value).count("got 'foo'") == 1


@pytest.mark.parametrize("name", RECIPES)
def test_the_text_of_a_recipe_is_a_recipe(name: str, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(recipe_text(name), encoding="utf-8")
    assert load_recipe(tmp_path / "own.toml") == load_recipe(name)


def test_the_text_of_an_unknown_recipe() -> None:
    with pytest.raises(BadRecipe, match=r"expected one of default, .*, got 'best'"):
        recipe_text("best")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("clip=inf", "clip: Input should be a finite number"),
        ("learning_rate=nan", "learning_rate: Input should be"),
        ("learning_rate=true", "learning_rate: Input should be a valid number, got True"),
        ("weight_decay=infinity", "weight_decay: Input should be a finite number"),
        ("height=1000000000", "height: Input should be less than or equal to 16384"),
        ("batch_size=1000000000000", "batch_size: Input should be less than or equal to"),
        ("epochs_are=[[[[1]]]]", "unknown key epochs_are"),
        ("max_epochs=1.5", "max_epochs: Input should be a valid integer"),
        ("probe.enabled=1", "probe.enabled: Input should be a valid boolean"),
        ("gain=inf", "gain: Input should be"),
        ("hflip=true", "hflip: Input should be a valid number"),
    ],
)
def test_numbers_that_no_training_can_use(setting: str, message: str) -> None:
    with pytest.raises(BadRecipe, match=message):
        load_recipe("default", [setting])


def test_an_input_of_too_many_pixels() -> None:
    with pytest.raises(BadRecipe, match="expected at most 16777216 pixels, got 16384x16384"):
        load_recipe("default", ["height=16384", "width=16384"])


@pytest.mark.parametrize(
    "text", ["clip = " + "[" * 5000, "a" + ".a" * 5000 + " = 1", "[[optimiser]]\n", "\0"]
)
def test_a_file_that_is_no_recipe(tmp_path: Path, text: str) -> None:
    (tmp_path / "recipe.toml").write_text(text)
    with pytest.raises(BadRecipe):
        load_recipe(tmp_path / "recipe.toml")
