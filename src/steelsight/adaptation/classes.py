"""The classes of the new head: the bundle's that DATA has, and DATA's new ones, each named on purpose.

A class that only one side has may be new, left out, or the same under another name. Nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter, ValidationError

from steelsight.adaptation.options import AdaptOptions
from steelsight.errors import BadData, BadRecipe
from steelsight.names import same_name
from steelsight.runtime.bundle.card import BundleCard
from steelsight.runtime.bundle.card_values import Name

__all__ = [
    "ClassPlan",
    "as_they_look",
    "note_plan",
    "plan_classes",
    "read_renames",
    "refuse_multilabel",
    "refuse_unknown_renames",
]

_NAME: Final = TypeAdapter(Name)


@dataclass(frozen=True)
class ClassPlan:
    """The classes of the new head, and where the bundle has them."""

    names: tuple[str, ...]  # with the defect-free class first, where there is one
    clean: str | None  # its name; None = the head has none
    own: tuple[int | None, ...]  # output of the bundle for each class; None = it has none
    dropped: tuple[str, ...]

    @property
    def new(self) -> tuple[str, ...]:
        """Classes that the bundle does not have."""
        return tuple(name for name, own in zip(self.names, self.own, strict=True) if own is None)


def refuse_multilabel(card: BundleCard, where: str) -> None:
    """Raise BadRecipe for a bundle whose answers are several types at once."""
    if card.task == "multilabel":
        raise BadRecipe(
            f"{where}: expected a binary or multiclass bundle, got a multilabel one; "
            "adapt a multiclass bundle"
        )


def read_renames(pairs: Sequence[str], card: BundleCard) -> dict[str, str]:
    """Names of DATA, as `same_name` gives them, and the bundle's names for them.

    raises  BadRecipe for text that is no such pair
    """
    own = {same_name(name): name for name in card.class_names}
    renames: dict[str, str] = {}
    for pair in pairs:
        old, sign, new = pair.partition("=")
        old = same_name(old)
        if not (old and sign and new) or old in renames:
            raise BadRecipe(f"--rename: expected DATA=BUNDLE, each name of DATA once, got {pair!r}")
        renames[old] = own.get(same_name(new), new)
    return renames


def as_they_look(renames: Mapping[str, str], card: BundleCard) -> dict[str, str]:
    """The renames, and the bundle's own classes by what `same_name` gives of them."""
    return {same_name(name): name for name in card.class_names} | dict(renames)


def refuse_unknown_renames(renames: Mapping[str, str], known: Collection[str], card: BundleCard) -> None:
    """Raise BadRecipe where --rename names no class of DATA, or none of the bundle.

    known  classes of DATA, as it calls them
    """
    _refuse_absent("--rename", list(renames), sorted(known), "class of DATA")
    _refuse_absent("--rename", list(renames.values()), card.class_names, "class of the bundle")


def plan_classes(
    card: BundleCard, found: Sequence[str], has_clean: bool, clean_name: str, options: AdaptOptions
) -> ClassPlan:
    """Decide which classes the new head has.

    found       defect types that DATA has sheets of, renamed as the options say
    has_clean   DATA has defect-free sheets, which are matched by their role and not by their name
    clean_name  what DATA calls them
    raises      BadData where a class of one side is neither on the other nor named by an option; BadRecipe
                where an option names a class that is not there, or the task is binary
    """
    if card.task == "binary":
        return _plan_binary(card, found, has_clean, options)
    own_clean = None if card.clean is None else card.class_names[card.clean]
    own_types = [name for name in card.class_names if name != own_clean]
    _refuse_clean_as_type(own_clean, found, read_renames(options.rename, card))
    here = [*([own_clean or clean_name] if has_clean else []), *found]
    unknown = [name for name in here if name not in card.class_names]
    missing = [name for name in card.class_names if name not in here]
    _refuse_bad_names(unknown)
    if not options.take_classes:
        _refuse_unnamed(card, unknown, missing, options)
    _refuse_absent("--drop", options.drop, card.class_names, "class of the bundle")
    _refuse_absent("--new", options.new, unknown, "new class of DATA")
    unwanted = set(map(same_name, options.drop))
    dropped = {*missing, *(name for name in card.class_names if same_name(name) in unwanted)}
    if not set(here) - dropped:
        raise BadRecipe(
            f"--drop: expected at least one class to stay, got {', '.join(options.drop)}; leave one out of it"
        )
    types = [*(name for name in own_types if name not in dropped), *(n for n in unknown if n in found)]
    clean = own_clean or clean_name
    if not has_clean or clean in dropped:
        clean = ""
    names = (*([clean] if clean else []), *types)
    own = tuple(card.class_names.index(name) if name in card.class_names else None for name in names)
    return ClassPlan(names, clean or None, own, tuple(n for n in card.class_names if n in dropped))


