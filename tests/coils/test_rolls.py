"""Tables of rolls: what they may hold, what is refused and how, and which rolls a distance names."""

import math

import pytest

from steelsight.coils.images import image_multiple
from steelsight.coils.rolls import Roll, name_rolls, parse_rolls, read_rolls
from steelsight.errors import BadInput

HEAD = "name,diameter_mm,tolerance_mm\n"


def test_a_table_is_read_whatever_the_order_of_columns_and_the_line_ends():
    text = "\ufeffTolerance_mm, name ,diameter_mm,stretch\r\n5,F6 oben,612.5,1\r\n\r\n2,'=x,400,1.25\r\n"
    assert parse_rolls(text.encode()) == (Roll("F6 oben", 612.5, 5.0), Roll("=x", 400.0, 2.0, 1.25))


def test_rolls_are_named_by_their_circumference_the_nearest_first():
    rolls = [
        Roll("a", 600.0, 3.0),
        Roll("b", 601.0, 3.0),
        Roll("far", 700.0, 3.0),
        Roll("long", 480.0, 3.0, 1.25),
    ]
    found = name_rolls(math.pi * 0.6005 + 0.0001, 0.0, rolls)
    assert [each.roll.name for each in found] == ["long", "b", "a"]
    assert found[2].off_mm == pytest.approx(0.53, abs=0.01)


def test_the_error_of_the_period_widens_the_tolerance():
    rolls = [Roll("a", 600.0, 0.0)]
    period = math.pi * 0.6 + 0.002
    assert not name_rolls(period, 0.0, rolls)
    assert name_rolls(period, 0.001, rolls)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected a heading with the columns name,diameter_mm,tolerance_mm, found no name"),
        (HEAD, "expected a row for each roll below the heading, got none"),
        ("name,diameter_mm\nF6,600\n", "found no tolerance_mm"),
        ("name;diameter_mm;tolerance_mm\nF6;600;2\n", "expected columns separated by commas"),
        ("name,diameter_mm,tolerance_mm,colour\nF6,600,2,red\n", "unknown column 'colour'"),
        ("name,name,diameter_mm,tolerance_mm\nF6,F6,600,2\n", "column name twice"),
        (HEAD + "F6,six,2\n", "line 2, diameter_mm: expected a number from 10 to 10000, got 'six'"),
        (HEAD + "F6,nan,2\n", "diameter_mm: expected a number"),
        (HEAD + "F6,-600,2\n", "diameter_mm: expected a number"),
        (HEAD + "F6,inf,2\n", "diameter_mm: expected a number"),
        (HEAD + "F6,600,\n", "tolerance_mm: expected a number from 0 to 300, got ''"),
        (HEAD + "F6,600,400\n", "tolerance_mm: expected a number from 0 to 300, got '400'"),
        (HEAD + "F6,600,5,2\n", "line 2: expected 3 cells, got 4; write numbers with a decimal point"),
        (HEAD + "F6,600\n", "line 2: expected 3 cells, got 2"),
        (HEAD + ",600,2\n", "line 2, name: expected 1 to 200 printable characters, got ''"),
        (HEAD + "\x1b[31mF6,600,2\n", "printable characters"),
        (HEAD + "x" * 201 + ",600,2\n", "1 to 200 printable"),
        (HEAD + "F6,600,2\nF6,610,2\n", "line 3: the name 'F6' comes a second time"),
        (HEAD + '"F6,600,2\n', "expected CSV"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(text, words):
    with pytest.raises(BadInput, match=words):
        parse_rolls(text.encode(), "rolls.csv")


def test_other_encodings_too_many_rolls_and_missing_files_are_refused(tmp_path):
    with pytest.raises(BadInput, match="expected text in UTF-8, got the byte 0xfc"):
        parse_rolls((HEAD + "Walze für,600,2\n").encode("latin-1"))
    many = HEAD + "".join(f"r{number},600,2\n" for number in range(10_001))
    with pytest.raises(BadInput, match="more than 10000 rolls"):
        parse_rolls(many.encode())
    with pytest.raises(BadInput, match="cannot be read"):
        read_rolls(tmp_path / "none.csv")
    with pytest.raises(BadInput, match="cannot be read"):
        read_rolls(tmp_path)


def test_a_period_of_whole_images_is_told():
    assert image_multiple(1.6, 0.0001, (0.4,)) == 4
    assert image_multiple(1.61, 0.0001, (0.4,)) is None
    assert image_multiple(1.61, 0.01, (0.4,)) == 4
    assert image_multiple(1.6, 0.0001, ()) is None
