"""Settings have the names of the command line's options, and wrong ones are refused with those that exist."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from steelsight.adaptation.gate.options import BundleGateOptions
from steelsight.adaptation.options import AdaptOptions
from steelsight.api import capacity, catalog, plant, settings, study
from steelsight.api.settings import choose, read_options
from steelsight.deploy.options import ExportOptions
from steelsight.errors import BadRecipe
from steelsight.ledger.reading.lists import VerdictFilter
from steelsight.options import option_fields
from steelsight.runs.abstention.options import CalibrationOptions
from steelsight.runs.data.options import SynthOptions
from steelsight.runs.inspection.options import LayerOptions, NeuronOptions
from steelsight.runs.options import (
    CompareOptions,
    ConfidenceOptions,
    EvaluateOptions,
    ExplainOptions,
    LeagueOptions,
    ModelOptions,
    RobustnessOptions,
)
from steelsight.runs.transplant.options import TransplantOptions
from steelsight.runtime.capacity.options import PlanOptions
from steelsight.runtime.scan.options import ScanOptions
from steelsight.sheets.options import DataOptions
from steelsight.shortcuts.find.options import SearchOptions
from steelsight.shortcuts.prove.options import GateOptions, ProofOptions
from steelsight.shortcuts.repair.options import RepairOptions
from steelsight.study.options import StudyOptions

READ = {each.name for each in fields(DataOptions)}
OF_ERRORS, OF_IMAGES = {"split", "most"}, {"target", "arrays"}
PAIRS = [
    (settings.ReadingSettings, DataOptions, set()),
    (settings.SynthSettings, SynthOptions, set()),
    (settings.EvaluateSettings, EvaluateOptions, READ),
    (settings.CalibrateSettings, CalibrationOptions, READ),
    (settings.ConfidenceSettings, ConfidenceOptions, set()),
    (settings.RobustnessSettings, RobustnessOptions, READ),
    (settings.GateSettings, GateOptions, READ),
    (settings.ExplainSettings, ExplainOptions, READ | OF_ERRORS | {"data", "errors"}),
    (settings.MistakesSettings, ExplainOptions, READ | OF_IMAGES | {"data", "errors"}),
    (settings.LeagueSettings, LeagueOptions, READ),
    (settings.SearchSettings, SearchOptions, READ),
    (settings.ProveSettings, ProofOptions, READ | {"doses", "remove"}),  # for Python alone
    (settings.LayerSettings, LayerOptions, READ),
    (settings.NeuronSettings, NeuronOptions, READ),
    (settings.TransplantSettings, TransplantOptions, READ),
    (settings.RepairSettings, RepairOptions, READ),
    (settings.AdaptSettings, AdaptOptions, READ),
    (settings.BundleGateSettings, BundleGateOptions, READ),
    (settings.ExportSettings, ExportOptions, READ),
    (settings.CompareSettings, CompareOptions, {"data"}),
    (settings.ScanSettings, ScanOptions, set()),
    (catalog.ModelSettings, ModelOptions, set()),
    (capacity.PlanSettings, PlanOptions, set()),
    (plant.VerdictsWanted, VerdictFilter, set()),
    (
        study.StudySettings,
        StudyOptions,
        READ | {each for each, info in option_fields(StudyOptions).items() if not info.command_line},
    ),
]


@pytest.mark.parametrize(("typed", "options", "apart"), PAIRS, ids=lambda each: getattr(each, "__name__", ""))
def test_typed_settings_are_the_fields_of_the_option_class(typed, options, apart):
    assert set(typed.__annotations__) == {each.name for each in fields(options)} - apart


def test_an_unknown_setting_is_refused_with_those_that_exist():
    with pytest.raises(BadRecipe, match=r"splitt: expected one of split, noise, prevalence, seed, got"):
        choose(EvaluateOptions, None, {"splitt": "test"})
    with pytest.raises(BadRecipe, match=r"group: expected one of groups, allow_bad"):
        read_options({"group": "frames"})


def test_the_name_of_an_option_leads_to_its_setting():
    with pytest.raises(BadRecipe, match=r"got the option --cures of .*, which is the setting methods$"):
        choose(RepairOptions, None, {"cures": "paste"})
    with pytest.raises(BadRecipe, match=r"got a setting of another name$"):
        choose(RepairOptions, None, {"seeds": 1})


def test_how_data_is_read_is_said_to_open_data():
    with pytest.raises(BadRecipe, match="groups: expected as a setting of open_data"):
        choose(SearchOptions, None, {"groups": "frames"})


def test_settings_beside_an_option_class_are_refused():
    with pytest.raises(BadRecipe, match="seed: expected settings or `options`, got both"):
        choose(EvaluateOptions, EvaluateOptions(), {"seed": 1})


def test_values_get_the_form_of_their_field():
    made = choose(LeagueOptions, None, {"methods": "lime", "choose_on": "OTHER", "setting": ["a=1"]})
    assert (made.methods, made.choose_on, made.setting) == (("lime",), Path("OTHER"), ("a=1",))
    assert read_options({"defect_free": ["ok"]}).defect_free == ("ok",)


def test_reading_goes_into_options_that_hold_it():
    reading = DataOptions(groups="frames", layout="folder")
    made = choose(SearchOptions, None, {"limit": 5}, reading)
    assert (made.groups, made.layout, made.limit) == ("frames", "folder", 5)


def test_bounds_are_those_of_the_option():
    with pytest.raises(BadRecipe, match=r"--noise: expected at least 0, got -1"):
        choose(EvaluateOptions, None, {"noise": -1})
