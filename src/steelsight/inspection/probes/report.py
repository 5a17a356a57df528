"""What the probes and maps say: figures, tables and plain words, for a report of their own or the study's."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from matplotlib.figure import Figure

from steelsight.inspection.probes.controls import IMAGENET, NETS, RANDOM, SHUFFLED, TRAINED
from steelsight.inspection.probes.embedding import AXES, NEIGHBOURS
from steelsight.inspection.probes.layers import INPUT
from steelsight.inspection.probes.outputs import KINDS, Kind
from steelsight.inspection.probes.separability import DEALS, ProbeCurve, Separability
from steelsight.inspection.probes.trends import features_end, rise, trend
from steelsight.plain import plain
from steelsight.reports.cells import Cell, Column, Value, cell_text
from steelsight.reports.document import Document
from steelsight.reports.figures import draw_layer_maps, draw_probe_curves
from steelsight.types import Interval

__all__ = ["describe_layers", "layers_json", "maps_figure", "probes_figure", "write_maps", "write_probes"]


def probes_figure(found: Separability, title: str = "") -> Figure:
    """Accuracy by layer, as in the slides, with the controls."""
    names = [layer.name for layer in found.layers]
    head = next((number for number, name in enumerate(names) if name.startswith("head")), None)
    panels = {
        text: {NETS[net]: found.curves[net, kind].accuracy for net in found.nets}
        for kind, text in KINDS.items()
    }
    titles = [layer.title for layer in found.layers]
    return draw_probe_curves(panels, titles, chance=found.majority, head=head, title=title)


def maps_figure(found: Separability) -> Figure:
    """A t-SNE map a layer."""
    first = found.maps[0]
    labels = found.sheets.judge_labels[first.rows]
    return draw_layer_maps(found.maps, labels, found.sheets.class_names, note=_map_note(found))


def write_maps(document: Document, found: Separability, *, id: str = "layer-maps") -> None:
    """The maps, and how often neighbours on them agree."""
    told = "; ".join(f"{each.layer} {each.agreement.estimate:.2f}" for each in found.maps)
    document.figure(
        maps_figure(found),
        id=id,
        alt=f"t-SNE maps of {len(found.maps)} layers, sheets coloured by class. "
        f"Neighbours of the same class: {told}.",
        caption=f"{_map_note(found)}. Beneath each: how often a sheet's {NEIGHBOURS} nearest neighbours of "
        f"other groups are of its class, classes counting alike; {found.map_chance:.2f} by chance. Distances "
        "between clusters mean nothing, and every map is drawn anew.",
    )


def write_probes(document: Document, found: Separability, *, title: str, id: str = "layer-probes") -> None:
    """The figure, a table a description, and what follows from them."""
    sheets = found.sheets
    document.text(
        f"On every layer's output a logistic regression, fitted on {sheets.fitted:,} sheets and judged on "
        f"{sheets.judge_labels.size:,} others. Each layer is described twice at nearly equal length, by "
        "averages over its places and by a random projection of all its numbers, so that no layer is ahead "
        "for being larger. Beside it the same structure with ImageNet's weights and with random ones, and "
        f"the trained network probed for labels dealt anew among the groups of both parts, {DEALS} times. "
        + describe_layers(found)
    )
    for note in sheets.notes:
        document.notice(f"{note[0].upper()}{note[1:]}.")
    for net, reason in found.missing.items():
        document.notice(f"{reason[0].upper()}{reason[1:]}.", title=f"No control: {NETS[net]}.")
    own = {kind: found.curves[TRAINED, kind] for kind in KINDS}
    document.figure(
        probes_figure(found, title),
        id=id,
        alt="Accuracy of the probes by layer. "
        + " ".join(
            f"{KINDS[kind].capitalize()}: "
            + ", ".join(
                f"{layer.name} {point.estimate:.2f}"
                for layer, point in zip(found.layers, curve.accuracy, strict=True)
            )
            + "."
            for kind, curve in own.items()
        ),
        caption="Bands: 95 % by bootstrap over groups of the judging sheets; the probes stay as fitted.",
    )
    for kind in KINDS:
        _write_table(document, found, kind, f"{id}-{kind}")


def describe_layers(found: Separability) -> str:
    """In plain words: whether separability grows with depth, and what of it training brought."""
    sentences = []
    end = found.layers[features_end(found)].name
    for kind, text in KINDS.items():
        curve = found.curves[TRAINED, kind]
        sentences.append(
            f"By {text}, accuracy and depth have a rank correlation of {cell_text(trend(found, curve), 2)}, "
            f"and {end} is {_signed(rise(found, curve))} ahead of the first layer."
        )
    for net, words in ((IMAGENET, "ImageNet's weights, not fine-tuned,"), (RANDOM, "random weights")):
        curves = [found.curve(net, kind) for kind in KINDS]
        gains = [rise(found, curve) for curve in curves if curve is not None]
        if gains:
            sentences.append(
                f"With {words} the same rise is " + " and ".join(_signed(gain) for gain in gains) + "."
            )
    dealt = found.curve(SHUFFLED, "pooled")
    if dealt is not None:
        best = max(point.estimate for point in dealt.accuracy)
        sentences.append(
            f"For labels dealt anew no layer passes {best:.2f}; the commonest class alone scores "
            f"{found.majority:.2f}."
        )
    return " ".join(sentences)


def layers_json(found: Separability) -> dict[str, Any]:
    """Every number of the figures and tables."""
    sheets = found.sheets
    answer: dict[str, Any] = plain(
        {
            "classes": list(sheets.class_names),
            "fitted_sheets": sheets.fitted,
            "judging_sheets": int(sheets.judge_labels.size),
            "groups": len(set(sheets.judge_groups or ())) or None,
            "majority": found.majority,
            "deals": DEALS,
            "seed": found.seed,
            "resamples": found.resamples,
            "notes": list(sheets.notes),
            "missing_controls": dict(found.missing),
            "layers": [
                {**asdict(layer), "shape": list(layer.shape), "probes": _probes_json(found, number)}
                for number, layer in enumerate(found.layers)
            ],
            "trends": [
                {
                    "network": net,
                    "input": kind,
                    "rank_correlation_with_depth": asdict(trend(found, curve)),
                    "last_feature_layer_minus_first": asdict(rise(found, curve)),
                    "fits_ended_by_the_limit_of_steps": curve.unconverged,
                }
                for (net, kind), curve in found.curves.items()
            ],
            "tsne": None
            if not found.maps or found.map_spec is None
            else {
                "sheets": int(found.maps[0].rows.size),
                "perplexity": found.maps[0].perplexity,
                "seed": found.map_spec.seed,
                "axes": AXES,
                "chance": found.map_chance,
                "neighbours_alike": {each.layer: asdict(each.agreement) for each in found.maps},
            },
        }
    )
    return answer


def _probes_json(found: Separability, number: int) -> list[dict[str, Any]]:
    return [
        {
            "network": net,
            "input": kind,
            "accuracy": asdict(curve.accuracy[number]),
            "balanced_accuracy": asdict(curve.balanced_accuracy[number]),
            "fit_accuracy": curve.fit_accuracy[number],
            "penalty": curve.penalty[number],
        }
        for (net, kind), curve in found.curves.items()
    ]


def _write_table(document: Document, found: Separability, kind: Kind, id: str) -> None:
    curves = [found.curves[net, kind] for net in found.nets]
    best = [max(point.estimate for point in curve.accuracy) for curve in curves]
    rows = []
    for number, layer in enumerate(found.layers):
        features = layer.pooled if kind == "pooled" else layer.projected
        size = "x".join(str(length) for length in layer.shape)
        row: list[Cell] = [Cell(layer.title, note="" if layer.name != INPUT else "the sheet"), Cell(size)]
        row.append(Cell(features))
        for curve, highest in zip(curves, best, strict=True):
            row.append(_cell(curve, number, highest))
        rows.append(row)
    columns: list[str | Column] = ["layer", Column("output", align="right"), "features"]
    document.table(
        [*columns, *(Column(NETS[net], 2) for net in found.nets)],
        rows,
        id=id,
        caption=f"Accuracy of the probes, {KINDS[kind]}",
        note="Beneath: balanced accuracy. Bold: the best layer of each network.",
    )


def _cell(curve: ProbeCurve, number: int, highest: float) -> Cell:
    point: Value = curve.accuracy[number]
    balanced = curve.balanced_accuracy[number].estimate
    return Cell(point, curve.accuracy[number].estimate == highest, f"balanced {balanced:.2f}")


def _map_note(found: Separability) -> str:
    first, seed = found.maps[0], 0 if found.map_spec is None else found.map_spec.seed
    return (
        f"t-SNE of {first.rows.size} judging sheets, perplexity {first.perplexity:.3g}, seed {seed}, "
        f"averages over places in {AXES} principal axes"
    )


def _signed(gain: Interval) -> str:
    return f"{gain.estimate:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]"
