"""From a BUNDLE and labelled sheets to a BUNDLE with a head of its own, or the reason why there is none."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from steelsight.adaptation.calibrate import (
    HeadCalibration,
    HeadFamiliarity,
    calibrate_head,
    fit_familiarity,
)
from steelsight.adaptation.certify import certify_sample, refuse_fitted, sample_facts
from steelsight.adaptation.classes import (
    ClassPlan,
    as_they_look,
    note_plan,
    plan_classes,
    read_renames,
    refuse_multilabel,
    refuse_unknown_renames,
)
from steelsight.adaptation.compare import HeadComparison, compare_heads, log_losses, own_probabilities
from steelsight.adaptation.features import GRAPH_FILE, PooledFeatures, read_features
from steelsight.adaptation.graph import KeptPlaces, head_graph
from steelsight.adaptation.head import AdaptedHead
from steelsight.adaptation.means import kept_means
from steelsight.adaptation.nested import FitSheets, NestedScores, fit_best, nested_scores
from steelsight.adaptation.options import AdaptOptions
from steelsight.adaptation.parity import HeadTrials, compare_precisions, parity_record, probe_arrays
from steelsight.adaptation.pointing import MapHits, score_maps
from steelsight.adaptation.sheets import (
    LabelledSheets,
    SheetLabels,
    label_by_plan,
    label_sample,
    read_folders,
)
from steelsight.adaptation.stages import Stage
from steelsight.adaptation.suitable import (
    note_trained_on,
    refuse_refitted,
    refuse_trained_on,
    refuse_unsuitable,
)
from steelsight.errors import AdaptationRefused, BadRecipe
from steelsight.evaluation.probabilities import softmax
from steelsight.files import pack_arrays
from steelsight.groups import group_keys
from steelsight.plain import plain
from steelsight.runtime.bundle.card import BundleCard, TrainingStatistics
from steelsight.runtime.bundle.open import PROBES_FILE, Bundle, open_bundle
from steelsight.runtime.bundle.readme import README_FILE, bundle_readme
from steelsight.runtime.bundle.seen import SEEN_FILE, picture_marks
from steelsight.runtime.bundle.writer import describe_files, refuse_replacing, write_bundle
from steelsight.runtime.drift import gray_statistics, training_statistics
from steelsight.runtime.engine.engine import Outputs, decide, open_engine
from steelsight.version import __version__

__all__ = ["Adapted", "adapt_bundle"]

_DEFAULTS: Final = AdaptOptions()
_MAPS: Final = (
    "Grad-CAM of all classes is exact for the new head; it does not sum to the logit, because the head takes "
    "maxima too"
)


@dataclass(frozen=True, eq=False)
class Adapted:
    """A written bundle and what it was decided on."""

    folder: Path
    card: BundleCard
    comparison: HeadComparison
    maps: MapHits | None  # against masks; None = too few sheets have one
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Fitted:
    """The labelled sheets, and everything that was fitted to them."""

    sheets: LabelledSheets
    labels: SheetLabels
    plan: ClassPlan
    fit: FitSheets
    scores: NestedScores
    comparison: HeadComparison
    head: AdaptedHead
    penalty: float
    calibration: HeadCalibration
    familiarity: HeadFamiliarity
    means: tuple[str, ...]  # classes of the bundle's means of training sheets that stay
    hits: MapHits | None
    notes: tuple[str, ...]


def adapt_bundle(
    bundle: Path,
    data: Path,
    out: Path,
    options: AdaptOptions = _DEFAULTS,
    *,
    note: Callable[[Stage], None] = lambda _: None,
) -> Adapted:
    """Fit a head to labelled sheets, compare it with the bundle's own, and write a bundle with it.

    out     BUNDLE folder; must not exist, or be a bundle, which is replaced
    note    called as each stage begins
    raises  AdaptationRefused where the new head is not better; ParityRefused where the written graph does not
            answer as the head; BadData for labels that cannot be used; BadRecipe, BadBundle, BadOutput
    """
    if not 0 < options.risk < 1 or not 0 < options.delta < 1:
        raise BadRecipe(
            f"--risk, --delta: expected shares above 0 and below 1, got {options.risk} and {options.delta}"
        )
    refuse_replacing(out)  # before minutes of fitting
    opened = open_bundle(bundle)
    refuse_multilabel(opened.card, str(bundle))
    note(Stage("reading"))
    renames = read_renames(options.rename, opened.card)
    sheets = read_folders(
        (data, *options.also), opened.card.input, options, as_they_look(renames, opened.card)
    )
    refuse_unknown_renames(renames, sheets.known, opened.card)
    fitted = _fit(opened, sheets, options, note)
    sample = _read_sample(opened, fitted, options)
    if sample is not None:
        fitted = replace(fitted, notes=(*fitted.notes, *sample[0].notes))
    note(Stage("graph"))
    graph = head_graph(
        opened.files[GRAPH_FILE],
        str(opened.folder / GRAPH_FILE),
        fitted.head,
        grid=opened.card.graph.grid,
        places=_kept_places(opened.card, fitted.plan),
    )
    draft = _draft(opened, fitted, {GRAPH_FILE: graph})
    note(Stage("parity"))
    new = Bundle(out, draft, {GRAPH_FILE: graph}, None)
    trials = compare_precisions(
        opened,
        new,
        fitted.head,
        fitted.plan.own,
        fitted.sheets,
        fitted.labels,
        probes=options.probes,
        seed=options.seed,
    )
    fitted = replace(fitted, notes=(*fitted.notes, *trials.notes))
    return _finish(opened, fitted, sample, graph, draft, trials, out, options)


def _fit(
    opened: Bundle, sheets: LabelledSheets, options: AdaptOptions, note: Callable[[Stage], None]
) -> _Fitted:
    card = opened.card
    found = list(dict.fromkeys(name for types in sheets.types for name in types))
    plan = plan_classes(card, sorted(found), not all(sheets.types), sheets.clean_name, options)
    sheets, labels = label_by_plan(sheets, plan, binary=card.task == "binary")
    refuse_unsuitable(sheets, labels, plan)
    refuse_refitted(sheets, card, str(opened.folder))
    note(Stage("network", len(sheets.ids)))
    features = read_features(opened, sheets.images)
    fit = FitSheets(features.pooled, labels.shares(len(plan.names)), sheets.groups)
    note(Stage("cross-validation"))
    scores = nested_scores(fit, folds=options.folds, repeats=options.repeats, seed=options.seed)
    comparison = _compare(features, scores, labels, plan, sheets, card, options.seed)
    if comparison.reasons:
        raise AdaptationRefused(
            f"{opened.folder}: a head fitted to {len(sheets.ids)} sheets is not better than its own: "
            f"{'; '.join(comparison.reasons)}; nothing was written; label more sheets, or keep it",
            comparison=comparison.as_dict(),
        )
    head, penalty = fit_best(fit, folds=options.folds, seed=options.seed)
    calibration = calibrate_head(
        scores, labels, sheets.groups, risk=options.risk, delta=options.delta, seed=options.seed
    )
    before, means = kept_means(opened, plan)
    familiarity = fit_familiarity(features.embedding, fit, scores, before)
    return _Fitted(
        sheets,
        labels,
        plan,
        fit,
        scores,
        comparison,
        head,
        penalty,
        calibration,
        familiarity,
        means,
        score_maps(opened, features, scores, sheets, labels, plan),
        (*sheets.notes, *note_plan(plan, card, found), *note_trained_on(sheets, opened)),
    )


def _compare(
    features: PooledFeatures,
    scores: NestedScores,
    labels: SheetLabels,
    plan: ClassPlan,
    sheets: LabelledSheets,
    card: BundleCard,
    seed: int,
) -> HeadComparison:
    own = own_probabilities(features.logits, plan, card.temperature)
    new = np.stack([softmax(each) for each in scores.logits])
    losses = log_losses(features.logits, scores, labels, plan)
    return compare_heads(labels, own[None], new, plan, sheets.groups, seed, losses)


def _kept_places(card: BundleCard, plan: ClassPlan) -> KeptPlaces | None:
    grid = card.graph.places
    return None if grid is None else KeptPlaces(grid, len(card.class_names), plan.own)


def _read_sample(
    opened: Bundle, fitted: _Fitted, options: AdaptOptions
) -> tuple[LabelledSheets, SheetLabels] | None:
    """The sheets of the certificate; raises BadData where the head or the network was fitted to some."""
    if options.certify is None:
        return None
    card, plan = opened.card, fitted.plan
    sheets = read_folders(
        (options.certify,), card.input, options, as_they_look(read_renames(options.rename, card), card)
    )
    refuse_trained_on(sheets, opened, options.certify)
    missing = refuse_fitted(sheets, fitted.sheets, options.certify)
    name = sheets.folders[0].name
    sheets = replace(sheets, notes=tuple(f"{name}: {note}" for note in (*sheets.notes, *missing)))
    return sheets, label_sample(sheets, plan, binary=card.task == "binary")


def _draft(opened: Bundle, fitted: _Fitted, files: dict[str, bytes]) -> BundleCard:
    """The card before the certificate."""
    card, plan = opened.card, fitted.plan
    clean = card.defect_free_class if card.task == "binary" else plan.clean
    return BundleCard(
        task=card.task,
        class_names=plan.names,
        defect_free_class=clean,
        model=card.model,
        head="adapted, average and maximum",
        input=card.input,
        graph=card.graph,
        precision="f32",
        files=describe_files(files),
        temperature=fitted.calibration.temperature,
    )


def _finish(
    opened: Bundle,
    fitted: _Fitted,
    sample: tuple[LabelledSheets, SheetLabels] | None,
    graph: bytes,
    draft: BundleCard,
    trials: HeadTrials,
    out: Path,
    options: AdaptOptions,
) -> Adapted:
    statistics = fitted.familiarity.statistics
    arrays = {"means": statistics.means, "whitening": statistics.whitening}
    files = {GRAPH_FILE: graph, "familiarity.npz": pack_arrays(arrays)}
    if SEEN_FILE in opened.files:  # the network is the same
        files[SEEN_FILE] = opened.files[SEEN_FILE]
    if options.probes:
        files[PROBES_FILE] = probe_arrays(trials, fitted.sheets, fitted.labels, options.probes)
    draft = draft.model_copy(
        update={
            "precision": trials.precision,
            "familiarity": fitted.familiarity.facts,
            "files": describe_files(files),
        }
    )
    bundle = Bundle(out, draft, files, statistics)
    outputs = None if sample is None else open_engine(bundle)(sample[0].images)
    facts = _threshold(fitted, sample, outputs, options)
    source = dict(opened.card.source)
    earlier = source.get("adapted")
    entry = _history(opened, fitted, sample, options)
    source["adapted"] = [*(earlier if isinstance(earlier, list) else []), entry]
    if options.license is not None:
        source["license"] = options.license
    usual = None
    if sample is not None and outputs is not None:
        usual = _usual(draft.model_copy(update=facts), fitted, sample[0], outputs).model_dump()
        facts |= sample_facts(outputs, draft, fitted.familiarity, sample, options.seed)
    finished = BundleCard.model_validate(
        draft.model_dump() | facts | {"parity": parity_record(trials), "source": source, "usual": usual}
    )
    files[README_FILE] = bundle_readme(finished).encode()
    finished = finished.model_copy(update={"files": describe_files(files)})
    written = write_bundle(out, finished, files)
    return Adapted(out, written, fitted.comparison, fitted.hits, fitted.notes)


def _threshold(
    fitted: _Fitted,
    sample: tuple[LabelledSheets, SheetLabels] | None,
    outputs: Outputs | None,
    options: AdaptOptions,
) -> dict[str, Any]:
    """The card's threshold: certified on the sample, or else estimated."""
    calibration, risk, delta = fitted.calibration, options.risk, options.delta
    estimated = {"threshold": calibration.threshold, "threshold_by": "cross-validation"}
    if sample is None or outputs is None:
        return estimated | {"threshold_statement": calibration.statement(risk, delta)}
    sheets, labels = sample
    found = certify_sample(
        outputs,
        labels,
        sheets,
        calibration.temperature,
        fitted.familiarity,
        risk=risk,
        delta=delta,
        seed=options.seed,
    )
    missing = "; near-duplicates were not looked for, see the notes" if sheets.notes else ""
    if found.threshold is None:
        words = f"not certified: {found.statement}, on the {len(sheets.ids)} sheets of --certify{missing}; "
        return estimated | {"threshold_statement": words + calibration.estimate(risk)}
    return {
        "threshold": found.threshold,
        "threshold_by": "certificate",
        "threshold_statement": (
            f"{found.statement}; on {len(sheets.ids)} sheets drawn at random or by audit{missing}"
        ),
    }


