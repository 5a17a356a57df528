"""All figures of all reports in one style, one kind per file; functions from arrays to a Figure."""

from steelsight.reports.figures.abstention import (
    draw_reliability,
    draw_risk_coverage,
    draw_threshold_sweep,
)
from steelsight.reports.figures.architecture import draw_architecture, draw_fire_module
from steelsight.reports.figures.confusion import draw_confusion
from steelsight.reports.figures.explanation.heatmap_panels import MaskPair, draw_mask_pairs, draw_methods
from steelsight.reports.figures.explanation.league import LeagueRow, draw_league
from steelsight.reports.figures.explanation.panels import ExplanationRow, draw_explanations
from steelsight.reports.figures.inspection.neurons import (
    NeuronCard,
    draw_growth,
    draw_neuron_atlas,
    draw_neuron_cards,
    draw_neuron_pairs,
)
from steelsight.reports.figures.inspection.probes import SheetMap, draw_layer_maps, draw_probe_curves
from steelsight.reports.figures.inspection.transplant import (
    PartAxis,
    TransplantCurve,
    draw_by_part,
    draw_similarity,
    draw_transplant,
)
from steelsight.reports.figures.intervals import MeasuredRow, draw_intervals
from steelsight.reports.figures.learning import draw_learning_curves
from steelsight.reports.figures.precision_recall import draw_precision_recall
from steelsight.reports.figures.roc import draw_roc
from steelsight.reports.figures.scan import Thumbnail, draw_contact_sheet, draw_verdicts
from steelsight.reports.figures.sheets.augmentation import draw_before_after, draw_flip_chance
from steelsight.reports.figures.sheets.data import ExampleSheet, draw_examples, draw_sizes, outline_colour
from steelsight.reports.figures.sheets.distribution import draw_distribution
from steelsight.reports.figures.sheets.size import draw_learning_size, draw_recall_by_area
from steelsight.reports.figures.sheets.synthetic import draw_mask_comparison
from steelsight.reports.figures.shortcut.pictures import (
    EffectRow,
    Panel,
    draw_effects,
    draw_panels,
    panels_across,
)
from steelsight.reports.figures.shortcut.proof import (
    DosePoint,
    VersionPanel,
    draw_changed,
    draw_doses,
    draw_two_groups,
)
from steelsight.reports.figures.style import (
    CLASS_COLOURS,
    SEQUENTIAL,
    SIGNED,
    class_colour,
    dress,
    figure_png,
    new_figure,
    save_figure,
    title_axes,
)
from steelsight.reports.figures.sweeps import draw_sweep

__all__ = [
    "CLASS_COLOURS",
    "SEQUENTIAL",
    "SIGNED",
    "DosePoint",
    "EffectRow",
    "ExampleSheet",
    "ExplanationRow",
    "LeagueRow",
    "MaskPair",
    "MeasuredRow",
    "NeuronCard",
    "Panel",
    "PartAxis",
    "SheetMap",
    "Thumbnail",
    "TransplantCurve",
    "VersionPanel",
    "class_colour",
    "draw_architecture",
    "draw_before_after",
    "draw_by_part",
    "draw_changed",
    "draw_confusion",
    "draw_contact_sheet",
    "draw_distribution",
    "draw_doses",
    "draw_effects",
    "draw_examples",
    "draw_explanations",
    "draw_fire_module",
    "draw_flip_chance",
    "draw_growth",
    "draw_intervals",
    "draw_layer_maps",
    "draw_league",
    "draw_learning_curves",
    "draw_learning_size",
    "draw_mask_comparison",
    "draw_mask_pairs",
    "draw_methods",
    "draw_neuron_atlas",
    "draw_neuron_cards",
    "draw_neuron_pairs",
    "draw_panels",
    "draw_precision_recall",
    "draw_probe_curves",
    "draw_recall_by_area",
    "draw_reliability",
    "draw_risk_coverage",
    "draw_roc",
    "draw_similarity",
    "draw_sizes",
    "draw_sweep",
    "draw_threshold_sweep",
    "draw_transplant",
    "draw_two_groups",
    "draw_verdicts",
    "dress",
    "figure_png",
    "new_figure",
    "outline_colour",
    "panels_across",
    "save_figure",
    "title_axes",
]
