"""The atlas as a page: one chapter a layer, a card a neuron, the dead channels. It computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from matplotlib.figure import Figure

from steelsight.inspection.neurons.atlas import Atlas, LayerPage, NeuronProfile
from steelsight.inspection.neurons.maximise import to_bytes
from steelsight.inspection.neurons.nature import fine_share
from steelsight.inspection.neurons.settings import Ascent
from steelsight.inspection.neurons.twins import PairedNeurons
from steelsight.reports.cells import Cell, Column, Value
from steelsight.reports.document import Document
from steelsight.reports.figures.inspection.neurons import (
    NeuronCard,
    Picture,
    draw_growth,
    draw_neuron_atlas,
    draw_neuron_cards,
    draw_neuron_pairs,
    middle,
)

__all__ = [
    "atlas_figure",
    "describe_ascent",
    "growth_figure",
    "how_to_read",
    "layer_table",
    "pairs_figure",
    "twins_figure",
    "write_atlas",
    "write_dead",
    "write_twins",
]

FORMS = {"plain": "plain", "grown": "resized, blurred"}
REACHES, LEAST, MOST = 3, 24, 96  # a picture's middle shows so many boxes of its neuron, in pixels
CARDS = 8  # a figure
LISTED = 40  # dead channels written out a layer


def write_atlas(document: Document, atlas: Atlas) -> None:
    """Overview, then each layer."""
    document.chapter("Atlas", id="atlas")
    document.text(how_to_read(atlas))
    document.figure(
        atlas_figure(atlas),
        id="atlas-figure",
        alt=f"Images that drive {sum(len(p.portraits) for p in atlas.layers)} neurons of "
        f"{len(atlas.layers)} layers.",
        caption="The middle of each image, enlarged where neurons see little. "
        + ("Plain form." if atlas.plan.plain else "Second form: resized and blurred."),
    )
    write_dead(document, atlas)
    for page in atlas.layers:
        _write_layer(document, atlas, page)


def how_to_read(atlas: Atlas) -> str:
    """What the reader of the pictures must know."""
    parts = [
        "Every image was optimised to raise one neuron's mean answer; beside it are the crops of "
        f"{len(atlas.shown.ids):,} real sheets where the neuron answers most, each as large as what one "
        "place sees, and its mean answer to the sheets of each class with 95 % intervals. An image shows one "
        "way to drive a neuron, not all that drives it."
    ]
    if atlas.plan.plain:
        parts.append(f"Plain form: {describe_ascent(atlas.plan.plain)}.")
    if atlas.plan.grown:
        parts.append(f"Second form: {describe_ascent(atlas.plan.grown)}.")
    return " ".join(parts)


def describe_ascent(ascent: Ascent) -> str:
    """The settings in words."""
    words = [f"{ascent.steps} steps"]
    if ascent.start:
        words.append(f"from {ascent.start[0]}x{ascent.start[1]}")
    if ascent.grow > 1:
        words.append(f"{ascent.grow:g} times larger every {ascent.every}")
    if ascent.kernels:
        sides = ", ".join(map(str, ascent.kernels))
        words.append(
            f"blurred each time with a kernel of {sides}"
            + (f", the widest that keeps {ascent.kept:.0%} of the best answer" * (len(ascent.kernels) > 1))
        )
    for weight, text in (
        (ascent.jitter, f"moved by up to {ascent.jitter} pixels a step"),
        (ascent.variation, f"total variation weighed {ascent.variation:g}"),
        (ascent.fourier, f"over Fourier coefficients scaled by 1/f to the power {ascent.fourier:g}"),
    ):
        if weight:
            words.append(text)
    words.append("in colour" if ascent.colour else "gray")
    words.append("between black and white" if ascent.clip else "drawn to fit where they pass black or white")
    return ", ".join(words)


def write_dead(document: Document, atlas: Atlas) -> None:
    """Channels never above zero over the sheets shown."""
    document.table(
        ["layer", "grid", "a place sees", "channels", "dead", "which"],
        [
            [
                page.layer,
                f"{page.grid[0]}x{page.grid[1]}",
                "all" if page.reach is None else f"{page.reach[0]}x{page.reach[1]}",
                page.channels,
                len(page.dead),
                Cell(_list(page.dead), note=page.note),
            ]
            for page in atlas.layers
        ],
        id="dead-neurons",
        caption=f"Dead channels: never above zero over {len(atlas.shown.ids):,} sheets",
        note="A channel that is dead on these sheets may answer to others.",
    )


def layer_table(document: Document, atlas: Atlas, *, id: str) -> None:
    """One line a layer: medians of its portraits, its dead channels."""
    rows: list[list[Value | Cell]] = []
    for page in atlas.layers:
        shown = page.portraits
        ratios = [p.value / p.best_real for p in shown if p.best_real > 0]
        grown = [p.grown_value / p.best_real for p in shown if p.best_real > 0 and p.grown is not None]
        rows.append(
            [
                page.layer,
                "all" if page.reach is None else f"{page.reach[0]}x{page.reach[1]}",
                len(page.dead),
                _median(ratios),
                _median(grown),
                _median(page.agreements),
                _median([p.telling for p in shown]),
            ]
        )
    document.table(
        [
            "layer",
            "a place sees",
            Column("dead"),
            Column("achieved over best sheet", 1),
            Column("second form over it", 1),
            Column("one filter", 2),
            Column("between classes", 2),
        ],
        rows,
        id=id,
        caption="Layers at a glance, medians over neurons",
        note="Dead: channels never above zero on the sheets shown. Achieved: the image's answer over the "
        "best real sheet's. One filter: mean cosine of the filters a neuron applies to different sheets, of "
        "neurons drawn at random; 1 = always the same. Between classes: share of the answer's variance.",
    )


def atlas_figure(atlas: Atlas) -> Figure:
    """Layers x neurons."""
    return draw_neuron_atlas(
        {
            page.layer: [(str(p.neuron.channel), _middle(page, _first(p))) for p in page.portraits]
            for page in atlas.layers
        }
    )


def pairs_figure(pages: Sequence[LayerPage], *, each: int) -> Figure | None:
    """Plain beside resized-and-blurred, some neurons a layer; None where there are no pairs."""
    pairs = [
        (
            f"{p.neuron.name}, blur {p.kernel}",
            _middle(page, to_bytes(p.plain)),
            _middle(page, to_bytes(p.grown)),
        )
        for page in pages
        for p in page.portraits[:each]
        if p.plain is not None and p.grown is not None
    ]
    return draw_neuron_pairs(pairs, names=(FORMS["plain"], FORMS["grown"])) if pairs else None


def growth_figure(portrait: NeuronProfile) -> Figure:
    """One image at every size it had."""
    stages = [to_bytes(stage) for stage in portrait.stages]
    return draw_growth(stages, titles=[f"{stage.shape[0]}x{stage.shape[1]}" for stage in stages])


def twins_figure(twins: PairedNeurons, *, names: tuple[str, str], each: int = 2) -> Figure:
    """Both models' images of the same neurons, with their correlation."""
    shown: dict[str, int] = {}
    pairs = []
    for row, neuron in enumerate(twins.first.neurons):
        shown[neuron.layer] = shown.get(neuron.layer, 0) + 1
        if shown[neuron.layer] <= each:
            title = f"{neuron.name}   correlation {twins.correlations[row]:.2f}"
            pairs.append((title, twins.first.shown(row), twins.second.shown(row)))
    return draw_neuron_pairs(pairs, names=names, strip=True)


