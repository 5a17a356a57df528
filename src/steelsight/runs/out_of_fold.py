"""Reads the out-of-fold predictions of a cross-validation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float32, Int

from steelsight.checksums import read_checked
from steelsight.errors import BadCheckpoint, BadInput
from steelsight.models.checkpoint import WEIGHTS_FILE
from steelsight.training.records import METRICS_FILE, PREDICTIONS_FILE, read_metrics
from steelsight.types import Labels

__all__ = ["OutOfFold", "is_cross_validation", "read_out_of_fold"]

COLUMNS = ("id", "repeat", "fold", "group", "label", "logits")


@dataclass(frozen=True)
class OutOfFold:
    """One row for each prediction, by repeat and then by sheet."""

    ids: tuple[str, ...]
    repeat: Int[np.ndarray, " n"]
    fold: Int[np.ndarray, " n"]
    groups: tuple[str, ...]  # a sheet without a group is a group of its own, named by its id
    labels: Labels
    logits: Float32[np.ndarray, "n c"]
    class_names: tuple[str, ...]
    data: str
    data_hash: str


def is_cross_validation(folder: Path) -> bool:
    """Whether a folder is a cross-validation rather than a RUN."""
    return not (folder / WEIGHTS_FILE).exists() and (folder / "fold-0-0").is_dir()


def read_out_of_fold(folder: Path) -> OutOfFold:
    """The predictions that `train --folds` wrote; sheets of several types are left out.

    raises  BadCheckpoint where the cross-validation is unfinished or altered; BadInput for multilabel
    """
    try:
        metrics = read_metrics(folder)
        stored = pa.BufferReader(read_checked(folder / PREDICTIONS_FILE, advice="run `train --folds` again"))
        table = pq.read_table(stored, columns=list(COLUMNS)).to_pydict()
        names = tuple(metrics["class_names"])
        task, data = metrics["task"], metrics["data"]
        data_name, data_hash = str(data["name"]), str(data["hash"])
    except BadCheckpoint:
        raise
    except (OSError, ValueError, LookupError, TypeError, pa.ArrowException) as error:
        raise BadCheckpoint(
            f"{folder}: expected a finished cross-validation with {METRICS_FILE} and {PREDICTIONS_FILE}, "
            f"got {error}; run the same `train --folds` again, it resumes"
        ) from error
    if task == "multilabel":
        raise BadInput(f"{folder}: expected a binary or multiclass cross-validation, got multilabel")
    kept = [i for i, label in enumerate(table["label"]) if label in names]
    order = sorted(kept, key=lambda i: (table["repeat"][i], table["id"][i]))
    ids = tuple(table["id"][i] for i in order)
    return OutOfFold(
        ids=ids,
        repeat=np.array([table["repeat"][i] for i in order], dtype=np.int64),
        fold=np.array([table["fold"][i] for i in order], dtype=np.int64),
        groups=tuple(table["group"][i] or table["id"][i] for i in order),
        labels=np.array([names.index(table["label"][i]) for i in order], dtype=np.int64),
        logits=np.array([table["logits"][i] for i in order], dtype=np.float32).reshape(-1, len(names)),
        class_names=names,
        data=data_name,
        data_hash=data_hash,
    )
