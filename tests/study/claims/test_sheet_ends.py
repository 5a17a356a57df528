"""The chapter of type-2 false positives, on answers made up for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from steelsight.evaluation.probabilities import softmax
from steelsight.reports.document import Document
from steelsight.study.chapters.sheet_ends import write_type_two
from steelsight.study.claims.sheet_ends import judge_type_two, measure_type_two
from steelsight.study.multiclass_results import MulticlassResults
from steelsight.study.run import StudyReport


def _made_up(report: StudyReport, called_two: tuple[int, ...]) -> MulticlassResults:
    """The tiny study's second half with strip data's classes and other answers; every fourth sheet ends."""
    assert isinstance(report.second, MulticlassResults)
    found = report.second.found
    result = found.chosen
    assert result is not None
    images = np.array(found.data.images)
    count = found.split.test.size
    images[found.split.test[::4], :, :12] = 0
    names = ("none", "type 1", "type 2", "type 3", "type 4")
    labels = np.zeros(len(found.data.items), np.int64)
    logits = np.tile(np.array([3.0, 0, 0, 0, 0], np.float32), (count, 1))
    logits[list(called_two), 2] = 5.0
    data = replace(
        found.data, images=images, labelled=replace(found.data.labelled, class_names=names, labels=labels)
    )
    shares = softmax(logits)
    answered = replace(result, clean_logits=logits, clean=shares, noisy=shares)
    changed = replace(found, data=data, results={result.name: answered}, shown=None)
    return replace(report.second, found=changed)


def test_ends_behind_every_false_positive(tiny_report: StudyReport) -> None:
    second = _made_up(tiny_report, (0, 4, 8))
    looked = measure_type_two(second.found)
    assert not isinstance(looked, str)
    assert looked.wrong.tolist() == [0, 4, 8]
    assert looked.share.estimate == 1
    assert looked.elsewhere.estimate < 0.3
    assert looked.effect.estimate > 0.5
    verdict = judge_type_two(second)
    assert "Share of the 3 with a sheet end (3)" in verdict.because


def test_one_without_an_end_is_enough_to_fail(tiny_report: StudyReport) -> None:
    assert judge_type_two(_made_up(tiny_report, (0, 1))).answer == "does not hold"
    none = judge_type_two(_made_up(tiny_report, ()))
    assert (none.answer, none.because) == ("undecided here", "No test sheet was wrongly called type 2.")


def test_other_types_leave_the_chapter_empty(tiny_report: StudyReport) -> None:
    assert isinstance(tiny_report.second, MulticlassResults)
    document = Document("Type 2")
    omitted = write_type_two(document, tiny_report.second.found)
    assert set(omitted) == {"type-2-example", "type-2-false-positives"}
    assert judge_type_two(tiny_report.second).answer == "undecided here"
