"""Policy files of release gates: TOML, read strictly, with a table `[[shortcut]]` for each nuisance."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from steelsight.counterfactuals.nuisances.nuisance import ALIASES, KINDS
from steelsight.errors import BadRecipe
from steelsight.reading import parse_toml, read_regular

__all__ = ["MOST_CLAUSES", "PolicySection", "nuisance_of", "parse_policy", "read_policy"]

MOST_CLAUSES = 1000


class PolicySection(BaseModel):
    """Strict: `most_excess = true` is no share."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Section = TypeVar("Section", bound=PolicySection)


def read_policy(path: Path) -> bytes:
    """The bytes of a policy file; raises BadRecipe where it cannot be read."""
    try:
        return read_regular(path)
    except OSError as error:
        raise BadRecipe(f"--policy {path}: expected a TOML file; {error.strerror or error}") from error


def parse_policy(content: bytes, path: Path, kind: type[Section], advice: str) -> Section:
    """Validate the content of a policy file.

    path    in messages
    kind    what the file must hold
    advice  end of a message: the form of the file
    raises  BadRecipe, naming the key to correct
    """
    try:
        values = parse_toml(content)
    except ValueError as error:
        raise BadRecipe(f"{path}: expected TOML, got {error}; correct that line") from error
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadRecipe(f"{path}: {where}: {first['msg']}, got {first['input']!r:.120}; {advice}") from error


def nuisance_of(name: str, policy: Path) -> str:
    """A nuisance that a policy names, as `open_nuisance` takes it: tables lie relative to the policy.

    raises  BadRecipe for a table that does not exist
    """
    kind = ALIASES.get(name, name)
    path = policy.parent / name
    if kind not in KINDS and not path.is_file():
        raise BadRecipe(
            f"{policy}: nuisance: expected stain, end, or a list's path from the policy's folder, "
            f"got {name!r:.120}, which is no file; correct it"
        )
    return kind if kind in KINDS else str(path)
