"""The bundles that a service has opened: by name or model id, one of them the default."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from steelsight.errors import BadInput
from steelsight.runtime.engine.inspector import Inspector

__all__ = ["Bundles"]


class Bundles:
    """Opened bundles; the first is the default until `make_default`. Safe to share between threads.

    opened  name, such as the folder's, and inspector
    raises  BadInput for none, or for two of one name or one model id
    """

    def __init__(self, opened: Sequence[tuple[str, Inspector]]) -> None:
        by_id = {inspector.bundle.card.model_id: (name, inspector) for name, inspector in opened}
        if not opened or len(by_id) < len(opened) or len({name for name, _ in opened}) < len(opened):
            names = ", ".join(name for name, _ in opened) or "none"
            raise BadInput(f"bundles: expected at least one, of different names and model ids, got {names}")
        self._by_id: Mapping[str, tuple[str, Inspector]] = MappingProxyType(by_id)
        self._lock = threading.Lock()
        self._default = self.configured = next(iter(by_id))  # the second: the id of the first one given

    @property
    def default(self) -> Inspector:
        """The bundle that judges where a request chooses none."""
        return self._by_id[self._default][1]

    def find(self, wanted: str | None) -> Inspector | None:
        """A bundle by model id or name; None = the default; unknown = None."""
        if wanted is None:
            return self.default
        if wanted in self._by_id:
            return self._by_id[wanted][1]
        return next((inspector for name, inspector in self._by_id.values() if name == wanted), None)

    def by_id(self, model: str) -> Inspector | None:
        """A bundle by its model id alone, whatever another one is called; None = it is not opened."""
        found = self._by_id.get(model)
        return None if found is None else found[1]

    def add(self, name: str, inspector: Inspector) -> None:
        """Add a bundle that was opened later; where its id is there already, nothing changes.

        name  where another bundle has it, a number is put behind it
        """
        with self._lock:
            model = inspector.bundle.card.model_id
            if model in self._by_id:
                return
            taken, own, number = {each for each, _ in self._by_id.values()}, name, 1
            while own in taken:
                number += 1
                own = f"{name}-{number}"
            self._by_id = MappingProxyType({**self._by_id, model: (own, inspector)})

    def make_default(self, model: str) -> None:
        """Let an opened bundle judge where a request chooses none; raises KeyError for an unknown id."""
        with self._lock:
            if model not in self._by_id:
                raise KeyError(model)
            self._default = model

    def __iter__(self) -> Iterator[tuple[str, Inspector]]:
        """Name and inspector of each, the default first."""
        default, by_id = self._default, self._by_id
        yield by_id[default]
        yield from (each for model, each in by_id.items() if model != default)
