"""Names in tables: every way of writing a path finds its image, and none finds another."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelsight.errors import BadData
from steelsight.sheets.formats.image_names import ImageNames, name_column
from steelsight.sheets.formats.tables import read_table
from steelsight.sheets.grouping.groups import table_groups

IDS = ("good/01.jpg", "good/02.png", "crack/01.jpg", "crack/deep/03.JPG", "top.tif")
NAMES = ImageNames(IDS)


@given(
    st.sampled_from(IDS), st.booleans(), st.booleans(), st.booleans(), st.sampled_from(["", "./", "D:/x/"])
)
def test_a_path_finds_its_image(id_: str, backslash: bool, bare: bool, upper: bool, before: str) -> None:
    name = before + (id_.rpartition(".")[0] if bare else id_)
    name = name.replace("/", "\\") if backslash else name
    assert NAMES.find(name.upper() if upper else name) == (id_,)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("02", ("good/02.png",)),
        ("03.jpg", ("crack/deep/03.JPG",)),
        ("01.jpg", ("crack/01.jpg", "good/01.jpg")),
        ("bad/01.jpg", ()),
        ("02.jpg", ()),
        ("", ()),
        ("/", ()),
        ("good", ()),
    ],
)
def test_what_a_bare_or_wrong_name_finds(name: str, found: tuple[str, ...]) -> None:
    assert NAMES.find(name) == found
    assert NAMES.one(name) == (found[0] if len(found) == 1 else None)


def test_the_exact_case_comes_first() -> None:
    names = ImageNames(["a.jpg", "A.jpg"])
    assert names.find("A.jpg") == ("A.jpg",)
    assert names.find("a") == ("a.jpg",)
    assert names.find("A.JPG") == ("A.jpg", "a.jpg")


def test_the_column_of_names_is_found_by_title_or_content(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for head, expected in (("coil,ImageId", "ImageId"), ("coil,Datei", "Datei"), ("coil,File", "File")):
        path.write_text(f"{head}\n7,good/01.jpg\n")
        assert name_column(read_table(path), NAMES, apart="coil") == expected
    path.write_text("coil,line\n7,8\n")
    assert name_column(read_table(path), NAMES, apart="coil") is None


def test_ambiguous_rows_and_sheets_without_a_row_are_faults(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("ImageId,coil\n01.jpg,7\n02,7\ntop.tif,\ncut\n")
    found = table_groups(read_table(path), IDS, "coil")
    groups, faults = found.groups, found.faults
    assert groups == ["", "7", "", "", ""]
    reasons = [f"{fault.id}: {fault.reason}" for fault in faults]
    assert reasons[0].startswith("t.csv: row 5: expected 2 cells, found 1")
    assert "t.csv row 2 (01.jpg): the name fits crack/01.jpg and good/01.jpg; write the whole" in reasons[1]
    assert len(reasons) == 2 + 4
    path.write_text("ImageId,coil\nx.jpg,7\n")
    with pytest.raises(
        BadData, match=r"t.csv: none of its 1 rows names an image \(column ImageId, such as 'x"
    ):
        table_groups(read_table(path), IDS, "coil")
    path.write_text("coil\n7\n")
    with pytest.raises(BadData, match=r"t\.csv: expected a column ImageId that names images, found coil"):
        table_groups(read_table(path), IDS, "coil")
