"""Reads JSON, XML and YAML of unknown origin: bounded in size and depth, without entities or objects."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError

import yaml
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse, parse

from steelsight.errors import BadData
from steelsight.reading import open_regular
from steelsight.sheets.images.image_file import unreadable

__all__ = [
    "MAX_BYTES",
    "json_keys",
    "read_json",
    "read_text",
    "read_xml",
    "read_yaml",
    "sample_of",
    "xml_root",
]

MAX_BYTES: Final = 2**28  # of one annotation file: 50,000 images with ten polygons each
_SAMPLED: Final = 8


def read_text(path: Path, *, most: int = MAX_BYTES) -> str:
    """The text of a file in UTF-8; raises BadData when it is larger than `most` bytes or no text."""
    _refuse_large(path, most)
    try:
        with io.TextIOWrapper(open_regular(path), encoding="utf-8-sig") as file:
            return file.read()
    except OSError as error:
        raise BadData(unreadable(path, error)) from error
    except UnicodeDecodeError as error:
        raise BadData(f"{path.name}: expected text in UTF-8, found {error.reason}; save it again") from error


def read_json(path: Path) -> Any:
    """The value of a JSON file; raises BadData."""
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        words = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BadData(f"{path.name}: expected JSON, found {words:.120}; export it again") from error


def json_keys(path: Path) -> frozenset[str]:
    """The keys of the outermost object, or of a list's first object and "[]"; none if damaged."""
    try:
        found = path.stat()
    except OSError:
        return frozenset()
    return _remembered_keys(path, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=4096)
def _remembered_keys(path: Path, _size: int, _changed_ns: int) -> frozenset[str]:
    try:
        value = read_json(path)
    except BadData:
        return frozenset()
    if isinstance(value, dict):
        return frozenset(value)
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return frozenset({"[]", *value[0]})
    return frozenset()


def read_xml(path: Path) -> Element:
    """The root of an XML file without entities; raises BadData."""
    _refuse_large(path, MAX_BYTES)
    try:
        with open_regular(path) as file:
            root: Element | None = parse(file).getroot()
    except OSError as error:
        raise BadData(unreadable(path, error)) from error
    except DefusedXmlException as error:
        raise BadData(f"{path.name}: declares entities, which annotations need not; remove them") from error
    except (ParseError, ValueError, RecursionError, LookupError) as error:
        raise BadData(f"{path.name}: expected XML, found {error!s:.120}; export it again") from error
    if root is None:
        raise BadData(f"{path.name}: expected XML, found nothing; export it again")
    return root


def xml_root(path: Path) -> str:
    """The name of a file's outermost element; "" where it is no XML."""
    try:
        with open_regular(path) as file:
            return next((str(element.tag) for _, element in iterparse(file, events=("start",))), "")
    except (OSError, DefusedXmlException, ParseError, ValueError, LookupError):
        return ""


def read_yaml(path: Path) -> Any:
    """The value of a YAML file of at most a megabyte, made of plain values; raises BadData."""
    text = read_text(path, most=2**20)
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadData(f"{path.name}: expected YAML, found {words:.120}; correct it") from error


def sample_of(names: Sequence[str], most: int = _SAMPLED) -> Iterable[str]:
    """A few of many files, spread evenly."""
    return names if len(names) <= most else [names[i * len(names) // most] for i in range(most)]


def _refuse_large(path: Path, most: int) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise BadData(unreadable(path, error)) from error
    if size > most:
        raise BadData(f"{path.name}: {size} bytes, more than the {most} allowed; split it")
