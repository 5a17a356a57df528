"""Probes and maps as figures, tables and text, for the report of `inspect layers` and for the study."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from matplotlib.figure import Figure

from steelsight.evaluation.intervals.bounds import SAME_EVERYWHERE
from steelsight.inspection.probes.controls import IMAGENET, NETS, RANDOM, SHUFFLED, TRAINED
from steelsight.inspection.probes.embedding import AXES, NEIGHBOURS
from steelsight.inspection.probes.layers import INPUT
from steelsight.inspection.probes.outputs import KINDS, Kind
from steelsight.inspection.probes.separability import PERMUTATIONS, ProbeCurve, Separability
from steelsight.inspection.probes.trends import features_end, rise, trend
from steelsight.plain import plain
from steelsight.reports.cells import Cell, Column, Value, cell_text
from steelsight.reports.document import Document
from steelsight.reports.figures import draw_layer_maps, draw_probe_curves
from steelsight.types import Interval

__all__ = [
    "describe_layers",
    "describe_lengths",
    "layers_json",
    "maps_figure",
    "probes_figure",
    "write_maps",
    "write_probes",
]


def probes_figure(results: Separability, title: str = "") -> Figure:
    """Accuracy by layer, as in the slides, with the controls."""
    names = [layer.name for layer in results.layers]
    head = next((number for number, name in enumerate(names) if name.startswith("head")), None)
    panels = {
        text: {NETS[net]: results.curves[net, kind].accuracy for net in results.nets}
        for kind, text in KINDS.items()
    }
    titles = [layer.title for layer in results.layers]
    return draw_probe_curves(panels, titles, chance=results.majority, head=head, title=title)


def maps_figure(results: Separability) -> Figure:
    """A t-SNE map a layer."""
    first = results.maps[0]
    labels = results.sheets.judge_labels[first.rows]
    return draw_layer_maps(
        results.maps, labels, results.sheets.class_names, note=_map_note(results), clean=results.sheets.clean
    )


def write_maps(document: Document, results: Separability, *, id: str = "layer-maps") -> None:
    """Write the maps, with the neighbour agreement of each."""
    agreement = "; ".join(f"{each.layer} {each.agreement.estimate:.2f}" for each in results.maps)
    document.figure(
        maps_figure(results),
        id=id,
        alt=f"t-SNE maps of {len(results.maps)} layers, sheets coloured by class. "
        f"Neighbours of the same class: {agreement}.",
        caption=f"{_map_note(results)}. Beneath each: how often a sheet's {NEIGHBOURS} nearest neighbours of "
        f"other groups are of its class, all classes weighted equally; {results.map_chance:.2f} by chance. "
        "Distances between clusters have no meaning, and every map is optimised separately.",
    )


def write_probes(document: Document, results: Separability, *, title: str, id: str = "layer-probes") -> None:
    """Write the figure, one table for each probe input, and a summary."""
    sheets = results.sheets
    document.text(
        f"On every layer's output a logistic regression, fitted on {sheets.fitted:,} sheets and judged on "
        f"{sheets.judge_labels.size:,} others. {describe_lengths(results)} "
        "Controls: the same structure with ImageNet's weights and with random ones, and the trained network "
        "probed with labels permuted among the groups of both parts, "
        f"{PERMUTATIONS} times. " + describe_layers(results)
    )
    for note in sheets.notes:
        document.notice(f"{note[0].upper()}{note[1:]}.")
    for net, reason in results.missing.items():
        document.notice(f"{reason[0].upper()}{reason[1:]}.", title=f"No control: {NETS[net]}.")
    own = {kind: results.curves[TRAINED, kind] for kind in KINDS}
    document.figure(
        probes_figure(results, title),
        id=id,
        alt="Accuracy of the probes by layer. "
        + " ".join(
            f"{KINDS[kind].capitalize()}: "
            + ", ".join(
                f"{layer.name} {point.estimate:.2f}"
                for layer, point in zip(results.layers, curve.accuracy, strict=True)
            )
            + "."
            for kind, curve in own.items()
        ),
        caption="Bands: 95 % by bootstrap over groups of the judging sheets; probes are not refitted. "
        + SAME_EVERYWHERE,
    )
    for kind in KINDS:
        _write_table(document, results, kind, f"{id}-{kind}")


def describe_lengths(results: Separability) -> str:
    """How long the two descriptions of the layers are, and whether length can be an advantage."""
    sides = []
    for kind, words in (("pooled", "averages over its places"), ("projected", "a random projection")):
        lengths = sorted(getattr(layer, kind) for layer in results.layers)
        span = f"{lengths[0]:,}" if lengths[0] == lengths[-1] else f"{lengths[0]:,} to {lengths[-1]:,}"
        sides.append((f"{words} ({span} numbers)", lengths[0] == lengths[-1]))
    words = f"Each layer is described twice, by {sides[0][0]} and by {sides[1][0]}"
    if all(equal for _, equal in sides):
        return f"{words}; all layers have equal length, so that size is no advantage."
    return (
        f"{words}; the column of features gives each length. Both have an upper limit, but a layer with "
        "fewer values is shorter, and a shorter description may be harder to separate."
    )


def describe_layers(results: Separability) -> str:
    """Text: whether separability grows with depth, and how much of that is due to training."""
    sentences = []
    end = results.layers[features_end(results)].name
    for kind, text in KINDS.items():
        curve = results.curves[TRAINED, kind]
        sentences.append(
            f"By {text}, accuracy and depth have a rank correlation of "
            f"{cell_text(trend(results, curve), 2)}, and {end} is {_signed(rise(results, curve))} ahead of "
            "the first layer."
        )
    for net, words in ((IMAGENET, "ImageNet's weights, not fine-tuned,"), (RANDOM, "random weights")):
        curves = [results.curve(net, kind) for kind in KINDS]
        gains = [rise(results, curve) for curve in curves if curve is not None]
        if gains:
            sentences.append(
                f"With {words} the same rise is " + " and ".join(_signed(gain) for gain in gains) + "."
            )
    permuted = [results.curves[SHUFFLED, kind] for kind in KINDS if (SHUFFLED, kind) in results.curves]
    if permuted:
        best = max(point.estimate for shuffled in permuted for point in shuffled.accuracy)
        sentences.append(
            f"With permuted labels no layer exceeds {best:.2f} in either description; predicting the most "
            f"frequent class scores {results.majority:.2f}."
        )
    return " ".join(sentences)


def layers_json(results: Separability) -> dict[str, Any]:
    """Every number of the figures and tables."""
    sheets = results.sheets
    answer: dict[str, Any] = plain(
        {
            "classes": list(sheets.class_names),
            "fitted_sheets": sheets.fitted,
            "judging_sheets": int(sheets.judge_labels.size),
            "groups": len(set(sheets.judge_groups or ())) or None,
            "majority": results.majority,
            "deals": PERMUTATIONS,
            "seed": results.seed,
            "resamples": results.resamples,
            "notes": list(sheets.notes),
            "missing_controls": dict(results.missing),
            "layers": [
                {**asdict(layer), "shape": list(layer.shape), "probes": _probes_json(results, number)}
                for number, layer in enumerate(results.layers)
            ],
            "trends": [
                {
                    "network": net,
                    "input": kind,
                    "rank_correlation_with_depth": asdict(trend(results, curve)),
                    "last_feature_layer_minus_first": asdict(rise(results, curve)),
                    "fits_ended_by_the_limit_of_steps": curve.unconverged,
                }
                for (net, kind), curve in results.curves.items()
            ],
            "tsne": None
            if not results.maps or results.map_spec is None
            else {
                "sheets": int(results.maps[0].rows.size),
                "perplexity": results.maps[0].perplexity,
                "seed": results.map_spec.seed,
                "axes": AXES,
                "chance": results.map_chance,
                "neighbours_alike": {each.layer: asdict(each.agreement) for each in results.maps},
            },
        }
    )
    return answer


def _probes_json(results: Separability, number: int) -> list[dict[str, Any]]:
    return [
        {
            "network": net,
            "input": kind,
            "accuracy": asdict(curve.accuracy[number]),
            "balanced_accuracy": asdict(curve.balanced_accuracy[number]),
            "fit_accuracy": curve.fit_accuracy[number],
            "penalty": curve.penalty[number],
        }
        for (net, kind), curve in results.curves.items()
    ]


def _write_table(document: Document, results: Separability, kind: Kind, id: str) -> None:
    curves = [results.curves[net, kind] for net in results.nets]
    best = [max(point.estimate for point in curve.accuracy) for curve in curves]
    rows = []
    for number, layer in enumerate(results.layers):
        features = layer.pooled if kind == "pooled" else layer.projected
        size = "x".join(str(length) for length in layer.shape)
        row: list[Cell] = [Cell(layer.title, note="" if layer.name != INPUT else "the sheet"), Cell(size)]
        row.append(Cell(features))
        for curve, highest in zip(curves, best, strict=True):
            row.append(_cell(curve, number, highest))
        rows.append(row)
    columns: list[str | Column] = ["layer", Column("output", align="right"), "features"]
    document.table(
        [*columns, *(Column(NETS[net], 2) for net in results.nets)],
        rows,
        id=id,
        caption=f"Accuracy of the probes, {KINDS[kind]}",
        note="Beneath: balanced accuracy. Bold: the best layer of each network.",
    )


def _cell(curve: ProbeCurve, number: int, highest: float) -> Cell:
    point: Value = curve.accuracy[number]
    balanced = curve.balanced_accuracy[number].estimate
    return Cell(point, curve.accuracy[number].estimate == highest, f"balanced {balanced:.2f}")


def _map_note(results: Separability) -> str:
    first, seed = results.maps[0], 0 if results.map_spec is None else results.map_spec.seed
    return (
        f"t-SNE of {first.rows.size} judging sheets, perplexity {first.perplexity:.3g}, seed {seed}, "
        f"averages over places in {AXES} principal axes"
    )


def _signed(gain: Interval) -> str:
    return f"{gain.estimate:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]"
