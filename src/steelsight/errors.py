"""Every error Steelsight raises on purpose.

    SteelsightError
    ├── BadInput            what the user gave cannot be used; the command line exits with code 2
    │   ├── BadImage        one image file cannot be read, or must not be
    │   ├── BadAnnotation   a row of an annotation table, or a mask, contradicts its image
    │   ├── BadData         a DATA folder as a whole cannot be used
    │   ├── BadRecipe       a recipe or an option asks for what does not exist
    │   ├── BadCheckpoint   a RUN folder is incomplete, altered, or of another format
    │   ├── BadBundle       a BUNDLE folder is incomplete, altered, or of another format
    │   ├── BadSource       what should be scanned cannot be opened, or must not be
    │   └── BadOutput       results cannot be written there
    ├── ScanIncomplete      a worker died; the parts it did not write are named, the others are whole
    ├── ParityRefused       an exported graph answers otherwise than the model it came from
    ├── MissingWeights      pretrained weights were asked for and cannot be had
    └── UnknownLayer        a layer name the model does not have; lists those it has

Messages say what was expected, what came, where, and what to do, in one line.
"""

__all__ = [
    "BadAnnotation",
    "BadBundle",
    "BadCheckpoint",
    "BadData",
    "BadImage",
    "BadInput",
    "BadOutput",
    "BadRecipe",
    "BadSource",
    "MissingWeights",
    "ParityRefused",
    "ScanIncomplete",
    "SteelsightError",
    "UnknownLayer",
]


class SteelsightError(Exception):
    """The root of every deliberate error."""


class BadInput(SteelsightError, ValueError):
    """What the user gave cannot be used."""


class BadImage(BadInput):
    """One image file cannot be read, or must not be.

    kind  damaged, too_large, or not_an_image (another kind of file, an animation)
    """

    def __init__(self, message: str, *, kind: str = "damaged") -> None:
        super().__init__(message)
        self.kind = kind


class BadAnnotation(BadInput):
    """A row of an annotation table, or a mask file, contradicts its image or itself."""


class BadData(BadInput):
    """A DATA folder as a whole cannot be used."""


class BadRecipe(BadInput):
    """A recipe or an option asks for what does not exist."""


class BadCheckpoint(BadInput):
    """A RUN folder is incomplete, altered, or written in another format."""


class BadBundle(BadInput):
    """A BUNDLE folder is incomplete, altered, or written in another format."""


class BadSource(BadInput):
    """A file, folder, archive or pattern to scan cannot be opened, or must not be."""


class BadOutput(BadInput):
    """Results cannot be written: the disk is full, the folder read-only, or it holds something else."""


class ScanIncomplete(SteelsightError):
    """A worker of a scan died; the same command does the parts that are missing."""


class ParityRefused(SteelsightError):
    """An exported graph answers otherwise than the model it was made from; nothing is shipped."""


class MissingWeights(SteelsightError, FileNotFoundError):
    """Pretrained weights were asked for and cannot be had; training never falls back silently."""


class UnknownLayer(SteelsightError, KeyError):
    """A layer name the model does not have."""

    def __str__(self) -> str:
        """KeyError would print the message in quotes."""
        return str(self.args[0]) if self.args else ""