def write_twins(
    document: Document, twins: PairedNeurons, *, names: tuple[str, str], id: str = "neuron-twins"
) -> None:
    """The figure and its table."""
    document.figure(
        twins_figure(twins, names=names),
        id=id,
        alt="The same neurons in two models; mean correlation by layer: "
        + "; ".join(f"{layer.layer} {layer.own.estimate:.2f}" for layer in twins.layers),
        caption=f"Left: {names[0]}. Right: {names[1]}. Both ascents start from the same noise.",
    )
    document.table(
        ["layer", Column("the same neuron", 2), Column("two different neurons", 2), Column("recognised", 2)],
        [[layer.layer, layer.own, layer.others, layer.found] for layer in twins.layers],
        id=f"{id}-table",
        caption="Correlation of the two models' images",
        note="Two different neurons: the control, what the common start alone brings. Recognised: the share "
        "of neurons whose image is nearer to its own in the other model than to every other shown. "
        "Brackets: 95 % intervals over neurons.",
    )


def _write_layer(document: Document, atlas: Atlas, page: LayerPage) -> None:
    document.chapter(page.layer, id=f"layer-{page.layer}")
    if page.note:
        document.notice(f"{page.note[0].upper()}{page.note[1:]}.")
    for begin in range(0, len(page.portraits), CARDS):
        some = page.portraits[begin : begin + CARDS]
        document.figure(
            draw_neuron_cards([_card(page, p) for p in some], class_names=atlas.shown.class_names),
            id=f"cards-{page.layer}-{begin}",
            alt="; ".join(f"{p.neuron.name}: {_answers(p)}" for p in some),
        )
    if not page.portraits:
        return
    document.table(
        [
            "neuron",
            Column("achieved", 2),
            Column("resized, blurred", 2),
            Column("best real sheet", 2),
            Column("between classes", 2),
            Column("one filter", 2),
            Column("fine waves", 2),
            Column("blurred", 2),
        ],
        [
            [
                Cell(p.neuron.name, note="started from a real sheet" if p.restarted else ""),
                p.value,
                None if p.grown is None else p.grown_value,
                Cell(p.best_real, note=p.best_sheet),
                p.telling,
                p.agreement,
                None if p.plain is None else float(fine_share(p.plain[None])[0]),
                None if p.grown is None else float(fine_share(p.grown[None])[0]),
            ]
            for p in page.portraits
        ],
        id=f"numbers-{page.layer}",
        caption="Answers and what kind of neuron it is",
        note="Between classes: share of the answer's variance over sheets. One filter: mean cosine of the "
        "filters the neuron applies to the nine sheets that excite it most; 1 = the same filter always. Fine "
        "waves, and blurred: share of the image's variance in waves shorter than 8 pixels, plain and in the "
        "second form.",
    )


