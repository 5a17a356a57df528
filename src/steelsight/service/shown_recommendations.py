"""Which recommendations were shown to whom: an answer may name only one that was."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

__all__ = ["ShownRecommendations"]

KEPT: Final = 10_000  # newest; older ones are compared with the policy as it is


class ShownRecommendations:
    """Recommendations that this process has shown; safe to share between threads."""

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self._shown: OrderedDict[tuple[str, ...], None] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, person: str, sheet: str, sent: Mapping[str, str]) -> None:
        """A person is shown a recommendation for a sheet.

        sent  action, rule and policy, as of `Advice.as_sent`
        """
        with self._lock:
            self._shown[_key(person, sheet, sent)] = None
            self._shown.move_to_end(_key(person, sheet, sent))
            while len(self._shown) > self._most:
                self._shown.popitem(last=False)

    def has(self, person: str, sheet: str, sent: Mapping[str, str]) -> bool:
        """Whether `note` was called with the same and is still kept."""
        with self._lock:
            return _key(person, sheet, sent) in self._shown


def _key(person: str, sheet: str, sent: Mapping[str, str]) -> tuple[str, ...]:
    return (person, sheet, sent["action"], sent["rule"], sent["policy"])
