"""The study's slides White-Stain Effect I to V, and episode II: beside its numbers, ours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from steelsight.reports.document import Document
from steelsight.reports.figures import ExampleSheet, draw_examples
from steelsight.reports.figures.shortcut.proof import draw_two_groups
from steelsight.shortcuts.prove.report import write_examples, write_paste, write_test_table
from steelsight.study.chapters.binary import Omitted
from steelsight.study.stains import EACH, NO_STAINS, StainEffect

__all__ = ["write_binary_stains", "write_multiclass_stains"]


@dataclass(frozen=True)
class _Slides:
    """What the slides say, and the ids of what they show."""

    chapter: str
    title: str
    p: str
    groups: str  # "" = not shown in the slides
    scores: str
    pasted: str

    @property
    def shown(self) -> tuple[str, ...]:
        """The ids the table of contents knows."""
        return tuple(id_ for id_ in (self.groups, self.scores, self.pasted) if not id_.startswith("more-"))


WHO_SAYS = {"truth": "the table of truth that came with the sheets", "detector": "a detector"}
LEAST_NORMAL_P = 3.5e-18  # of 50 a group that do not overlap, with continuity correction
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


def write_binary_stains(document: Document, looked: StainEffect | str) -> Omitted:
    """Slides I to V."""
    return _write(document, looked, BINARY)


def write_multiclass_stains(document: Document, looked: StainEffect | str) -> Omitted:
    """Episode II."""
    return _write(document, looked, MULTICLASS)


def _write(document: Document, looked: StainEffect | str, slides: _Slides) -> Omitted:
    document.chapter(slides.title, id=slides.chapter, status="done")
    if isinstance(looked, str):
        document.text(f"{looked[0].upper()}{looked[1:]}.")
        return dict.fromkeys(slides.shown, looked)
    document.text(
        "By eye, the study found that white stains go with the absence of defects, and that the network had "
        f"learnt it. Here {WHO_SAYS[looked.proof.source]} says which test sheets are stained. The command "
        "steelsight shortcuts prove does the same on any run, with doses and more sheets."
    )
    document.table(
        ["test sheets", "share with a stain"],
        [["without a defect", looked.among_none], ["with a defect", looked.among_defects]],
        id=f"{slides.chapter}-shares",
        caption="Do stains and soundness go together?",
        note="Wilson's intervals.",
    )
    omitted = _write_groups(document, looked, slides) | _write_pasted(document, looked, slides)
    document.facts({"verdict": looked.proof.verdict})
    document.text(f"{looked.proof.because[0].upper()}{looked.proof.because[1:]}.")
    return {id_: why for id_, why in omitted.items() if id_ in slides.shown}


def _write_groups(document: Document, looked: StainEffect, slides: _Slides) -> Omitted:
    proof = looked.proof
    if proof.on_margins is None or proof.on_probabilities is None or proof.scores is None:
        document.text(f"{NO_STAINS.capitalize()}: there are no two groups to compare.")
        return {slides.groups: NO_STAINS, slides.scores: NO_STAINS}
    examples = [
        ExampleSheet(title, np.asarray(gray))
        for pair in zip(looked.without, looked.with_it, strict=False)
        for gray, title in zip(pair, ("without", "with a stain"), strict=True)
    ]
    document.figure(
        draw_examples(examples),
        id=slides.groups,
        alt=f"{len(examples)} defect-free test sheets, without and with white stains.",
        caption="Defect-free sheets without (left) and with white stains (right).",
    )
    document.text(
        f"Scores for none of at most {EACH} sheets a group, as in the slides. H0: P(X > Y) ≥ P(Y > X), X "
        "without and Y with stains; one-sided Mann-Whitney U. Probabilities in single precision are what the "
        "slides scored; margins, the log odds of none in double precision, do not saturate into ties."
    )
    scores = proof.scores
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
        caption="Ticks: sheets; lines: medians.",
    )
    write_test_table(document, proof.on_margins, proof.on_probabilities, id=f"{slides.chapter}-test")
    beyond = " Theirs was exact, then, or of more sheets." if float(slides.p) < LEAST_NORMAL_P else ""
    document.text(
        f"The slides report p < {slides.p} with {EACH} sheets a group. With so many, the normal "
        f"approximation gives no p below {LEAST_NORMAL_P} and the exact distribution none below 1e-29."
        f"{beyond} A p says how sure, Cliff's delta how much."
    )
    return {}


def _write_pasted(document: Document, looked: StainEffect, slides: _Slides) -> Omitted:
    proof = looked.proof
    if proof.pasted is None:
        why = proof.notes[-1]
        document.text(f"{why[0].upper()}{why[1:]}.")
        return {slides.pasted: why}
    write_paste(document, proof.nuisance, proof.suspected_class, proof.pasted, id=f"{slides.chapter}-paste")
    write_examples(document, list(looked.examples), id=slides.pasted)
    return {}
