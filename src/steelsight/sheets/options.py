"""Options of opening a DATA folder: what belongs together, and how to read what its structure leaves open."""

from __future__ import annotations

from dataclasses import dataclass

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

    def input_spec(self) -> InputSpec:
        """The default input, at these bits."""
        return InputSpec().at_bits(self.bits)


AUTOMATIC = DataOptions()
