"""Searches a run for shortcuts without nuisance labels.

Three parts: properties associated with the margins, clusters of explanations, common properties of mistakes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Int

from steelsight.counterfactuals.nuisances.file_properties import measure_files
from steelsight.counterfactuals.nuisances.properties import Property, measure_pixels
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.errors import BadData
from steelsight.models.card import Card
from steelsight.models.catalog import SheetClassifier
from steelsight.runs.opening.open import open_run, refuse_multilabel
from steelsight.shortcuts.find.association import PERMUTATIONS, differs_within
from steelsight.shortcuts.find.changes import picture_changes
from steelsight.shortcuts.find.clusters import Cluster, cluster_reasons, pool_maps
from steelsight.shortcuts.find.concepts import Concept, find_concepts
from steelsight.shortcuts.find.forward import ForwardPass, forward
from steelsight.shortcuts.find.mistakes import MistakeGroup, compare_mistakes
from steelsight.shortcuts.find.options import SearchOptions
from steelsight.shortcuts.find.ranking import Candidate, ModelEvidence, rank_candidates
from steelsight.shortcuts.find.stamp_changes import stamp_changes
from steelsight.shortcuts.sheets import proof_sheets
from steelsight.streams import stream
from steelsight.training.dataset import SheetData
from steelsight.training.predict import predict_logits
from steelsight.types import SheetItem

__all__ = ["SearchResult", "find_shortcuts", "rank_properties"]

DEFAULT = SearchOptions()

Say = Callable[[str], None]


@dataclass(frozen=True)
class SearchResult:
    """The result of a search on some sheets."""

    evidence: ModelEvidence
    outputs: ForwardPass
    candidates: tuple[Candidate, ...]  # ranked
    clusters: tuple[Cluster, ...]
    mistakes: tuple[MistakeGroup, ...]
    notes: tuple[str, ...] = ()  # limits of the figures, in words

    @property
    def findings(self) -> tuple[Candidate, ...]:
        """The candidates that passed every step."""
        return tuple(each for each in self.candidates if each.status == "finding")


def find_shortcuts(
    run: Path,
    data: Path,
    options: SearchOptions = DEFAULT,
    *,
    say: Say = lambda _text: None,
) -> tuple[SearchResult, Card]:
    """Search a run for shortcuts on the sheets of one part of DATA.

    say     called with a description of each step
    raises  BadInput for multilabel; BadData where classes differ, or no sheet is left
    """
    say("opening the sheets")
    opened = open_run(run, data, options, check=partial(refuse_multilabel, run))
    sheets = opened.data
    rows = opened.choose(options.split)
    chosen, notes = _sample(rows, sheets, options.limit, stream(options.seed, "search-sheets"))
    result = _search(
        opened.model,
        proof_sheets(sheets, chosen, root=data),
        [sheets.items[i] for i in chosen.tolist()],
        options,
        say,
    )
    return replace(result, notes=(*opened.notes(options.split), *notes, *result.notes)), opened.card


def _search(
    model: SheetClassifier,
    sheets: ProofSheets,
    items: Sequence[SheetItem],
    options: SearchOptions,
    say: Say,
) -> SearchResult:
    rng = stream(options.seed, "search")
    say(f"predicting {len(sheets)} sheets")
    outputs = forward(model, sheets.images)
    evidence = ModelEvidence(sheets, outputs.logits)
    say("measuring properties")
    properties = [*measure_pixels(sheets.images, sheets.defects()), *measure_files(items)]
    candidates, concepts = rank_properties(
        model, evidence, properties, rng=rng, segments=options.segments, say=say
    )
    measured = [*properties, *(concept.property for concept in concepts)]
    constant = [item for item in measured if not differs_within(item.values, sheets.labels)]
    varying = [item for item in properties if differs_within(item.values, sheets.labels)]
    say("clustering explanations")
    maps, verdicts = outputs.verdict_maps, outputs.logits.argmax(1)
    clusters = cluster_reasons(pool_maps(maps), outputs.embeddings, verdicts, sheets.labels, varying, rng=rng)
    mistakes = compare_mistakes(evidence, maps, varying, rng=rng)
    notes = tuple(_describe_limits(sheets, constant, len(measured)))
    return SearchResult(evidence, outputs, candidates, tuple(clusters), mistakes, notes)


def rank_properties(
    model: SheetClassifier,
    evidence: ModelEvidence,
    properties: Sequence[Property],
    *,
    rng: np.random.Generator,
    segments: str = "slic",
    permutations: int = PERMUTATIONS,
    say: Say = lambda _text: None,
) -> tuple[tuple[Candidate, ...], tuple[Concept, ...]]:
    """Rank measured properties, and the concepts cut from the sheets, as candidates for a shortcut.

    properties    one value per sheet of `evidence`
    segments      how sheets are cut into concepts, see explanations.lime.segments
    permutations  of the association test
    raises        BadData where no class has sheets of two groups
    """
    sheets = evidence.sheets
    say("cutting concepts")
    concepts = find_concepts(sheets.images, sheets.defects(), rng=rng, kind=segments)
    changes = picture_changes(properties) | stamp_changes(sheets, properties, concepts, rng=rng)
    measured = [*properties, *(concept.property for concept in concepts)]
    varying = sum(differs_within(item.values, sheets.labels) for item in measured)
    say(f"comparing {varying} of {len(measured)} candidates, those that vary within a class")
    candidates = rank_candidates(
        evidence,
        measured,
        lambda images: predict_logits(model, images),
        changes,
        rng=rng,
        permutations=permutations,
    )
    return candidates, tuple(concepts)


def _describe_limits(sheets: ProofSheets, constant: Sequence[Property], measured: int) -> list[str]:
    """What could not be measured or compared, in words.

    constant  properties that do not vary within any class
    measured  all that were measured
    """
    notes = []
    unlocated = int((~sheets.located).sum())
    if unlocated:
        notes.append(
            f"{unlocated} defective sheets have no mask: properties measured on them include the defect, and "
            "nothing is pasted on them"
        )
    counts = np.bincount(sheets.labels, minlength=len(sheets.class_names))
    missing = [name for name, count in zip(sheets.class_names, counts.tolist(), strict=True) if not count]
    if missing:
        notes.append(
            f"no sheet of {', '.join(missing)}: associations with these classes cannot be measured, so no "
            "candidate that indicates them can be a finding; bring sheets of every class"
        )
    if constant:
        titles = "; ".join(item.title for item in constant)
        notes.append(
            f"{len(constant)} of {measured} candidates are not compared, because they do not vary within any "
            f"class: {titles}"
        )
    return notes


def _sample(
    rows: Int[np.ndarray, " m"], sheets: SheetData, limit: int, rng: np.random.Generator
) -> tuple[Int[np.ndarray, " k"], list[str]]:
    """At most `limit` sheets of one class each."""
    single = rows[np.asarray(sheets.labelled.labels)[rows] >= 0]
    notes = []
    if single.size < rows.size:
        notes.append(f"{rows.size - single.size} sheets of several types were left out")
    if not single.size:
        raise BadData(f"{sheets.name}: expected sheets of one class, found none among {rows.size}")
    if single.size > limit:
        notes.append(f"{limit} of {single.size} sheets, drawn at random")
        single = np.sort(rng.permutation(single)[:limit])
    return single, notes
