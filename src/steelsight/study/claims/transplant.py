"""The study's claim about transplanted weights."""

from __future__ import annotations

from steelsight.reports.cells import cell_text
from steelsight.runs.transplant.reading import SMALL, read_donor, undecided_reason
from steelsight.runs.transplant.run import TransplantResult
from steelsight.study.claims.verdict import ClaimVerdict, decide

__all__ = ["features_serve"]


def features_serve(transplant: TransplantResult | str) -> ClaimVerdict:
    """The donor's feature extractor serves the receiver, its classifier does not."""
    if isinstance(transplant, str):
        return ClaimVerdict("undecided here", f"No weights were transplanted: {transplant}.")
    own = read_donor(transplant, transplant.donor)
    if own.features_change is None or own.classifier_change is None:
        return ClaimVerdict("undecided here", f"Not every part of the {transplant.donor} fits.")
    if few := undecided_reason(transplant.found.scores):
        return ClaimVerdict("undecided here", f"No difference is a conclusion: {few}.")
    features, classifier = own.features_change["accuracy"], own.classifier_change["accuracy"]
    start = transplant.control("imagenet", "start")
    ahead = None if start is None else read_donor(transplant, start.name).ahead
    reason = (
        f"Accuracy with the features of the {transplant.donor} minus that with its own, which should lose "
        f"less than {SMALL}; the classifier changes it by a further {classifier.estimate:+.3f}, which "
        "should be a larger loss."
    )
    if start is not None and ahead is not None:
        reason += (
            f" Accuracy with these features minus that with {start.name}: {cell_text(ahead['accuracy'])}."
        )
    holds = features.low > -SMALL and classifier.high < -SMALL
    fails = features.high < -SMALL or classifier.low > -SMALL
    return ClaimVerdict(decide(holds, fails), reason, features)
