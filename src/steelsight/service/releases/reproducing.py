"""A verdict of the ledger once more: the same bundle on the stored image, and where the numbers differ.

On the same type of processor and the same version of the engine the numbers are the same; elsewhere they
lie within the bounds of parity. Where image or bundle are gone, that is told.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection, select

from steelsight.errors import BadBundle, BadInput
from steelsight.ledger.database import schema
from steelsight.ledger.reading.lists import verdict_values
from steelsight.runtime.engine.inspector import Inspector
from steelsight.runtime.parity.compare import EXACT, NEAR
from steelsight.runtime.verdict import Verdict
from steelsight.service.api.images import stored_image
from steelsight.service.context import Service
from steelsight.service.problem import Problem
from steelsight.service.releases.following import inspector_of
from steelsight.service.releases.places import find_bundle

__all__ = ["Compared", "Reproduced", "Reproducer", "compare_verdicts", "find_verdict", "parse_verdict"]

Outcome = Literal["same", "within", "differs"]
LOG: Final = logging.getLogger("steelsight.service.releases")
WAIT_S: Final = 10.0  # for another request that repeats a verdict
ROUNDING: Final = 1e-9  # of a distance, as a share of it


@dataclass(frozen=True)
class Compared:
    """One property of the verdict."""

    kind: Literal["label", "state", "reason", "probability", "distance", "places"]
    before: Any  # in the ledger
    now: Any
    same: bool
    difference: float | None = None  # of numbers
    label: str = ""  # class of a probability


@dataclass(frozen=True)
class Reproduced:
    """A verdict beside its repetition."""

    outcome: Outcome
    rows: tuple[Compared, ...]
    largest: float | None  # difference of any probability
    bound: float  # that parity allows
    engine_before: str
    engine_now: str


def parse_verdict(text: str) -> tuple[str, int]:
    """Writer and number of an entry from `WRITER:NUMBER`; raises Problem 422."""
    writer, _, number = text.strip().rpartition(":")
    if not writer or len(writer) > 200 or not number.isascii() or not number.isdecimal() or len(number) > 15:
        raise Problem(
            422,
            "bad_verdict",
            f"expected the id of a verdict, WRITER:NUMBER such as line-1:4711, got {text!r:.80}",
            "copy `writer` and `seq` of a verdict",
        )
    return writer, int(number)


def find_verdict(connection: Connection, name: tuple[str, int]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A verdict and its sheet; raises Problem 404."""
    verdicts, sheets = schema.verdicts, schema.sheets
    row = connection.execute(
        select(verdicts).where(verdicts.c.writer == name[0], verdicts.c.seq == name[1])
    ).one_or_none()
    if row is None:
        raise Problem(
            404,
            "unknown_verdict",
            f"the ledger has no verdict {name[0]}:{name[1]}",
            "GET /api/v1/verdicts lists them",
        )
    sheet = connection.execute(select(sheets).where(sheets.c.sheet == row.sheet)).one()
    return verdict_values(dict(row._mapping)), dict(sheet._mapping)


class Reproducer:
    """Repeats verdicts, one at a time; keeps the bundle that was opened last for it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._opened: Inspector | None = None

    def repeat(self, verdict: Mapping[str, Any], sheet: Mapping[str, Any]) -> Reproduced:
        """Judge the stored image again by the bundle that gave the verdict.

        raises  Problem: 410 image_pruned, 404 image_missing, 409 image_altered, bundle_not_at_hand, 503 busy
        """
        if not self._lock.acquire(timeout=WAIT_S):
            raise Problem(
                503, "busy", "another verdict is being repeated", "try again", headers={"Retry-After": "5"}
            )
        try:
            inspector = self._inspector(verdict["bundle"])
            content = stored_image(self._service, sheet)
            return compare_verdicts(verdict, inspector.inspect(content), inspector)
        finally:
            self._lock.release()

    def _inspector(self, model: str) -> Inspector:
        for each in (self._service.bundles.by_id(model), self._opened):
            if each is not None and each.bundle.card.model_id == model:
                return each
        bundle = find_bundle(self._service, model)
        if bundle is None:
            raise Problem(
                409,
                "bundle_not_at_hand",
                f"the bundle {model!r:.60} that gave the verdict is not at hand",
                "put its folder into the folder of candidates",
            )
        try:
            self._opened = inspector_of(self._service, bundle)
        except (BadBundle, BadInput) as error:
            LOG.warning("the bundle %s cannot be run here: %s", model, error)
            raise Problem(
                409,
                "bundle_not_at_hand",
                f"the bundle {model!r:.60} cannot be run here",
                "the log of the service says why",
            ) from error
        return self._opened


def compare_verdicts(before: Mapping[str, Any], now: Verdict, inspector: Inspector) -> Reproduced:
    """A verdict as the ledger has it beside the same bundle's verdict now."""
    values = now.as_dict()
    shares = dict(zip(inspector.class_names, values["probabilities"] or [], strict=False))
    labels = dict.fromkeys([*before["probabilities"], *shares])
    facts = [
        _equal("label", before["label"], now.label),
        _equal("state", before["state"], now.state.value),
        _equal("reason", before["reason"], now.reason.value),
    ]
    probabilities = [
        _number("probability", before["probabilities"].get(each), shares.get(each), each) for each in labels
    ]
    others = [_number("distance", before["distance"], values["distance"]), _places(before["regions"], now)]
    exact = all(each.same for each in (*facts, *probabilities, *others))
    bound = EXACT if inspector.bundle.card.precision == "f32" == before["precision"] else NEAR
    largest = max((each.difference for each in probabilities if each.difference is not None), default=None)
    close = all(each.difference is not None and each.difference <= bound for each in probabilities)
    if not probabilities:  # a bad image
        close = all(each.same for each in facts)
    return Reproduced(
        outcome="same" if exact else "within" if close else "differs",
        rows=(*facts, *probabilities, *others),
        largest=largest,
        bound=bound,
        engine_before=before["engine"],
        engine_now=inspector.engine.about,
    )


def _equal(kind: Literal["label", "state", "reason"], before: str, now: str) -> Compared:
    return Compared(kind, before, now, before == now)


def _number(
    kind: Literal["probability", "distance"], before: float | None, now: float | None, label: str = ""
) -> Compared:
    if before is None or now is None:
        return Compared(kind, before, now, before == now, None, label)
    difference = abs(before - now)
    # The sum of a distance is rounded otherwise where more sheets were judged with this one.
    rounding = ROUNDING * abs(before) if kind == "distance" else 0.0
    return Compared(kind, before, now, difference <= rounding, difference, label)


def _places(before: list[dict[str, Any]], now: Verdict) -> Compared:
    boxes = [list(each["box"]) for each in before]
    found = [list(each.box) for each in now.regions]
    return Compared("places", json.dumps(boxes), json.dumps(found), boxes == found)
