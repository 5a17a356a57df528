"""Verdicts on claims follow the interval: holds, does not hold, undecided here."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from steelsight.evaluation.classification import classification_report
from steelsight.evaluation.timing import Timing
from steelsight.sheets.grouping.splits import Split
from steelsight.sheets.labels import Labelled
from steelsight.study.claims.binary import CLAIMS, evaluate_claim, evaluate_claims
from steelsight.study.contents import load_contents, load_published
from steelsight.study.options import StudyOptions
from steelsight.study.results import ModelCost, ModelResult, StudyResults
from steelsight.training.dataset import SheetData
from steelsight.types import InputSpec, SheetItem, SheetSet

ITEMS = {item.id: item for item in load_contents()}
NAMES = ("none", "defect")
STRIP = ("none", "1", "2", "3", "4")


def _result(name: str, labels: np.ndarray, wrong: int, remark: str = "") -> ModelResult:
    """A model that errs on the first `wrong` sheets."""
    verdicts = labels.copy()
    verdicts[:wrong] = 1 - verdicts[:wrong]
    probabilities = np.where(np.eye(2)[verdicts] == 1, 0.9, 0.1)
    report = classification_report(labels, probabilities, NAMES, rng=np.random.default_rng(0), resamples=50)
    return ModelResult(
        name=name,
        title=name,
        folder=Path(),
        remark=remark,
        training={},
        balance={},
        started_from="none",
        clean_logits=np.log(probabilities),
        clean=probabilities,
        noisy=probabilities,
        clean_report=report,
        noisy_report=report,
    )


def _timing(median: float) -> Timing:
    rounds = tuple(float(median * (1 + 0.01 * (i % 3))) for i in range(20))
    return Timing(float(np.median(rounds)), rounds)


def _results(
    wrong: dict[str, int], *, types: list[tuple[int, ...]] | None = None, layout: str = "folder", **options
) -> StudyResults:
    types = types or [(), (1,)] * 200
    labels = np.array([int(bool(kinds)) for kinds in types], dtype=np.int64)
    items = tuple(SheetItem(f"{i}.jpg", Path(f"{i}.jpg"), kinds, "class") for i, kinds in enumerate(types))
    names = STRIP if layout == "severstal" else ("none", "crack")
    data = SheetData(
        name="sheets",
        items=items,
        images=np.zeros((len(items), 2, 2), dtype=np.uint8),
        labelled=Labelled(NAMES, labels, tuple((int(label),) for label in labels)),
        task="binary",
        input=InputSpec(),
        data_hash="0",
        rejections=(),
        type_names=names,
    )
    all_rows, no_rows = np.arange(len(items)), np.zeros(0, dtype=np.int64)
    times = {"adhoc": 10.0, "squeezenet_reduced": 14.0, "squeezenet": 19.0, "vgg16_bn": 170.0}
    return StudyResults(
        options=StudyOptions(resamples=200, **options),
        sheets=SheetSet(Path(), layout, names, items),
        data=data,
        sizes=((256, 1600),) * len(items),
        split=Split(no_rows, no_rows, all_rows),
        leaks=0,
        results={name: _result(name, labels, count) for name, count in wrong.items()},
        skipped={},
        costs={name: ModelCost(name, (), _timing(median)) for name, median in times.items()},
        published=load_published(),
    )


def _answer(name: str, study: StudyResults) -> str:
    return CLAIMS[name](study).answer


@pytest.mark.parametrize(
    ("adhoc", "reduced", "expected"),
    [(80, 20, "holds"), (20, 80, "does not hold"), (40, 40, "undecided here"), (41, 40, "undecided here")],
)
def test_a_model_is_better_only_where_the_paired_interval_decides(adhoc, reduced, expected):
    study = _results({"adhoc": adhoc, "squeezenet_reduced": reduced})
    assert _answer("squeezenets-beat-adhoc", study) == expected


@pytest.mark.parametrize(
    ("reduced", "full", "expected"),
    [(20, 20, "holds"), (60, 20, "does not hold"), (24, 20, "undecided here")],
)
def test_equal_accuracy_allows_a_loss_of_one_percent(reduced, full, expected):
    study = _results({"squeezenet_reduced": reduced, "squeezenet": full})
    assert _answer("reduced-as-good", study) == expected


def test_claims_about_missing_models_are_undecided():
    verdict = CLAIMS["squeezenets-beat-adhoc"](_results({"adhoc": 3}))
    assert (verdict.answer, verdict.reason) == ("undecided here", "Not trained: squeezenet_reduced.")
    assert _answer("small-model-accurate", _results({"adhoc": 3})) == "undecided here"


@pytest.mark.parametrize(
    ("wrong", "expected"), [(4, "holds"), (32, "undecided here"), (100, "does not hold")]
)
def test_accuracy_is_compared_with_the_studys(wrong, expected):
    assert _answer("small-model-accurate", _results({"squeezenet_reduced": wrong})) == expected


def test_vgg_counts_only_when_trained_as_in_the_study():
    study = _results({"adhoc": 60, "vgg16_bn": 10})
    assert _answer("vgg-most-accurate", study) == "holds"
    vgg = replace(study.results["vgg16_bn"], remark="trained on 6 sheets")
    differently_trained = replace(study, results=dict(study.results) | {"vgg16_bn": vgg})
    assert _answer("vgg-most-accurate", differently_trained) == "undecided here"
    assert _answer("vgg-most-accurate", _results({"vgg16_bn": 10})) == "undecided here"


def test_claims_about_times_are_tested_by_their_ratio():
    study = _results({"adhoc": 1})
    assert [_answer(name, study) for name in ("adhoc-fastest", "reduced-faster", "vgg-slow")] == ["holds"] * 3
    swapped = dict(study.costs) | {"adhoc": study.costs["vgg16_bn"], "vgg16_bn": study.costs["adhoc"]}
    slow = replace(study, costs=swapped)
    assert [_answer(name, slow) for name in ("adhoc-fastest", "vgg-slow")] == ["does not hold"] * 2


def test_claims_about_class_shares_need_strip_data():
    study = [()] * 59 + [(1,)] * 8 + [(2,)] * 2 + [(3,)] * 48 + [(4,)] * 5
    strips = _results({"adhoc": 1}, types=study * 20, layout="severstal")
    assert _answer("majority-classes", strips) == "holds"
    assert _answer("unbalanced", strips) == "holds"
    even = _results({"adhoc": 1}, types=[(), (1,), (2,), (3,), (4,)] * 50, layout="severstal")
    assert _answer("majority-classes", even) == "does not hold"
    assert _answer("unbalanced", even) == "does not hold"
    assert _answer("unbalanced", _results({"adhoc": 1})) == "undecided here"


def test_the_studys_own_data_are_recognised():
    study = _results({"adhoc": 1}, types=[(), (1,)] * 6284, layout="severstal")
    assert _answer("data-size", study) == "holds"
    assert _answer("data-size", _results({"adhoc": 1})) == "undecided here"


def test_a_quick_run_decides_no_claim_about_models():
    study = _results({"adhoc": 80, "squeezenet_reduced": 20}, quick=True)
    verdict = evaluate_claim(ITEMS["squeezenets-beat-adhoc"], study, "not requested")
    assert verdict.answer == "undecided here"
    assert verdict.reason.startswith("A quick run decides no claim.")
    assert verdict.interval is not None


def test_untested_claims_have_a_reason():
    verdicts = evaluate_claims(_results({"adhoc": 1}), "not requested")
    waiting = {item.id: verdict for item, verdict in verdicts if item.status != "done"}
    assert "false-positives-impurities" in waiting
    assert all(verdict.reason.startswith("Not tested: ") for verdict in waiting.values())
