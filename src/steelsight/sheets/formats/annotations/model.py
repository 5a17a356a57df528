"""What annotation files say, whatever tool wrote them: labels, shapes and the images they lie on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from steelsight.types import Mask, Part, Rejection

__all__ = ["Annotations", "ImageNotes", "Shape", "ShapeKind"]

ShapeKind = Literal["polygon", "box", "mask", "ellipse", "line or point", "label"]
Draw = Callable[[tuple[int, int], str], Mask]  # from (height, width) and the head of messages


@dataclass(frozen=True)
class Shape:
    """One labelled shape; `draw` is None where only the label is known."""

    label: str
    kind: ShapeKind
    draw: Draw | None = None

    @property
    def is_box(self) -> bool:
        """Whether its place is known but not its outline."""
        return self.kind == "box"


@dataclass
class ImageNotes:
    """What the annotations say of one image."""

    where: str  # head of messages: the annotation file and the image's name in it
    size: tuple[int, int] | None = None  # height, width, as annotated
    part: Part = ""
    shapes: list[Shape] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)  # any of them sets the image aside


@dataclass
class Annotations:
    """All annotations of a DATA folder."""

    images: dict[str, ImageNotes] = field(default_factory=dict)  # by image id
    labels: list[str] = field(default_factory=list)  # in the order their types shall have
    rejections: list[Rejection] = field(default_factory=list)
    used: set[str] = field(default_factory=set)  # annotation files, relative to the root
    clean_ids: set[str] = field(default_factory=set)  # images that the format's own rule makes defect-free
    unread: list[str] = field(
        default_factory=list
    )  # damaged annotation files: which images they mean is open
    counts: Counter[str] = field(default_factory=Counter)

    def notes(self, image: str, where: str) -> ImageNotes:
        """The notes of one image, new ones where there are none."""
        return self.images.setdefault(image, ImageNotes(where))

    def reject(self, id_: str, reason: str, images: Iterable[str] = ()) -> None:
        """Reject an annotation, and set aside the images it names: they are not known to be defect-free."""
        self.rejections.append(Rejection(id_, reason))
        for image in images:
            self.notes(image, id_).faults.append(f"an annotation that was rejected names it: {reason}")
