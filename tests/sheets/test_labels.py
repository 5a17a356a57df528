"""Labels of the three tasks, and the policy for sheets with several types."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from steelsight.errors import BadData
from steelsight.sheets.labels import label_sheets
from steelsight.types import SheetItem

NAMES = ("none", "type 1", "type 2", "type 3", "type 4")
ITEMS = tuple(
    SheetItem(str(i), Path(str(i)), types, "class") for i, types in enumerate([(), (3,), (1, 4), (2,)])
)


def test_binary_keeps_all_sheets() -> None:
    labelled = label_sheets(ITEMS, "binary", NAMES, keep_multi_type=False)
    assert labelled.class_names == ("none", "defect")
    assert labelled.labels.tolist() == [0, 1, 1, 1]
    assert labelled.alternatives == ((0,), (1,), (1,), (1,))


def test_multiclass_drops_several_types_unless_told_otherwise() -> None:
    dropped = label_sheets(ITEMS, "multiclass", NAMES, keep_multi_type=False)
    kept = label_sheets(ITEMS, "multiclass", NAMES, keep_multi_type=True)
    assert dropped.class_names == NAMES
    assert dropped.labels.tolist() == [0, 3, -1, 2]
    assert kept.labels.tolist() == [0, 3, 1, 2]
    assert dropped.alternatives == kept.alternatives == ((0,), (3,), (1, 4), (2,))
    assert kept.multi_type == (False, False, True, False)


def test_multilabel_says_yes_or_no_per_type() -> None:
    labelled = label_sheets(ITEMS, "multilabel", NAMES, keep_multi_type=False)
    assert labelled.class_names == NAMES[1:]
    assert labelled.labels.dtype == np.float32
    assert labelled.labels.tolist() == [[0, 0, 0, 0], [0, 0, 1, 0], [1, 0, 0, 1], [0, 1, 0, 0]]
    assert labelled.alternatives == ((), (2,), (0, 3), (1,))


def test_a_type_without_a_name() -> None:
    with pytest.raises(BadData, match=r"1: has defect types \(3,\), expected 1 to 2 \(type 1, type 2\)"):
        label_sheets(ITEMS, "binary", NAMES[:3], keep_multi_type=False)


def test_no_sheets() -> None:
    assert label_sheets((), "binary", NAMES, keep_multi_type=False).labels.shape == (0,)
    assert label_sheets((), "multilabel", NAMES, keep_multi_type=False).labels.shape == (0, 4)
