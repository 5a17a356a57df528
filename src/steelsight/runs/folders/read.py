"""What a RUN folder says of itself, read from its small files: no model is loaded and nothing is checked.

A cross-validation, whose folds are RUN folders, is one entry. Folders of other kinds are none: a BUNDLE, a
folder of another tool with a `model.safetensors` of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from steelsight.plain import plain
from steelsight.reading import open_regular, parse_object, read_regular
from steelsight.types import Interval

__all__ = ["FIGURES", "FOLDS", "RunFolder", "RunState", "read_run_folder"]

# As the modules that write these files have them, which import torch; a test compares the names.
WEIGHTS_FILE: Final = "model.safetensors"
CARD_FILE: Final = "card.json"
METRICS_FILE: Final = "metrics.json"
RECIPE_FILE: Final = "recipe.json"
STATE_FILE: Final = "progress.safetensors"
FOLDS: Final = "fold-*-*"

FIGURES: Final = (  # of metrics.json that are shown, where a run has them
    "accuracy",
    "balanced_accuracy",
    "f1_weighted",
    "f1_macro",
    "auc",
    "defect_auc",
    "all_types_right",
    "mean_auc",
)
_MOST_BYTES: Final = 2**26  # of metrics.json, which may list thousands of sheets set aside
_MOST_HEADER: Final = 2**24  # of a safetensors file

RunState = Literal["finished", "resumable", "incomplete"]


@dataclass(frozen=True)
class RunFolder:
    """A RUN folder, or the folder of a cross-validation."""

    folder: Path
    state: RunState  # resumable: the command that began it goes on; incomplete: it can only start over
    changed: datetime  # when the last of its files below was written, in UTC
    folds: int = 0  # RUN folders of a cross-validation; 0 = one training
    task: str = ""  # "" = not known yet, as the next three
    data: str = ""  # name of the DATA folder
    network: str = ""
    version: str = ""  # of Steelsight, that wrote it
    class_names: tuple[str, ...] = ()
    seed: int | None = None
    sheets: int | None = None  # of DATA
    parts: Mapping[str, int] = field(default_factory=dict)  # sheets of each part
    epochs: int | None = None  # done
    best_epoch: int | None = None
    figures: Mapping[str, Interval] = field(default_factory=dict)  # on test sheets, or out of fold
    noisy_figures: Mapping[str, Interval] = field(default_factory=dict)  # the same sheets with noise
    threshold: float | None = None  # certified; a verdict of lower confidence is "I don't know"
    notes: tuple[str, ...] = ()  # of the training
    problem: str = ""  # what could not be read, in words

    def as_dict(self) -> dict[str, Any]:
        """All fields, in JSON's types."""
        return {**asdict(self), "folder": str(self.folder), "changed": f"{self.changed:%Y-%m-%dT%H:%M:%SZ}"}


def read_run_folder(folder: Path) -> RunFolder | None:
    """What a folder says of the run it holds; None where it is no RUN folder and no cross-validation.

    raises  OSError where the folder cannot be read
    """
    folds = sum(_is_run(each) for each in folder.glob(FOLDS))
    if not folds and not _is_run(folder):
        return None
    card, metrics, problem = _read(folder, folds)
    epochs = _unfinished_epochs(folder / STATE_FILE) if not metrics else None
    if metrics and not problem:
        state: RunState = "finished"
    else:
        state = "resumable" if not metrics and (folds or epochs is not None) else "incomplete"
    if state == "incomplete" and not problem:
        problem = f"{METRICS_FILE} is missing; `steelsight train ... --fresh` starts over"
    return RunFolder(
        folder=folder,
        state=state,
        changed=_changed(folder),
        folds=folds,
        problem=problem,
        **_facts(card, metrics, epochs),
    )


def _is_run(folder: Path) -> bool:
    """Whether a folder holds a model with the card of a run, or the state of a training."""
    if (folder / WEIGHTS_FILE).is_file() and "weights_sha256" in _object(folder / CARD_FILE):
        return True
    return _unfinished_epochs(folder / STATE_FILE) is not None


def _object(path: Path) -> dict[str, Any]:
    """The object of a JSON file; empty where there is none that can be read."""
    try:
        return parse_object(read_regular(path, most_bytes=_MOST_BYTES))
    except (OSError, ValueError):
        return {}


def _read(folder: Path, folds: int) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Card, metrics and what is wrong with them; a cross-validation has its recipe in place of a card."""
    recipe = _object(folder / RECIPE_FILE)
    card = recipe if folds else _object(folder / CARD_FILE)
    try:
        return card, parse_object(read_regular(folder / METRICS_FILE, most_bytes=_MOST_BYTES)), ""
    except FileNotFoundError:
        return card, {}, ""
    except (OSError, ValueError) as error:
        return card, {}, f"{METRICS_FILE} cannot be read ({error!s:.120}); restore it or train again"


def _unfinished_epochs(path: Path) -> int | None:
    """The epochs of an unfinished training, by the header of its state; None where there is no such state."""
    try:
        with open_regular(path) as file:
            length = int.from_bytes(file.read(8), "little")
            header = parse_object(file.read(length)) if length <= _MOST_HEADER else {}
        facts = header["__metadata__"]
        history = parse_object(f'{{"rows": {facts["history"]}}}')["rows"]
        return len(history) if facts["fingerprint"] else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _changed(folder: Path) -> datetime:
    times = []
    for name in (METRICS_FILE, STATE_FILE, CARD_FILE, RECIPE_FILE, "."):
        try:
            times.append((folder / name).stat().st_mtime)
        except FileNotFoundError:
            continue
        if name != ".":
            break
    return datetime.fromtimestamp(times[0], UTC)


def _facts(card: Mapping[str, Any], metrics: Mapping[str, Any], epochs: int | None) -> dict[str, Any]:
    """The fields of a RunFolder that card and metrics hold; values of other types are left out."""
    data, training = _mapping(metrics.get("data")), _mapping(metrics.get("training"))
    environment = _mapping(metrics.get("environment"))
    parts = _mapping(data.get("parts"))
    return {
        "task": _text(metrics.get("task", card.get("task"))),
        "data": _text(data.get("name", card.get("data_name"))),
        "network": _text(_mapping(card.get("model")).get("name")),
        "version": _text(environment.get("steelsight", card.get("steelsight_version"))),
        "class_names": _texts(metrics.get("class_names", card.get("class_names"))),
        "seed": _whole(metrics.get("seed", card.get("seed"))),
        "sheets": _whole(data.get("sheets")),
        "parts": {str(name): int(count) for name, count in parts.items() if _whole(count) is not None},
        "epochs": _whole(training.get("epochs")) if epochs is None else epochs,
        "best_epoch": _whole(training.get("best_epoch")),
        "figures": _figures(_mapping(metrics.get("test", metrics.get("pooled")))),
        "noisy_figures": _figures(_mapping(metrics.get("test_noisy"))),
        "threshold": _number(card.get("threshold")),
        "notes": _texts(metrics.get("notes")),
    }


def _figures(report: Mapping[str, Any]) -> dict[str, Interval]:
    """The figures of a report; bounds are NaN where it has none."""
    found = {}
    for name in FIGURES:
        value = report.get(name)
        if isinstance(value, Mapping):
            bounds = [_number(value.get(key)) for key in ("estimate", "low", "high")]
        else:
            bounds = [_number(value), None, None]
        if bounds[0] is not None:
            found[name] = Interval(*(float("nan") if bound is None else bound for bound in bounds))
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    return str(plain(value)) if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(_text, value)) if isinstance(value, list) else ()


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
