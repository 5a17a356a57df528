"""Heatmap figures: signs have colours, scales are symmetric and shared, masks are outlined."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from steelsight.reports.figures.explanation.panels import ExplanationRow, draw_explanations
from steelsight.reports.overlay import BLUE, OPACITY, RED, blend


def row(
    rng: np.random.Generator,
    size: tuple[int, int] = (16, 100),
    count: int = 2,
    **changes: object,
) -> ExplanationRow:
    facts: dict[str, object] = {
        "gray": rng.integers(0, 256, size, dtype=np.uint8),
        "mask": None,
        "title": "sheet_1.jpg",
        "maps": [rng.normal(size=size).astype(np.float32) for _ in range(count)],
        "names": [f"class {i}" for i in range(count)],
    }
    return ExplanationRow(**(facts | changes))


def test_blend_is_red_above_zero_blue_below_and_the_sheet_at_zero() -> None:
    gray = np.full((1, 3), 128, dtype=np.uint8)
    red, blue, sheet = blend(gray, np.array([[2.0, -2.0, 0.0]], dtype=np.float32), 2.0)[0]
    assert red[0] > 0.7 > red[2]
    assert blue[2] > 0.7 > blue[0]
    assert sheet == pytest.approx(np.full(3, 128 / 255))


def test_blend_is_symmetric_and_saturates_at_the_limit() -> None:
    black = np.zeros((1, 4), dtype=np.uint8)
    tinted = blend(black, np.array([[1.0, -1.0, 2.0, 9.0]], dtype=np.float32), 2.0)[0]
    opacity = tinted.max(1) / [max(RED), max(BLUE), max(RED), max(RED)]  # on black, colour times opacity
    assert opacity == pytest.approx([0.5 * OPACITY, 0.5 * OPACITY, OPACITY, OPACITY])
    assert (tinted <= 1).all()


def test_maps_of_a_sheet_have_one_symmetric_scale(rng: np.random.Generator) -> None:
    maps = [np.full((16, 100), 0.5, dtype=np.float32), np.full((16, 100), -2.0, dtype=np.float32)]
    figure = draw_explanations([row(rng), row(rng), row(rng, maps=maps)])
    bars = [axes for axes in figure.axes if axes.get_label() == "<colorbar>" or axes.get_title() == "excites"]
    assert len(bars) == 3
    low, high = bars[-1].get_ylim()
    assert (low, high) == (-2, 2)
    assert [label.get_text() for label in bars[-1].get_yticklabels()] == ["−2", "0", "+2"]


@pytest.mark.parametrize("size", [(16, 100), (48, 48), (90, 30)])
@pytest.mark.parametrize("maps", [0, 1, 2, 3, 5, 8])
def test_panels_do_not_overlap(size: tuple[int, int], maps: int, rng: np.random.Generator) -> None:
    figure = draw_explanations([row(rng, size, maps), row(rng, size, maps)])
    figure.canvas.draw()
    boxes = [axes.get_position() for axes in figure.axes]
    assert len(boxes) == 2 * (1 + maps) + 2 * bool(maps)
    for box in boxes:
        assert 0 <= box.x0 < box.x1 <= 1
        assert 0 <= box.y0 < box.y1 <= 1
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:index])


def test_masks_are_outlined_however_small_or_large(rng: np.random.Generator) -> None:
    faint = np.zeros((16, 100), dtype=np.float32)
    faint[3, 5] = 0.1
    whole = np.ones((16, 100), dtype=bool)
    for mask in (faint, whole):
        figure = draw_explanations([row(rng, mask=mask)])
        figure.canvas.draw()
        panels = [axes for axes in figure.axes if axes.images]
        assert all(axes.collections for axes in panels[:3])
        assert panels[0].get_xlim() == (-0.5, 99.5)
        assert panels[0].get_ylim() == (15.5, -0.5)


def test_empty_masks_and_zero_maps_are_drawn(rng: np.random.Generator) -> None:
    zeros = np.zeros((16, 100), dtype=np.float32)
    figure = draw_explanations([row(rng, count=1, mask=zeros, maps=[zeros])])
    figure.canvas.draw()
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) >= 2
    assert not any(axes.collections for axes in panels[:2]), "an empty mask has no outline"
    assert draw_explanations([]).axes == []


def test_file_names_are_plain_text_and_shortened_at_the_front(rng: np.random.Generator) -> None:
    title = "x" * 900 + "_$1$.jpg  defect 0.93"
    figure = draw_explanations([row(rng, title=title)])
    figure.canvas.draw()
    lines = [text.get_text() for text in figure.texts if text.get_fontweight() == "bold"]
    assert 2 <= len(lines) <= 3
    assert lines[0].startswith("…x")
    assert "".join(lines).replace(" ", "").endswith("_$1$.jpgdefect0.93")
    assert max(map(len, lines)) < 160


@pytest.mark.parametrize("aspect", [0.1, 1.0, 2.0, 6.25, 30.0])
def test_sheets_are_drawn_with_the_aspect_ratio_of_their_images(
    aspect: float, rng: np.random.Generator
) -> None:
    gray = rng.integers(0, 256, (64, 400), dtype=np.uint8)
    maps = [rng.normal(size=(64, 400)).astype(np.float32) for _ in range(3)]
    row = ExplanationRow(gray, None, "sheet", maps, ["a", "b", "c"], pixel_aspect=aspect * 64 / 400)
    figure = draw_explanations([row])
    FigureCanvasAgg(figure).draw()
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == 4
    for axes in panels:
        drawn = axes.get_window_extent()
        assert drawn.width / drawn.height == pytest.approx(aspect, rel=0.02)
        assert drawn.x1 <= figure.bbox.width


def test_a_long_name_beside_a_narrow_sheet_is_wrapped_and_whole(rng: np.random.Generator) -> None:
    gray = rng.integers(0, 256, (90, 30), dtype=np.uint8)
    name = "coil_4711_left_side_of_camera_2_taken_on_the_second_of_march  crack 0.97  (true: crack)"
    figure = draw_explanations([ExplanationRow(gray, None, name, [gray.astype(np.float32)], ["crack  0.97"])])
    FigureCanvasAgg(figure).draw()
    heading = [text for text in figure.texts if text.get_fontweight() == "bold"]
    assert "".join("".join(text.get_text() for text in heading).split()) == "".join(name.split())
    assert all(text.get_window_extent().x1 <= figure.bbox.width for text in heading)
    tops = [text.get_window_extent().y0 for text in heading]
    assert tops == sorted(tops, reverse=True)
