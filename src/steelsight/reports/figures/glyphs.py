"""Text in figures whose characters the font lacks: drawn in another installed font, or escaped.

Matplotlib draws a box for such a character and warns; a class named in Chinese would be unreadable.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from matplotlib.axis import Axis
from matplotlib.category import StrCategoryFormatter
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter, Formatter, FuncFormatter

from steelsight.names import shown_name

__all__ = ["cover_glyphs", "drawn_text"]

FALLBACK_FAMILIES: Final = (  # of Linux distributions, Windows and macOS, for Chinese, Japanese and Korean
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Source Han Sans SC"),
    *("WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Droid Sans Fallback"),
    *("Microsoft YaHei", "SimHei", "Yu Gothic", "MS Gothic", "Malgun Gothic"),
    *("PingFang SC", "Hiragino Sans", "Heiti SC", "Apple SD Gothic Neo", "Arial Unicode MS", "Noto Sans"),
)


def cover_glyphs(figure: Figure) -> None:
    """Give every text of a figure a font that has its characters; one of no font becomes an escape."""
    for text in figure.findobj(Text):
        content = text.get_text()
        if not content.isascii():
            shown, families = _cover(content, text.get_fontproperties())
            if shown != content:
                text.set_text(shown)
            if families:
                text.set_fontfamily([*text.get_fontfamily(), *families])
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            _cover_ticks(axis)


def drawn_text(text: str) -> str:
    """The text as `cover_glyphs` draws it; to be measured where it has to fit."""
    return _cover(text, FontProperties())[0]


class _CoveredFormatter(Formatter):
    """Tick labels of another formatter, with escapes for characters of no font."""

    def __init__(self, inner: Any, font: FontProperties) -> None:
        self.inner, self.font = inner, font

    def __call__(self, x: Any, pos: Any = None) -> str:
        return _cover(self.inner(x, pos), self.font)[0]

    def format_ticks(self, values: Any) -> list[str]:
        return [_cover(label, self.font)[0] for label in self.inner.format_ticks(values)]

    def get_offset(self) -> str:
        return str(self.inner.get_offset())


def _cover_ticks(axis: Axis) -> None:
    formatter = axis.get_major_formatter()
    if not isinstance(formatter, FixedFormatter | FuncFormatter | StrCategoryFormatter):
        return  # numbers
    labels = formatter.format_ticks([float(place) for place in axis.get_majorticklocs()])
    font = FontProperties()
    covered = [_cover(label, font) for label in labels]
    if [label for label, _ in covered] != labels:
        axis.set_major_formatter(_CoveredFormatter(formatter, font))
    if families := tuple(dict.fromkeys(name for _, names in covered for name in names)):
        axis.set_tick_params(labelfontfamily=[*font.get_family(), *families])


def _cover(text: str, font: FontProperties) -> tuple[str, tuple[str, ...]]:
    """The text as it can be drawn, and the families that its characters need beside the font's own."""
    text = shown_name(text)
    if text.isascii():
        return text, ()
    own = _characters(findfont(font))
    families: dict[str, None] = {}
    parts = []
    for character in text:
        code = ord(character)
        family = None if code in own or code < 128 else _family_of(code)
        if family is not None:
            families[family] = None
        drawn = code in own or code < 128 or family is not None
        parts.append(character if drawn else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}")
    return "".join(parts), tuple(families)


@cache
def _family_of(code: int) -> str | None:
    """The first installed family that has a character."""
    return next((name for name, path in _fallbacks() if code in _characters(path)), None)


@cache
def _fallbacks() -> tuple[tuple[str, str], ...]:
    installed = {entry.name: entry.fname for entry in fontManager.ttflist}
    return tuple((name, installed[name]) for name in FALLBACK_FAMILIES if name in installed)


@cache
def _characters(path: str) -> frozenset[int]:
    return frozenset(get_font(path).get_charmap())
