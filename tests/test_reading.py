"""Files of unknown origin: pipes, sizes, nesting and names that lead elsewhere are refused, at once."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelsight.reading import inside, parse_json, parse_object, parse_toml, read_regular


def test_a_pipe_a_folder_and_a_large_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file but a pipe or a device"):
        read_regular(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        read_regular(Path(os.devnull))
    with pytest.raises(IsADirectoryError):
        read_regular(tmp_path)
    (tmp_path / "file").write_bytes(b"12345")
    assert read_regular(tmp_path / "file", most_bytes=5) == b"12345"
    with pytest.raises(OSError, match="more than the 4 bytes allowed"):
        read_regular(tmp_path / "file", most_bytes=4)


def test_memory_follows_the_size_of_the_file_not_the_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    tracemalloc.start()
    try:
        assert read_regular(tmp_path / "file") == b"12345"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20


def test_a_file_that_is_longer_than_the_system_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    monkeypatch.setattr("steelsight.reading._size", lambda _file: 2)
    assert read_regular(tmp_path / "file", most_bytes=5) == b"12345"
    with pytest.raises(OSError, match="more than the 4 bytes allowed"):
        read_regular(tmp_path / "file", most_bytes=4)


@pytest.mark.parametrize("depth", [65, 900, 100_000])
@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ('{"a":', "}")])
def test_deep_json(depth: int, opened: str, closed: str) -> None:
    with pytest.raises(ValueError, match="nested"):
        parse_json(opened * depth + "1" + closed * depth)


def test_json_of_sixty_levels_is_read() -> None:
    assert parse_json("[" * 60 + "]" * 60)


@pytest.mark.parametrize("text", ["[]", "1", "null", '"a"'])
def test_another_value_than_an_object(text: str) -> None:
    with pytest.raises(ValueError, match="expected an object, found"):
        parse_object(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("a" + ".a" * 100_000 + " = 1", "more than 64 dots"),
        ("[a" + ".a" * 5000 + "]", "more than 64 dots"),
        ("# " + "x" * 2**18, "characters, more than"),
        ("a = {" + "b = {" * 5000 + "}" * 5001, "nested too deeply"),
    ],
)
def test_toml_that_takes_too_long_or_too_deep(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_toml(text)


@pytest.mark.parametrize(
    "name",
    [
        "../victim",
        "a/../../victim",
        "/etc/passwd",
        "..\\victim",
        "C:\\victim",
        "c:victim",
        "",
        ".",
        "./",
        ".\\",
        " ./. ",
        "..",
        "a\0b",
    ],
)
def test_a_name_that_leads_elsewhere(name: str) -> None:
    with pytest.raises(ValueError, match="expected a name inside root"):
        inside(Path("root"), name)


@given(st.lists(st.text("ab./\\: ", max_size=6), min_size=1, max_size=5))
def test_what_is_joined_stays_inside(parts: list[str]) -> None:
    name = "/".join(parts)
    try:
        joined = inside(Path("/root"), name)
    except ValueError:
        return
    assert os.path.normpath(joined).startswith("/root/")