def _card(page: LayerPage, portrait: NeuronProfile) -> NeuronCard:
    images = {"plain": portrait.plain, "grown": portrait.grown}
    ratio = f", {portrait.value / portrait.best_real:.1f} x the best sheet" * (portrait.best_real > 0)
    return NeuronCard(
        f"{portrait.neuron.name}   achieved {portrait.value:.3g}{ratio}",
        {FORMS[form]: _middle(page, to_bytes(image)) for form, image in images.items() if image is not None},
        [crop.gray for crop in portrait.crops],
        portrait.responses,
    )


def _first(portrait: NeuronProfile) -> Picture:
    image = portrait.plain if portrait.plain is not None else portrait.grown
    if image is None:
        raise ValueError(f"{portrait.neuron.name}: expected an image, got none")
    return to_bytes(image)


def _middle(page: LayerPage, picture: Picture) -> Picture:
    reach = MOST if page.reach is None else max(page.reach)
    return middle(picture, min(MOST, max(LEAST, REACHES * reach)))


def _median(values: Sequence[float]) -> float | None:
    known = [value for value in values if value == value]
    return median(known) if known else None


def _answers(portrait: NeuronProfile) -> str:
    return ", ".join(f"{name} {interval.estimate:.2f}" for name, interval in portrait.responses.items())


def _list(channels: Sequence[int]) -> str:
    if not channels:
        return "none"
    more = f" and {len(channels) - LISTED} more" if len(channels) > LISTED else ""
    return ", ".join(map(str, channels[:LISTED])) + more
