"""Architecture figures: every convolution, pooling and linear layer is drawn with its numbers."""

from dataclasses import dataclass

import pytest

from steelsight.reports.figures.architecture import draw_architecture, draw_fire_module


@dataclass
class Row:
    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int = 0
    macs: int = 0


ROWS = [
    Row("features.0", "Conv2d", (64, 31, 199), 1792, 10_660_032),
    Row("features.1", "ReLU", (64, 31, 199)),
    Row("features.3", "Fire", (128, 15, 99), 11_408, 16_727_040),
    Row("head.pooling", "Pooling", (5,)),
    Row("head.linear", "Linear", (5,), 5_005, 5_000),
]


def texts(figure) -> list[str]:
    axes = figure.axes[0]
    return [text.get_text() for text in axes.texts] + [axes.get_title(loc="left")]


def test_layers_and_their_numbers_are_drawn() -> None:
    drawn = texts(draw_architecture(ROWS, "Small $net$", size=(64, 400)))
    for word in ("conv", "Fire", "pool", "linear", "31x199", "15x99", "64x400", "1.8 k", "features", "head"):
        assert word in drawn
    assert "ReLU" not in drawn
    assert "Small $net$: 18,205 parameters, 27.4 million multiply-accumulates an image" in drawn


@pytest.mark.parametrize("rows", [[], ROWS[:1], ROWS[-1:]])
def test_part_of_a_network_is_drawn(rows: list[Row]) -> None:
    figure = draw_architecture(rows, "part", size=(8, 8))
    figure.canvas.draw()
    drawn = texts(figure)
    assert "image" in drawn
    assert ("linear" in drawn) == (rows == ROWS[-1:])


def test_fire_module_names_its_filters() -> None:
    figure = draw_fire_module(256, 48, 192, (3, 24))
    drawn = " ".join(texts(figure))
    for words in (
        "256 channels",
        "squeeze: 48 filters 1x1",
        "192 filters 3x3",
        "stacked: 384 channels",
        "3x24",
    ):
        assert words in drawn
    figure.canvas.draw()
