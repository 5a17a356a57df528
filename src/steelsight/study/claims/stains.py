"""The study's claims about white stains, evaluated on either model."""

from __future__ import annotations

from steelsight.counterfactuals.decision import LEAST_DELTA, LEAST_EXCESS, detects_nuisance
from steelsight.study.claims.verdict import ClaimVerdict, decide
from steelsight.study.measures.stains import NO_STAINS
from steelsight.study.results import StainEffect

__all__ = ["pasted_stains_flip", "stains_learnt", "stains_raise_scores"]


def stains_learnt(effect: StainEffect | str) -> ClaimVerdict:
    """Stains go with the absence of defects, and the model uses them as evidence for it."""
    if isinstance(effect, str):
        return _unknown(effect)
    proof, none, defects = effect.proof, effect.among_none, effect.among_defects
    reason = (
        f"{none.estimate:.1%} of defect-free and {defects.estimate:.1%} of defective test sheets have a "
        f"stain; result of the shortcut test: {proof.verdict}."
    )
    if proof.pasted is None:
        return ClaimVerdict("undecided here", f"{reason} {_sentence(proof.because)}")
    holds = proof.verdict == "proven" and none.low > defects.high
    fails = proof.verdict == "not found at this power" or none.high < defects.low
    reason += " The interval is the share of verdicts that a pasted stain flips beyond its control."
    return ClaimVerdict(decide(holds, fails), reason, proof.pasted.excess)


def stains_raise_scores(effect: StainEffect | str) -> ClaimVerdict:
    """Stained defect-free sheets score higher for none, by both tests and a non-negligible effect."""
    if isinstance(effect, str):
        return _unknown(effect)
    margins, shares = effect.proof.on_margins, effect.proof.on_probabilities
    if margins is None or shares is None:
        return _unknown(NO_STAINS)
    reason = (
        f"Cliff's delta of {margins.with_it} sheets with a stain over {margins.without} without; p = "
        f"{shares.p_value:.1e} on probabilities, {margins.p_value:.1e} on margins; the smallest possible p "
        f"for groups of these sizes is {margins.smallest_p:.1e}."
    )
    return ClaimVerdict(
        decide(detects_nuisance(margins), margins.delta.high < LEAST_DELTA), reason, margins.delta
    )


def pasted_stains_flip(effect: StainEffect | str) -> ClaimVerdict:
    """A pasted stain turns correct verdicts of defect into none, more often than a pasted control does."""
    if isinstance(effect, str):
        return _unknown(effect)
    pasted = effect.proof.pasted
    if pasted is None:
        return ClaimVerdict("undecided here", _sentence(effect.proof.notes[-1]))
    reason = (
        f"Share of {pasted.receivers} sheets whose verdict flips beyond the control, compared with "
        f"{LEAST_EXCESS:.0%}; {pasted.flips.estimate:.1%} flip with a stain, "
        f"{pasted.control_flips.estimate:.1%} with its control."
    )
    return ClaimVerdict(
        decide(pasted.excess.low > LEAST_EXCESS, pasted.excess.high <= LEAST_EXCESS), reason, pasted.excess
    )


def _unknown(reason: str) -> ClaimVerdict:
    return ClaimVerdict("undecided here", _sentence(reason))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
