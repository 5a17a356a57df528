"""Kaggle's run lengths to masks and back.

The text is `start length start length …`: starts count from 1, down the columns first (column-major), as
in the Severstal competition. Reading is strict: what does not describe one mask exactly is refused.
"""

from __future__ import annotations

import re

import numpy as np
from jaxtyping import Bool, Int

from steelsight.errors import BadAnnotation
from steelsight.types import Mask

__all__ = ["check_runs", "decode_runs", "encode_mask"]

Runs = Int[np.ndarray, "r"]
Flags = Bool[np.ndarray, "r"]

_NUMBER = re.compile(r"-?[0-9]{1,18}", re.ASCII)  # 18 digits always fit an int64
_NUMBERS = re.compile(rf"\s*(?:{_NUMBER.pattern}(?:\s+|$))*", re.ASCII)
_COLUMN = "check EncodedPixels"


def decode_runs(text: str, shape: tuple[int, int], *, where: str = "") -> Mask:
    """The mask that a run-length text describes.

    text    starts and lengths separated by white space; empty = empty mask; any order, touching allowed
    shape   (height, width) of the image
    where   head of error messages, such as `train.csv row 812 (000a4bcdd.jpg)`
    returns (h, w) bool, in column-major memory order
    raises  BadAnnotation on a non-number, odd count, start or length below 1, run past the end, overlap
    """
    pixels = shape[0] * shape[1]
    starts, lengths = _ascending_runs(text, shape, where)
    bounds = np.stack([starts, starts + lengths], axis=1).ravel() - 1
    gaps_and_runs = np.diff(bounds, prepend=0, append=pixels)  # gap, run, gap, run, …, gap
    inside = np.arange(gaps_and_runs.size) % 2 == 1
    return np.repeat(inside, gaps_and_runs).reshape(shape[::-1]).T


def check_runs(text: str, shape: tuple[int, int], *, where: str = "") -> int:
    """The number of pixels a run-length text covers; refuses what `decode_runs` refuses."""
    return int(_ascending_runs(text, shape, where)[1].sum())


def encode_mask(mask: Mask) -> str:
    """The run-length text of a mask: ascending, touching runs joined, empty for an empty mask.

    mask    (h, w) bool
    """
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if flat.size and flat[0]:
        edges = np.append(0, edges)
    if edges.size % 2:  # the last run reaches the last pixel
        edges = np.append(edges, flat.size)
    starts, ends = edges[0::2], edges[1::2]
    numbers = np.stack([starts + 1, ends - starts], axis=1).ravel()
    return " ".join(map(str, numbers.tolist()))


def _ascending_runs(text: str, shape: tuple[int, int], where: str) -> tuple[Runs, Runs]:
    pixels = shape[0] * shape[1]
    starts, lengths = _split_runs(text, where)
    ends = starts + lengths  # exclusive; both still count from 1, so the last allowed end is pixels + 1
    _refuse(starts < 1, starts, lengths, where, "starts below 1, and runs count pixels from 1")
    _refuse(lengths < 1, starts, lengths, where, "has no pixels")
    past = f"ends past {shape[0]}x{shape[1]} = {pixels} pixels"
    _refuse((lengths > pixels) | (ends > pixels + 1), starts, lengths, where, past)
    order = np.argsort(starts, kind="stable")
    starts, lengths, ends = starts[order], lengths[order], ends[order]
    overlaps = np.zeros(starts.size, dtype=bool)
    overlaps[1:] = starts[1:] < ends[:-1]
    _refuse(overlaps, starts, lengths, where, "overlaps the run before it")
    return starts, lengths


def _split_runs(text: str, where: str) -> tuple[Runs, Runs]:
    tokens = text.split()
    if not _NUMBERS.fullmatch(text):
        bad = next((token for token in tokens if not _NUMBER.fullmatch(token)), text)
        raise BadAnnotation(_message(where, f"expected whole numbers, found {bad[:40]!r}"))
    if len(tokens) % 2:
        raise BadAnnotation(
            _message(where, f"expected pairs of start and length, found {len(tokens)} numbers, an odd count")
        )
    numbers = np.array(tokens, dtype=object).astype(np.int64) if tokens else np.empty(0, np.int64)
    return numbers[0::2], numbers[1::2]


def _refuse(bad: Flags, starts: Runs, lengths: Runs, where: str, what: str) -> None:
    if bad.any():
        first = int(np.argmax(bad))
        raise BadAnnotation(_message(where, f"run {starts[first]}+{lengths[first]} {what}"))


def _message(where: str, what: str) -> str:
    return f"{where or 'run lengths'}: {what}; {_COLUMN}"
