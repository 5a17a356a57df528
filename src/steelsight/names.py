"""Shows file names and other text that not every encoding can write.

A file name that is not UTF-8 is held in memory with surrogates (`surrogateescape`), so that it opens its
file. Wherever text leaves the program (terminal, JSON, HTML, CSV, Parquet, figures), it is written as
`shown_name` writes it.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from typing import Final

__all__ = ["SHOWN", "on_one_line", "same_name", "short_name", "shown_name"]

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
SHOWN: Final = "steelsight_shown"  # the rule of `shown_name`, as the `errors` of an encoding


def same_name(text: str) -> str:
    r"""What names that look the same have in common: composed letters, and one space between words.

    A name is typed from what a screen shows, which does not tell an umlaut of one character from one of two.

    >>> same_name("Lo\u0308cher  fein ") == same_name("L\u00f6cher fein")
    True
    """
    return unicodedata.normalize("NFC", " ".join(text.split()))


def shown_name(text: str) -> str:
    r"""The text with every byte that is not UTF-8 as a backslash escape; other text is unchanged.

    Showing a shown name again changes nothing.

    >>> shown_name("gr\udcfcn.png")
    'gr\\xfcn.png'
    >>> shown_name("grün.png")
    'grün.png'
    """
    return text if text.isascii() else text.encode("utf-8", SHOWN).decode("utf-8")


def short_name(name: str, most_bytes: int = 200) -> str:
    """The name cut to at most `most_bytes` bytes, in whole characters; file systems allow 255 in all.

    >>> short_name("sheet-0001", 5)
    'sheet'
    """
    while len(name.encode(errors="surrogateescape")) > most_bytes:
        name = name[:-1]
    return name


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_escaped, error.object[error.start : error.end])), error.end


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte, as surrogateescape holds it
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _coded(code: int) -> str:
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"


def on_one_line(text: str) -> str:
    r"""The text with control characters as backslash escapes: none reaches a terminal or starts a line.

    These are the C0 and C1 controls, among them ESC and line ends, the line and paragraph separators, and the
    marks that turn the direction of writing.

    >>> on_one_line("a\x1b[2Jb\nc")
    'a\\x1b[2Jb\\x0ac'
    """
    return _CONTROL.sub(lambda found: _coded(ord(found[0])), text)


codecs.register_error(SHOWN, _escape)
