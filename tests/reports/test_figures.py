"""Figures: drawn without a backend, on any class count, with any name, and the same bytes every time."""

import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from steelsight.reports import figures
from steelsight.reports.figures import style
from steelsight.types import Interval

NAMES = ("none", "type $1", "a_very_long^name {of} a \\class")


@dataclass(frozen=True)
class _Curve:
    false_positive_rate: np.ndarray
    true_positive_rate: np.ndarray
    auc: float


CURVE = _Curve(np.array([0, 0.2, 1.0]), np.array([0, 0.9, 1.0]), 0.85)
EPOCHS = [
    {"epoch": 1, "train_loss": 0.9, "validation_loss": 0.8, "validation_accuracy": 0.5},
    {"epoch": 2, "train_loss": 0.6, "validation_loss": 0.7, "validation_accuracy": 0.7},
]
DRAWN = {
    "confusion": lambda: figures.draw_confusion(
        np.array([[5, 1, 0], [0, 0, 0], [2, 2, 9]]), NAMES, title="$x"
    ),
    "roc": lambda: figures.draw_roc(dict.fromkeys(NAMES, CURVE), title="a_b^c$"),
    "roc classes": lambda: figures.draw_roc({NAMES[1]: CURVE}, colours=[figures.class_colour(1)]),
    "learning": lambda: figures.draw_learning_curves(EPOCHS, best_epoch=2, title="$"),
    "learning without validation": lambda: figures.draw_learning_curves([{"epoch": 1, "train_loss": 0.9}]),
    "distribution": lambda: figures.draw_distribution(NAMES, [5902, 0, 12], "$"),
    "verdicts": lambda: figures.draw_verdicts(
        {
            NAMES[1]: {"decided": 5, "doubtful": 2},
            NAMES[2]: {"unknown input": 1},
            "no verdict": {"bad image": 3},
        },
        "$",
    ),
    "no verdicts": lambda: figures.draw_verdicts({}),
    "contact sheet": lambda: figures.draw_contact_sheet(
        [
            figures.Thumbnail(
                name * 20, "type 1 0.50", np.full(shape, 90, np.uint8), heat, [(1.0, 2.0, 5.0, 6.5)]
            )
            for name in NAMES
            for shape, heat in (((8, 40), np.ones((8, 40), np.float32)), ((8, 40), None))
        ]
    ),
    "empty distribution": lambda: figures.draw_distribution(NAMES[:1], [0]),
    "intervals": lambda: figures.draw_intervals(
        {
            "AUC": [
                figures.MeasuredRow(NAMES[1], {"clean": Interval(0.9, 0.8, 0.95)}, 0.98),
                figures.MeasuredRow("b", {}),
            ]
        },
        title="$",
    ),
}


@pytest.mark.parametrize("name", DRAWN)
def test_draws_the_same_png_twice(name):
    png = figures.figure_png(DRAWN[name]())
    assert png.startswith(b"\x89PNG")
    assert png == figures.figure_png(DRAWN[name]())


def test_pyplot_is_never_imported():
    """A server draws in threads; pyplot's global figures would leak there."""
    program = (
        "import sys, steelsight.reports.document, steelsight.reports.figures as f; "
        "f.figure_png(f.draw_distribution(['none'], [1])); sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_confusion_matrix_shows_counts_and_shares():
    figure = figures.draw_confusion(np.array([[1234, 1], [0, 7]]), ("none", "defect"))
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert {"1,234", "99.9%", "0", "7", "100.0%"} <= set(texts)


def test_classes_have_distinct_and_stable_colours():
    assert figures.class_colour(0) == figures.CLASS_COLOURS[0]
    assert len({figures.class_colour(i) for i in range(9)}) == 9
    assert figures.class_colour(9) == figures.class_colour(1)  # "none" keeps its grey for itself


def _luminance(colour: str) -> float:
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize(
    ("colour", "least"), [(style.INK, 7), (style.MUTED, 4.5)] + [(c, 2.5) for c in style.SERIES_COLOURS]
)
def test_contrast_on_paper(colour, least):
    """WCAG 2: 4.5 for text; lines and bars carry a label or a marker too, so 2.5 is enough to see them."""
    assert (_luminance(style.PAPER) + 0.05) / (_luminance(colour) + 0.05) >= least


def test_saving_creates_the_folder(tmp_path):
    path = figures.save_figure(DRAWN["learning"](), tmp_path / "new" / "curve.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert figures.save_figure(DRAWN["learning"](), tmp_path / "curve.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize(("aspect", "shape"), [(1.0, 1.0), (0.25, 0.25), (2.0, 2.0), (6.25, 6.25)])
def test_pictures_have_the_aspect_ratio_of_their_images(aspect: float, shape: float) -> None:
    """Measured on drawn pixels: white pictures on axes without a frame."""
    gray = np.zeros((64, 64), np.uint8)
    contact = figures.draw_contact_sheet([figures.Thumbnail("a", "b", gray, None, [], aspect)] * 2)
    (extent, *_) = [image.get_extent() for image in contact.axes[0].images]
    assert (extent[1] - extent[0]) / (extent[3] - extent[2]) == pytest.approx(shape)
    for figure in (
        figures.draw_panels([("", [figures.Panel(gray, "a", None, aspect)])]),
        figures.draw_changed(
            [figures.VersionPanel(gray, np.zeros((1, 64, 64), np.float32), "a")], ["b"], pixel_aspect=aspect
        ),
    ):
        figure.draw_without_rendering()
        box = figure.axes[0].get_window_extent()
        assert box.width / box.height == pytest.approx(shape, rel=0.02)
