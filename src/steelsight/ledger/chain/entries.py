"""What an entry of the ledger says: one frozen model for each kind, every number bounded by its meaning."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from steelsight.errors import BadEntry
from steelsight.plain import plain
from steelsight.types import Reason, Region, State

__all__ = [
    "KINDS",
    "Action",
    "Answer",
    "Draw",
    "Entry",
    "Event",
    "LedgerRegion",
    "Mode",
    "Recommended",
    "Review",
    "Runs",
    "SheetSeen",
    "VerdictGiven",
    "check_entry",
    "entry_values",
    "later_fields",
    "sheet_id",
]

SAFE_INTEGER: Final = 2**53 - 1  # the largest integer that every JSON reader keeps (RFC 8785)

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
ItemName = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f\x7f]+$")]
Words = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$")]  # PostgreSQL holds no NUL
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
SheetId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
PersonId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Runs = Annotated[str, StringConstraints(min_length=3, max_length=200_000, pattern=r"^[0-9]+( [0-9]+)*$")]
Microseconds = Annotated[int, Field(ge=-SAFE_INTEGER, le=SAFE_INTEGER)]  # since 1970-01-01 UTC
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Pixels = Annotated[int, Field(ge=0, le=SAFE_INTEGER)]


class Mode(StrEnum):
    """How a verdict came about."""

    LIVE = "live"  # shown at the line
    SHADOW = "shadow"  # by a second bundle, not shown
    REPLAY = "replay"  # of stored images, later


class Answer(StrEnum):
    """What a person says to a verdict."""

    CONFIRMED = "confirmed"  # the label is right
    CORRECTED = "corrected"  # another label is right; `label` names it
    UNSURE = "unsure"  # the person cannot tell


class Action(StrEnum):
    """What is to be done with the part of the coil that a sheet shows."""

    ACCEPT = "accept"
    RE_INSPECT = "re-inspect"
    HOLD = "hold"
    DOWNGRADE = "downgrade"


# What this version knows, or any other name: what a later version wrote is read, verified and rebuilt.
KnownState = Annotated[State | Name, Field(union_mode="left_to_right")]
KnownReason = Annotated[Reason | Name, Field(union_mode="left_to_right")]
KnownAction = Annotated[Action | Name, Field(union_mode="left_to_right")]


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        ser_json_inf_nan="constants",  # so that infinity is refused, not written as null
    )


class LedgerRegion(_Model):
    """A place with evidence, in pixels of the original image."""

    box: tuple[Pixels, Pixels, Pixels, Pixels]  # left, top, right, bottom; edges
    area_px: Pixels
    score: Share  # its strongest evidence divided by the sheet's strongest

    @classmethod
    def of(cls, region: Region) -> LedgerRegion:
        """A region of a verdict as entries hold it."""
        return cls(box=region.box, area_px=region.area_px, score=region.score)


class SheetSeen(_Model):
    """A sheet as a station received it."""

    kind: Literal["sheet"] = "sheet"
    station: Name
    item: ItemName  # the source's own name of the sheet; station and item identify it for ever
    image_hash: Digest | None = None  # SHA-256 of the image file's bytes; None where no bytes could be read
    image: ItemName | None = None  # where the image lies: a key of the image store, or a path
    width: Pixels | None = None
    height: Pixels | None = None
    captured_us: Microseconds  # time of capture
    coil: Name | None = None
    position_m: Finite | None = None  # along the strip, of the image's leading edge
    length_m: NotNegative | None = None  # along the strip
    across_mm: Finite | None = None  # from the reference edge of the strip to the image's left edge
    side: Literal["top", "bottom"] | None = None
    repeated: bool = False  # the same bytes as the sheet before it at this station: a camera may stand still

    @property
    def sheet(self) -> str:
        """The sheet's identity."""
        return sheet_id(self.station, self.item)


class VerdictGiven(_Model):
    """What one bundle says of one sheet."""

    kind: Literal["verdict"] = "verdict"
    sheet: SheetId
    mode: Mode = Mode.LIVE
    bundle: Name  # its model id
    label: Words  # empty for an image that could not be read
    probability: Share | None = None  # of the label; None for an image that could not be read
    probabilities: dict[Name, Share] = Field(default_factory=dict)  # of all classes
    state: KnownState
    reason: KnownReason
    detail: Words = ""  # of a bad image
    regions: tuple[LedgerRegion, ...] = ()
    distance: NotNegative | None = None  # from the training sheets
    engine: Words = ""
    precision: Words = ""
    latency_ms: NotNegative | None = None  # from the image's arrival to the verdict


