"""Text that the font of the figures lacks: no warning, no box."""

from __future__ import annotations

import pytest
from matplotlib import font_manager
from matplotlib.font_manager import FontEntry
from matplotlib.text import Text

from steelsight.reports.figures import glyphs
from steelsight.reports.figures.sheets.distribution import draw_distribution
from steelsight.reports.figures.style import figure_png, new_figure, title_axes


@pytest.fixture
def no_other_font(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glyphs, "_fallbacks", lambda: ())
    glyphs._family_of.cache_clear()


@pytest.mark.usefixtures("no_other_font")
def test_characters_of_no_font_become_escapes() -> None:
    figure, (axes,) = new_figure()
    title_axes(axes, "裂纹 gr\udcfcn ±µ→")
    axes.set_yticks([0, 1], ["裂", "crack"])
    axes.bar(["纹", "b"], [1, 2], label="鋼")
    axes.legend()
    assert figure_png(figure)  # a missing glyph would warn, and warnings are errors in tests
    texts = {text.get_text() for text in figure.findobj(Text)}
    assert {r"\u88c2\u7eb9 gr\xfcn ±µ→", r"\u88c2", "crack", r"\u7eb9", r"\u92fc"} <= texts


@pytest.mark.usefixtures("no_other_font")
def test_a_figure_of_classes_named_in_chinese() -> None:
    assert figure_png(draw_distribution(["none", "裂纹"], [3, 4]))


def test_another_installed_font_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for a font of Chinese: STIX, which has double-struck digits that DejaVu Sans Bold lacks."""
    stix = next(entry for entry in font_manager.fontManager.ttflist if entry.name == "STIXGeneral")
    assert isinstance(stix, FontEntry)
    bold = font_manager.FontProperties(weight="bold")
    own = glyphs._characters(font_manager.findfont(bold))
    character = next(chr(c) for c in sorted(glyphs._characters(stix.fname) - own) if c > 0x2000)
    monkeypatch.setattr(glyphs, "_fallbacks", lambda: (("STIXGeneral", stix.fname),))
    glyphs._family_of.cache_clear()
    figure, (axes,) = new_figure()
    title_axes(axes, character)
    assert figure_png(figure)
    title = next(text for text in figure.findobj(Text) if text.get_text() == character)
    assert title.get_fontfamily()[-1] == "STIXGeneral"
    glyphs._family_of.cache_clear()


def test_other_figures_are_unchanged() -> None:
    figure, (axes,) = new_figure()
    title_axes(axes, "Recall → 0.5 ± 0.1")
    axes.set_xticks([0, 1], ["a", "b"])
    formatter, families = axes.xaxis.get_major_formatter(), axes.get_title(loc="left")
    glyphs.cover_glyphs(figure)
    assert axes.xaxis.get_major_formatter() is formatter
    assert axes.get_title(loc="left") == families
