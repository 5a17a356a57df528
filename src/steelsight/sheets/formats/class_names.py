"""Which class is the defect-free one: by the names people give it, or as the caller says.

Several folders with defect-free names (`ok_front`, `ok_back`) are all defect-free.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from steelsight.errors import BadData

__all__ = [
    "DEFECT_FREE",
    "ClassNames",
    "is_defect_free",
    "is_unsorted",
    "name_classes",
    "note_defect_free_names",
]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


DEFECT_FREE: Final = _words(
    """
    none free ok okay good pass passed normal clean intact sound healthy perfect flawless faultless
    acceptable accepted accept negative neg conforming io gut fehlerfrei inordnung bon bonne buono bueno
    correct correcto unmarked undamaged nondefective defectless nodefect nodefects defectfree faultfree
    anomalyfree goods oks blank clear conforme conformes correcte sain buena dobry bezbłędny
    良品 合格 合格品 正常 正常品 無欠陥 无缺陷 無傷 годен годный норма исправен исправный
    """
)

_NO_DEFECT: Final = re.compile(
    r"(?:^|_)(?:(?:no|non|not|without|zero|un|nicht|ohne|sem|sin|sans|senza|bez|без)_?"
    r"(?:d[eé]fauts?|defe(?:ito|cto)s?|difetti|difetto|wad|wady|дефект(?:а|ов)|defects?|defected|defective|damage|damaged|faults?|faulty|anomal(?:y|ies|ous)|cracks?|crack(?:ed)?"
    r"|flaws?|scratch(?:es)?|errors?|fehler|fehlerhaft|defekte?|broken)"
    r"|(?:defects?|damage|faults?|anomaly|crack|flaw|error)_?(?:free|less)"
    r"|in_ordnung)(?:_|$)"
)
_NEVER_FIRST: Final = frozenset({"free", "sound", "perfect", "correct", "none"})  # free_edge is a defect
_NEGATIONS: Final = frozenset({"not", "no", "non", "nok", "n", "nicht", "un", "nio", "pas", "nie", "не"})
_UNSORTED: Final = _words(
    """
    unlabeled unlabelled unsorted unclassified unsure undecided todo tbd ignore ignored
    unsortiert unklar
    """
)
_BAD: Final = _words(
    """
    bad ng nok nio fail failed fault faulty reject rejected defect defects defective def damaged damage
    anomaly abnormal anomalous broken scrap crack cracks cracked scratch scratches positive pos ko wrong
    error
    """
)


@dataclass(frozen=True)
class ClassNames:
    """The defect types of a data set in order, and what it calls its defect-free class."""

    types: dict[str, int]  # name to defect type, 1-based
    clean: frozenset[str]

    @property
    def type_names(self) -> tuple[str, ...]:
        """As a SheetSet has them: "none" first."""
        return ("none", *self.types)

    @property
    def clean_name(self) -> str:
        """How the data set calls its defect-free sheets; "none" where it has no name for them."""
        return " + ".join(sorted(self.clean)) or "none"


def is_defect_free(name: str) -> bool:
    """Whether a class's name says defect-free: `good`, `MT_Free`, `ok_front`, `no-defect`, but not `not_ok`.

    >>> [is_defect_free(name) for name in ("Pass", "IO", "OK-Teile", "n.i.O.", "good_crack")]
    [True, True, True, False, False]
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    words = re.sub(r"[\W_]+", "_", spaced.casefold()).strip("_")
    parts = [part.rstrip("0123456789") for part in words.split("_")]
    parts = [part for part in parts if part] or [""]
    if parts[-2:] == ["i", "o"]:  # i.O., German for in order
        parts = [*parts[:-2], "io"]
    if _NO_DEFECT.search(words):
        return True
    if _NEGATIONS & set(parts) or _BAD & set(parts):
        return False
    return parts[-1] in DEFECT_FREE or parts[0] in DEFECT_FREE - _NEVER_FIRST


def is_unsorted(name: str) -> bool:
    """Whether a folder's name says that nobody classified its images: `unlabeled`, `todo`."""
    words = re.findall(r"[a-z]+", name.casefold())
    return bool(words) and all(word in _UNSORTED or word in {"images", "image", "bilder"} for word in words)


def note_defect_free_names(types: Sequence[str], clean: str) -> list[str]:
    """One line for each defect type whose name says defect-free: `--defect-free` named other classes.

    types  names of the defect types
    clean  name of the defect-free class
    """
    return [
        f"class {name} counts as a defect type although its name says defect-free, since only {clean} was "
        f"named so; if it is defect-free, give --defect-free {shlex.quote(name)} too"
        for name in types
        if is_defect_free(name)
    ]


def name_classes(names: Sequence[str], asked: Collection[str] = ()) -> ClassNames:
    """Tell the defect-free classes from the defect types.

    names  every class of the data set, in the order its types shall have
    asked  classes the caller says are defect-free; empty = recognised by name
    raises BadData where `asked` names a class that is not there
    """
    by_case = {name.casefold(): name for name in names}
    unknown = sorted({name for name in asked if name not in names and name.casefold() not in by_case})
    if unknown:
        raise BadData(f"no class {', '.join(unknown)}; the classes are {', '.join(names)}")
    chosen = {name if name in names else by_case[name.casefold()] for name in asked}
    clean = frozenset(chosen or filter(is_defect_free, names))
    types = [name for name in dict.fromkeys(names) if name not in clean]
    return ClassNames({name: position for position, name in enumerate(types, start=1)}, clean)
