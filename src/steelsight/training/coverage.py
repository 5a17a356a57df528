"""Classes that the data or a part of them lacks: a note where training is possible, otherwise refused.

Parts that are empty though they have a share are refused, and parts of few groups are noted.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from steelsight.errors import BadData, BadImage, BadRecipe
from steelsight.models.catalog import ModelSpec, grid_of
from steelsight.sheets.defect_sizes import measure_defects
from steelsight.sheets.describe import find_copies
from steelsight.sheets.formats.class_names import note_defect_free_names
from steelsight.sheets.grouping.splits import Split
from steelsight.sheets.images.pixels import read_size
from steelsight.sheets.input_size import propose_input, stretch_of
from steelsight.training.dataset import SheetData
from steelsight.training.recipe import SplitRecipe

__all__ = [
    "FEW_GROUPS",
    "class_members",
    "note_contradictions",
    "note_few_groups",
    "note_missing",
    "note_small_defects",
    "note_stretch",
    "refuse_empty_parts",
    "refuse_single_class",
]

FEW_GROUPS = 10  # with fewer independent units, an interval is hardly narrower than the range it lies in
SIZED = 200  # sheets, evenly chosen, whose sizes are read
PARTS = ("train", "validation", "test")
NO_DEFECT_FREE = (
    "no sheet is defect-free, so the model has defect types alone and calls no sheet defect-free; if one of "
    "its classes is, name it with --defect-free"
)


def class_members(data: SheetData) -> Bool[np.ndarray, "n k"]:
    """Membership of each sheet in each class.

    returns  (n, k); a multilabel sheet is in each of its types, a dropped sheet in no class
    """
    labels = data.labelled.labels
    members: Bool[np.ndarray, "n k"] = (
        labels > 0
        if data.task == "multilabel"
        else labels[:, None] == np.arange(len(data.labelled.class_names))
    )
    return members


def note_missing(data: SheetData, split: Split) -> list[str]:
    """One line for each class without training or validation sheets, and one without defect-free sheets.

    So is each defect type whose name says defect-free.
    A class is named once; where there is no validation part, only training sheets are checked.
    """
    members = class_members(data)
    trained, validated = (members[part].any(axis=0) for part in (split.train, split.validation))
    names = np.array(data.labelled.class_names)
    absent = ~members.any(axis=0)
    notes = [NO_DEFECT_FREE] * (data.task == "multiclass" and data.labelled.clean is None)
    notes += note_defect_free_names(data.type_names[1:], data.type_names[0])
    notes += [
        f"class {name}: no sheet at all, so the model can never predict it; bring some"
        for name in names[absent].tolist()
    ]
    notes += [
        f"class {name}: no training sheet, so the model can never predict it; bring more, "
        "or try split.method = stratified or another --seed"
        for name in names[~trained & ~absent].tolist()
    ]
    if split.validation.size:
        notes += [
            f"class {name}: no validation sheet, so the best epoch is chosen without it"
            for name in names[trained & ~validated].tolist()
        ]
    return notes


def note_contradictions(data: SheetData) -> list[str]:
    """One line where sheets with the same pixels carry different classes: one of each pair is mislabelled."""
    kinds = {item.id: item.types for item in data.items}
    pairs = [pair for pair in find_copies(data.items, data.images) if kinds[pair.left] != kinds[pair.right]]
    if not pairs:
        return []
    sheets = data.type_names
    left, right = (
        f"{name} ({'+'.join(sheets[kind] for kind in kinds[name] or (0,))})"
        for name in (pairs[0].left, pairs[0].right)
    )
    return [
        f"{len(pairs)} sheets have the pixels of another sheet and a different class, such as {left} and "
        f"{right}; `steelsight data` lists them: correct or remove the wrong ones"
    ]


def note_few_groups(data: SheetData, split: Split) -> list[str]:
    """One line for each part of fewer than FEW_GROUPS groups, which are its independent units."""
    notes = []
    for part in PARTS:
        rows = getattr(split, part)
        groups = np.unique(data.group_indices[rows]).size
        if 0 < groups < FEW_GROUPS:
            notes.append(
                f"{part}: {rows.size} sheets in {groups} groups, fewer than {FEW_GROUPS}, so figures on them "
                "are uncertain"
            )
    return notes


def note_stretch(data: SheetData) -> list[str]:
    """One line where the input distorts the sheets, with the values of an input that keeps their shape."""
    step = max(1, len(data.items) // SIZED)
    sizes = []
    for item in data.items[::step]:
        try:
            sizes.append(read_size(item.path))
        except BadImage:  # training reads pixels from the cache; what is no longer there has no say
            continue
    proposal = propose_input(sizes, data.input)
    if proposal is None:
        return []
    return [
        f"the input {data.input.height}x{data.input.width} stretches the sheets "
        f"{stretch_of(sizes, data.input):.1f}-fold; --set height={proposal[0]} --set width={proposal[1]} "
        "keeps their shape"
    ]


def note_small_defects(data: SheetData, spec: ModelSpec) -> list[str]:
    """One line where the smallest annotated defects are smaller than a place of the network's feature map."""
    defects = measure_defects(data.items, data.input)
    if defects is None:
        return []
    places = grid_of(spec)
    high, wide = (side / count for side, count in zip(spec.size, places, strict=True))
    if defects.smallest_px >= (high * wide) ** 0.5:
        return []
    return [
        f"a tenth of the sheets with masks have defects of less than {defects.smallest_px:.0f} px across in "
        f"the input of {data.input.height}x{data.input.width}, below one place of the feature map, "
        f"{high:.0f}x{wide:.0f} px; a larger input shows them larger, such as --recipe accurate, or "
        f"--set height={2 * data.input.height} --set width={2 * data.input.width}"
    ]


