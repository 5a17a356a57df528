"""The study's claim that false positives of type 2 are sheet ends."""

from __future__ import annotations

from steelsight.study.claims.verdict import ClaimVerdict, decide
from steelsight.study.measures.sheet_ends import measure_sheet_ends
from steelsight.study.multiclass import MulticlassResults

__all__ = ["type_two_at_ends"]


def type_two_at_ends(multiclass: MulticlassResults) -> ClaimVerdict:
    """All false positives of type 2 show a sheet end, and a larger share of them than of other sheets."""
    effect = measure_sheet_ends(multiclass.study)
    if isinstance(effect, str):
        return ClaimVerdict("undecided here", f"{effect[0].upper()}{effect[1:]}.")
    if not effect.wrong.size:
        return ClaimVerdict("undecided here", "No test sheet was wrongly classified as type 2.")
    ended = int(effect.ends[effect.wrong].sum())
    reason = (
        f"Share of the {effect.wrong.size} false positives with a sheet end ({ended}); among other sheets "
        f"not of type 2 it is {effect.elsewhere.estimate:.0%}."
    )
    every = ended == effect.wrong.size
    more = effect.share.low > effect.elsewhere.high
    return ClaimVerdict(decide(every and more, not every), reason, effect.share)
