"""Kept results of a league's methods: equal to the last bit, and used for the same league only."""

from dataclasses import fields, replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.explanations.benchmark.test_run import SIZE, SMALL, masked_sheets

from steelsight.explanations.benchmark.kept_results import KeptResults, identify_league
from steelsight.explanations.benchmark.methods import CANDIDATES
from steelsight.explanations.benchmark.results import EvaluationCase, MethodResult, evaluate_method
from steelsight.explanations.benchmark.settings import LeagueRecipe, load_league_recipe
from steelsight.explanations.benchmark.time_estimate import TimeEstimate, estimate_method
from steelsight.models.catalog import ModelSpec, SheetClassifier, build_model

METHOD = "gradient"
SPEC = ModelSpec(name="squeezenet_reduced", head="direct", outputs=2, height=SIZE[0], width=SIZE[1])


@pytest.fixture(scope="module")
def model() -> SheetClassifier:
    return build_model(SPEC).eval()


@pytest.fixture(scope="module")
def recipe() -> LeagueRecipe:
    return load_league_recipe(SMALL)


def case_of(model: SheetClassifier, choose: int = 6) -> EvaluationCase:
    clean = np.full((2, *SIZE), 100, dtype=np.uint8)
    return EvaluationCase("run", masked_sheets(model, choose, 5), masked_sheets(model, 4, 1), clean)


def kept_in(folder: Path, identity: str) -> KeptResults:
    return KeptResults(folder, identity, CANDIDATES)


def same(one: object, other: object) -> bool:
    """Equal to the last bit, NaN equal to NaN."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and one.tobytes() == other.tobytes()
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return repr(one) == repr(other)  # floats to the last digit, NaN too


@pytest.mark.parametrize("choose", [6, 0])
def test_a_kept_result_is_the_result(
    choose: int, model: SheetClassifier, recipe: LeagueRecipe, tmp_path: Path
) -> None:
    case = case_of(model, choose)  # without sheets to choose on the rule's Dice is NaN
    result = evaluate_method(METHOD, [case], recipe, "binary", 0)
    kept = kept_in(tmp_path, identify_league([case], recipe, "binary", 0))
    assert kept.load(METHOD) is None
    kept.save(result)
    again = kept.load(METHOD)
    assert again is not None
    for field in fields(MethodResult):
        assert same(getattr(result, field.name), getattr(again, field.name)), field.name


def test_another_model_sheet_mask_recipe_task_or_seed_is_another_league(
    model: SheetClassifier, recipe: LeagueRecipe
) -> None:
    case = case_of(model)
    other_model = build_model(SPEC, generator=torch.Generator().manual_seed(9)).eval()
    images, truths, clean = case.evaluation.images.copy(), case.evaluation.truths.copy(), case.clean.copy()
    images[0, 0, 0] += 1
    truths[0, 0, 0] ^= True
    clean[0, 0, 0] += 1
    others = [
        (replace(case, evaluation=replace(case.evaluation, model=other_model)), recipe, "binary", 0),
        (replace(case, evaluation=replace(case.evaluation, images=images)), recipe, "binary", 0),
        (replace(case, evaluation=replace(case.evaluation, truths=truths)), recipe, "binary", 0),
        (replace(case, selection=case.selection.take(np.arange(5))), recipe, "binary", 0),
        (replace(case, clean=clean), recipe, "binary", 0),
        (case, load_league_recipe([*SMALL, "checks.draws=2"]), "binary", 0),
        (case, recipe, "multiclass", 0),
        (case, recipe, "binary", 1),
    ]
    identities = [identify_league([each], *rest) for each, *rest in [(case, recipe, "binary", 0), *others]]
    assert len(set(identities)) == len(identities)
    resampled = load_league_recipe([*SMALL, "report.resamples=31"])  # drawn from results, not part of them
    assert identify_league([case], resampled, "binary", 0) == identities[0]


@pytest.mark.parametrize("damage", ["empty", "cut", "other"])
def test_a_damaged_file_is_not_used(
    damage: str, model: SheetClassifier, recipe: LeagueRecipe, tmp_path: Path
) -> None:
    case = case_of(model)
    kept = kept_in(tmp_path, identify_league([case], recipe, "binary", 0))
    kept.save(evaluate_method(METHOD, [case], recipe, "binary", 0))
    content = kept.path(METHOD).read_bytes()
    if damage == "other":  # its name says it is of this league, its content not
        kept = kept_in(tmp_path, kept.identity[:16] + "0" * 48)
        kept.path(METHOD).write_bytes(content)
    else:
        kept.path(METHOD).write_bytes(b"" if damage == "empty" else content[: len(content) // 2])
    assert kept.load(METHOD) is None


def test_an_estimate_grows_with_the_sheets_and_is_corrected(
    model: SheetClassifier, recipe: LeagueRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = count(0.0, 1.0)
    monkeypatch.setattr("steelsight.explanations.benchmark.time_estimate.time.monotonic", lambda: next(now))
    few, many = (estimate_method(CANDIDATES[METHOD], [case_of(model, n)], recipe, 0) for n in (2, 20))
    # 1 s a sheet: 2 or 20 to choose, 4 to evaluate, 2 wrong, 2 checked by 1 + 1 + 4 maps, 2 to time
    assert (few, many) == (22, 40)
    clock = TimeEstimate({"a": 10.0, "b": 10.0, "c": 20.0})
    assert clock.left == 40
    for name in ("a", "b"):
        clock.start()
        next(now)  # each takes 2 s
        clock.finish(name)
    assert clock.left == 4
