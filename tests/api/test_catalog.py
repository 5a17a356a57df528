"""Networks and recipes that have a name here, by the API."""

from __future__ import annotations

import pytest
from tests.api.result_checks import check_result

import steelsight as ss
from steelsight.errors import BadRecipe
from steelsight.models.catalog import BACKBONES, MODELS
from steelsight.training.recipe_files import RECIPES, load_recipe


def test_every_network_has_a_row_and_its_layers():
    found = ss.list_models(height=64, width=400)
    check_result(found)
    assert found.names == (*MODELS, *BACKBONES)
    assert [row[0] for row in found.summary().rows] == list(found.names)
    layers = found.to_pandas()
    totals = {name: (parameters, macs) for name, _, parameters, macs in found.summary().rows}
    of_one = layers[layers["network"] == "squeezenet_reduced"]
    assert totals["squeezenet_reduced"] == (of_one["parameters"].sum(), of_one["MAC"].sum())
    assert totals["squeezenet_reduced"][1] == pytest.approx(113.1e6, rel=1e-3)


def test_a_figure_of_a_network(tmp_path):
    found = ss.list_models("adhoc", outputs=5, height=48, width=64, out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["adhoc.png"]
    assert found.title == "1 network, input 48x64"


def test_a_network_or_setting_that_does_not_exist():
    with pytest.raises(BadRecipe, match="got 'lenet'"):
        ss.list_models("lenet")
    with pytest.raises(BadRecipe, match="size: expected one of head, outputs, height, width"):
        ss.list_models(size=3)


def test_every_recipe_is_a_template(tmp_path):
    found = ss.list_recipes()
    check_result(found)
    assert tuple(found.texts) == RECIPES
    (own := tmp_path / "own.toml").write_text(ss.list_recipes("study").texts["study"])
    assert load_recipe(own) == load_recipe("study")
    assert all(description for _, description in found.table().rows)


def test_a_recipe_that_does_not_exist():
    with pytest.raises(BadRecipe, match=r"expected one of default, .*, got 'studies'"):
        ss.list_recipes("studies")