class Draw(_Model):
    """A sheet drawn for audit, decided before anything was shown."""

    kind: Literal["draw"] = "draw"
    sheet: SheetId
    stratum: Name
    probability: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]  # of inclusion, in its stratum
    value: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]  # of the keyed function; drawn if below
    key_commitment: Digest  # SHA-256 of the key; who holds the key can repeat the draw


class Recommended(_Model):
    """The action that a rule of the recommendation policy named, and the one that the person chose."""

    action: KnownAction
    rule: Name  # of the policy, that fired
    policy: Digest  # SHA-256 of the policy file
    chosen: KnownAction | None = None  # None = the person chose none; nobody has to


class Review(_Model):
    """What a person says of one sheet."""

    kind: Literal["review"] = "review"
    sheet: SheetId
    person: PersonId
    answer: Answer
    label: Name | None = None  # the right label: of `corrected`, else the verdict's
    verdict: tuple[Name, int] | None = None  # writer and seq of the verdict that was shown
    regions: tuple[LedgerRegion, ...] = ()  # as the person drew them
    nuisance: Name | None = None  # what misled the model, such as a stain
    comment: Digest | None = None  # commitment to a text that can be erased
    seconds: NotNegative | None = None  # the person looked at it
    mask: Runs | None = None  # as the person painted it: run lengths of the original image, as sheets.rle
    blind: bool = False  # decided before verdict and map were shown
    recommended: Recommended | None = None  # None = nothing was recommended
    independent: bool = False  # of a second person, to whom the first one's answer was not shown

    @model_validator(mode="after")
    def _label_of_a_correction(self) -> Review:
        if self.answer is Answer.CORRECTED and self.label is None:
            raise ValueError("a corrected verdict needs the right label")
        return self


class Event(_Model):
    """Anything else that must be on record: login, role, promotion, export, retention."""

    kind: Literal["event"] = "event"
    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,79}$")]
    person: PersonId | None = None
    subject: ItemName | None = None  # what it is about: a user, a bundle, a file
    details: dict[str, Any] = Field(default_factory=dict)  # JSON; no names of people


Entry = SheetSeen | VerdictGiven | Draw | Review | Event
KINDS: Final[dict[str, type[Entry]]] = {
    "sheet": SheetSeen,
    "verdict": VerdictGiven,
    "draw": Draw,
    "review": Review,
    "event": Event,
}

# Fields that an earlier version did not write, by kind: its entries are read without them.
LATER: Final[dict[str, frozenset[str]]] = {
    "review": frozenset({"mask", "blind", "recommended", "independent"}),
}
ONLY_GIVEN: Final[dict[str, frozenset[str]]] = {  # not written where they have their default
    "review": frozenset({"recommended", "independent"}),
}


def later_fields(kind: str) -> frozenset[str]:
    """Names of the fields of a kind that stored entries of an earlier version do not have."""
    return LATER.get(kind, frozenset())


def entry_values(entry: Entry, *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The content of an entry as plain values for JSON.

    without  fields that the stored entry does not have
    """
    fields = type(entry).model_fields
    names = ONLY_GIVEN.get(entry.kind, frozenset())
    absent = {name for name in names if getattr(entry, name) == fields[name].default}
    return entry.model_dump(mode="json", exclude=absent | without)


def sheet_id(station: str, item: str) -> str:
    """The identity of a sheet: the same in every run, whatever the order of arrival.

    >>> sheet_id("line-1", "a.jpg") == sheet_id("line-1", "a.jpg")
    True
    >>> sheet_id("line-1", "a.jpg") == sheet_id("line-1a", ".jpg")
    False
    """
    return hashlib.sha256(f"{station}\0{item}".encode()).hexdigest()[:32]


def check_entry(data: Any) -> Entry:
    """The entry of stored or received values.

    data    a mapping with `kind` and the fields of that kind
    raises  BadEntry, with the first field that is wrong
    """
    kind = data.get("kind") if isinstance(data, dict) else None
    model = KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        raise BadEntry(f"entry: expected a kind of {', '.join(KINDS)}, got {kind!r}")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "entry"
        came = plain(first.get("input"))
        raise BadEntry(f"entry of kind {kind}, field {place}: {first['msg']}, got {came!r:.80}") from error
