"""The bundles that a service has opened: by name or model id, one of them the default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from steelsight.errors import BadInput
from steelsight.runtime.engine.inspector import Inspector

__all__ = ["Bundles"]


class Bundles:
    """Opened bundles; the first is the default.

    opened  name, such as the folder's, and inspector
    raises  BadInput for none, or for two of one name or one model id
    """

    def __init__(self, opened: Sequence[tuple[str, Inspector]]) -> None:
        by_id = {inspector.bundle.card.model_id: (name, inspector) for name, inspector in opened}
        if not opened or len(by_id) < len(opened) or len({name for name, _ in opened}) < len(opened):
            names = ", ".join(name for name, _ in opened) or "none"
            raise BadInput(f"bundles: expected at least one, of different names and model ids, got {names}")
        self._by_id: Mapping[str, tuple[str, Inspector]] = MappingProxyType(by_id)

    @property
    def default(self) -> Inspector:
        """The bundle that judges where a request chooses none."""
        return next(iter(self._by_id.values()))[1]

    def find(self, wanted: str | None) -> Inspector | None:
        """A bundle by model id or name; None = the default; unknown = None."""
        if wanted is None:
            return self.default
        if wanted in self._by_id:
            return self._by_id[wanted][1]
        return next((inspector for name, inspector in self._by_id.values() if name == wanted), None)

    def __iter__(self) -> Iterator[tuple[str, Inspector]]:
        """Name and inspector of each, the default first."""
        return iter(self._by_id.values())
