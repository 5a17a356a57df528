"""Tables as spreadsheets save them are read alike; what cannot be read is refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from steelsight.errors import BadData
from steelsight.sheets.formats.tables import read_table

CELLS = {"ImageId": "a b.jpg", "coil": "7", "note": "two\nlines"}
TEXT = 'ImageId,coil,note\r\na b.jpg, 7,"two\nlines"\r\n'


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("head", ["", "sep=X\r\n"])
def test_a_table_is_read_alike_however_it_was_saved(
    separator: str, encoding: str, head: str, tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes((head.replace("X", separator) + TEXT.replace(",", separator)).encode(encoding))
    table = read_table(path)
    assert table.columns == ("ImageId", "coil", "note")
    assert [row.cells for row in table.rows] == [CELLS]
    assert not table.ragged
    assert table.rows[0].line == 3 + bool(head)


def test_a_separator_within_cells_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("ImageId;width\na.jpg;1,5\n\n;\n;;\nb.jpg;2,5;\n")
    table = read_table(path)
    assert [row.cells["width"] for row in table.rows] == ["1,5", ""]
    assert table.ragged == ((6, "expected 2 cells, found 3; check commas and quotes"),)
    assert table.ragged_cells == (("b.jpg", "2,5", ""),)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"ImageId,coil,coil\na,1,2\n", "two columns are named coil; rename or remove one"),
        (b"ImageId\n\xff\n", "expected a CSV table in UTF-8"),
        (b"\xff\xfea", "expected a CSV table in UTF-8"),
        (b'ImageId,coil\n"a,1\n', "unexpected end of data"),
        (b"", "the table is empty; expected a header line"),
    ],
)
def test_what_is_no_table_is_refused(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(BadData, match=words):
        read_table(tmp_path / "t.csv")
