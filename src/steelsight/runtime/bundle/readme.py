"""Write the bundle's model card: Hugging Face Markdown with a YAML head, from its card.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steelsight.runtime.bundle.card import BundleCard
from steelsight.runtime.bundle.readme_figures import (
    adaptations_of,
    figure_lines,
    hub_lines,
    interval_words,
)

__all__ = ["README_FILE", "bundle_readme"]

README_FILE = "README.md"
HEADER = (
    "| precision | sheets | largest difference of a probability | 99th percentile | verdicts that agree "
    "| balanced accuracy lost, at most | maps' cosine, 5th percentile | ms a sheet, one core | passed |"
)
_FIGURES = {  # keys of an adaptation's figures
    "balanced_accuracy": "balanced accuracy",
    "shared": "balanced accuracy, classes of the bundle before",
    "defect_auc": "defect AUC",
    "log_loss": "log loss, of which less is better",
}
_EVIDENCE = {  # keys of an adaptation's scores of maps
    "place_head": "place head, which is not refitted",
    "grad_cam_before": "Grad-CAM of the bundle before",
    "grad_cam_after": "Grad-CAM of the new head",
}


def bundle_readme(card: BundleCard) -> str:
    """The model card: origin, parity, certificate, shortcuts, limits."""
    source = card.source
    labels = "classes and masks" if source.get("mask_supervised") else "classes alone"
    size = f"{card.input.height}x{card.input.width} ({card.input.fit})"
    lines = [
        *hub_lines(card),
        "",
        f"# {card.model}, {card.head} head, {card.precision}",
        "",
        f"Task {card.task}: {', '.join(card.class_names)}. Gray sheets of any size, resized to {size}. One "
        f"graph gives {_outputs(card)}. `steelsight bundle show` "
        "prints the model's id: a hash over every file of this folder, this one included.",
        "",
        "## Made from",
        "",
        f"Run `{source.get('run', '')}` on `{source.get('data', '')}` (hash "
        f"`{source.get('data_hash', '')}`), seed {source.get('seed', '')}; trained with {labels}."
        + _started_from(source),
        "",
        *_adaptations(card),
        *figure_lines(card),
        "## Agreement with the " + ("fitted head" if adaptations_of(card) else "trained model"),
        "",
        HEADER,
        "|---|---|---|---|---|---|---|---|---|",
        *(_row(name, trial) for name, trial in card.parity.items() if isinstance(trial, dict)),
        "",
        "## Certificate",
        "",
        f"{_temperature(card)} " + (_sentence(card.threshold_statement) or "No threshold is set."),
        "",
        *_thresholds(card),
        "",
        *_label_sets(card),
        "## Shortcuts",
        "",
        *_shortcuts(card),
        "",
        "## Limits",
        "",
        "The model covers the materials, cameras and defects of its training sheets. A certificate holds "
        "for sheets drawn as its calibration sheets were. The maps show the evidence for a class in this "
        "network, which need not be the defect."
        + (
            " `steelsight scan` says where its sheets are not drawn so, if it can tell."
            if card.certification
            else ""
        ),
        "",
        f"Made by steelsight {card.steelsight_version}.",
        "",
    ]
    return "\n".join(lines)


def _outputs(card: BundleCard) -> str:
    """The graph's outputs in words."""
    given = "logits, the signed Grad-CAM of each class"
    if card.graph.places is None:
        return f"{given} and an embedding"
    rows, columns = card.graph.places
    return (
        f"{given}, an embedding, and the evidence of its place head on a grid of {rows}x{columns} (`places`: "
        "log odds of each class against no defect at that place, learnt from masks), in which regions are "
        "found"
    )


def _started_from(source: Mapping[str, Any]) -> str:
    """The run whose weights the training started from, where it is one."""
    entries = source.get("started_from")
    if not isinstance(entries, list) or not entries or not isinstance(entries[-1], dict):
        return ""
    last = entries[-1]
    return f" It started from the weights of run `{last.get('run')}` on `{last.get('data_name')}`."


def _adaptations(card: BundleCard) -> list[str]:
    lines = []
    for entry in adaptations_of(card):
        counts = ", ".join(f"{name} {count}" for name, count in entry["by_class"].items())
        several = f", {entry['several_types']} of several types" if entry["several_types"] else ""
        folders = " and ".join(f"`{folder['name']}`" for folder in entry["data"])
        changes = [
            f"{words} {', '.join(entry[key])}"
            for key, words in (
                ("new_classes", "new classes"),
                ("dropped_classes", "left out"),
                ("renamed", "renamed"),
            )
            if entry[key]
        ]
        lines += [
            "## Adapted",
            "",
            f"A linear head on averages and maxima of the last feature map, fitted to {entry['sheets']} "
            f"labelled sheets of {folders} ({counts}{several}), in {entry['groups']} groups; penalty "
            f"C = {entry['penalty']:g}. The network below it is that of bundle `{entry['from_model_id']}`."
            + "".join(f" {words[:1].upper()}{words[1:]}." for words in changes),
            "",
            "| figure, by nested cross-validation | bundle before | new head | gain |",
            "|---|---|---|---|",
            *(
                f"| {words} | {' | '.join(interval_words(each[which]) for which in ('own', 'new', 'gain'))} |"
                for key, words in _FIGURES.items()
                if (each := entry["cross_validated"].get(key))
            ),
            "",
            *_maps_on_masks(entry.get("maps_on_masks")),
            f"{entry['maps']}. Shortcuts that were tested on an earlier head say nothing of this one.",
            "",
            *(f"- {_sentence(str(note))}" for note in entry.get("notes", [])),
            *([""] if entry.get("notes") else []),
        ]
    return lines


