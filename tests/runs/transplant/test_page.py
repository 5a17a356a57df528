"""The transplant's chapter: sentences and verdict follow the intervals, controls are what they say."""

from __future__ import annotations

import numpy as np
import pytest

from steelsight.evaluation.verdict_scores import score_verdicts
from steelsight.inspection.transplant.cka import Similarity
from steelsight.inspection.transplant.parts import Part
from steelsight.inspection.transplant.replace import Step, TransplantScores
from steelsight.inspection.transplant.weight_change import PartChange
from steelsight.models.catalog import ModelSpec, build_model
from steelsight.reports.document import Document
from steelsight.runs.transplant.donors import Donor, name_apart
from steelsight.runs.transplant.page import write_transplant
from steelsight.runs.transplant.reading import (
    describe_sheets,
    describe_transplant,
    read_donor,
    transplant_json,
)
from steelsight.runs.transplant.run import TransplantResult
from steelsight.study.claims.transplant import features_serve

PARTS = (
    Part("conv 1", "features", (), ()),
    Part("head", "classifier", (), ()),
    Part("last", "classifier", (), ()),
)
SHEETS = 400


def _result(
    right: dict[str, tuple[int, int]],
    kinds: dict[str, str] | None = None,
    *,
    classes: int = 4,
    groups: int | None = None,
) -> TransplantResult:
    """Models of one feature part; each donor with how many sheets are right after it, and after the head."""
    labels = np.arange(SHEETS) % classes
    units = None if groups is None else [str(i * groups // SHEETS) for i in range(SHEETS)]
    verdicts, steps = [labels.copy()], []
    for donor, counts in right.items():
        steps.append(Step(donor, "input", -1, (), 0))
        for position, count in enumerate(counts):
            wrong = np.where(np.arange(SHEETS) < count, labels, (labels + 1) % 4)
            steps.append(Step(donor, "input", position, tuple(range(position + 1)), len(verdicts)))
            verdicts.append(wrong)
        steps += [Step(donor, "output", -1, (), 0), Step(donor, "output", 1, (1,), 1)]
        steps += [Step(donor, "alone", position, (position,), 1) for position in (0, 1)]
    scores = score_verdicts(
        labels, np.stack(verdicts), 4, rng=np.random.default_rng(0), groups=units, resamples=200
    )
    rest = {"last": "last is 4x8 here and 2x8 in the donor"}
    found = TransplantScores(
        PARTS,
        dict.fromkeys(right, (0, 1)),
        dict.fromkeys(right, rest),
        tuple(steps),
        scores,
        SHEETS,
        0.25,
    )
    names = tuple(part.name for part in PARTS)
    table = np.eye(3)
    similar = {name: Similarity(names, names, table, table, table, SHEETS) for name in right}
    changes = tuple(PartChange(name, 0.1, 0.2, None, False, None) for name in names)
    model = build_model(ModelSpec(name="adhoc", outputs=4, height=48, width=64))
    named = kinds or {}
    donors = tuple(Donor(name, named.get(name, "donor"), model, "made up") for name in right)
    return TransplantResult("Ours", donors, found, changes, similar, ("a note",))


@pytest.mark.parametrize(
    ("features", "head", "answer"),
    [
        (396, 200, "holds"),
        (396, 390, "does not hold"),  # the classifier serves as well
        (300, 100, "does not hold"),  # the features do not
        (380, 200, "undecided here"),
    ],
)
def test_the_claim_follows_its_intervals(features, head, answer) -> None:
    verdict = features_serve(_result({"binary model": (features, head)}))
    assert verdict.answer == answer
    assert verdict.interval.estimate == pytest.approx(features / SHEETS - 1)


def test_the_claim_names_the_control() -> None:
    right = {"binary model": (396, 200), "ImageNet": (394, 200)}
    verdict = features_serve(_result(right, {"ImageNet": "imagenet"}))
    assert "Accuracy with these features minus that with ImageNet: 0.005 [" in verdict.reason
    assert features_serve("no binary model").reason == "No weights were transplanted: no binary model."


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (395, "equal to within 0.05, so the training of the donor is not the cause"),
        (300, "the features of the donor are better"),
        (400, "the features of the donor are worse"),
    ],
)
def test_a_control_is_read_by_its_paired_difference(start: int, words: str) -> None:
    done = _result({"donor": (395, 200), "start": (start, 200)}, {"start": "start"})
    sentences = describe_transplant(done)
    assert sentences[0].startswith(
        "With every feature part of the donor balanced accuracy goes from 1.000 to 0.98"
    )
    assert words in sentences[1]
    assert sentences[-1] == "Left out because it does not fit: last: last is 4x8 here and 2x8 in the donor."
    assert read_donor(done, "start").ahead["accuracy"].estimate == pytest.approx((395 - start) / SHEETS)


