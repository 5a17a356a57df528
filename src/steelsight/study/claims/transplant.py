"""The study's claim about exchanged weights."""

from __future__ import annotations

from steelsight.reports.cells import cell_text
from steelsight.runs.transplant.reading import SMALL, read_donor
from steelsight.runs.transplant.run import TransplantResult
from steelsight.study.verdict import ClaimVerdict, decide

__all__ = ["features_serve"]


def features_serve(done: TransplantResult | str) -> ClaimVerdict:
    """The study's claim: the donor's feature extractor serves the receiver, its classifier does not."""
    if isinstance(done, str):
        return ClaimVerdict("undecided here", f"No weights were exchanged: {done}.")
    own = read_donor(done, done.donor)
    if own.features_change is None or own.classifier_change is None:
        return ClaimVerdict("undecided here", f"Not every part of the {done.donor} fits.")
    features, classifier = own.features_change["accuracy"], own.classifier_change["accuracy"]
    start = done.control("imagenet", "start")
    ahead = None if start is None else read_donor(done, start.name).ahead
    because = (
        f"Accuracy with the features of the {done.donor} minus its own, held to lose less than {SMALL}; "
        f"the classifier changes it by {classifier.estimate:+.3f} further, held to lose more."
    )
    if start is not None and ahead is not None:
        because += f" The same features minus {start.name}: {cell_text(ahead['accuracy'])}."
    holds = features.low > -SMALL and classifier.high < -SMALL
    fails = features.high < -SMALL or classifier.low > -SMALL
    return ClaimVerdict(decide(holds, fails), because, features)
