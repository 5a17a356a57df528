"""Options of a proof of one nuisance, and of a release gate."""

from __future__ import annotations

from dataclasses import dataclass

from steelsight.options import check_options, option
from steelsight.sheets.options import DataOptions
from steelsight.shortcuts.pasting.doses import DOSES, Dose

__all__ = ["GateOptions", "ProofOptions", "ProofSettings"]

_SPLIT = (
    "Sheets to evaluate on: unseen, test, validation, train, or all of a DATA folder that the run was not "
    "trained on."
)
_GROUPS_FROM = "Source of which sheets have the nuisance: auto, truth (truth.csv) or detector."
_LIMIT = "Maximum number of sheets pasted on."
_SEED = "Seed of stamps, places and the bootstrap."


@dataclass(frozen=True)
class ProofSettings:
    """How a nuisance is tested and pasted on given sheets."""

    suspected_class: str | None = option(
        None,
        help="Class the nuisance may indicate. Default: the defect-free one; for ends type 2.",
        flag="--suspect",
        metavar="CLASS",
    )
    per_group: int | None = option(
        None,
        help="Maximum number of sheets in each group of the test; the study used 50. Default: all.",
        flag="--each",
        min=1,
    )
    limit: int = option(500, help=_LIMIT, min=1)
    material: str = option("auto", help="What is pasted: real (cut from sheets), drawn, or auto.")
    doses: tuple[Dose, ...] = DOSES  # pasted in turn; FULL is always included
    remove: bool = True  # whether stains are also removed from the sheets that have one

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class ProofOptions(ProofSettings, DataOptions):
    """How a nuisance is proven on a run and a DATA folder."""

    groups_from: str = option("auto", help=_GROUPS_FROM)
    split: str = option("unseen", help=_SPLIT)
    seed: int = option(0, help=_SEED, min=0)


@dataclass(frozen=True)
class GateOptions(DataOptions):
    """How the shortcuts of a policy are proven on a run and a DATA folder."""

    groups_from: str = option("auto", help=_GROUPS_FROM)
    split: str = option("unseen", help=_SPLIT)
    limit: int = option(500, help=_LIMIT, min=1)
    seed: int = option(0, help=_SEED, min=0)

    def __post_init__(self) -> None:
        check_options(self)
