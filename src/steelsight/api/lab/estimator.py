"""`ss.SheetEstimator`: a classifier of scikit-learn on the features of a bundle. No torch.

It fits the head that `steelsight adapt` fits, and writes no bundle: for cross-validation, searches over
penalties, and quick looks at whether labels can be learnt at all.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    assert_all_finite,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
)

from steelsight.adaptation.features import PooledFeatures, open_features
from steelsight.adaptation.head import EXACT, LIMIT, fit_heads
from steelsight.argument_types import check_path, fits
from steelsight.errors import BadImage, BadInput
from steelsight.evaluation.probabilities import softmax
from steelsight.runtime.bundle.default import FAST
from steelsight.runtime.bundle.open import open_bundle
from steelsight.runtime.engine.reading import read_image, several_images
from steelsight.types import GrayBatch, InputSpec

__all__ = ["SheetEstimator"]

PENALTY: Final = 0.01
SMALLEST: Final = 1e-12  # penalty and limit; a smaller one leaves nothing of any feature


class SheetEstimator(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # they have no types
    """Logistic regression on the features that a bundle's network has of a sheet.

    bundle   BUNDLE folder, or fast or accurate, whose network stays as it is
    penalty  C of scikit-learn's LogisticRegression, above 0; smaller = stronger
    limit    standard deviations at which a feature is limited, above 0

    After `fit`: `classes_` (c,), and `head_` with mean, scale, weight (d, c) and bias of the d features.
    Sheets `X` are paths, bytes of image files or gray uint8 arrays (h, w): a sequence, or an array (n, h, w).
    """

    def __init__(self, bundle: Any = FAST, *, penalty: Any = PENALTY, limit: Any = LIMIT) -> None:
        self.bundle = bundle
        self.penalty = penalty
        self.limit = limit

    def fit(self, X: Any, y: Any) -> SheetEstimator:
        """Fit the head to labelled sheets; classes weigh equally.

        y       (n,) class of each sheet, text or numbers
        raises  BadInput for other lengths, fewer than two classes or an impossible setting; BadImage where a
                sheet cannot be read; BadBundle
        """
        for name in ("penalty", "limit"):
            value = getattr(self, name)
            if not (fits(value, float) and SMALLEST <= value <= 1 / SMALLEST):
                raise BadInput(f"{name}: expected a number above 0, got {value!r:.60}")
        if y is None:
            raise BadInput("SheetEstimator: requires y to be passed, but the target y is None")
        features = self._features(X, reset=True)
        labels = column_or_1d(y, warn=True)
        kinds = {type(label).__name__ for label in labels} if labels.dtype == object else set()
        if "NoneType" in kinds or "bytes" in kinds or ("str" in kinds and len(kinds) > 1):
            raise BadInput(f"y: expected text or numbers, of one type, got {', '.join(sorted(kinds))}")
        assert_all_finite(labels, input_name="y")
        check_classification_targets(labels)
        check_consistent_length(features, labels)
        self.classes_, index = np.unique(labels, return_inverse=True)
        if self.classes_.size < 2:
            only = self.classes_.tolist()[0]
            raise BadInput(f"SheetEstimator: expected sheets of two classes or more, got 1 class, {only!r}")
        shares = np.eye(self.classes_.size)[index]
        self.head_ = fit_heads(features, shares, [self.penalty], tolerance=EXACT, limit=self.limit)[0]
        return self

    def decision_function(self, X: Any) -> Float[np.ndarray, "n ..."]:
        """Logits (n, c); of two classes their difference (n,), above 0 for the second."""
        check_is_fitted(self)
        logits = self.head_.logits(self._features(X, reset=False))
        return logits if logits.shape[1] > 2 else logits[:, 1] - logits[:, 0]

    def predict_proba(self, X: Any) -> Float[np.ndarray, "n c"]:
        """Probabilities (n, c) in the order of `classes_`; rows sum to 1. They are not calibrated."""
        check_is_fitted(self)
        return softmax(self.head_.logits(self._features(X, reset=False)))

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each sheet (n,)."""
        probabilities = self.predict_proba(X)
        chosen: np.ndarray = self.classes_[probabilities.argmax(axis=1)]
        return chosen

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        return tags

    def _features(self, X: Any, *, reset: bool) -> Float[np.ndarray, "n k"]:
        """Averages and maxima of the feature map; `reset` is whether the call fits."""
        del reset  # sheets of any size have the same features
        spec, read_features = _opened(str(self.bundle))
        grays = []
        for row, sheet in enumerate(several_images(X)):
            read = read_image(_sheet(sheet, row), spec)
            if read.gray is None:
                raise BadImage(f"sheet {row}: {read.detail}")
            grays.append(read.gray)
        if not grays:
            raise BadInput("SheetEstimator: expected at least one sheet, got none")
        pooled: Float[np.ndarray, "n d"] = read_features(np.stack(grays)).pooled
        return pooled


def _sheet(sheet: Any, row: int) -> Path | str | bytes | np.ndarray:
    """One sheet as `read_image` takes it; raises BadInput for anything else."""
    if isinstance(sheet, Path | str | bytes):
        return str(sheet) if isinstance(sheet, np.str_) else sheet
    if isinstance(sheet, np.ndarray) and sheet.dtype == np.uint8 and sheet.ndim == 2:
        return sheet
    came = f"{sheet.dtype} of shape {sheet.shape}" if hasattr(sheet, "dtype") else type(sheet).__name__
    raise BadInput(f"sheet {row}: expected a path, bytes of a file or gray uint8 (h, w), got {came}")


@lru_cache(maxsize=2)
def _opened(bundle: str) -> tuple[InputSpec, Callable[[GrayBatch], PooledFeatures]]:
    """The input of a bundle, and its network; it is opened once for all estimators of a process."""
    check_path("bundle", bundle)
    opened = open_bundle(Path(bundle))
    return opened.card.input, open_features(opened)
