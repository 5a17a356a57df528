"""The white-stain effect on sheets made for it: chapters, verdicts, and data that have no stains."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.shortcuts.proof_cases import make_sheets, network, write_sheets

from steelsight.models.card import Card
from steelsight.models.catalog import ModelSpec, build_model
from steelsight.reports.document import Document
from steelsight.runs.open import OpenRun
from steelsight.shortcuts.nuisances.nuisance import open_nuisance
from steelsight.shortcuts.pasting import counterfactual, reverse
from steelsight.shortcuts.pasting.counterfactual import FULL
from steelsight.shortcuts.prove.prove import prove
from steelsight.study.chapters.stains import write_binary_stains, write_multiclass_stains
from steelsight.study.contents import load_contents
from steelsight.study.options import StudyOptions
from steelsight.study.stains import (
    EACH,
    StainEffect,
    judge_flips,
    judge_learnt,
    judge_test,
    measure_stains,
)
from steelsight.training.dataset import open_sheets
from steelsight.training.records import split_rows
from steelsight.types import InputSpec, Interval

SHARE = Interval(0.5, 0.4, 0.6)
NONE = Interval(0.0, 0.0, 0.1)


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counterfactual, "RESAMPLES", 200)
    monkeypatch.setattr(reverse, "RESAMPLES", 200)


def _effect(white: float, stains: tuple[float, float] = (0.5, 0.0), count: int = 240) -> StainEffect:
    sheets = make_sheets(count, stains=stains)
    rng = np.random.default_rng(0)
    proof = prove(network(white=white), sheets, open_nuisance(sheets, "stain"), rng=rng, doses=(FULL,))
    clean = sheets.images[sheets.labels == 0]
    return StainEffect(proof, (), clean[-3:], clean[:3], SHARE, NONE)


def _judged(folder: Path, stains: tuple[float, float], part: str = "test") -> OpenRun:
    data = write_sheets(make_sheets(60, stains=stains), folder / "data")
    spec = ModelSpec(name="adhoc", outputs=2, height=64, width=160)
    card = Card(
        task="binary",
        class_names=("none", "defect"),
        model=spec,
        input=InputSpec(64, 160),
        data_hash="",
        seed=0,
    )
    opened = open_sheets(data, "binary", card.input)
    rows = split_rows(opened, [part] * len(opened.items))
    return OpenRun(folder, build_model(spec), card, opened, tuple(rows))


def _ids(document: Document) -> set[str]:
    return {block.as_dict().get("id") for chapter in document.chapters for block in chapter.blocks}


def test_a_model_that_reads_stains() -> None:
    looked = _effect(9)
    for verdict in (judge_learnt(looked), judge_test(looked), judge_flips(looked)):
        assert verdict.answer == "holds"
        assert verdict.interval is not None
    document = Document("stains")
    omitted = write_binary_stains(document, looked)
    assert {"stain-groups", "stain-probabilities", "stains-test", "stains-paste"} <= _ids(document)
    assert set(omitted) <= {"stain-pasted"}  # no network, so no Grad-CAM
    page = document.render()
    assert "p &lt; 1e-10" in page
    assert "3.5e-18" in page


def test_a_model_that_reads_defects() -> None:
    looked = _effect(0, count=440)
    assert judge_learnt(looked).answer == "does not hold"
    assert judge_flips(looked).answer == "does not hold"
    assert judge_test(looked).answer != "holds"


def test_learnt_needs_stains_that_go_with_soundness() -> None:
    looked = replace(_effect(9), among_defects=SHARE)
    assert judge_learnt(looked).answer == "undecided here"
    assert judge_flips(looked).answer == "holds"


def test_no_stains_leave_the_paste_and_say_so() -> None:
    looked = _effect(9, stains=(0, 0))
    document = Document("stains")
    omitted = write_multiclass_stains(document, looked)
    assert "multiclass-stains-paste" in _ids(document)
    assert set(omitted) <= {"multiclass-stain-pasted"}
    assert (
        write_binary_stains(document, looked)["stain-groups"] == "no defect-free test sheet has a white stain"
    )
    assert "there are no two groups to compare" in document.render()
    verdict = judge_test(looked)
    assert (verdict.answer, verdict.because) == (
        "undecided here",
        "No defect-free test sheet has a white stain.",
    )


def test_a_reason_stands_in_for_everything() -> None:
    document = Document("stains")
    omitted = write_binary_stains(document, "no model was trained")
    ids = {item.id for item in load_contents() if item.chapter == "stains" and item.kind != "claim"}
    assert set(omitted) == ids
    assert "No model was trained." in document.render()
    assert {judge("no model was trained").answer for judge in (judge_learnt, judge_test, judge_flips)} == {
        "undecided here"
    }


@pytest.mark.parametrize("stains", [(0.5, 0.0), (0.0, 0.0)])
def test_looking_at_a_network(tmp_path: Path, stains: tuple[float, float]) -> None:
    looked = measure_stains(_judged(tmp_path, stains), StudyOptions())
    assert isinstance(looked, StainEffect) == (stains[0] > 0 or "correctly" not in str(looked))
    if isinstance(looked, StainEffect):
        assert (looked.proof.on_margins is None) == (stains[0] == 0)
        assert looked.among_none.estimate == stains[0]
        assert looked.as_dict()["proof"]["verdict"] == looked.proof.verdict
        assert looked.proof.on_margins is None or looked.proof.on_margins.with_it <= EACH


def test_no_test_sheets(tmp_path: Path) -> None:
    judged = _judged(tmp_path, (0.5, 0.0), part="train")
    assert measure_stains(judged, StudyOptions()) == "there are no test sheets"
