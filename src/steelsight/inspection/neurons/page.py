"""The atlas as a page: one chapter a layer, a card a neuron, the dead channels; computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from matplotlib.figure import Figure

from steelsight.inspection.neurons.atlas import Atlas, LayerPage, NeuronProfile
from steelsight.inspection.neurons.maximise import to_bytes
from steelsight.inspection.neurons.nature import fine_share
from steelsight.inspection.neurons.pairs import PairedNeurons
from steelsight.inspection.neurons.settings import Ascent
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
    "forms_figure",
    "growth_figure",
    "how_to_read",
    "layer_table",
    "neuron_pairs_figure",
    "write_atlas",
    "write_dead",
    "write_neuron_pairs",
]

FORMS = {"plain": "plain", "grown": "resized, blurred"}
FIELDS, LEAST, MOST = 3, 24, 96  # side of a picture's middle: receptive fields; least and most in px
CARDS = 8  # a figure
LISTED = 40  # dead channels written out a layer


def write_atlas(document: Document, atlas: Atlas) -> None:
    """Overview, then each layer."""
    document.chapter("Atlas", id="atlas")
    document.text(how_to_read(atlas))
    document.figure(
        atlas_figure(atlas),
        id="atlas-figure",
        alt=f"Images that maximise {sum(len(p.profiles) for p in atlas.layers)} neurons of "
        f"{len(atlas.layers)} layers.",
        caption="The middle of each image, enlarged where receptive fields are small. "
        + ("Plain form." if atlas.plan.plain else "Second form: resized and blurred."),
    )
    write_dead(document, atlas)
    for page in atlas.layers:
        _write_layer(document, atlas, page)


def how_to_read(atlas: Atlas) -> str:
    """Text: how to read the pictures."""
    parts = [
        "Every image was optimised for one neuron's mean response. Beside it are the crops of "
        f"{len(atlas.shown.ids):,} real sheets with the highest responses, each the receptive field of one "
        "place, and the mean response to the sheets of each class with 95 % intervals. An image shows one "
        "input with a high response, not all of them."
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
            + (f", the largest that keeps {ascent.kept:.0%} of the best response" * (len(ascent.kernels) > 1))
        )
    for weight, text in (
        (ascent.jitter, f"moved by up to {ascent.jitter} pixels a step"),
        (ascent.variation, f"total variation weighted {ascent.variation:g}"),
        (ascent.fourier, f"over Fourier coefficients scaled by 1/f to the power {ascent.fourier:g}"),
    ):
        if weight:
            words.append(text)
    words.append("in colour" if ascent.colour else "gray")
    words.append("between black and white" if ascent.clip else "rescaled where they exceed black or white")
    return ", ".join(words)


def write_dead(document: Document, atlas: Atlas) -> None:
    """Write the channels that are not above zero on any sheet shown."""
    document.table(
        ["layer", "grid", "receptive field", "channels", "dead", "which"],
        [
            [
                page.layer,
                f"{page.grid[0]}x{page.grid[1]}",
                _field_text(page),
                page.channels,
                len(page.dead),
                Cell(_list(page.dead), note=page.note),
            ]
            for page in atlas.layers
        ],
        id="dead-neurons",
        caption=f"Dead channels: never above zero over {len(atlas.shown.ids):,} sheets",
        note="A channel that is dead on these sheets may respond to others.",
    )


def layer_table(document: Document, atlas: Atlas, *, id: str) -> None:
    """Write one line a layer: medians over its profiles, and its dead channels."""
    rows: list[list[Value | Cell]] = []
    for page in atlas.layers:
        shown = page.profiles
        ratios = [p.value / p.best_real for p in shown if p.best_real > 0]
        grown = [p.grown_value / p.best_real for p in shown if p.best_real > 0 and p.grown is not None]
        rows.append(
            [
                page.layer,
                _field_text(page),
                len(page.dead),
                _median(ratios),
                _median(grown),
                _median(page.agreements),
                _median([p.class_share for p in shown]),
            ]
        )
    document.table(
        [
            "layer",
            "receptive field",
            Column("dead"),
            Column("achieved over best sheet", 1),
            Column("second form over it", 1),
            Column("one filter", 2),
            Column("between classes", 2),
        ],
        rows,
        id=id,
        caption="Layers at a glance, medians over neurons",
        note="Dead: channels never above zero on the sheets shown. Achieved: the response to the image over "
        "that to the best real sheet. One filter: mean cosine of the filters a neuron applies to different "
        "sheets, of neurons drawn at random; 1 = always the same. Between classes: share of the "
        "response's variance.",
    )


def atlas_figure(atlas: Atlas) -> Figure:
    """Layers x neurons."""
    return draw_neuron_atlas(
        {
            page.layer: [(str(p.neuron.channel), _middle(page, _first(p))) for p in page.profiles]
            for page in atlas.layers
        }
    )


def forms_figure(pages: Sequence[LayerPage], *, each: int) -> Figure | None:
    """Plain beside second form, some neurons a layer; None where no neuron has both."""
    pairs = [
        (
            f"{p.neuron.name}, blur {p.kernel}",
            _middle(page, to_bytes(p.plain)),
            _middle(page, to_bytes(p.grown)),
        )
        for page in pages
        for p in page.profiles[:each]
        if p.plain is not None and p.grown is not None
    ]
    return draw_neuron_pairs(pairs, names=(FORMS["plain"], FORMS["grown"])) if pairs else None


def growth_figure(profile: NeuronProfile) -> Figure:
    """One image at every size of its ascent."""
    stages = [to_bytes(stage) for stage in profile.stages]
    return draw_growth(stages, titles=[f"{stage.shape[0]}x{stage.shape[1]}" for stage in stages])


def neuron_pairs_figure(pairs: PairedNeurons, *, names: tuple[str, str], each: int = 2) -> Figure:
    """Both models' images of the same neurons, with their correlation."""
    shown: dict[str, int] = {}
    pictures = []
    for row, neuron in enumerate(pairs.first.neurons):
        shown[neuron.layer] = shown.get(neuron.layer, 0) + 1
        if shown[neuron.layer] <= each:
            title = f"{neuron.name}   correlation {pairs.correlations[row]:.2f}"
            pictures.append((title, pairs.first.shown(row), pairs.second.shown(row)))
    return draw_neuron_pairs(pictures, names=names, strip=True)


