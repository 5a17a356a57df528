"""Which files a plan holds, so that those that came later are told: eight bytes of memory a sheet."""

from __future__ import annotations

import os
from hashlib import blake2b
from typing import Final

import numpy as np

from steelsight.runtime.scan.plan import ScanPlan
from steelsight.runtime.scan.sources import PlannedSheet

__all__ = ["PlannedFiles"]

_BYTES: Final = 8  # of a digest: among 10 million sheets two are alike with a probability of 3e-6


class PlannedFiles:
    """The places of all sheets of a plan as sorted digests, and the stamps of its archives.

    Two different places may have one digest; then a file that came later is not told.
    """

    def __init__(self, plan: ScanPlan) -> None:
        """Read the whole plan, part by part."""
        self._stamps: dict[bytes, str] = {}
        digests = np.empty(plan.sheets, dtype=np.uint64)
        filled = 0
        for number in range(plan.parts):
            rows = plan.rows(number)
            columns = (rows[name].to_pylist() for name in ("path", "offset", "detail", "stamp"))
            for path, offset, detail, stamp in zip(*columns, strict=True):
                digests[filled] = _digest(path, detail if offset is None else offset)
                filled += 1
                if stamp is not None:
                    self._stamps[path] = stamp
        digests.sort()
        self._digests = digests

    def __contains__(self, sheet: PlannedSheet) -> bool:
        """Whether the plan holds a sheet: the same file, or the same place of the same archive."""
        digest = np.uint64(_digest(os.fsencode(sheet.path), _place(sheet)))
        at = int(np.searchsorted(self._digests, digest))
        return at < len(self._digests) and bool(self._digests[at] == digest)

    def is_changed(self, sheet: PlannedSheet) -> bool:
        """Whether a sheet lies in an archive of the plan that is another one now."""
        if sheet.member is None:
            return False
        return self._stamps.get(os.fsencode(sheet.path), sheet.member.stamp) != sheet.member.stamp


def _place(sheet: PlannedSheet) -> int | str:
    """Distinguishes the sheets of one archive."""
    return sheet.member.offset if sheet.member else sheet.detail


def _digest(path: bytes, place: int | str) -> int:
    content = path + b"\0" + repr(place).encode()
    return int.from_bytes(blake2b(content, digest_size=_BYTES).digest(), "little")