def _maps_on_masks(found: dict[str, Any] | None) -> list[str]:
    """How often the strongest place of the true class lies in the mask, before and after."""
    if not found:
        return []
    rows = [
        f"| {words} | {each['inside']} of {found['sheets']} | {interval_words(each)} |"
        for key, words in _EVIDENCE.items()
        if (each := found[key])
    ]
    return [
        f"Centre of the strongest place of the true class inside the mask, on {found['sheets']} labelled "
        "sheets that were left out of the fit:",
        "",
        "| evidence | inside | share |",
        "|---|---|---|",
        *rows,
        "",
    ]


def _row(name: str, trial: dict[str, Any]) -> str:
    first = trial["engines"][0]
    loss = first["loss"]
    speed = trial["ms_a_sheet"]
    broken = "; ".join(words.partition(": ")[2] for words in trial["broken"])
    cells = [
        name,
        str(first["sheets"]),
        f"{first['largest']:.2g}",
        f"{first['p99']:.2g}",
        f"{first['agreement']:.2%}",
        "" if loss is None else f"{loss['high']:.4f}",
        f"{first['cosine_p5']:.4f}",
        "" if speed is None else f"{speed:.2f}",
        "yes" if trial["passed"] else f"no: {broken}",
    ]
    return f"| {' | '.join(cells)} |"


def _shortcuts(card: BundleCard) -> list[str]:
    searched = [f"Searched with `steelsight shortcuts find`. {card.shortcut_search}", ""]
    if not card.shortcut_search:
        searched = []
    if not card.shortcuts:
        none = "No shortcut was proven or refuted by a test; see `steelsight shortcuts prove`."
        return (
            [*searched, none]
            if searched
            else ["No shortcut was tested; see `steelsight shortcuts find` and `prove`."]
        )
    return searched + [
        f"- {each.nuisance} → {each.suspect}: **{each.verdict}** on `{each.data}`; {each.because}."
        for each in card.shortcuts
    ]


def _temperature(card: BundleCard) -> str:
    """At which temperature this bundle's probabilities are computed, and those of `explain` on its run."""
    words = (
        f"Temperature {card.temperature:.4g}, fitted on the outputs of this bundle's engine and precision."
        if card.temperature != 1
        else "Temperature 1: none that was fitted is better on other sheets."
    )
    if adaptations_of(card):
        return f"Temperature {card.temperature:.4g}, fitted on sheets left out of the fit."
    if "temperature_from" not in card.source:  # a bundle of an older version
        return words
    of_run = f"{card.source['temperature']:.4g}"
    if of_run == f"{card.temperature:.4g}":
        return f"{words} `steelsight explain` on the run uses the same ({card.source['temperature_from']})."
    return (
        f"{words} `steelsight explain` on the run uses {of_run} "
        f"({card.source['temperature_from']}), so its probabilities differ from those of this bundle; a "
        "temperature never changes which class is the most probable."
    )


def _thresholds(card: BundleCard) -> list[str]:
    sentences = []
    if card.threshold is not None:
        sentences.append(f"Below a confidence of {card.threshold:g} the verdict is `doubtful`.")
    if card.familiarity is not None:
        sentences.append(
            f"Farther than {card.familiarity.limit:.3g} from the training sheets the verdict is "
            "`unknown_input`; of sheets drawn as the calibration sheets at most "
            f"{1 - card.familiarity.kept:.1%} lie there, in the mean."
        )
    return sentences


def _label_sets(card: BundleCard) -> list[str]:
    """Which classes a doubtful sheet may be, what is promised of it, and which classes need more sheets."""
    sets = card.label_sets
    if sets is None:
        return []
    rows = [
        f"| {name} | {count} | {f'{least:.3g}' if not more else f'always named; {more} more sheets needed'} |"
        for name, count, least, more in zip(
            card.class_names, sets.sheets, sets.least, sets.needed, strict=True
        )
    ]
    return [
        "## Label sets",
        "",
        "A verdict also names the classes that the sheet may be, such as `type 1 or type 3`: the most "
        "probable one, and every class from a probability of its own on. Of the familiar sheets of each "
        f"class, at least {sets.coverage:.0%} have it in their set, in the mean over calibrations. This "
        "counts decided and doubtful sheets together, is for sheets of one type, and holds for sheets drawn "
        "as the certification sheets were.",
        "",
        "| class | certification sheets, one a group | named from a probability of |",
        "|---|---|---|",
        *rows,
        "",
    ]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "." if text else ""
