"""Every error Steelsight raises on purpose.

    SteelsightError
    ├── BadInput            what the user gave cannot be used; the command line exits with code 2
    │   ├── BadImage        one image file cannot be read, or must not be
    │   ├── BadAnnotation   a row of an annotation table, or a mask, contradicts its image
    │   ├── BadData         a DATA folder as a whole cannot be used
    │   │   ├── UnusableItems     more items of it are unusable than the caller tolerates
    │   │   ├── SharedBackground  pictures are alike by their background, so near-duplicates are unknown
    │   │   └── UnmatchedGroups   a rule of groups finds no table, column or name there
    │   ├── BadRecipe       a recipe or an option has an unknown name or an impossible value
    │   ├── BadCheckpoint   a RUN folder is incomplete, altered, or of another format
    │   ├── BadBundle       a BUNDLE folder is incomplete, altered, or of another format
    │   ├── UnknownLayer    a layer name the model does not have; lists those it has
    │   ├── BadCluster      a Ray cluster, or a node of it, cannot be used
    │   ├── BadSource       something to scan cannot be opened, or must not be
    │   ├── BadOutput       results cannot be written to a path
    │   ├── BadLedger       a ledger cannot be opened: address, schema, disk, or it is no ledger
    │   ├── BadEntry        what is to be written into a ledger is not a valid entry
    │   ├── BadCursor       a cursor is not of this ledger, was altered, or is past its end
    │   └── BadAccount      an account or a token cannot be made or changed so
    ├── ImageMissing        an image of the ledger is not in its store
    ├── ImageAltered        an image of the ledger has other bytes than those that were judged
    ├── LeaseLost           another process writes to the ledger under this writer's name
    ├── LedgerAltered       a ledger does not verify, or lies below its anchor
    ├── ScanIncomplete      a worker died; the message names the missing parts
    ├── WorkIncomplete      tasks killed their workers on a cluster again and again; the message names them
    ├── ParityRefused       an exported graph does not agree with the model it came from
    ├── AdaptationRefused   a head fitted to labelled sheets is not better than the bundle's own
    ├── GateRefused         a bundle's card has no record of a gate that it passed
    └── MissingWeights      pretrained weights are requested and not available

Messages say what was expected, what came, where, and what to do, in one line.
"""

from collections.abc import Mapping
from typing import Any

from steelsight.names import on_one_line, shown_name

__all__ = [
    "AdaptationRefused",
    "BadAccount",
    "BadAnnotation",
    "BadBundle",
    "BadCheckpoint",
    "BadCluster",
    "BadCursor",
    "BadData",
    "BadEntry",
    "BadImage",
    "BadInput",
    "BadLedger",
    "BadOutput",
    "BadRecipe",
    "BadSource",
    "GateRefused",
    "ImageAltered",
    "ImageMissing",
    "LeaseLost",
    "LedgerAltered",
    "MissingWeights",
    "ParityRefused",
    "ScanIncomplete",
    "SharedBackground",
    "SteelsightError",
    "UnknownLayer",
    "UnmatchedGroups",
    "UnusableItems",
    "WorkIncomplete",
    "is_out_of_memory",
]

_NO_MEMORY = ("out of memory", "can't allocate memory", "failed to allocate", "bad allocation", "bad_alloc")


class SteelsightError(Exception):
    """The root of every deliberate error."""

    def __str__(self) -> str:
        """The message on one line, as every encoding can write it: names of files may hold anything."""
        return _one_line(super().__str__())


class BadInput(SteelsightError, ValueError):
    """What the user gave cannot be used."""


class BadImage(BadInput):
    """One image file cannot be read, or must not be.

    kind  damaged, too_large, not_an_image (another kind of file, an animation), or out_of_memory, which is
          of this computer at that moment and not of the image
    """

    def __init__(self, message: str, *, kind: str = "damaged") -> None:
        super().__init__(message)
        self.kind = kind


class BadAnnotation(BadInput):
    """A row of an annotation table, or a mask file, contradicts its image or itself."""


class BadData(BadInput):
    """A DATA folder as a whole cannot be used."""


class UnusableItems(BadData):
    """More items of a DATA folder are unusable than the caller tolerates, or all are."""


class SharedBackground(BadData):
    """Most pictures of a DATA folder are alike by their background, so no near-duplicate is recognised."""


class UnmatchedGroups(BadData):
    """A rule of groups finds no table, no column or no name of a sheet in a DATA folder."""


class BadRecipe(BadInput):
    """A recipe or an option has an unknown name or an impossible value."""


class BadCheckpoint(BadInput):
    """A RUN folder is incomplete, altered, or written in another format."""


class BadBundle(BadInput):
    """A BUNDLE folder is incomplete, altered, or written in another format."""


class BadCluster(BadInput):
    """A Ray cluster, or every node of it, cannot be used."""


class BadSource(BadInput):
    """A file, folder, archive or pattern to scan cannot be opened, or must not be."""


class BadOutput(BadInput):
    """Results cannot be written: the disk is full, the folder read-only, or it holds something else."""


class BadLedger(BadInput):
    """A ledger cannot be opened: a wrong address, another schema, a full or read-only disk."""


class BadEntry(BadInput):
    """What is to be written into a ledger is not a valid entry; the message names the field."""


class BadCursor(BadInput):
    """A cursor is not one of this ledger, was altered, or points past the ledger's end."""


class BadAccount(BadInput):
    """An account or a token cannot be made or changed so.

    kind  refused (an impossible value), unknown (no such account or token), taken (the login is in use), or
          last_admin (nobody would be left who can administer)
    """

    def __init__(self, message: str, *, kind: str = "refused") -> None:
        super().__init__(message)
        self.kind = kind


class ImageMissing(SteelsightError, FileNotFoundError):
    """An image of the ledger is not in its store: it was pruned, or lost."""


class ImageAltered(SteelsightError):
    """An image of the ledger has other bytes in its store than those that were judged."""


class LeaseLost(SteelsightError):
    """Another process writes to the ledger under this writer's name; nothing was written."""


class LedgerAltered(SteelsightError):
    """A ledger does not verify, or does not reach its anchor."""


class ScanIncomplete(SteelsightError):
    """A worker of a scan died; the same command scans the missing parts."""


class WorkIncomplete(SteelsightError):
    """Tasks on a cluster killed their workers again and again; the others are done."""


class ParityRefused(SteelsightError):
    """An exported graph does not agree with the model it was made from; no bundle is written."""


class AdaptationRefused(SteelsightError):
    """A head fitted to labelled sheets is not better than the bundle's own; no bundle is written.

    comparison  its figures beside those of the bundle's own head, as HeadComparison.as_dict gives them
    """

    def __init__(self, message: str, *, comparison: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.comparison = comparison


class GateRefused(SteelsightError):
    """A bundle's card has no record of a gate that it passed by the policy asked for."""


class MissingWeights(SteelsightError, FileNotFoundError):
    """Pretrained weights are requested and not available; training never starts without them silently."""


class UnknownLayer(BadInput, KeyError):
    """A layer name the model does not have."""

    def __str__(self) -> str:
        """KeyError would print the message in quotes."""
        return _one_line(str(self.args[0])) if self.args else ""


def _one_line(message: str) -> str:
    return on_one_line(" ".join(shown_name(message).splitlines()))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is lack of memory, which is a state of the computer and no fault of an input.

    Native libraries say so in words.
    """
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in _NO_MEMORY)