def write_neuron_pairs(
    document: Document, pairs: PairedNeurons, *, names: tuple[str, str], id: str = "neuron-twins"
) -> None:
    """Write the figure and its table."""
    document.figure(
        neuron_pairs_figure(pairs, names=names),
        id=id,
        alt="The same neurons in two models; mean correlation by layer: "
        + "; ".join(f"{layer.layer} {layer.own.estimate:.2f}" for layer in pairs.layers),
        caption=f"Left: {names[0]}. Right: {names[1]}. Both ascents start from the same noise.",
    )
    document.table(
        ["layer", Column("the same neuron", 2), Column("two different neurons", 2), Column("recognised", 2)],
        [[layer.layer, layer.own, layer.others, layer.found] for layer in pairs.layers],
        id=f"{id}-table",
        caption="Correlation of the two models' images",
        note="Two different neurons: the control, due to the common start. Recognised: the share of neurons "
        "whose image correlates most with the same neuron's in the other model. "
        "Brackets: 95 % intervals over neurons.",
    )


def _write_layer(document: Document, atlas: Atlas, page: LayerPage) -> None:
    document.chapter(page.layer, id=f"layer-{page.layer}")
    if page.note:
        document.notice(f"{page.note[0].upper()}{page.note[1:]}.")
    for begin in range(0, len(page.profiles), CARDS):
        some = page.profiles[begin : begin + CARDS]
        document.figure(
            draw_neuron_cards(
                [_card(page, p) for p in some], class_names=atlas.shown.class_names, clean=atlas.shown.clean
            ),
            id=f"cards-{page.layer}-{begin}",
            alt="; ".join(f"{p.neuron.name}: {_answers(p)}" for p in some),
        )
    if not page.profiles:
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
                p.class_share,
                p.agreement,
                None if p.plain is None else float(fine_share(p.plain[None])[0]),
                None if p.grown is None else float(fine_share(p.grown[None])[0]),
            ]
            for p in page.profiles
        ],
        id=f"numbers-{page.layer}",
        caption="Responses and measures of each neuron",
        note="Between classes: share of the response's variance over sheets. One filter: mean cosine of the "
        "filters the neuron applies to the nine sheets with the highest responses; 1 = always the same "
        "filter. Fine waves, and blurred: share of the image's variance in waves shorter than 8 pixels, "
        "plain and in the second form.",
    )


def _card(page: LayerPage, profile: NeuronProfile) -> NeuronCard:
    images = {"plain": profile.plain, "grown": profile.grown}
    ratio = f", {profile.value / profile.best_real:.1f} x the best sheet" * (profile.best_real > 0)
    return NeuronCard(
        f"{profile.neuron.name}   achieved {profile.value:.3g}{ratio}",
        {FORMS[form]: _middle(page, to_bytes(image)) for form, image in images.items() if image is not None},
        [crop.gray for crop in profile.crops],
        profile.responses,
    )


def _first(profile: NeuronProfile) -> Picture:
    image = profile.plain if profile.plain is not None else profile.grown
    if image is None:
        raise ValueError(f"{profile.neuron.name}: expected an image, got none")
    return to_bytes(image)


def _middle(page: LayerPage, picture: Picture) -> Picture:
    field_px = MOST if page.receptive_field is None else max(page.receptive_field)
    return middle(picture, min(MOST, max(LEAST, FIELDS * field_px)))


def _field_text(page: LayerPage) -> str:
    field = page.receptive_field
    return "all" if field is None else f"{field[0]}x{field[1]}"


def _median(values: Sequence[float]) -> float | None:
    known = [value for value in values if value == value]
    return median(known) if known else None


def _answers(profile: NeuronProfile) -> str:
    return ", ".join(f"{name} {interval.estimate:.2f}" for name, interval in profile.responses.items())


def _list(channels: Sequence[int]) -> str:
    if not channels:
        return "none"
    more = f" and {len(channels) - LISTED} more" if len(channels) > LISTED else ""
    return ", ".join(map(str, channels[:LISTED])) + more
