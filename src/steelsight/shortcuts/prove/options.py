"""Options of a proof of one nuisance, and of a release gate."""

from __future__ import annotations

from dataclasses import dataclass

from steelsight.counterfactuals.options import LIMIT_HELP, SOURCE_HELP, ProofSettings
from steelsight.options import check_options, option
from steelsight.sheets.options import DataOptions

__all__ = ["GateOptions", "ProofOptions"]

_SPLIT = (
    "Sheets to evaluate on: unseen, test, validation, train, or all of a DATA folder that the run was not "
    "trained on."
)
_SEED = "Seed of stamps, places and the bootstrap."


@dataclass(frozen=True)
class ProofOptions(ProofSettings, DataOptions):
    """How a nuisance is proven on a run and a DATA folder."""

    groups_from: str = option("auto", help=SOURCE_HELP)
    split: str = option("unseen", help=_SPLIT)
    seed: int = option(0, help=_SEED, min=0)


@dataclass(frozen=True)
class GateOptions(DataOptions):
    """How the shortcuts of a policy are proven on a run and a DATA folder."""

    groups_from: str = option("auto", help=SOURCE_HELP)
    split: str = option("unseen", help=_SPLIT)
    limit: int = option(500, help=LIMIT_HELP, min=1)
    seed: int = option(0, help=_SEED, min=0)

    def __post_init__(self) -> None:
        check_options(self)
