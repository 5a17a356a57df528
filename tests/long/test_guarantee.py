"""The guarantee kept: certificates drawn from populations whose true risk is known."""

import numpy as np
import pytest
from scipy.special import expit

from steelsight.evaluation.abstention.guarantee import certify

REPEATS, RISK, DELTA = 1000, 0.05, 0.1
THRESHOLDS = np.linspace(0.5, 0.99, 26).tolist()


def population(rng: np.random.Generator, groups: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sheets of groups that share their luck: confidences, right answers, group numbers."""
    shared = np.repeat(rng.normal(0, 1.0, groups), size)
    confidence = expit(rng.normal(2.0, 1.5, groups * size)).clip(0.5, 1)
    right = rng.random(groups * size) < expit(1.2 * np.log(confidence / (1 - confidence + 1e-9)) + shared)
    return right, confidence, np.repeat(np.arange(groups), size)


@pytest.mark.long
@pytest.mark.parametrize(("groups", "size"), [(400, 1), (1500, 1), (400, 5)])
def test_the_true_risk_exceeds_the_promise_as_seldom_as_promised(groups: int, size: int) -> None:
    rng = np.random.default_rng(11)
    right, confidence, _ = population(rng, 400_000, 1)
    true_risk = {t: float((~right[confidence >= t]).mean()) for t in THRESHOLDS}
    broken = certified = 0
    for _ in range(REPEATS):
        found = certify(
            *population(rng, groups, size)[:2],
            THRESHOLDS,
            risk=RISK,
            delta=DELTA,
            rng=rng,
            groups=np.repeat(np.arange(groups), size),
        )
        if found.threshold is not None:
            certified += 1
            broken += true_risk[found.threshold] > RISK
    # Sheets without a certificate break no promise; they are counted apart so that a test that never
    # certifies anything does not pass.
    assert certified > 0.2 * REPEATS
    assert broken / REPEATS <= DELTA + 2 * (DELTA * (1 - DELTA) / REPEATS) ** 0.5
