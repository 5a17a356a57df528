"""What a repair has shown, decided from the proofs before and after it.

A smaller estimate after training again shows nothing by itself: the control may flip more, and bounds of few
sheets are wide. A repair is

    shown       the shortcut was proven before, and is not found after
    partly      it was proven before, and the bounds after lie below those before
    not shown   everything else, with the reason
"""

from __future__ import annotations

from steelsight.counterfactuals.proof import ShortcutProof

__all__ = ["is_repaired", "repair_conclusion"]

PROVEN, NOT_FOUND = "proven", "not found at this power"


def is_repaired(before: ShortcutProof, after: ShortcutProof) -> bool:
    """Whether the shortcut was proven before and is not found after."""
    return before.verdict == PROVEN and after.verdict == NOT_FOUND


def repair_conclusion(before: ShortcutProof, after: ShortcutProof, nuisance: str) -> str:
    """Conclude from two proofs on one folder's sheets, in one to three sentences.

    before, after  of the unchanged run and of the chosen one
    """
    if is_repaired(before, after):
        return f"The shortcut {nuisance} was proven before and is not found after."
    if before.verdict != PROVEN:
        return (
            f"No repair is shown: before it, the verdict on {nuisance} is {before.verdict}; after it, "
            f"{after.verdict}. Bring more sheets.{_control_note(before, after, nuisance)}"
        )
    if after.verdict == PROVEN:
        remains = f"The shortcut {nuisance} is still proven"
    else:
        remains = f"The shortcut {nuisance} was proven before; after it, the verdict is {after.verdict}"
    if _lies_below(before, after):
        return f"{remains}, with fewer flips beyond the control than before."
    return f"{remains}, and no fewer flips are shown.{_control_note(before, after, nuisance)}"


def _lies_below(before: ShortcutProof, after: ShortcutProof) -> bool:
    """Whether the bounds of the flips beyond the control lie below those before, and flips fell."""
    first, second = before.pasted, after.pasted
    if first is None or second is None:
        return False
    fell = second.flips.estimate < first.flips.estimate
    return fell and second.excess.high < first.excess.low


def _control_note(before: ShortcutProof, after: ShortcutProof, nuisance: str) -> str:
    """Where the difference fell although flips did not: it is the control that flips more."""
    first, second = before.pasted, after.pasted
    if first is None or second is None:
        return ""
    if second.excess.estimate < first.excess.estimate and second.flips.estimate >= first.flips.estimate:
        return f" The difference falls because more controls flip; flips with {nuisance} do not become fewer."
    return ""
