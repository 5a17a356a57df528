"""The policy of a bundle's release gate.

A TOML file with one table for each shortcut, and one on quality:

    [[shortcut]]
    nuisance = "stain"          # stain, end, or the path of a table of sheets, relative to this file
    suspect = "none"            # optional: class that it may indicate; default as for `shortcuts prove`
    most_flipped = 0.05         # limit of the upper 95 % bound of the share of right verdicts that flip
    most_excess = 0.02          # the same beyond the control; one of the two is needed
    least_pasted = 100          # optional: sheets that must be pasted on, at least 20
    require_test = false        # optional: true = the two-group test must have the power, and detect nothing

    [quality]                   # optional
    least_accuracy = 0.9        # limit of the lower 95 % bound
    least_balanced_accuracy = 0.8
    least_sheets = 200
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import Field, model_validator

from steelsight.counterfactuals.decision import FEWEST_PASTED
from steelsight.counterfactuals.nuisances.nuisance import KINDS
from steelsight.counterfactuals.policy import (
    MOST_CLAUSES,
    PolicySection,
    nuisance_of,
    parse_policy,
    read_policy,
)
from steelsight.errors import BadRecipe
from steelsight.reading import read_regular
from steelsight.runtime.bundle.card_values import Name

__all__ = ["GatePolicy", "LoadedPolicy", "QualityLimits", "ShortcutLimit", "load_gate_policy"]

_FORM: Final = (
    "a policy has tables [[shortcut]] with nuisance and most_flipped or most_excess, and [quality] with "
    "least_accuracy, least_balanced_accuracy or least_sheets"
)


class ShortcutLimit(PolicySection):
    """The limit on one nuisance."""

    nuisance: Name  # stain, end, or a path relative to the policy
    suspect: str | None = None  # class that verdicts flip to; None = as for `shortcuts prove`
    most_flipped: float | None = Field(default=None, ge=0, le=1)  # limit of the upper 95 % bound
    most_excess: float | None = Field(default=None, ge=0, le=1)  # the same beyond the control
    least_pasted: int = Field(default=FEWEST_PASTED, ge=FEWEST_PASTED)  # sheets that must be pasted on
    require_test: bool = False  # the two-group test must have the power, and detect nothing

    @model_validator(mode="after")
    def _limits_something(self) -> ShortcutLimit:
        if self.most_flipped is None and self.most_excess is None:
            raise ValueError("expected most_flipped or most_excess, found neither")
        return self


class QualityLimits(PolicySection):
    """Limits on how often the bundle is right; None = none."""

    least_accuracy: float | None = Field(default=None, ge=0, le=1)  # limit of the lower 95 % bound
    least_balanced_accuracy: float | None = Field(default=None, ge=0, le=1)  # likewise
    least_sheets: int = Field(default=1, ge=1)  # that the bundle must be tested on


class GatePolicy(PolicySection):
    """All limits of a policy file."""

    # One table [[shortcut]] for each nuisance.
    shortcut: tuple[ShortcutLimit, ...] = Field(min_length=1, max_length=MOST_CLAUSES, strict=False)
    quality: QualityLimits | None = None  # None = quality does not count


@dataclass(frozen=True)
class LoadedPolicy:
    """A policy file with what identifies it."""

    path: Path
    limits: GatePolicy
    sha256: str  # of the file's bytes
    nuisances: tuple[str, ...]  # of each shortcut, as `open_nuisance` takes it
    lists: dict[str, str]  # SHA-256 of each table of sheets, by its path as the policy has it


def load_gate_policy(path: Path, class_names: tuple[str, ...]) -> LoadedPolicy:
    """Read a policy file for a bundle with these classes.

    raises  BadRecipe, naming the key to correct, or the class that the bundle does not have
    """
    content = read_policy(path)
    limits = parse_policy(content, path, GatePolicy, _FORM)
    nuisances = tuple(nuisance_of(each.nuisance, path) for each in limits.shortcut)
    for number, each in enumerate(limits.shortcut):
        if each.suspect is not None and each.suspect not in class_names:
            raise BadRecipe(
                f"{path}: shortcut.{number}.suspect: expected a class of the bundle, one of "
                f"{', '.join(class_names)}, got {each.suspect!r:.120}; correct it"
            )
    lists = {
        each.nuisance: hashlib.sha256(_read_list(Path(name))).hexdigest()
        for each, name in zip(limits.shortcut, nuisances, strict=True)
        if name not in KINDS
    }
    return LoadedPolicy(path, limits, hashlib.sha256(content).hexdigest(), nuisances, lists)


def _read_list(path: Path) -> bytes:
    try:
        return read_regular(path)
    except OSError as error:
        raise BadRecipe(
            f"{path}: expected a table of sheets; {error.strerror or error}; check the path"
        ) from error
