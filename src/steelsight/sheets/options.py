"""Options of opening a DATA folder: what belongs together, and how to read what its structure leaves open."""

from __future__ import annotations

from dataclasses import dataclass, fields

from steelsight.options import check_options, option
from steelsight.types import InputSpec

__all__ = ["AUTOMATIC", "DataOptions"]


@dataclass(frozen=True)
class DataOptions:
    """What the caller says of a DATA folder; the defaults recognise the layout, the masks and the classes."""

    groups: str | None = option(
        None,
        help="What keeps sheets together: column:NAME, file:PATH:COLUMN, frames[:GAP], duplicates, or "
        "several joined by +.",
    )
    allow_bad: int = option(0, help="Tolerate up to N unusable items.", metavar="N", min=0)
    layout: str | None = option(
        None,
        help="Layout of DATA: severstal, coco, labelstudio, labelme, cvat, voc, yolo, mvtec, split, masks or "
        "folder. Default: recognised.",
        metavar="NAME",
    )
    masks: str | None = option(
        None,
        help="Which files are masks: none, a suffix (.png), an affix of names (_label) or a folder; boxes: "
        "annotated boxes too; sparse: an image without a mask is defect-free. Default: by their values.",
        metavar="RULE",
    )
    defect_free: tuple[str, ...] = option(
        (), help="Name of a defect-free class; repeatable. Default: recognised by name.", metavar="NAME"
    )

    bits: int | None = option(
        None,
        help="Bits of a camera's values in files of more than 8 bits whose header does not say; kept by the "
        "model. Default: 16 where an image uses them, else it is refused.",
        metavar="N",
        min=8,
        max=16,
    )

    def __post_init__(self) -> None:
        check_options(self)

    def alone(self) -> DataOptions:
        """These options without those that an option class of a verb adds."""
        return DataOptions(**{each.name: getattr(self, each.name) for each in fields(DataOptions)})

    def reading(self) -> tuple[str | None, str | None, tuple[str, ...]]:
        """What says how a folder is read: layout, masks and defect-free classes."""
        return self.layout, self.masks, self.defect_free

    def reading_words(self) -> list[str]:
        """The same as the command line takes it, without what is left to recognition."""
        named = {"--layout": self.layout, "--masks": self.masks}
        words = [f"{flag} {value}" for flag, value in named.items() if value is not None]
        return words + [f"--defect-free {name}" for name in self.defect_free]

    def input_spec(self) -> InputSpec:
        """The default input, at these bits."""
        return InputSpec().at_bits(self.bits)


AUTOMATIC = DataOptions()
