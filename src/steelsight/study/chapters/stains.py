"""Chapters on the white-stain effect: the study's slides White-Stain Effect I to V, and episode II."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from steelsight.reports.document import Document
from steelsight.reports.figures import ExampleSheet, draw_examples
from steelsight.reports.figures.shortcut.proof import draw_two_groups
from steelsight.shortcuts.prove.report import write_examples, write_paste, write_test_table
from steelsight.study.chapters.binary import Omitted
from steelsight.study.measures.stains import EACH, NO_STAINS
from steelsight.study.results import StainEffect

__all__ = ["write_binary_stains", "write_multiclass_stains"]


@dataclass(frozen=True)
class _Slides:
    """The p-value on the slides, and the ids of their figures."""

    chapter: str
    title: str
    p: str
    groups: str  # an id that begins with "more-" is not on the slides
    scores: str
    pasted: str

    @property
    def shown(self) -> tuple[str, ...]:
        """Ids in the table of contents."""
        return tuple(id_ for id_ in (self.groups, self.scores, self.pasted) if not id_.startswith("more-"))


SOURCES = {"truth": "the truth table of the data set lists", "detector": "a detector finds"}
LEAST_NORMAL_P = 3.5e-18  # two groups of 50 that do not overlap, with continuity correction
BINARY = _Slides(
    "stains", "White-stain effect", "1e-10", "stain-groups", "stain-probabilities", "stain-pasted"
)
MULTICLASS = _Slides(
    "multiclass-stains",
    "White-stain effect: episode II",
    "1e-19",
    "more-stain-groups",
    "more-stain-probabilities",
    "multiclass-stain-pasted",
)


def write_binary_stains(document: Document, effect: StainEffect | str) -> Omitted:
    """The white-stain effect of the binary model."""
    return _write(document, effect, BINARY)


def write_multiclass_stains(document: Document, effect: StainEffect | str) -> Omitted:
    """The white-stain effect of the multi-class model."""
    return _write(document, effect, MULTICLASS)


def _write(document: Document, effect: StainEffect | str, slides: _Slides) -> Omitted:
    document.chapter(slides.title, id=slides.chapter, status="done")
    if isinstance(effect, str):
        document.text(f"{effect[0].upper()}{effect[1:]}.")
        return dict.fromkeys(slides.shown, effect)
    document.text(
        "By inspection, the study concluded that white stains go with the absence of defects and that the "
        f"network had learnt this. Here {SOURCES[effect.proof.source]} the stained test sheets. The command "
        "steelsight shortcuts prove runs the same test on any run, with several doses and more sheets."
    )
    document.table(
        ["test sheets", "share with a stain"],
        [["without a defect", effect.among_none], ["with a defect", effect.among_defects]],
        id=f"{slides.chapter}-shares",
        caption="Association of stains with the absence of defects",
        note="95 % intervals by Wilson's method.",
    )
    omitted = _write_groups(document, effect, slides) | _write_pasted(document, effect, slides)
    document.facts({"verdict": effect.proof.verdict})
    document.text(f"{effect.proof.because[0].upper()}{effect.proof.because[1:]}.")
    return {id_: reason for id_, reason in omitted.items() if id_ in slides.shown}


def _write_groups(document: Document, effect: StainEffect, slides: _Slides) -> Omitted:
    proof = effect.proof
    if proof.on_margins is None or proof.on_probabilities is None or proof.scores is None:
        document.text(f"{NO_STAINS.capitalize()}: a comparison of two groups is not possible.")
        return {slides.groups: NO_STAINS, slides.scores: NO_STAINS}
    examples = [
        ExampleSheet(title, np.asarray(gray))
        for pair in zip(effect.without, effect.with_it, strict=False)
        for gray, title in zip(pair, ("without", "with a stain"), strict=True)
    ]
    document.figure(
        draw_examples(examples),
        id=slides.groups,
        alt=f"{len(examples)} defect-free test sheets, without and with white stains.",
        caption="Defect-free sheets without (left) and with white stains (right).",
    )
    document.text(
        f"Scores of the class none for at most {EACH} sheets per group, as on the slides. H0: P(X > Y) ≥ "
        "P(Y > X), where X is a score without and Y one with stains; one-sided Mann-Whitney U test. "
        "The slides used probabilities in single precision; margins, the log odds of none in double "
        "precision, have no ties by saturation."
    )
    scores = proof.scores
    ticks = "single sheets" if scores.units == "sheets" else scores.units
    document.figure(
        draw_two_groups(
            {
                "probability of none": (scores.probability_without, scores.probability_with),
                "margin of none": (scores.margin_without, scores.margin_with),
            },
            ("without stains", "with stains"),
        ),
        id=slides.scores,
        alt="Probabilities and margins of none, without and with stains: Cliff's delta "
        f"{proof.on_margins.delta.estimate:.2f} on margins.",
        caption=f"Ticks: {ticks}; vertical lines: medians.",
    )
    write_test_table(
        document, proof.on_margins, proof.on_probabilities, id=f"{slides.chapter}-test", units=scores.units
    )
    below = (
        " The published value therefore comes from the exact distribution or from more sheets."
        if float(slides.p) < LEAST_NORMAL_P
        else ""
    )
    document.text(
        f"The slides report p < {slides.p} with {EACH} sheets per group. With groups of this size the normal "
        f"approximation gives no p below {LEAST_NORMAL_P} and the exact distribution none below 1e-29."
        f"{below} The p-value measures the evidence, Cliff's delta the size of the effect."
    )
    return {}


def _write_pasted(document: Document, effect: StainEffect, slides: _Slides) -> Omitted:
    proof = effect.proof
    if proof.pasted is None:
        reason = proof.notes[-1]
        document.text(f"{reason[0].upper()}{reason[1:]}.")
        return {slides.pasted: reason}
    write_paste(document, proof.nuisance, proof.suspected_class, proof.pasted, id=f"{slides.chapter}-paste")
    write_examples(document, list(effect.examples), id=slides.pasted)
    return {}
