"""The page Models in German: decisions of gates, certificates, stages and refusals by their values."""

from typing import get_args

import pytest
from tests.service.pages.test_models import eva, plant, policy

from steelsight.adaptation.compare import HeadComparison, HeadGain
from steelsight.adaptation.stages import Stage, StageName
from steelsight.runtime.bundle.card import ShortcutStamp
from steelsight.runtime.bundle.gate import GateReason
from steelsight.runtime.bundle.gate_record import GatedMetric, GatedShortcut
from steelsight.service.learning.state import Job, Note, locked, write_job
from steelsight.service.pages.models.wording import Said
from steelsight.service.pages.terms import TERMS
from steelsight.service.pages.words import words_in
from steelsight.types import Interval

__all__ = ["eva", "plant", "policy"]

GERMAN = {"accept": "text/html", "accept-language": "de-DE"}
DE, EN = Said(words_in("de")), Said(words_in("en"))


def test_gates_and_their_reasons_are_german(plant, eva):
    page = eva.get("/models", headers=GERMAN).text
    figures = "1,0 % [0,0 %; 3,0 %] der richtigen Urteile kippen, erlaubt sind bis zu 5,0 %"
    assert f"Fleck → none: bestanden: {figures}; eingefügt in 120 Bleche aus 30 Gruppen" in page
    assert "Fleck → none: überschritten" in page
    assert "Die Freigabeprüfung vom 2026-11-01T10:00:00Z wurde nicht bestanden." in page
    assert "Nach der jetzigen Richtlinie policy.toml ist keine Freigabeprüfung festgehalten." in page
    assert page.count("120 sheets pasted on") == 1  # the wording on record, of what was not passed
    english = eva.get("/models", headers={"accept": "text/html"}).text
    assert english.count("120 sheets pasted on") == 3
    assert "Wording on record" not in english


def test_a_refused_promotion_says_why_in_german(plant, eva):
    text = eva.post("/models/promote", data=plant.form("bad"), headers=GERMAN).text
    assert "Dieses Bundle hat die Freigabeprüfung nicht bestanden. Die Freigabeprüfung vom 2026" in text
    plant.service.settings.__dict__["gate_policy"] = None
    page = eva.get("/models", headers=GERMAN).text
    assert "Ohne Richtlinie kann kein Bundle freigegeben werden" in page


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (
            {"metric": "balanced accuracy", "least": 0.9, "value": (0.95, 0.91, 0.97), "outcome": "passed"},
            "ausgewogene Genauigkeit: bestanden: 95,0 % [91,0 %; 97,0 %], die untere Grenze muss mindestens "
            "90,0 % sein",
        ),
        (
            {"metric": "accuracy", "least": 0.9, "value": (0.95, None, None), "outcome": "underpowered"},
            "Genauigkeit: zu wenige Bleche",
        ),
        (
            {"metric": "sheets", "least": 1500, "value": None, "outcome": "underpowered"},
            "Bleche: zu wenige Bleche: nötig sind 1.500",
        ),
    ],
)
def test_a_limit_of_quality_is_said_by_its_values(part, text):
    made = GatedMetric(**part, why="in English")
    assert DE.metric(made) == text
    assert EN.metric(made) is None


def test_a_shortcut_without_a_measure_is_said_by_what_is_there():
    stamp = {"nuisance": "end", "suspect": "none", "because": "x", "data": "d", "data_hash": "h"}
    proven = ShortcutStamp(**stamp, verdict="proven", excess=(0.4, 0.3, 0.5), pasted=80)
    assert DE.stamp(proven) == (
        "40,0 % [30,0 %; 50,0 %] der Urteile kippen über die Kontrolle hinaus, eingefügt in 80 Bleche"
    )
    assert DE.stamp(ShortcutStamp(**stamp, verdict="inconclusive", excess=None, pasted=0)) is None
    gated = GatedShortcut(
        nuisance="mine.csv",
        suspect="none",
        most_flipped=0.05,
        most_excess=0.01,
        flipped=None,
        excess=(0.02, -0.01, None),
        pasted=0,
        groups=0,
        outcome="underpowered",
        why="x",
    )
    assert DE.shortcut(gated) == ("mine.csv → none: zu wenige Bleche: eingefügt in 0 Bleche aus 0 Gruppen")


