"""The league on sheets whose best method is known by construction."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from steelsight.errors import BadData, BadRecipe
from steelsight.evaluation.heatmaps.localization import overlap_counts
from steelsight.explanations.benchmark import results as results_module
from steelsight.explanations.benchmark import run as league_module
from steelsight.explanations.benchmark.methods import CANDIDATES, CandidateMethod
from steelsight.explanations.benchmark.numbers import league_json
from steelsight.explanations.benchmark.pictures import nearest_to_average, picture_mask, picture_methods
from steelsight.explanations.benchmark.report import recommendation, write_league
from steelsight.explanations.benchmark.results import EvaluationCase
from steelsight.explanations.benchmark.run import run_league
from steelsight.explanations.benchmark.scoring import (
    MaskedSheets,
    MethodScores,
    count_rules,
    enlarge,
    score_method,
)
from steelsight.explanations.benchmark.selection import (
    ALL,
    ChosenRule,
    choose_rules,
    merge_picks,
    pick_methods,
)
from steelsight.explanations.benchmark.settings import LeagueRecipe, load_league_recipe
from steelsight.explanations.masks import MaskRule, make_masks
from steelsight.models.catalog import ModelSpec, SheetClassifier, build_model
from steelsight.reports.document import Document
from steelsight.sheets.images.pixels import fit_mask, place
from steelsight.types import InputSpec

SIZE = (32, 48)
SMALL = (
    "checks.sheets=2",
    "checks.steps=4",
    "checks.draws=1",
    "report.resamples=30",
    "report.repeats=1",
    "search.sigmas=[0.0, 2.0]",
)


@pytest.fixture(scope="module")
def model() -> SheetClassifier:
    spec = ModelSpec(name="squeezenet_reduced", head="direct", outputs=2, height=SIZE[0], width=SIZE[1])
    return build_model(spec).eval()


@pytest.fixture
def recipe() -> LeagueRecipe:
    return load_league_recipe(SMALL)


def masked_sheets(model: nn.Module, count: int, seed: int = 0) -> MaskedSheets:
    """Gray sheets with one bright block, which is the mask."""
    rng = np.random.default_rng(seed)
    images = np.full((count, *SIZE), 100, dtype=np.uint8)
    truths = np.zeros((count, *SIZE), dtype=bool)
    for row in range(count):
        top, left = int(rng.integers(0, 20)), int(rng.integers(0, 36))
        truths[row, top : top + 8, left : left + 8] = True
    images[truths] = 250
    ones = np.ones(count, dtype=np.int64)
    answers = np.arange(count) % 2  # every other verdict is wrong
    return MaskedSheets(
        model,
        images,
        truths,
        ones,
        answers,
        tuple(("chip", "crack")[row % 2] for row in range(count)),
        tuple(f"coil{row // 2}" for row in range(count)),
        tuple(f"{seed}-{row}" for row in range(count)),
        lambda row: (np.kron(truths[row], np.ones((2, 2), dtype=bool)), place((64, 96), InputSpec(*SIZE))),
    )


def bright(_model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
    """Marks the block for class 1, everything else for class 0."""
    gray = images.mean(1)
    found = (gray > 1).float()
    return torch.where(target[:, None, None] == 1, found, 1 - found)


def blind(_model: nn.Module, images: Tensor, _target: Tensor) -> Tensor:
    return torch.zeros(len(images), *images.shape[2:])


@pytest.fixture
def candidates(monkeypatch: pytest.MonkeyPatch) -> dict[str, CandidateMethod]:
    """Two methods of which one is right, and an equally right reference."""
    some = {
        "blind": CandidateMethod("Blind", lambda _clean, _seed: blind),
        "bright": CandidateMethod("Bright", lambda _clean, _seed: bright, "GradCAM"),
        "oracle": CandidateMethod("Oracle", lambda _clean, _seed: bright, reference=True),
    }
    monkeypatch.setattr(league_module, "CANDIDATES", some)
    monkeypatch.setattr(results_module, "CANDIDATES", some)
    return some


def case(model: nn.Module, seed: int, choose: int = 6) -> EvaluationCase:
    return EvaluationCase(
        f"fold-{seed}",
        masked_sheets(model, choose, seed + 100),
        masked_sheets(model, 8, seed),
        np.zeros((0, *SIZE), dtype=np.uint8),
    )


@pytest.mark.usefixtures("candidates")
def test_the_right_method_is_recommended(model: SheetClassifier, recipe: LeagueRecipe) -> None:
    found = run_league([case(model, 0)], recipe, task="binary")
    assert found.recommended[ALL].method == "bright"
    assert found.scores["dice"].mean() > 0.8
    assert found.results["blind"].scores["chosen"]["dice"].tolist() == [0] * 8  # empty masks count
    assert found.recommended[ALL].dice == found.results["bright"].choices[0][ALL].dice
    assert found.ceiling.grid == (1, 2)
    assert "Bright" in recommendation(found)


@pytest.mark.usefixtures("candidates")
def test_the_predicted_class_is_explained_where_the_verdict_is_wrong(
    model: SheetClassifier, recipe: LeagueRecipe
) -> None:
    found = run_league([case(model, 0)], recipe, task="binary")
    true, predicted = (
        each["chosen"]["dice"] for each in (found.results["bright"].scores, found.results["bright"].predicted)
    )
    wrong = ~found.right
    assert wrong.sum() == 4
    assert np.array_equal(true[~wrong], predicted[~wrong])
    assert (predicted[wrong] < 0.1).all()


@pytest.mark.usefixtures("candidates")
def test_folds_choose_independently_and_are_pooled(model: SheetClassifier, recipe: LeagueRecipe) -> None:
    cases = [case(model, 0), case(model, 1)]
    both = run_league(cases, recipe, task="multiclass")
    alone = [run_league([each], recipe, task="multiclass") for each in cases]
    assert both.picks == tuple(each.picks[0] for each in alone)
    pooled = np.concatenate([each.scores["dice"] for each in alone])
    assert np.array_equal(both.scores["dice"], pooled)
    assert both.cases.tolist() == [0] * 8 + [1] * 8
    assert both.rule == MaskRule(amount=3.0)


@pytest.mark.usefixtures("candidates")
def test_evaluation_sheets_do_not_change_the_choice(model: SheetClassifier, recipe: LeagueRecipe) -> None:
    first = case(model, 0)
    other = EvaluationCase(first.name, first.selection, masked_sheets(model, 8, 7), first.clean)
    picks = [run_league([each], recipe, task="binary").picks for each in (first, other)]
    assert picks[0] == picks[1]


@pytest.mark.usefixtures("candidates")
def test_without_selection_sheets_the_study_rule_is_used(
    model: SheetClassifier, recipe: LeagueRecipe
) -> None:
    found = run_league([case(model, 0, choose=0)], recipe, task="binary")
    assert found.results["bright"].rules == (found.rule,)
    assert "nothing could be chosen" in recommendation(found)


@pytest.mark.usefixtures("candidates")
def test_the_report_has_every_number(model: SheetClassifier, recipe: LeagueRecipe) -> None:
    cases = [case(model, 0)]
    found = run_league(cases, recipe, task="binary", notes=["taught by <b>masks"])
    published = {
        "GradCAM": {"recall": 0.588, "precision": 0.16, "iou": 0.124, "dice": 0.207, "time_ms": 18.0}
    }
    document = Document("League")
    write_league(document, found, cases, published=published)
    page = document.render()
    assert "0.207" in page
    assert "&lt;b&gt;masks" in page
    numbers = league_json(found, published)
    bright_one = numbers["methods"]["bright"]
    dice = float(found.results["bright"].scores["study"]["dice"].mean())
    assert bright_one["true_class"]["study"]["dice"]["estimate"] == pytest.approx(dice)
    assert bright_one["the_study"]["dice"] == 0.207
    assert set(bright_one["by_type"]) == {"chip", "crack"}
    assert len(bright_one["sensitivity"]) == 6
    assert bright_one["original_size"]["study"]["dice"]["estimate"] == pytest.approx(dice, abs=0.05)
    assert numbers["ceiling"]["grid"] == [1, 2]


@pytest.mark.usefixtures("candidates")
def test_pictures_show_the_average_sheet(model: SheetClassifier, recipe: LeagueRecipe) -> None:
    cases = [case(model, 0), case(model, 1)]
    found = run_league(cases, recipe, task="binary")
    row = nearest_to_average(found.results["bright"].scores["chosen"])
    _, words = picture_mask(found, cases, "bright", "chosen")
    assert found.ids[row] in words
    figure, words = picture_methods(found, cases, 9)
    assert found.ids[9] in words
    assert len(figure.axes) == 4  # the sheet and three methods


def test_nearest_to_average_is_by_all_four() -> None:
    values = np.array([0.0, 0.5, 1.0])
    scores = dict.fromkeys(("recall", "precision", "iou", "dice"), values)
    assert nearest_to_average(scores) == 1


def test_randomisation_separates_maps_of_the_model_from_maps_of_the_sheet(model: SheetClassifier) -> None:
    recipe = load_league_recipe(SMALL)
    found = run_league([case(model, 0, choose=2)], recipe, task="binary", methods=["gradcam", "contrast"])
    contrast = found.results["contrast"].checks
    gradcam = found.results["gradcam"].checks
    assert contrast is not None
    assert gradcam is not None
    assert contrast.random_model_similarity == 1
    assert gradcam.random_model_similarity < 0.95
    assert len(gradcam.randomised) == 4
    assert 0 <= gradcam.deletion <= 1


def test_counts_are_those_of_the_masks(model: SheetClassifier, rng: np.random.Generator) -> None:
    maps = rng.normal(size=(5, *SIZE)).astype(np.float32)
    truths = masked_sheets(model, 5).truths
    rules = [MaskRule("share", 0.1, 1.0), MaskRule(), MaskRule("otsu", sigma=1.0), MaskRule(sign="absolute")]
    counts = count_rules(maps, truths, rules)
    for number, rule in enumerate(rules):
        assert np.array_equal(counts[:, number], overlap_counts(make_masks(maps, rule), truths)), rule


def test_batch_size_does_not_change_scores(model: SheetClassifier) -> None:
    sheets = masked_sheets(model, 7)
    rules = [MaskRule(), MaskRule("share", 0.2)]
    whole = score_method(sheets, bright, rules, original_rules=rules, batch=16)
    parts = score_method(sheets, bright, rules, original_rules=rules, batch=3)
    assert np.array_equal(whole.counts, parts.counts)
    assert np.array_equal(whole.at_original, parts.at_original)
    assert np.array_equal(whole.map_scores["auprc"], parts.map_scores["auprc"])


@pytest.mark.parametrize("fit", ["stretch", "letterbox", "crop"])
def test_enlarging_puts_a_mask_back(fit: str) -> None:
    spec = InputSpec(*SIZE, fit=fit)
    original = np.zeros((96, 80), dtype=bool)
    original[40:60, 20:50] = True
    small = fit_mask(original, spec)
    large = enlarge(small, place(original.shape, spec), original.shape)
    back = large > 0.5
    assert (back == original).mean() > 0.97
    unseen = np.isneginf(large)
    assert unseen.any() == (fit == "crop")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("study.sgima=1", "expected key=value with a key of study.sigma"),
        ("study.sigma=-1", "study.sigma: Input should be greater than or equal to 0, got -1"),
        ("search.otsu", "expected key=value"),
    ],
)
def test_bad_settings_are_refused(setting: str, message: str) -> None:
    with pytest.raises(BadRecipe, match=message):
        load_league_recipe([setting])


def test_unknown_methods_and_empty_cases_are_refused(model: SheetClassifier, recipe: LeagueRecipe) -> None:
    with pytest.raises(BadRecipe, match=r"methods: expected some of gradcam, .*, got magic"):
        run_league([case(model, 0)], recipe, task="binary", methods=["magic"])
    empty = EvaluationCase(
        "x", masked_sheets(model, 2), masked_sheets(model, 0), np.zeros((0, *SIZE), dtype=np.uint8)
    )
    with pytest.raises(BadData, match="expected defective sheets with masks"):
        run_league([empty], recipe, task="binary")


def test_methods_a_model_does_not_support_are_left_out_or_refused(recipe: LeagueRecipe) -> None:
    spec = ModelSpec(name="adhoc", head="study", outputs=2, height=48, width=64)
    fixed = build_model(spec)
    assert "one size only" in CANDIDATES["gradcam_scales"].unsupported_reason(fixed)
    sheets = MaskedSheets(
        fixed,
        np.zeros((1, 48, 64), dtype=np.uint8),
        np.ones((1, 48, 64), dtype=bool),
        np.ones(1, dtype=np.int64),
        np.ones(1, dtype=np.int64),
        ("chip",),
        ("",),
        ("a",),
    )
    one = EvaluationCase("x", sheets, sheets, np.zeros((0, 48, 64), dtype=np.uint8))
    with pytest.raises(BadRecipe, match="method gradcam_scales: model adhoc takes images of one size only"):
        run_league([one], recipe, task="binary", methods=["gradcam_scales"])


def lean(_model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
    """Right for class 2 only."""
    found = bright(_model, images, torch.ones_like(target))
    return torch.where(target[:, None, None] == 2, found, 1 - found)


def test_each_class_gets_the_method_that_locates_it(
    model: SheetClassifier, candidates: dict[str, CandidateMethod]
) -> None:
    recipe = load_league_recipe([*SMALL, "checks.sheets=0"])  # the network has but two classes
    candidates["lean"] = CandidateMethod("Lean", lambda _clean, _seed: lean)
    del candidates["oracle"]
    kinds = np.array([1, 2] * 12)
    both = [
        replace(masked_sheets(model, 24, seed), targets=kinds, answers=np.array([1, 1] * 12))
        for seed in (0, 1)
    ]
    one = EvaluationCase("run", *both, np.zeros((0, *SIZE), dtype=np.uint8))
    found = run_league([one], recipe, task="multiclass", class_names=("none", "chip", "crack"))
    assert found.classes == [1, 2]
    assert [found.recommended[name].method for name in (1, 2)] == ["bright", "lean"]
    assert found.class_scores["dice"].min() > 0.8
    assert found.scores["dice"].min() < 0.2
    predicted = found.predicted_class_scores[
        "dice"
    ]  # "chip" is explained on all, and `bright` finds every block
    assert np.array_equal(predicted[kinds == 1], found.class_scores["dice"][kinds == 1])
    numbers = league_json(found, {})
    assert set(numbers["recommended_by_class"]["picks"]) == {"chip", "crack"}
    assert "for each class" in recommendation(found)


def test_classes_with_few_sheets_take_the_common_rule() -> None:
    rules = (MaskRule(), MaskRule("otsu"))
    counts = np.zeros((5, 2, 3), dtype=np.int64)
    counts[..., 1:] = 10
    counts[:3, 0, 0] = 10  # three sheets of class 1 want the first rule
    counts[3:, 1, 0] = 10  # two of class 2 the second
    nothing = np.zeros((0, 0, 3), dtype=np.int64)
    tried = MethodScores(rules, counts, {}, nothing, ())
    choices = choose_rules(tried, np.array([1, 1, 1, 2, 2]), MaskRule("peak", 0.5), least=3)
    assert choices == {ALL: ChosenRule(rules[0], 0.6, 5), 1: ChosenRule(rules[0], 1.0, 3)}
    assert choose_rules(tried, np.array([1, 1, 1, 2, 2]), rules[0], least=2)[2] == ChosenRule(
        rules[1], 1.0, 2
    )


def test_picks_of_several_models_are_weighted_by_their_sheets() -> None:
    a, b = MaskRule(), MaskRule("otsu")
    first = {"x": {ALL: ChosenRule(a, 0.9, 10)}, "y": {ALL: ChosenRule(b, 0.8, 10)}}
    second = {
        "x": {ALL: ChosenRule(a, 0.1, 30)},
        "y": {ALL: ChosenRule(b, 0.5, 30), 1: ChosenRule(a, 0.7, 4)},
    }
    assert pick_methods(first)[ALL].method == "x"
    merged = merge_picks([first, second])
    assert merged[ALL].method == "y"
    assert merged[ALL].dice == pytest.approx((0.8 * 10 + 0.5 * 30) / 40)
    assert merged[1].sheets == 4


@pytest.mark.usefixtures("candidates")
@pytest.mark.parametrize("method", ["blind", "bright"])
def test_a_method_is_recommended_only_above_the_best_constant_mask(
    model: SheetClassifier, recipe: LeagueRecipe, method: str
) -> None:
    found = run_league([case(model, 0)], recipe, task="binary", methods=[method])
    words, numbers = recommendation(found), league_json(found, {})
    low = found.intervals(found.scores)["dice"].low
    assert found.holds == (low > found.constant_dice) == numbers["recommended"]["holds"]
    assert words.startswith("No method is recommended") == (not found.holds)
    assert found.holds == (method == "bright")
    assert f"{found.constant_dice:.3f}" in words


@pytest.mark.usefixtures("candidates")
def test_a_method_as_good_as_a_constant_mask_is_not_recommended(
    model: SheetClassifier, recipe: LeagueRecipe
) -> None:
    found = run_league([case(model, 0)], recipe, task="binary", methods=["bright"])
    level = found.intervals(found.scores)["dice"].low
    assert not replace(found, constant_dice=level).holds
    assert "No method is recommended" in recommendation(replace(found, constant_dice=level))
