"""Every input of benchmarks/input_cases.py is recognised as it should be, or refused in the right words."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from steelsight.errors import BadInput
from steelsight.sheets.catalog import LAYOUTS, DataOptions, check_images, open_data

_ROOT = Path(__file__).parents[3]
CASES = importlib.import_module("input_cases").CASES  # of benchmarks/, see conftest


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_input_is_recognised_or_refused_in_words(case: Any, tmp_path: Path) -> None:
    root = tmp_path / "DATA"
    root.mkdir()
    case.draw(root)
    expect, options = case.expect, DataOptions(**case.expect.options)
    if not expect.layout:
        with pytest.raises(BadInput) as refusal:
            check_images(open_data(root, groups=expect.groups, options=options))
        assert expect.refused
        assert expect.refused in str(refusal.value)
        return
    sheets = check_images(open_data(root, groups=expect.groups, options=options))
    parts = Counter(item.part for item in sheets.items)
    found = {
        "layout": sheets.layout,
        "types": sheets.type_names[1:],
        "clean": sheets.clean_name,
        "sheets": len(sheets.items),
        "masked": sum(bool(item.types) and item.evidence == "mask" for item in sheets.items),
        "defect_free": sum(not item.types for item in sheets.items),
        "parts": (parts["train"], parts["validation"], parts["test"]),
        "bad": len(sheets.rejections),
    }
    reasons = [f"{bad.id}: {bad.reason}" for bad in sheets.rejections]
    assert found == {name: getattr(expect, name) for name in found}, reasons
    assert {item.path for item in sheets.items} == {root / item.path for item in sheets.items}


def test_there_are_sixty_inputs_and_every_layout_is_among_them() -> None:
    assert len(CASES) >= 60
    assert {case.expect.layout for case in CASES} == {"", *LAYOUTS}
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)


def test_the_page_has_a_row_for_every_input() -> None:
    page = (_ROOT / "docs" / "results" / "inputs.md").read_text()
    for case in CASES:
        outcome = f"recognised: {case.expect.layout}" if case.expect.layout else "refused"
        assert f"| {case.name} | {outcome} |" in page
