"""Looks for shortcuts without nuisance labels: what margins go with, kinds of reasons, shared mistakes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Int

from steelsight.errors import BadData, BadInput
from steelsight.models.card import Card
from steelsight.models.catalog import SheetClassifier
from steelsight.runs.open import open_run, refuse_multilabel
from steelsight.sheets.options import DataOptions
from steelsight.shortcuts.find.association import PERMUTATIONS, differs_within
from steelsight.shortcuts.find.changes import picture_changes
from steelsight.shortcuts.find.clusters import Cluster, cluster_reasons, pool_maps
from steelsight.shortcuts.find.concepts import Concept, find_concepts
from steelsight.shortcuts.find.forward import ForwardPass, forward
from steelsight.shortcuts.find.mistakes import MistakeGroup, compare_mistakes
from steelsight.shortcuts.find.ranking import Candidate, ModelEvidence, rank_candidates
from steelsight.shortcuts.find.stamp_changes import stamp_changes
from steelsight.shortcuts.nuisances.file_properties import measure_files
from steelsight.shortcuts.nuisances.properties import Property, measure_pixels
from steelsight.shortcuts.sheets import ProofSheets, proof_sheets
from steelsight.streams import stream
from steelsight.training.dataset import SheetData
from steelsight.training.predict import predict_logits
from steelsight.types import SheetItem

__all__ = ["LIMIT", "SearchResult", "compare", "find_shortcuts", "search"]

LIMIT = 2000  # sheets looked at, drawn at random: effects above LEAST_EFFECT need no more

Say = Callable[[str], None]


@dataclass(frozen=True)
class SearchResult:
    """Everything a search found."""

    evidence: ModelEvidence
    looked: ForwardPass
    suspects: tuple[Candidate, ...]
    concepts: tuple[Concept, ...]
    clusters: tuple[Cluster, ...]
    mistakes: tuple[MistakeGroup, ...]
    notes: tuple[str, ...] = ()  # what a reader of the figures must know

    @property
    def findings(self) -> tuple[Candidate, ...]:
        """Those that passed every step."""
        return tuple(each for each in self.suspects if each.status == "finding")


def find_shortcuts(
    run: Path,
    data: Path,
    *,
    part: str = "test",
    limit: int = LIMIT,
    groups: str | None = None,
    allow_bad: int = 0,
    seed: int = 0,
    segments: str = "slic",
    say: Say = lambda _text: None,
) -> tuple[SearchResult, Card, SheetData]:
    """Search on the sheets of one part of DATA.

    part      test, validation, train, unseen or all, as for evaluate
    groups    rule that keeps sheets together; None = as the folder has them
    segments  how sheets are cut for concepts, see explanations.segments
    raises    BadInput for multilabel; BadData where classes differ, or no sheet is left
    """
    if limit < 1:
        raise BadInput(f"--limit: expected at least 1 sheet, got {limit}")
    say("opening the sheets")
    opened = open_run(run, data, DataOptions(groups, allow_bad), check=partial(refuse_multilabel, run))
    sheets = opened.data
    chosen, notes = _sample(opened.choose(part), sheets, limit, stream(seed, "search-sheets"))
    found = search(
        opened.model,
        proof_sheets(sheets, chosen, root=data),
        [sheets.items[i] for i in chosen.tolist()],
        rng=stream(seed, "search"),
        segments=segments,
        notes=(*opened.seen.notes(part), *notes),
        say=say,
    )
    return found, opened.card, sheets


def search(
    model: SheetClassifier,
    sheets: ProofSheets,
    items: Sequence[SheetItem] = (),
    *,
    rng: np.random.Generator,
    segments: str = "slic",
    permutations: int = PERMUTATIONS,
    extra: Sequence[Property] = (),
    notes: Sequence[str] = (),
    say: Say = lambda _text: None,
) -> SearchResult:
    """Search on sheets at hand.

    items  their files, for what these tell; () = there are none
    extra  further candidates, such as columns of a table
    """
    say(f"asking the model about {len(sheets)} sheets")
    looked = forward(model, sheets.images)
    evidence = ModelEvidence(sheets, looked.logits)
    say("measuring properties")
    properties = [*measure_pixels(sheets.images, sheets.defects()), *measure_files(items), *extra]
    suspects, concepts = compare(
        model, evidence, properties, rng=rng, segments=segments, permutations=permutations, say=say
    )
    candidates = [*properties, *(concept.property for concept in concepts)]
    same = [each for each in candidates if not differs_within(each.values, sheets.labels)]
    telling = [each for each in properties if differs_within(each.values, sheets.labels)]
    say("clustering reasons")
    own = looked.verdict_maps
    verdicts = looked.logits.argmax(1)
    clusters = cluster_reasons(pool_maps(own), looked.embeddings, verdicts, sheets.labels, telling, rng=rng)
    mistakes = compare_mistakes(evidence, own, telling, rng=rng)
    told = (*notes, *_tell_limits(sheets, same))
    return SearchResult(evidence, looked, suspects, concepts, tuple(clusters), mistakes, told)


def compare(
    model: SheetClassifier,
    evidence: ModelEvidence,
    properties: Sequence[Property],
    *,
    rng: np.random.Generator,
    segments: str = "slic",
    permutations: int = PERMUTATIONS,
    say: Say = lambda _text: None,
) -> tuple[tuple[Candidate, ...], tuple[Concept, ...]]:
    """Rank properties that were measured, and the concepts cut from the sheets."""
    sheets = evidence.sheets
    say("cutting concepts")
    concepts = find_concepts(sheets.images, sheets.defects(), rng=rng, kind=segments)
    changes = picture_changes(properties) | stamp_changes(sheets, properties, concepts, rng=rng)
    candidates = [*properties, *(concept.property for concept in concepts)]
    say(f"comparing {len(candidates)} candidates")
    suspects = rank_candidates(
        evidence,
        candidates,
        lambda images: predict_logits(model, images),
        changes,
        rng=rng,
        permutations=permutations,
    )
    return suspects, tuple(concepts)


def _tell_limits(sheets: ProofSheets, same: Sequence[Property]) -> list[str]:
    """What could not be measured, or not compared."""
    told = []
    unlocated = int((~sheets.located).sum())
    if unlocated:
        told.append(
            f"{unlocated} defective sheets have no mask: what is measured on them includes the defect, and "
            "nothing is pasted on them"
        )
    counts = np.bincount(sheets.labels, minlength=len(sheets.class_names))
    missing = [name for name, count in zip(sheets.class_names, counts.tolist(), strict=True) if not count]
    if missing:
        told.append(
            f"no sheet of {', '.join(missing)}: what goes with these classes cannot be told, so nothing that "
            "speaks for them can be a finding; bring sheets of every class"
        )
    if same:
        titles = "; ".join(each.title for each in same)
        told.append(f"not compared, for in no class do two sheets differ in it: {titles}")
    return told


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
