"""What a DATA folder holds, in numbers: classes, sizes, groups, near-duplicates, and sheets worth showing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from steelsight.groups import group_keys
from steelsight.sheets.defect_sizes import DefectSizes
from steelsight.sheets.formats.class_names import note_defect_free_names
from steelsight.sheets.grouping.duplicates import distinguishing_pairs, first_copies
from steelsight.sheets.grouping.given_split import count_parts, find_part_leaks
from steelsight.sheets.input_size import input_words, propose_input
from steelsight.types import GrayBatch, InputSpec, Rejection, SheetItem, SheetSet

__all__ = [
    "ClassCount",
    "Contradiction",
    "DataDescription",
    "DuplicatePair",
    "describe_sheets",
    "example_sheets",
    "find_contradictions",
    "find_copies",
    "find_duplicates",
]


@dataclass(frozen=True)
class ClassCount:
    """One class of a folder. A sheet of several types counts under each of them."""

    name: str
    sheets: int
    alone: int  # of them, with this type only
    with_masks: int  # of them, with a complete mask; defect-free sheets need none
    groups: int  # sheets without a group count one each


@dataclass(frozen=True)
class DuplicatePair:
    """Two sheets that show the same piece of steel."""

    left: str
    right: str
    correlation: float  # of their grain, up to 1
    parted: bool  # in different groups, so that a split by group can leak


@dataclass(frozen=True)
class Contradiction:
    """Two sheets that show the same piece of steel and carry different classes."""

    left: str
    right: str
    left_classes: str  # several types joined by "+"
    right_classes: str
    correlation: float  # of their grain; 1 = the same pixels

    def __str__(self) -> str:
        same = "the same pixels" if self.correlation >= 1 else f"near-duplicates, {self.correlation:.2f}"
        return f"{self.left} is {self.left_classes}, {self.right} is {self.right_classes} ({same})"


@dataclass(frozen=True)
class DataDescription:
    """The numbers of a DATA folder."""

    layout: str
    sheets: int
    multi_type: int
    classes: tuple[ClassCount, ...]
    sizes: tuple[tuple[int, int, int], ...]  # height, width, sheets; the most frequent first
    groups: int
    twins: tuple[DuplicatePair, ...]
    set_aside: tuple[Rejection, ...]
    clean_name: str = "none"  # what the folder calls its defect-free class
    parts: tuple[tuple[str, int], ...] = ()  # of the data set's own split: part, sheets
    leaks: tuple[str, ...] = ()  # groups and near-duplicates in several parts
    passed_over: tuple[Rejection, ...] = ()
    read: tuple[tuple[str, int], ...] = ()  # what was read: images, masks, polygons
    contradictions: tuple[Contradiction, ...] = ()  # near-duplicates of different classes
    has_clean: bool = True  # whether any sheet is defect-free
    unknown_twins: str = ""  # why near-duplicates cannot be told apart; "" = they can
    defects: DefectSizes | None = None  # in the usual input; None = no masks

    @property
    def bad(self) -> int:
        """Items set aside, and sheets with the pixels of another sheet and a different class."""
        return len(self.set_aside) + sum(each.correlation >= 1 for each in self.contradictions)

    @property
    def clean(self) -> int | None:
        """The defect-free class among `classes`; None = no sheet is defect-free."""
        return 0 if self.has_clean else None

    def shown_name(self, name: str) -> str:
        """How people read a class: "none" as the folder calls it."""
        return self.clean_name if name == "none" else name

    @property
    def input_proposal(self) -> tuple[int, int] | None:
        """(height, width) of an input for the shape of these sheets; None where the usual input fits them."""
        return propose_input([(h, w) for h, w, count in self.sizes for _ in range(count)], InputSpec())

    def input_words(self) -> list[str]:
        """Which input the shape of the sheets and the size of their defects ask for; none = the usual one."""
        shapes = [(h, w) for h, w, count in self.sizes for _ in range(count)]
        return input_words(shapes, self.input_proposal, self.defects)

    def class_notes(self) -> list[str]:
        """One line for each defect type whose name says defect-free."""
        types = [entry.name for entry in self.classes if entry.name != "none"]
        return note_defect_free_names(types, self.clean_name)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "layout": self.layout,
            "sheets": self.sheets,
            "multi_type": self.multi_type,
            "classes": [vars(entry) for entry in self.classes],
            "sizes": [{"height": h, "width": w, "sheets": count} for h, w, count in self.sizes],
            "defects": None if self.defects is None else self.defects.as_dict(),
            "input_proposal": None if self.input_proposal is None else list(self.input_proposal),
            "groups": self.groups,
            "near_duplicates": [vars(pair) for pair in self.twins],
            "near_duplicates_unknown": self.unknown_twins,
            "contradictions": [vars(each) for each in self.contradictions],
            "set_aside": [vars(rejection) for rejection in self.set_aside],
            "defect_free_class": self.clean_name,
            "given_split": dict(self.parts),
            "leaks": list(self.leaks),
            "passed_over": [vars(rejection) for rejection in self.passed_over],
            "read": dict(self.read),
        }


def describe_sheets(
    sheets: SheetSet, sizes: Iterable[tuple[int, int]], twins: Sequence[DuplicatePair]
) -> DataDescription:
    """Count what a folder holds; `sizes` are (height, width), one a sheet."""
    by_size = Counter(sizes)
    return DataDescription(
        layout=sheets.layout,
        sheets=len(sheets.items),
        multi_type=sum(len(item.types) > 1 for item in sheets.items),
        classes=tuple(
            _count(name, [item for item in sheets.items if defect_type in (item.types or (0,))])
            for defect_type, name in enumerate(sheets.type_names)
            if defect_type or _has_clean(sheets)
        ),
        sizes=tuple(
            (height, width, count)
            for (height, width), count in sorted(by_size.items(), key=lambda entry: (-entry[1], entry[0]))
        ),
        groups=_groups(sheets.items),
        twins=tuple(twins),
        set_aside=sheets.rejections,
        clean_name=sheets.clean_name,
        parts=tuple(count_parts(sheets.items).items()),
        contradictions=find_contradictions(sheets, twins),
        leaks=tuple(find_part_leaks(sheets.items, [(pair.left, pair.right) for pair in twins])),
        passed_over=sheets.passed_over,
        read=sheets.counts,
        has_clean=_has_clean(sheets),
    )


def _has_clean(sheets: SheetSet) -> bool:
    """Whether there are defect-free sheets; without any, the class does not exist."""
    return any(not item.types for item in sheets.items)


def find_duplicates(items: Sequence[SheetItem], images: GrayBatch) -> list[DuplicatePair]:
    """Near-duplicate sheets, the most alike first.

    raises  SharedBackground where a common background makes most sheets alike
    """
    pairs = [
        DuplicatePair(
            items[left].id,
            items[right].id,
            correlation,
            parted=not items[left].group or items[left].group != items[right].group,
        )
        for left, right, correlation in distinguishing_pairs(images)
    ]
    return sorted(pairs, key=lambda pair: (-pair.correlation, pair.left, pair.right))


def find_copies(items: Sequence[SheetItem], images: GrayBatch) -> list[DuplicatePair]:
    """Each sheet whose pixels equal an earlier one's, with the first such sheet; for any pictures."""
    return [
        DuplicatePair(
            items[first].id,
            items[row].id,
            1.0,
            parted=not items[first].group or items[first].group != items[row].group,
        )
        for row, first in enumerate(first_copies(images).tolist())
        if first != row
    ]


