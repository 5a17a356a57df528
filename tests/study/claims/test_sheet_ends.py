"""The chapter on false positives of type 2, on planted predictions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from steelsight.evaluation.probabilities import softmax
from steelsight.reports.document import Document
from steelsight.study.chapters.sheet_ends import write_type_two
from steelsight.study.claims.sheet_ends import type_two_at_ends
from steelsight.study.measures.sheet_ends import measure_sheet_ends
from steelsight.study.multiclass import MulticlassResults
from steelsight.study.report import StudyReport


def _planted(report: StudyReport, called_two: tuple[int, ...]) -> MulticlassResults:
    """The tiny study with strip classes and planted predictions; every fourth sheet shows an end."""
    assert isinstance(report.multiclass, MulticlassResults)
    study = report.multiclass.study
    result = study.chosen
    assert result is not None
    images = np.array(study.data.images)
    count = study.split.test.size
    images[study.split.test[::4], :, :12] = 0
    names = ("none", "type 1", "type 2", "type 3", "type 4")
    labels = np.zeros(len(study.data.items), np.int64)
    logits = np.tile(np.array([3.0, 0, 0, 0, 0], np.float32), (count, 1))
    logits[list(called_two), 2] = 5.0
    data = replace(
        study.data, images=images, labelled=replace(study.data.labelled, class_names=names, labels=labels)
    )
    shares = softmax(logits)
    answered = replace(result, clean_logits=logits, clean=shares, noisy=shares)
    changed = replace(study, data=data, results={result.name: answered}, shown=None)
    return replace(report.multiclass, study=changed)


def test_an_end_on_every_false_positive(tiny_report: StudyReport) -> None:
    multiclass = _planted(tiny_report, (0, 4, 8))
    effect = measure_sheet_ends(multiclass.study)
    assert not isinstance(effect, str)
    assert effect.wrong.tolist() == [0, 4, 8]
    assert effect.share.estimate == 1
    assert effect.elsewhere.estimate < 0.3
    assert effect.effect.estimate > 0.5
    verdict = type_two_at_ends(multiclass)
    assert "Share of the 3 false positives with a sheet end (3)" in verdict.reason


def test_one_false_positive_without_an_end_refutes_the_claim(tiny_report: StudyReport) -> None:
    assert type_two_at_ends(_planted(tiny_report, (0, 1))).answer == "does not hold"
    none = type_two_at_ends(_planted(tiny_report, ()))
    assert (none.answer, none.reason) == ("undecided here", "No test sheet was wrongly classified as type 2.")


def test_data_with_other_types_leave_the_chapter_empty(tiny_report: StudyReport) -> None:
    assert isinstance(tiny_report.multiclass, MulticlassResults)
    document = Document("Type 2")
    omitted = write_type_two(document, tiny_report.multiclass.study)
    assert set(omitted) == {"type-2-example", "type-2-false-positives"}
    assert type_two_at_ends(tiny_report.multiclass).answer == "undecided here"
