"""Release gate: decides whether a run has a shortcut that a policy forbids.

A policy is a TOML file with one table per shortcut:

    [[shortcut]]
    nuisance = "stain"        # stain, end, or a list's path relative to the policy's folder
    suspect = "none"          # optional; default: as for `prove`
    most_excess = 0.02        # largest share of verdicts that may flip beyond the control
    inconclusive = "fail"     # the default; "pass" releases a run although nothing was decided

The gate fails closed: a run passes a clause where the upper 95 % bound of the verdicts that flip beyond the
control is at most `most_excess`, and the proof is not inconclusive. It fails where the lower bound is above.
What lies between, or is inconclusive, fails unless the clause says `inconclusive = "pass"`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from steelsight.counterfactuals.nuisances.nuisance import ALIASES, KINDS
from steelsight.counterfactuals.policy import (
    MOST_CLAUSES,
    PolicySection,
    nuisance_of,
    parse_policy,
    read_policy,
)
from steelsight.counterfactuals.proof import ShortcutProof
from steelsight.files import keep_earlier, write_json
from steelsight.names import short_name
from steelsight.runs.settings import result_settings
from steelsight.shortcuts.prove.options import GateOptions, ProofOptions
from steelsight.shortcuts.prove.run import open_proof, proof_folder, prove_opened
from steelsight.training.conclude import environment

__all__ = ["Clause", "ClauseDecision", "GateResult", "Policy", "gate_run", "load_policy"]

GATE_FILE = "gate.json"
DEFAULT = GateOptions()


class Clause(PolicySection):
    """The bound on one nuisance."""

    nuisance: str = Field(min_length=1)  # stain, end, or a list's path
    suspected_class: str | None = Field(default=None, alias="suspect")
    most_excess: float = Field(ge=0, le=1)  # share of verdicts that may flip beyond the control
    inconclusive: Literal["pass", "fail"] = "fail"  # what an inconclusive proof does


class Policy(PolicySection):
    """All clauses of a policy file."""

    shortcut: tuple[Clause, ...] = Field(min_length=1, max_length=MOST_CLAUSES, strict=False)


@dataclass(frozen=True)
class ClauseDecision:
    """The decision on one clause for one run."""

    clause: Clause
    proof: ShortcutProof
    passed: bool
    why: str
    folder: Path  # where the proof was written

    def as_dict(self) -> dict[str, Any]:
        """Collect the values for gate.json."""
        pasted = self.proof.pasted
        return {
            **self.clause.model_dump(by_alias=True),
            "suspect": self.proof.suspected_class,
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
        """Whether the run may be released."""
        return all(decision.passed for decision in self.decisions)


def load_policy(path: Path) -> Policy:
    """Read and validate a policy file.

    raises  BadRecipe, naming the key to correct
    """
    return parse_policy(
        read_policy(path),
        path,
        Policy,
        "a clause is a table [[shortcut]] with nuisance and most_excess",
    )


def gate_run(
    run: Path,
    data: Path,
    policy: Path,
    options: GateOptions = DEFAULT,
    *,
    out: Path | None = None,
    say: Callable[[str], None] = lambda _text: None,
) -> GateResult:
    """Prove every shortcut a policy names, decide, and write the proofs and gate.json.

    policy  TOML file
    out     folder to write; None = RUN/shortcuts
    say     called with a description of each step
    raises  BadRecipe for an invalid policy, BadInput as `prove_run`
    """
    loaded = load_policy(policy)
    clauses = loaded.shortcut
    nuisances = [nuisance_of(clause.nuisance, policy) for clause in clauses]
    folder = out or run / "shortcuts"
    say("opening")
    opened = open_proof(run, data, options, split=options.split)
    decisions = []
    for clause, nuisance, name in zip(clauses, nuisances, _folder_names(clauses), strict=True):
        say(f"proving {clause.nuisance}")
        settings = ProofOptions(
            suspected_class=clause.suspected_class,
            limit=options.limit,
            groups_from=options.groups_from,
            allow_bad=options.allow_bad,
            seed=options.seed,
        )
        target = proof_folder(folder, f"prove-{name}", nuisance)
        report = prove_opened(opened, nuisance, settings, out=target)
        passed, why = decide_clause(clause, report.proof)
        decisions.append(ClauseDecision(clause, report.proof, passed, why, report.folder))
    gate = GateResult(tuple(decisions))
    made_by = result_settings(
        "shortcuts gate", options, cards=[opened.card], data_hash=opened.data_hash, policy=loaded
    )
    kept = keep_earlier(folder, GATE_FILE, made_by, ())
    write_json(
        folder / GATE_FILE,
        {
            "run": run.name,
            "data": data.resolve().name,
            "policy": policy.name,
            "passed": gate.passed,
            "decisions": [decision.as_dict() for decision in gate.decisions],
            "environment": environment(),
            **kept,
        },
    )
    return gate


def decide_clause(clause: Clause, proof: ShortcutProof) -> tuple[bool, str]:
    """Decide whether a proof satisfies a clause.

    returns  whether it does, and the reason
    """
    excess = None if proof.pasted is None else proof.pasted.excess
    if proof.verdict == "inconclusive" or excess is None:
        return clause.inconclusive == "pass", f"inconclusive: {proof.because}"
    bounds = f"{excess.estimate:.1%} [{excess.low:.1%}, {excess.high:.1%}]"
    why = (
        f"{proof.verdict}: {bounds} of the verdicts flip beyond the control; "
        f"the policy allows at most {clause.most_excess:.1%}"
    )
    if excess.high <= clause.most_excess:
        return True, why
    if excess.low > clause.most_excess:
        return False, why
    return clause.inconclusive == "pass", f"{why}, which lies between the bounds: inconclusive"


def _folder_names(clauses: Sequence[Clause]) -> list[str]:
    """Each clause's part of a folder name, numbered where several would be alike."""
    names: list[str] = []
    for clause in clauses:
        name, number = _name_of(clause), 2
        while name.casefold() in map(str.casefold, names):
            name, number = f"{_name_of(clause)}-{number}", number + 1
        names.append(name)
    return names


def _name_of(clause: Clause) -> str:
    """The clause's part of a folder name."""
    kind = ALIASES.get(clause.nuisance, clause.nuisance)
    name = kind if kind in KINDS else Path(clause.nuisance).stem
    suspected = clause.suspected_class
    if suspected is not None:
        name += f"-{suspected.replace(' ', '-')}"
    return short_name("".join("_" if letter in '/\\:*?"<>|\0' else letter for letter in name))
