"""A release gate: which shortcuts a policy forbids, and whether a run has one of them.

A policy is a TOML file of one table a shortcut:

    [[shortcut]]
    nuisance = "stain"        # stain, end, or a list's path, taken from the policy's own folder
    suspect = "none"          # left out: the class `prove` would suspect
    most_excess = 0.02        # of verdicts that may flip beyond the control
    inconclusive = "pass"     # or "fail": too few sheets to tell stop a release too

A run fails where a shortcut is proven and flips more verdicts beyond the control than `most_excess`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from steelsight.errors import BadRecipe
from steelsight.files import write_json
from steelsight.shortcuts.nuisances.nuisance import ALIASES, KINDS
from steelsight.shortcuts.prove.prove import ShortcutProof
from steelsight.shortcuts.prove.run import open_proof, prove_opened
from steelsight.training.conclude import environment

__all__ = ["Clause", "ClauseDecision", "GateResult", "Policy", "gate_run", "load_policy"]

GATE_FILE = "gate.json"


class _PolicySection(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Clause(_PolicySection):
    """What is forbidden of one nuisance."""

    nuisance: str = Field(min_length=1)
    suspect: str | None = None
    most_excess: float = Field(ge=0, le=1)
    inconclusive: Literal["pass", "fail"] = "pass"


class Policy(_PolicySection):
    """All clauses."""

    shortcut: tuple[Clause, ...] = Field(min_length=1)


@dataclass(frozen=True)
class ClauseDecision:
    """What a clause says of a run."""

    clause: Clause
    proof: ShortcutProof
    passed: bool
    why: str
    folder: Path  # of the proof

    def as_dict(self) -> dict[str, Any]:
        """For gate.json."""
        pasted = self.proof.pasted
        return {
            **self.clause.model_dump(),
            "suspect": self.proof.suspect,
            "verdict": self.proof.verdict,
            "excess": None if pasted is None else pasted.excess.estimate,
            "passed": self.passed,
            "why": self.why,
            "proof": str(self.folder),
        }


@dataclass(frozen=True)
class GateResult:
    """All decisions; the run passes where every clause does."""

    decisions: tuple[ClauseDecision, ...]

    @property
    def passed(self) -> bool:
        """Whether the run may go on."""
        return all(each.passed for each in self.decisions)


def load_policy(path: Path) -> Policy:
    """Read a policy; raises BadRecipe naming the key to mend."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise BadRecipe(f"--policy {path}: expected a TOML file, got {error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRecipe(f"{path}: expected TOML, got {error}; mend that line") from error
    try:
        return Policy.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadRecipe(
            f"{path}: {where}: {first['msg']}, got {first['input']!r}; a clause is a table [[shortcut]] with "
            "nuisance and most_excess"
        ) from error


def gate_run(
    run: Path,
    data: Path,
    policy: Path,
    *,
    part: str = "unseen",
    source: str = "auto",
    limit: int = 500,
    groups: str | None = None,
    allow_bad: int = 0,
    seed: int = 0,
    out: Path | None = None,
    say: Callable[[str], None] = lambda _text: None,
) -> GateResult:
    """Prove every shortcut a policy names and decide.

    out     default RUN/shortcuts; a proof for every clause, and gate.json, are written there
    raises  BadRecipe for a policy that is none, BadInput as `prove_run`
    """
    clauses = load_policy(policy).shortcut
    folder = out or run / "shortcuts"
    say("opening")
    opened = open_proof(run, data, part=part, groups=groups, allow_bad=allow_bad)
    decisions = []
    for clause in clauses:
        say(f"proving {clause.nuisance}")
        found = prove_opened(
            opened,
            _asked(clause, policy),
            source=source,
            suspect=clause.suspect,
            limit=limit,
            seed=seed,
            out=folder / f"prove-{_name(clause)}",
        )
        passed, why = decide(clause, found.proof)
        decisions.append(ClauseDecision(clause, found.proof, passed, why, found.folder))
    gate = GateResult(tuple(decisions))
    write_json(
        folder / GATE_FILE,
        {
            "run": run.name,
            "data": data.resolve().name,
            "policy": policy.name,
            "passed": gate.passed,
            "decisions": [each.as_dict() for each in gate.decisions],
            "environment": environment(),
        },
    )
    return gate


def decide(clause: Clause, proof: ShortcutProof) -> tuple[bool, str]:
    """Whether a proof satisfies a clause, and why."""
    if proof.verdict == "proven" and proof.pasted is not None:
        excess = proof.pasted.excess.estimate
        above = excess > clause.most_excess
        return not above, (
            f"proven, {excess:.1%} of the verdicts flip beyond the control; "
            f"at most {clause.most_excess:.1%} may"
        )
    if proof.verdict == "inconclusive":
        return clause.inconclusive == "pass", f"inconclusive: {proof.because}"
    return True, "not found at this power"


def _asked(clause: Clause, policy: Path) -> str:
    word = ALIASES.get(clause.nuisance, clause.nuisance)
    return word if word in KINDS else str(policy.parent / clause.nuisance)


def _name(clause: Clause) -> str:
    word = ALIASES.get(clause.nuisance, clause.nuisance)
    name = word if word in KINDS else Path(clause.nuisance).stem
    return name if clause.suspect is None else f"{name}-{clause.suspect.replace(' ', '-')}"