def find_contradictions(sheets: SheetSet, pairs: Iterable[DuplicatePair]) -> tuple[Contradiction, ...]:
    """The pairs whose sheets carry different classes, in the order of the pairs."""
    names = (sheets.clean_name, *sheets.type_names[1:])
    classes = {item.id: "+".join(names[t] for t in item.types or (0,)) for item in sheets.items}
    return tuple(
        Contradiction(pair.left, pair.right, classes[pair.left], classes[pair.right], pair.correlation)
        for pair in pairs
        if classes[pair.left] != classes[pair.right]
    )


def example_sheets(sheets: SheetSet, each: int = 2) -> dict[str, list[SheetItem]]:
    """A few sheets of every class: with masks and of one type where there are such, from different groups."""
    chosen: dict[str, list[SheetItem]] = {}
    shown: set[str] = set()
    for defect_type, name in enumerate(sheets.type_names):
        if not defect_type and not _has_clean(sheets):
            continue
        picked: list[SheetItem] = []
        members = [item for item in sheets.items if defect_type in (item.types or (0,))]
        while members and len(picked) < each:
            groups = {item.group for item in picked} - {""}
            best = min(
                members,
                key=lambda item: (
                    item.id in shown,
                    item.evidence == "class",
                    item.group in groups,
                    len(item.types) > 1,
                ),
            )
            members.remove(best)
            picked.append(best)
            shown.add(best.id)
        chosen[name] = picked
    return chosen


def _count(name: str, items: Sequence[SheetItem]) -> ClassCount:
    return ClassCount(
        name=name,
        sheets=len(items),
        alone=sum(len(item.types) < 2 for item in items),
        with_masks=sum(bool(item.masks) for item in items),
        groups=_groups(items),
    )


def _groups(items: Sequence[SheetItem]) -> int:
    return len(set(group_keys([item.group for item in items])))
