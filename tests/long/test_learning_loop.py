"""A planted stain shortcut, named by a reviewer at the console, is gone from the promoted bundle."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))  # walks the chain, for its own table too

from learning_loop import Loop, Plan


@pytest.mark.long
def test_forty_marks_at_the_console_bring_the_flips_from_thirty_to_five_percent(tmp_path: Path) -> None:
    found = Loop(tmp_path, Plan(unseen=800)).walk()
    assert found["review"]["answers"]["wrong reason: stain"] == 40
    assert found["review"]["listed"]["with"] == 40
    assert found["prove"]["verdict"] == "proven"
    gate, service = found["release"]["gate"], found["release"]["service"]
    assert gate["before"]["outcome"] == "exceeded"
    assert gate["after"]["outcome"] == "passed"  # the upper bound of 5 %
    assert service["before"]["high"] >= 0.3
    assert service["after"]["low"] <= 0.05
    assert service["after"]["high"] < service["before"]["low"]
    assert found["repair"]["accuracy_change"]["low"] >= -0.02
    assert found["release"]["ledger_clean"]
