"""What a repair may claim: every pair of verdicts, and counter-examples of falls that are none."""

from __future__ import annotations

import itertools

import pytest

from steelsight.counterfactuals.decision import Verdict
from steelsight.counterfactuals.pasting.counterfactual import PasteEffect
from steelsight.counterfactuals.proof import ShortcutProof
from steelsight.shortcuts.repair.conclusion import is_repaired, repair_conclusion
from steelsight.types import Interval

VERDICTS: tuple[Verdict, ...] = ("proven", "not found at this power", "inconclusive")


def _proof(
    verdict: Verdict, flips: float = 0.2, control: float = 0.0, half: float = 0.1, *, pasted: bool = True
) -> ShortcutProof:
    nothing = Interval(0.0, 0.0, 0.0)
    excess = flips - control
    effect = PasteEffect(
        receivers=200,
        no_room=0,
        wrong=0,
        unlocated=0,
        material="32 drawn",
        flips=Interval(flips, flips, flips),
        control_flips=Interval(control, control, control),
        excess=Interval(excess, excess - half, excess + half),
        shift=nothing,
        control_shift=nothing,
        excess_shift=nothing,
        becomes={},
        doses=(),
    )
    return ShortcutProof(
        "stain", "detector", "good", verdict, "", None, None, effect if pasted else None, None, ()
    )


@pytest.mark.parametrize(("before", "after"), list(itertools.product(VERDICTS, VERDICTS)))
def test_only_a_proven_shortcut_that_is_not_found_after_is_repaired(before: Verdict, after: Verdict) -> None:
    first, second = _proof(before, 0.6, 0.0, 0.05), _proof(after, 0.1, 0.0, 0.05)
    said = repair_conclusion(first, second, "stain")
    shown = (before, after) == ("proven", "not found at this power")
    assert is_repaired(first, second) is shown
    assert ("proven before and is not found after" in said) is shown
    assert ("No repair is shown" in said) is (before != "proven")
    assert ("still proven" in said) is (before == after == "proven")
    assert ("fewer flips beyond the control than before" in said) is (before == "proven" and not shown)


def test_a_difference_that_falls_because_the_control_flips_more_is_said_so() -> None:
    before, after = _proof("inconclusive", 0.200, 0.0), _proof("inconclusive", 0.267, 0.133)
    said = repair_conclusion(before, after, "stain")
    assert (
        "No repair is shown: before it, the verdict on stain is inconclusive; after it, inconclusive" in said
    )
    assert "The difference falls because more controls flip; flips with stain do not become fewer" in said


def test_bounds_below_those_before_count_only_where_flips_fell() -> None:
    before = _proof("proven", 0.5, 0.0, 0.05)
    assert "no fewer flips are shown" in repair_conclusion(before, _proof("proven", 0.5, 0.4, 0.01), "stain")
    assert "no fewer flips are shown" in repair_conclusion(before, _proof("proven", 0.4, 0.0, 0.1), "stain")
    assert "more controls flip" not in repair_conclusion(before, _proof("proven", 0.4, 0.0, 0.1), "stain")
    assert "with fewer flips" in repair_conclusion(before, _proof("proven", 0.2, 0.0, 0.05), "stain")


def test_without_a_paste_nothing_is_said_of_flips() -> None:
    before, after = _proof("proven"), _proof("inconclusive", pasted=False)
    assert "no fewer flips are shown." in repair_conclusion(before, after, "stain")
    assert "No repair is shown" in repair_conclusion(after, after, "stain")