def test_a_certificate_is_said_by_its_numbers_and_no_other_threshold_is_called_certified(plant):
    card = plant.service.bundles.default.bundle.card
    statement = (
        "with 95 % confidence at most 0.02 of the answers are wrong at threshold 0.875, where 81.5 % of the "
        "sheets are answered; on 900 sheets drawn at random or by audit"
    )
    certified = card.model_copy(
        update={"threshold": 0.875, "threshold_by": "certificate", "threshold_statement": statement}
    )
    assert DE.certificate(certified) == (
        "Zertifiziert: höchstens 2,0 % der Antworten sind falsch bei der Schwelle 0,875, bei der 81,5 % der "
        "Bleche beantwortet werden."
    )
    assert EN.certificate(certified) is None
    unknown = certified.model_copy(update={"threshold_statement": "in other words"})
    assert DE.certificate(unknown) is None
    estimated = certified.model_copy(update={"threshold_by": "cross-validation"})
    assert DE.certificate(estimated) == "Nicht zertifiziert: die Schwelle ist eine Schätzung."
    assert DE.certificate(card.model_copy(update={"threshold": None})) is None


def test_stages_and_a_refused_head_are_german_with_its_figures(plant, eva):
    folder = plant.folder
    with locked(folder):
        notes = (
            Note(at_us=1, text="exporting the reviewed sheets", stage="exporting"),
            Note(at_us=2, text="40 sheets through the network", stage="network", sheets=40),
            Note(at_us=3, text="of an earlier version"),
        )
        job = Job(id="a" * 32, person=eva.person, base="x", base_name="x", started_us=1, notes=notes)
        write_job(folder, job)
        page = eva.get("/models/learn", headers=GERMAN).text
    assert "Ausgabe der begutachteten Bleche" in page
    assert "Durchlauf durch das Netz: 40 Bleche" in page
    assert '<span lang="en">of an earlier version</span>' in page
    gain = HeadGain(Interval(0.8, 0.7, 0.9), Interval(0.8, 0.7, 0.9), Interval(0.0, -0.1, 0.1))
    figures = HeadComparison(gain, None, None, ("a lower bound must be above 0",)).as_dict()
    ended = {"outcome": "refused", "message": "a head is not better", "comparison": figures, "ended_us": 2}
    write_job(folder, job.model_copy(update=ended))
    page = eva.get("/models/learn", headers=GERMAN).text
    assert "Der neue Kopf ist nicht besser als der bisherige" in page
    assert "a head is not better" not in page
    assert "0,800" in page
    write_job(folder, job.model_copy(update={**ended, "comparison": None}))  # of an earlier version
    assert "a head is not better" in eva.get("/models/learn", headers=GERMAN).text


def test_every_code_has_words():
    for name in get_args(StageName):
        assert f"stage {name}" in TERMS
        assert str(Stage(name))
    outcomes = {
        *get_args(GatedShortcut.model_fields["outcome"].annotation),
        *get_args(GatedMetric.model_fields["outcome"].annotation),
    }
    metrics = get_args(GatedMetric.model_fields["metric"].annotation)
    assert {f"outcome {each}" for each in outcomes} | {f"metric {each}" for each in metrics} <= set(TERMS)
    values = {"policy": "p", "made": "m", "table": "t", "error": "e"}
    for code in ("no_gate", "not_passed", "table_unreadable", "table_changed"):
        assert DE.reason(GateReason(code, "in English", values))[1] == "de"
    assert DE.reason(GateReason("other_data", "in English", {})) == (
        "in English",
        "en",
    )  # no page asks for it