CONCLUSIONS = ("are better", "are worse", "is not the cause")


@pytest.mark.parametrize("right", [(400, 0), (0, 400), (0, 0), (400, 400), (200, 400)])
@pytest.mark.parametrize(
    ("classes", "groups", "reason"),
    [
        (1, None, "all sheets are of one class, whose recall alone is no balanced accuracy"),
        (1, 12, "all sheets are of one class"),
        (4, 9, "9 groups are too few, at least 10 are needed"),
        (2, 2, "2 groups are too few"),
        (4, 1, "1 groups are too few"),
    ],
)
def test_few_groups_or_one_class_conclude_nothing(right, classes, groups, reason) -> None:
    donors = {"donor": (right[0], 200), "start": (right[1], 200)}
    done = _result(donors, {"start": "start"}, classes=classes, groups=groups)
    sentences = describe_transplant(done)
    assert f"undecided, because {reason}" in sentences[1]
    assert not any(words in sentence for sentence in sentences for words in CONCLUSIONS)
    assert not any("nan" in sentence.lower().split() for sentence in sentences)
    assert ("balanced accuracy goes" in sentences[0]) == (classes > 1)
    told = describe_sheets(done)
    assert told.startswith(f"Evaluated on 400 sheets in {groups or 400} groups, of {classes} of 4 classes.")
    assert reason in told
    assert features_serve(done).answer == "undecided here"
    assert reason in features_serve(done).reason


@pytest.mark.parametrize(("groups", "concludes"), [(10, True), (40, True), (None, True)])
def test_enough_groups_conclude(groups, concludes) -> None:
    done = _result({"donor": (400, 200), "start": (0, 200)}, {"start": "start"}, groups=groups)
    assert "the features of the donor are better" in describe_transplant(done)[1]
    assert "undecided" not in describe_sheets(done)


@pytest.mark.parametrize("count", [0, 40, 100])
def test_two_useless_controls_do_not_acquit_the_training(count: int) -> None:
    done = _result({"donor": (count, 200), "start": (count, 200)}, {"start": "start"})
    sentence = describe_transplant(done)[1]
    assert "is not the cause" not in sentence
    assert "neither is better than guessing, 0.250" in sentence


def test_another_seed_as_control_is_explained() -> None:
    done = _result({"donor": (395, 200), "other": (390, 100)}, {"other": "seed"})
    assert "are expected between two tasks as well" in describe_transplant(done)[1]
    assert [each.name for each in name_apart([*done.donors, done.donors[1]])] == [
        "donor",
        "other 1",
        "other 2",
    ]


def test_the_page_has_every_number(tmp_path) -> None:
    done = _result({"donor": (395, 200), "start": (300, 200)}, {"start": "start"})
    page = Document("t")
    assert write_transplant(page, done) == {}
    assert next(name for name, _ in page.pictures()) == "transplant"
    numbers = transplant_json(done)
    assert [step["part"] for step in numbers["donors"][0]["steps"]["input"]] == [None, "conv 1", "head"]
    assert numbers["donors"][1]["reading"]["ahead"]["accuracy"]["estimate"] == pytest.approx(95 / SHEETS)
    assert "a note" in page.render()


def test_a_missing_partner_is_reported() -> None:
    page = Document("t")
    assert write_transplant(page, "no binary model") == {"transplant": "no binary model"}
    assert "No weights were exchanged: no binary model." in page.render()
