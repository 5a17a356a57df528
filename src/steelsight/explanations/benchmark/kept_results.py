"""Keeps the result of every finished method of a league, so that an interrupted one continues.

A kept result is used again only where models, sheets, masks, recipe, task, seed and versions are the same.
Which methods a league compares does not count: a league of more methods uses what one of fewer has kept.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from steelsight.explanations.benchmark.faithfulness import FaithfulnessMeans
from steelsight.explanations.benchmark.methods import CandidateMethod
from steelsight.explanations.benchmark.results import EvaluationCase, MethodResult, Scores
from steelsight.explanations.benchmark.scoring import MaskedSheets
from steelsight.explanations.benchmark.selection import Choices, ChosenRule
from steelsight.explanations.benchmark.settings import LeagueRecipe
from steelsight.explanations.masks import MaskRule
from steelsight.files import dump_json, pack_arrays, replace_file
from steelsight.reading import parse_object
from steelsight.types import Task
from steelsight.version import __version__

__all__ = ["KeptResults", "identify_league"]

_FACTS: Final = "facts"  # the array that holds everything but arrays, as JSON text
_BY_LABEL: Final = ("scores", "predicted", "original")


@dataclass(frozen=True)
class KeptResults:
    """A folder with one file a method."""

    folder: Path
    identity: str  # of the league, by `identify_league`
    candidates: Mapping[str, CandidateMethod]  # by name

    def path(self, method: str) -> Path:
        """The file of a method's result."""
        return self.folder / f"{method}.{self.identity[:16]}.npz"

    def load(self, method: str) -> MethodResult | None:
        """The result kept of a method; None where there is none, or it is damaged."""
        try:
            with self.path(method).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return _unpack(method, dict(arrays), self)
        except (OSError, EOFError, ValueError, LookupError, TypeError, zipfile.BadZipFile):
            return None  # it is computed again

    def save(self, result: MethodResult) -> None:
        """Keep a result; raises BadOutput."""
        replace_file(self.path(result.method), pack_arrays(_pack(result, self.identity)))


def identify_league(cases: Sequence[EvaluationCase], recipe: LeagueRecipe, task: Task, seed: int) -> str:
    """A checksum of what a method's result depends on."""
    digest = hashlib.sha256()
    settings = recipe.model_dump(mode="json")
    settings["report"] = {"batch": recipe.report.batch}  # the rest applies to what is done with results
    head = {
        "version": __version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "recipe": settings,
        "task": task,
        "seed": seed,
    }
    digest.update(json.dumps(head, sort_keys=True).encode())
    for case in cases:
        digest.update(case.name.encode())
        for part in _bytes_of(case):
            digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def _bytes_of(case: EvaluationCase) -> Iterator[bytes]:
    yield np.ascontiguousarray(case.clean).tobytes()
    for name, tensor in sorted(case.evaluation.model.state_dict().items()):
        yield name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes()
    for sheets in (case.selection, case.evaluation):
        yield from _bytes_of_sheets(sheets)


def _bytes_of_sheets(sheets: MaskedSheets) -> Iterator[bytes]:
    for array in (sheets.images, sheets.truths, sheets.targets, sheets.answers):
        yield str(array.shape).encode() + np.ascontiguousarray(array).tobytes()
    yield json.dumps([sheets.types, sheets.groups, sheets.ids, sheets.original is not None]).encode()


def _pack(result: MethodResult, identity: str) -> dict[str, np.ndarray]:
    facts = {
        "identity": identity,
        "choices": [{str(kind): asdict(chosen) for kind, chosen in each.items()} for each in result.choices],
        "sensitivity": result.sensitivity,
        "checks": None if result.checks is None else asdict(result.checks),
    }
    arrays = {_FACTS: np.array(dump_json(facts, indent=None))}
    for field in _BY_LABEL:
        for label, scores in getattr(result, field).items():
            arrays |= {f"{field}/{label}/{name}": values for name, values in scores.items()}
    return arrays | {f"maps/{name}": values for name, values in result.maps.items()}


def _unpack(method: str, arrays: Mapping[str, np.ndarray], kept: KeptResults) -> MethodResult:
    """The result; raises LookupError, ValueError or TypeError where the file is not of this league."""
    facts = parse_object(str(arrays[_FACTS]))
    if facts["identity"] != kept.identity:
        raise ValueError("of another league")
    by_label: dict[str, dict[str, Scores]] = {field: {} for field in _BY_LABEL}
    maps: Scores = {}
    for key, values in arrays.items():
        field, _, rest = key.partition("/")
        if field == "maps":
            maps[rest] = values
        elif field in by_label:
            label, _, name = rest.partition("/")
            by_label[field].setdefault(label, {})[name] = values
    checks = facts["checks"]
    return MethodResult(
        method=method,
        candidate=kept.candidates[method],
        choices=tuple(_choices(each) for each in facts["choices"]),
        maps=maps,
        sensitivity={name: _number(value) for name, value in facts["sensitivity"].items()},
        checks=None if checks is None else _checks(checks),
        time_ms=float("nan"),
        **by_label,
    )


def _choices(kept: Mapping[str, Any]) -> Choices:
    return {
        int(kind): ChosenRule(MaskRule(**chosen["rule"]), _number(chosen["dice"]), chosen["sheets"])
        for kind, chosen in kept.items()
    }


def _checks(kept: Mapping[str, Any]) -> FaithfulnessMeans:
    numbers = {name: _number(kept[name]) for name in ("deletion", "insertion", "stability")}
    randomised = tuple(_number(value) for value in kept["randomised"])
    return FaithfulnessMeans(sheets=kept["sheets"], randomised=randomised, **numbers)


def _number(value: float | None) -> float:
    """JSON has null for NaN."""
    return float("nan") if value is None else float(value)