def refuse_empty_parts(data: SheetData, split: Split, recipe: SplitRecipe) -> None:
    """Raise BadRecipe where a part that has a share above 0 has no sheets."""
    for part in PARTS:
        share = getattr(recipe, part)
        if share > 0 and not getattr(split, part).size:
            groups = np.unique(data.group_indices[data.keys >= 0]).size
            raise BadRecipe(
                f"split: expected {part} sheets for split.{part} = {share:g}, got none from "
                f"{len(data.items)} sheets in {groups} groups; bring more sheets, group them by another "
                f"rule, or set the share to 0"
            )


def refuse_single_class(data: SheetData) -> None:
    """Raise BadData where every sheet has the same answer, or a multilabel task has no defect type."""
    names = data.labelled.class_names
    if data.task == "multilabel":
        if not names:
            raise BadData(
                f"{data.name}: expected sheets of at least one defect type, got only "
                f"{data.labelled.clean_name!r}; "
                "bring sheets of a defect type"
            )
        return
    present = class_members(data).any(axis=0)
    if present.sum() > 1:
        return
    if data.task == "binary":
        _refuse_one_side(data)
    got = ", ".join(repr(names[i]) for i in np.flatnonzero(present).tolist())
    raise BadData(
        f"{data.name}: expected sheets of at least two classes, got only {got or 'none'}; "
        "bring sheets of another class"
    )


def _refuse_one_side(data: SheetData) -> None:
    types = {defect_type for item in data.items for defect_type in item.types}
    if types:
        several = ", or train with --task multiclass" if len(types) > 1 else ""
        found, remedy = (
            "defective",
            f"say with --defect-free NAME which class is defect-free, add such sheets{several}",
        )
    else:
        found, remedy = (
            "defect-free",
            "add defective sheets, or say with --defect-free which class alone is defect-free",
        )
    raise BadData(
        f"{data.name}: expected defect-free and defective sheets to tell apart, found only {found} ones "
        f"({len(data.items)}); {remedy}"
    )
