"""Names that are not UTF-8: shown with escapes, the same in every file that is written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelsight.errors import BadOutput
from steelsight.files import check_output, dump_json, replace_file
from steelsight.names import SHOWN, short_name, shown_name
from steelsight.reports.document import Document

LATIN = os.fsdecode(b"gr\xfcn")


@given(st.binary())
def test_any_file_name_can_be_written(name: bytes) -> None:
    shown = shown_name(name.decode("utf-8", "surrogateescape"))
    assert shown_name(shown) == shown
    shown.encode("utf-8")


@given(st.text())  # without surrogates, as all decoded text
def test_text_of_utf_8_is_unchanged(text: str) -> None:
    assert shown_name(text) == text


def test_an_encoding_that_lacks_a_character() -> None:
    assert "5 \u2192 \U0001f525".encode("ascii", SHOWN) == rb"5 \u2192 \U0001f525"
    assert LATIN.encode("ascii", SHOWN) == rb"gr\xfcn"


@given(st.text(max_size=90), st.integers(0, 200))
def test_a_shortened_name_is_a_beginning_within_its_bytes(name: str, most: int) -> None:
    short = short_name(name, most)
    assert name.startswith(short)
    assert len(short.encode()) <= most
    assert short == name or len(name[: len(short) + 1].encode()) > most


def test_json_and_pages_and_texts(tmp_path: Path) -> None:
    facts = {LATIN: [LATIN, Path(LATIN)]}
    assert json.loads(dump_json(facts)) == {r"gr\xfcn": [r"gr\xfcn", r"gr\xfcn"]}
    document = Document(LATIN)
    document.chapter(LATIN)
    document.table([LATIN], [[LATIN]])
    document.save(tmp_path / "page.html")
    assert r"gr\xfcn" in (tmp_path / "page.html").read_text(encoding="utf-8")
    replace_file(tmp_path / "text", LATIN)
    assert (tmp_path / "text").read_bytes() == rb"gr\xfcn"


def test_a_name_of_253_bytes_is_written_whole(tmp_path: Path) -> None:
    replace_file(tmp_path / ("x" * 253), b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["x" * 253]


@pytest.mark.parametrize("inner", ["file", "file/run", "file/runs/run"])
def test_an_output_folder_that_is_a_file(inner: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BadOutput, match=r"expected a folder to write, but .*file is a file; choose another"):
        check_output(tmp_path / inner)


def test_an_output_folder_with_too_long_a_name(tmp_path: Path) -> None:
    with pytest.raises(BadOutput, match=r"cannot be written \(File name too long\)"):
        check_output(tmp_path / ("x" * 256) / "run")


def test_an_output_folder_that_can_be_written(tmp_path: Path) -> None:
    check_output(tmp_path)
    check_output(tmp_path / "new" / "run")
    assert list(tmp_path.iterdir()) == []