def _usual(card: BundleCard, fitted: _Fitted, sample: LabelledSheets, outputs: Outputs) -> TrainingStatistics:
    """Statistics of the sheets drawn at random, which alone are like those of the line."""
    decisions = decide(outputs, card, fitted.familiarity.statistics)
    mean, spread = gray_statistics(sample.images)
    return training_statistics(
        mean,
        spread,
        decisions.confidence,
        decisions.distance,
        decisions.labels,
        card.class_names,
        groups=len(set(group_keys(sample.groups))),
    )


def _history(
    opened: Bundle,
    fitted: _Fitted,
    sample: tuple[LabelledSheets, SheetLabels] | None,
    options: AdaptOptions,
) -> dict[str, Any]:
    """The card's record of one adaptation."""
    sheets, labels, plan = fitted.sheets, fitted.labels, fitted.plan
    counts = Counter(labels.labels[labels.single].tolist())
    values: dict[str, Any] = plain(
        {
            "from_model_id": opened.card.model_id,
            "from_card_sha256": hashlib.sha256(opened.card_text).hexdigest(),
            "steelsight_version": __version__,
            "data": [asdict(folder) for folder in sheets.folders],
            "sheets": len(sheets.ids),
            "several_types": int((~labels.single).sum()),
            "by_class": {name: counts[number] for number, name in enumerate(plan.names)},
            "groups": len(set(group_keys(sheets.groups))),
            "new_classes": list(plan.new),
            "dropped_classes": list(plan.dropped),
            "renamed": list(options.rename),
            "penalty": fitted.penalty,
            "penalties_of_folds": list(fitted.scores.penalties),
            "folds": len(fitted.scores.folds),
            "repeats": options.repeats,
            "seed": options.seed,
            "cross_validated": fitted.comparison.as_dict(),
            "estimated": asdict(fitted.calibration),
            "certified_on": None if sample is None else [asdict(folder) for folder in sample[0].folders],
            # Of familiarity.npz: means of training sheets that stay, then those of the labelled classes.
            "means": [*fitted.means, *plan.names],
            "means_of_labelled": len(plan.names),
            "maps": _MAPS,
            "maps_on_masks": None if fitted.hits is None else fitted.hits.as_dict(),
            "pictures": picture_marks(sheets.images),
            "notes": list(fitted.notes),
        }
    )
    return values
