"""What the script of the page sends."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from steelsight.ledger.chain.entries import Action, Answer, LedgerRegion, Recommended, Runs
from steelsight.service.api.models.sheets import VerdictName
from steelsight.service.api.models.values import Parameters, ShortName
from steelsight.service.reviewing.entries import GivenReview
from steelsight.service.reviewing.queue import Only, Order

__all__ = ["LONGEST_COMMENT", "ClaimBody", "ClaimsBody", "DecisionBody", "UndoBody"]

LONGEST_COMMENT: Final = 5000  # characters
MOST_SKIPPED: Final = 300
Hex32 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class ClaimBody(Parameters):
    """Which sheet is wanted."""

    order: Order = Order.DOUBT
    only: Only = Only.ALL
    skip: tuple[Hex32, ...] = Field((), max_length=MOST_SKIPPED)  # put off, or on the page already
    sheet: Hex32 | None = None  # this one


class ClaimsBody(Parameters):
    """Claims that go on, or end."""

    claims: tuple[Hex32, ...] = Field((), max_length=20)


class RecommendedBody(Parameters):
    """The recommendation that was shown, and the action that the person chose."""

    action: Action
    rule: ShortName
    policy: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    chosen: Action | None = None


class DecisionBody(Parameters):
    """The answer to one sheet."""

    sheet: Hex32
    claim: Hex32 | None = None
    verdict: VerdictName | None = None
    answer: Answer
    label: ShortName | None = None
    nuisance: ShortName | None = None
    regions: tuple[LedgerRegion, ...] = Field((), max_length=100)
    mask: Runs | None = None
    comment: Annotated[str, StringConstraints(max_length=LONGEST_COMMENT, pattern=r"^[^\x00]*$")] | None = (
        None
    )
    seconds: float | None = Field(None, ge=0, le=1e9, allow_inf_nan=False)
    recommended: RecommendedBody | None = None  # None where none was shown
    second: bool = False  # take it although somebody else has reviewed the sheet

    def given(self) -> GivenReview:
        """The review in it."""
        names = ("sheet", "answer", "label", "nuisance", "regions", "mask", "comment", "seconds")
        named = None if self.verdict is None else (self.verdict.writer, self.verdict.seq)
        shown = None if self.recommended is None else Recommended(**self.recommended.model_dump())
        values = {name: getattr(self, name) for name in names}
        return GivenReview(**values, verdict=named, recommended=shown)


class UndoBody(Parameters):
    """A review that is taken back."""

    writer: ShortName
    seq: int = Field(ge=1, le=2**53 - 1)
