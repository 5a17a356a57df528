"""Results of a search for shortcuts, of the proof and the repair of one, and of a release gate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steelsight.api.results.reported import ReportedResult
from steelsight.plain import plain
from steelsight.reports.notebook import NotebookResult, ResultTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from steelsight.shortcuts.find.search_report import SearchReport
    from steelsight.shortcuts.gate import GateResult
    from steelsight.shortcuts.prove.run import ProofReport
    from steelsight.shortcuts.repair.run import RepairReport

__all__ = ["GateOutcome", "ProofResult", "RepairResult", "ShortcutsResult"]


@dataclass(frozen=True, eq=False, repr=False)
class ShortcutsResult(NotebookResult):
    """Candidate shortcuts of a run, ranked."""

    report: SearchReport  # all of it; its fields are not part of the API's promise

    @property
    def title(self) -> str:
        """The findings in words."""
        return self.headline

    @property
    def headline(self) -> str:
        """One or two sentences on what was found."""
        from steelsight.shortcuts.find.report import headline

        return headline(self.report.result)

    @property
    def findings(self) -> tuple[str, ...]:
        """Keys of the properties that passed every check."""
        return tuple(each.property.key for each in self.report.result.findings)

    @property
    def page(self) -> Path:
        """The HTML page."""
        return self.report.page

    def as_dict(self) -> dict[str, Any]:
        """The ranking, and what was searched."""
        values: dict[str, Any] = plain(self.report.numbers)
        return values

    def table(self) -> ResultTable:
        """One row a candidate, the strongest first."""
        from steelsight.shortcuts.find.report import candidate_name

        names = self.report.card.class_names
        rows = (
            (
                candidate_name(each),
                names[each.association.target],
                each.status,
                each.association.effect,
                each.association.q_value,
                None if each.check is None else each.check.shift,
            )
            for each in self.report.result.candidates
        )
        return ResultTable(("candidate", "indicates", "status", "effect D", "q", "paste"), tuple(rows))


@dataclass(frozen=True, eq=False, repr=False)
class ProofResult(ReportedResult):
    """The verdict on one suspected shortcut; as_dict is proof.json."""

    report: ProofReport  # all of it; its fields are not part of the API's promise

    @property
    def title(self) -> str:
        """The nuisance, the class and the verdict."""
        proof = self.report.proof
        return f"{proof.nuisance} → {proof.suspected_class}: {proof.verdict}"

    @property
    def verdict(self) -> str:
        """The verdict by rule."""
        return self.report.proof.verdict

    @property
    def because(self) -> str:
        """The rule that gave the verdict, with its numbers."""
        return self.report.proof.because

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the verdict must know."""
        return self.report.proof.notes

    def table(self) -> ResultTable:
        """One row an effect: of the test of two groups, and of pasting."""
        proof = self.report.proof
        rows: list[tuple[Any, ...]] = []
        for name, groups in (("margins", proof.on_margins), ("probabilities", proof.on_probabilities)):
            if groups is not None:
                rows.append((f"Cliff's delta of {name}", groups.delta, groups.without + groups.with_it))
        if proof.pasted is not None:
            pasted = proof.pasted
            rows += [
                ("verdicts that flip", pasted.flips, pasted.receivers),
                ("verdicts that flip by the control", pasted.control_flips, pasted.receivers),
                ("flips beyond the control", pasted.excess, pasted.receivers),
                ("shift of the margin beyond the control", pasted.excess_shift, pasted.receivers),
            ]
        return ResultTable(("effect", "value", "sheets"), tuple(rows))

    def figures(self) -> dict[str, Figure]:
        """`groups`: scores of defect-free sheets without and with the nuisance, where both exist."""
        from steelsight.reports.figures import draw_two_groups

        proof = self.report.proof
        if proof.scores is None:
            return {}
        scores, name = proof.scores, proof.suspected_class
        panels = {
            f"margin of {name}": (scores.margin_without, scores.margin_with),
            f"probability of {name}": (scores.probability_without, scores.probability_with),
        }
        names = (f"without {proof.nuisance}", f"with {proof.nuisance}")
        return {"groups": draw_two_groups(panels, names)}


@dataclass(frozen=True, eq=False, repr=False)
class GateOutcome(NotebookResult):
    """Whether a run may be released by a policy."""

    run: Path
    result: GateResult  # all of it; its fields are not part of the API's promise

    @property
    def passed(self) -> bool:
        """Whether every clause of the policy is satisfied."""
        return self.result.passed

    @property
    def title(self) -> str:
        """The decision in words."""
        return "the run may be released" if self.passed else "the run may not be released"

    def as_dict(self) -> dict[str, Any]:
        """The decision on every clause."""
        decisions = [decision.as_dict() for decision in self.result.decisions]
        values: dict[str, Any] = plain({"run": str(self.run), "passed": self.passed, "decisions": decisions})
        return values

    def table(self) -> ResultTable:
        """One row a clause."""
        rows = (
            (each.proof.nuisance, each.proof.suspected_class, each.passed, each.why)
            for each in self.result.decisions
        )
        return ResultTable(("nuisance", "class", "passed", "why"), tuple(rows))


@dataclass(frozen=True, eq=False, repr=False)
class RepairResult(ReportedResult):
    """Runs that were retrained against a shortcut, and which of them is chosen; as_dict is repair.json."""

    report: RepairReport  # all of it; its fields are not part of the API's promise

    @property
    def title(self) -> str:
        """The chosen method, flips before and after, and the change in accuracy, in words."""
        from steelsight.shortcuts.repair.report import headline

        numbers = self.report.numbers
        return headline(self.report.repair, numbers["nuisance"], numbers["suspect"])

    @property
    def best(self) -> Path | None:
        """The RUN folder of the chosen method; None where no method is better than the run."""
        return self.report.repair.best.run

    @property
    def repaired(self) -> bool:
        """Whether the shortcut was proven before and is not found in the chosen run."""
        from steelsight.shortcuts.repair.conclusion import is_repaired

        outcome = self.report.repair
        return is_repaired(outcome.before.evaluation.proof, outcome.best.evaluation.proof)

    def table(self) -> ResultTable:
        """One row a method, the unchanged run first."""
        titles = (
            *("method", "verdict", "flips beyond control", "accuracy"),
            "correct with and without (validation)",
        )
        rows = []
        for each in (self.report.repair.before, *self.report.repair.after):
            proof = each.evaluation.proof
            excess = None if proof.pasted is None else proof.pasted.excess
            rows.append((each.name, proof.verdict, excess, each.metrics["accuracy"], each.robust))
        return ResultTable(titles, tuple(rows))
