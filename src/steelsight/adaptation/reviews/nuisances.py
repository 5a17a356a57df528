"""Lists of the sheets that reviewers marked "right answer, wrong reason", as `shortcuts prove` takes them.

A list names the sheets with the nuisance and, for comparison, sheets without it. A sheet where nobody marked
the nuisance may have it all the same: it counts as without only where the detector of that kind finds
nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from steelsight.adaptation.reviews.deciding import DecidedSheet, nuisance_name
from steelsight.adaptation.reviews.pictures import marked_runs
from steelsight.adaptation.reviews.reading import GivenAnswer
from steelsight.counterfactuals.nuisances.nuisance import DETECTORS, likely_kind
from steelsight.csv_text import csv_text
from steelsight.errors import BadAnnotation
from steelsight.files import write_synced
from steelsight.names import short_name, shown_name
from steelsight.sheets.catalog import load_pixels, open_data
from steelsight.types import InputSpec

__all__ = ["NuisanceList", "write_nuisances"]


@dataclass(frozen=True)
class NuisanceList:
    """One written list."""

    name: str
    file: str  # in the DATA folder
    with_it: int  # sheets
    without: int
    kind: str  # stain, end, or mark for what is cut out where it was marked; "" = it cannot be pasted


def write_nuisances(data: Path, decided: Mapping[str, DecidedSheet]) -> tuple[NuisanceList, ...]:
    """Write one list for each nuisance that was named or marked; sorted by name.

    data     the written DATA folder
    decided  what was decided, by the stem of the image's file name
    raises   OSError where a list cannot be written
    """
    marked: dict[str, dict[str, GivenAnswer]] = defaultdict(dict)
    for stem, each in decided.items():
        for answer in reversed(each.reasons):  # the latest stays
            marked[nuisance_name(answer)][stem] = answer
    if not marked:
        return ()
    cache = load_pixels(open_data(data), InputSpec())
    rows = {Path(item.id).stem: row for row, item in enumerate(cache.sheets.items)}
    lists = []
    taken: set[str] = set()
    for name, answers in sorted(marked.items()):
        present = np.array([rows[stem] for stem in answers if stem in rows], dtype=np.int64)
        kind = name if name in DETECTORS else likely_kind(np.asarray(cache.images[present]))
        found = DETECTORS[kind](cache.images) > 0 if kind in DETECTORS else np.zeros(len(rows), dtype=bool)
        table = [("ImageId", "group", "EncodedPixels")]
        for stem, row in sorted(rows.items()):
            item = cache.sheets.items[row]
            if stem in answers:
                table.append((item.id, "with", _runs(answers[stem], item.path)))
            elif not found[row]:
                table.append((item.id, "without", ""))
        file = _file_name(name, taken)
        write_synced(data / file, shown_name(csv_text(table)).encode())
        counts = [sum(line[1] == word for line in table) for word in ("with", "without")]
        is_marked = any(line[1] == "with" and line[2] for line in table)
        lists.append(NuisanceList(name, file, counts[0], counts[1], kind or "mark" * is_marked))
    return tuple(lists)


def _runs(answer: GivenAnswer, path: Path) -> str:
    """The marked places; "" where there is none, or they lie outside the image."""
    try:
        return marked_runs(answer, path)
    except BadAnnotation:
        return ""


def _file_name(name: str, taken: set[str]) -> str:
    """A name for a list that every file system takes."""
    safe = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)
    safe = short_name(shown_name(safe), 80) or "nuisance"
    while safe in taken:
        safe += "_"
    taken.add(safe)
    return f"nuisance_{safe}.csv"
