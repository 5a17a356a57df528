"""What the ledger keeps of a verdict."""

from __future__ import annotations

from steelsight.ledger.chain.entries import LedgerRegion, Mode, VerdictGiven
from steelsight.runtime.engine.inspector import Inspector
from steelsight.runtime.verdict import Verdict

__all__ = ["verdict_entry"]

LONGEST_DETAIL = 2000  # characters, as the ledger holds


def verdict_entry(
    inspector: Inspector, sheet: str, verdict: Verdict, *, mode: Mode = Mode.LIVE, latency_ms: float | None
) -> VerdictGiven:
    """The entry of a bundle's verdict on a sheet.

    latency_ms  from the image's arrival to the verdict; None = not measured
    """
    values = verdict.as_dict()
    return VerdictGiven(
        sheet=sheet,
        mode=mode,
        bundle=verdict.model_id,
        label=verdict.label,
        probability=values["probability"],
        probabilities=dict(zip(inspector.class_names, values["probabilities"] or [], strict=False)),
        state=verdict.state,
        reason=verdict.reason,
        detail=verdict.detail[:LONGEST_DETAIL],
        regions=tuple(map(LedgerRegion.of, verdict.regions)),
        distance=values["distance"],
        engine=inspector.engine.about,
        precision=inspector.bundle.card.precision,
        latency_ms=latency_ms,
    )
