"""Settings have the names of the command line's options, and wrong ones are refused with those that exist."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from steelsight.adaptation.gate.options import BundleGateOptions
from steelsight.adaptation.options import AdaptOptions
from steelsight.adaptation.reviews.options import ReviewExportOptions
from steelsight.api import settings
from steelsight.api.lab import settings as lab
from steelsight.api.lab import study
from steelsight.api.ledger import settings as ledger
from steelsight.api.plant import settings as plant
from steelsight.api.settings import choose, read_options
from steelsight.coils.settings import RepeatSettings
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
    (lab.SynthSettings, SynthOptions, set()),
    (lab.EvaluateSettings, EvaluateOptions, READ),
    (lab.CalibrateSettings, CalibrationOptions, READ),
    (lab.ConfidenceSettings, ConfidenceOptions, set()),
    (lab.RobustnessSettings, RobustnessOptions, READ),
    (lab.GateSettings, GateOptions, READ),
    (lab.ExplainSettings, ExplainOptions, READ | OF_ERRORS | {"data", "errors"}),
    (lab.MistakesSettings, ExplainOptions, READ | OF_IMAGES | {"data", "errors"}),
    (lab.LeagueSettings, LeagueOptions, READ),
    (lab.SearchSettings, SearchOptions, READ),
    (lab.ProveSettings, ProofOptions, READ | {"doses", "remove"}),  # for Python alone
    (lab.LayerSettings, LayerOptions, READ),
    (lab.NeuronSettings, NeuronOptions, READ),
    (lab.TransplantSettings, TransplantOptions, READ),
    (lab.RepairSettings, RepairOptions, READ),
    (plant.AdaptSettings, AdaptOptions, READ),
    (plant.BundleGateSettings, BundleGateOptions, READ),
    (lab.ExportSettings, ExportOptions, READ),
    (lab.CompareSettings, CompareOptions, {"data"}),
    (plant.ScanSettings, ScanOptions, set()),
    (lab.ModelSettings, ModelOptions, set()),
    (plant.PlanSettings, PlanOptions, set()),
    (
        study.StudySettings,
        StudyOptions,
        READ | {each for each, info in option_fields(StudyOptions).items() if not info.command_line},
    ),
    (ledger.VerdictsWanted, VerdictFilter, set()),
    (ledger.RepeatsWanted, RepeatSettings, set()),
    (ledger.ReviewsWanted, ReviewExportOptions, set()),
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


def test_a_field_of_an_option_class_that_reads_no_data_is_a_setting():
    """Exported reviews name their defect-free classes; no DATA folder is read."""
    made = choose(ReviewExportOptions, None, {"defect_free": "ok", "splits": ["coils.csv"]})
    assert (made.defect_free, made.splits) == (("ok",), (Path("coils.csv"),))


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