def note_plan(plan: ClassPlan, card: BundleCard, found: Sequence[str]) -> tuple[str, ...]:
    """What a person should know of the classes before the figures are read.

    found  defect types that DATA has sheets of
    """
    if card.task == "binary":
        return ()
    notes = []
    if plan.clean is None and card.clean is not None:
        notes.append(
            f"no class is defect-free: {', '.join(plan.names)} are all taken for defect types; where one of "
            "them is not, name it with --defect-free"
        )
    shared = [name for name in found if name in card.class_names]
    if not shared:
        notes.append(
            "the bundle has none of these defect types, so its balanced accuracy is low whatever it sees: "
            "the gain is no comparison, only the defect AUC is; where a type is the same under another name, "
            "give --rename"
        )
    return tuple(notes)


def _plan_binary(card: BundleCard, found: Sequence[str], has_clean: bool, options: AdaptOptions) -> ClassPlan:
    if options.new or options.drop or options.rename:
        raise BadRecipe(
            "--new, --drop, --rename: a binary bundle tells defective from defect-free sheets, whatever "
            "their types; leave these options out, or adapt a multiclass bundle"
        )
    if not found or not has_clean:
        raise BadData(
            f"expected defective and defect-free sheets for a binary bundle, got only "
            f"{'defective' if found else 'defect-free'} ones; bring sheets of both kinds"
        )
    return ClassPlan(card.class_names, card.class_names[0], (0, 1), ())


def _refuse_clean_as_type(own_clean: str | None, found: Sequence[str], renames: Mapping[str, str]) -> None:
    if own_clean is not None and own_clean in found:
        called = next((old for old, new in renames.items() if new == own_clean), own_clean)
        renamed = called != own_clean
        instead = f", without --rename '{called}={own_clean}'" if renamed else ""
        type_ = f"{called} a defect type" if renamed else "a defect type"
        raise BadData(
            f"{own_clean} is the defect-free class of the bundle, and {type_} in DATA; give "
            f"--defect-free '{called}'{instead} where that class of DATA is defect-free, or rename it"
        )


def _refuse_bad_names(names: Sequence[str]) -> None:
    """Raise BadData for a new class whose name no card takes."""
    for name in names:
        try:
            _NAME.validate_python(name)
        except ValidationError as error:
            raise BadData(
                f"class {name!a:.80}: expected a name of 1 to 255 characters without control characters; "
                "rename it in DATA (its folder, or the table that names it)"
            ) from error


def _refuse_unnamed(
    card: BundleCard, unknown: Sequence[str], missing: Sequence[str], options: AdaptOptions
) -> None:
    """Raise BadData, naming each class that is on one side only, with the options that settle it."""
    strange = [name for name in unknown if same_name(name) not in set(map(same_name, options.new))]
    absent = [name for name in missing if same_name(name) not in set(map(same_name, options.drop))]
    if not strange and not absent:
        return
    parts = []
    clean = None if card.clean is None else card.class_names[card.clean]
    if strange:
        first = next((name for name in absent if name != clean), card.class_names[-1])
        parts.append(
            f"DATA has {', '.join(strange)}, which the bundle does not have: give --new '{strange[0]}' where "
            f"it is a new class, --rename '{strange[0]}={first}' where it is the same under another name"
        )
    if absent:
        otherwise = (
            f", or --defect-free '{strange[0]}' where that is DATA's name of its defect-free sheets"
            if strange and clean in absent
            else ""
        )
        parts.append(
            f"DATA has no sheet of {', '.join(absent)}, which the bundle has: bring some, or give "
            f"--drop '{absent[0]}' to leave it out{otherwise}"
        )
    raise BadData(f"{'; '.join(parts)}; or --take-classes to take DATA's classes as they are")


def _refuse_absent(flag: str, named: Sequence[str], there: Sequence[str], what: str) -> None:
    known = set(map(same_name, there))
    for name in named:
        if same_name(name) not in known:
            raise BadRecipe(f"{flag} {name!r}: expected a {what} ({', '.join(there) or 'there is none'})")
