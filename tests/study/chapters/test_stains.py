"""The white-stain effect on sheets made for it: chapters, verdicts, and data that have no stains."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.counterfactuals.proof_cases import make_sheets, network, write_sheets

from steelsight.counterfactuals.nuisances.nuisance import open_nuisance
from steelsight.counterfactuals.options import ProofSettings
from steelsight.counterfactuals.pasting import counterfactual, removal
from steelsight.counterfactuals.pasting.doses import FULL
from steelsight.models.card import Card
from steelsight.models.catalog import ModelSpec, build_model
from steelsight.reports.document import Document
from steelsight.runs.opening.open import OpenRun
from steelsight.shortcuts.prove.prove import prove
from steelsight.study.chapters.stains import write_binary_stains, write_multiclass_stains
from steelsight.study.claims.stains import pasted_stains_flip, stains_learnt, stains_raise_scores
from steelsight.study.contents import load_contents
from steelsight.study.measures.stains import EACH, measure_stains
from steelsight.study.options import StudyOptions
from steelsight.study.results import StainEffect
from steelsight.training.dataset import open_sheets
from steelsight.training.records import split_rows
from steelsight.types import InputSpec, Interval

SHARE = Interval(0.5, 0.4, 0.6)
NONE = Interval(0.0, 0.0, 0.1)


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counterfactual, "RESAMPLES", 200)
    monkeypatch.setattr(removal, "RESAMPLES", 200)


def _effect(white: float, stains: tuple[float, float] = (0.5, 0.0), count: int = 240) -> StainEffect:
    sheets = make_sheets(count, stains=stains)
    rng = np.random.default_rng(0)
    settings = ProofSettings(doses=(FULL,))
    proof = prove(network(white=white), sheets, open_nuisance(sheets, "stain"), settings, rng=rng)
    clean = sheets.images[sheets.labels == 0]
    return StainEffect(proof, (), clean[-3:], clean[:3], SHARE, NONE)


def _run(folder: Path, stains: tuple[float, float], part: str = "test") -> OpenRun:
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


def test_a_model_that_uses_stains() -> None:
    effect = _effect(9)
    for verdict in (stains_learnt(effect), stains_raise_scores(effect), pasted_stains_flip(effect)):
        assert verdict.answer == "holds"
        assert verdict.interval is not None
    document = Document("stains")
    omitted = write_binary_stains(document, effect)
    assert {"stain-groups", "stain-probabilities", "stains-test", "stains-paste"} <= _ids(document)
    assert set(omitted) <= {"stain-pasted"}  # no network, so no Grad-CAM
    page = document.render()
    assert "p &lt; 1e-10" in page
    assert "3.5e-18" in page


def test_a_model_that_uses_defects_only() -> None:
    effect = _effect(0, count=440)
    assert stains_learnt(effect).answer == "does not hold"
    assert pasted_stains_flip(effect).answer == "does not hold"
    assert stains_raise_scores(effect).answer != "holds"


def test_the_learnt_claim_needs_stains_associated_with_no_defect() -> None:
    effect = replace(_effect(9), among_defects=SHARE)
    assert stains_learnt(effect).answer == "undecided here"
    assert pasted_stains_flip(effect).answer == "holds"


def test_without_stained_sheets_only_the_paste_is_reported() -> None:
    effect = _effect(9, stains=(0, 0))
    document = Document("stains")
    omitted = write_multiclass_stains(document, effect)
    assert "multiclass-stains-paste" in _ids(document)
    assert set(omitted) <= {"multiclass-stain-pasted"}
    assert (
        write_binary_stains(document, effect)["stain-groups"] == "no defect-free test sheet has a white stain"
    )
    assert "a comparison of two groups is not possible" in document.render()
    verdict = stains_raise_scores(effect)
    assert (verdict.answer, verdict.reason) == (
        "undecided here",
        "No defect-free test sheet has a white stain.",
    )


def test_a_reason_replaces_the_chapter() -> None:
    document = Document("stains")
    omitted = write_binary_stains(document, "no model was trained")
    ids = {item.id for item in load_contents() if item.chapter == "stains" and item.kind != "claim"}
    assert set(omitted) == ids
    assert "No model was trained." in document.render()
    assert {
        claim("no model was trained").answer
        for claim in (stains_learnt, stains_raise_scores, pasted_stains_flip)
    } == {"undecided here"}


@pytest.mark.parametrize("stains", [(0.5, 0.0), (0.0, 0.0)])
def test_stains_are_measured_on_a_network(tmp_path: Path, stains: tuple[float, float]) -> None:
    effect = measure_stains(_run(tmp_path, stains), StudyOptions())
    assert isinstance(effect, StainEffect)
    assert effect.among_none.estimate == stains[0]
    assert effect.as_dict()["proof"]["verdict"] == effect.proof.verdict
    if stains[0]:
        assert effect.proof.on_margins is not None
        assert 0 < effect.proof.on_margins.with_it <= EACH
    else:
        assert effect.proof.on_margins is None


def test_without_test_sheets_there_is_a_reason(tmp_path: Path) -> None:
    run = _run(tmp_path, (0.5, 0.0), part="train")
    assert measure_stains(run, StudyOptions()) == "there are no test sheets"
