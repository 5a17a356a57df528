"""How a result was made: what tells whether an earlier result in the same folder is the same one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from steelsight.plain import plain
from steelsight.version import __version__

__all__ = ["result_settings"]


@runtime_checkable
class WeighedCard(Protocol):
    """The card of a run, as far as it tells results apart."""

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights' file, in hex digits."""


def result_settings(
    verb: str, *options: object, cards: Sequence[WeighedCard] = (), data_hash: str | None = None, **more: Any
) -> dict[str, Any]:
    """The settings of a result, in JSON's types.

    options    option classes of the verb
    cards      of the runs it opens, whose weights count
    data_hash  of the sheets it uses
    more       further settings
    """
    settings: dict[str, Any] = {
        "verb": verb,
        "version": __version__,
        "runs": [each.weights_sha256 for each in cards],
        "data_hash": data_hash,
        "options": [plain(each) for each in options],
        **plain(more),
    }
    return settings
