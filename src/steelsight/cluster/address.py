"""The form of the address of a cluster, checked before Ray is imported."""

from __future__ import annotations

import re
from typing import Final

from steelsight.errors import BadCluster

__all__ = ["AUTO", "LOCAL", "check_address", "is_head"]

AUTO: Final = "auto"  # the cluster that this machine belongs to
LOCAL: Final = "local"  # a Ray that is started for this command, and ends with it
_HEAD: Final = re.compile(r"([A-Za-z0-9.\-]+|\[[0-9A-Fa-f:]+\]):([0-9]{1,5})")
_LARGEST_PORT: Final = 65535


def check_address(address: str) -> None:
    """Refuse what is no address of a cluster; raises BadCluster."""
    if address not in (AUTO, LOCAL) and not is_head(address):
        raise BadCluster(
            f"--ray {address!r:.100}: expected auto (the cluster that this machine belongs to), local, or "
            "HOST:PORT"
        )


def is_head(text: str) -> bool:
    """Whether a text is HOST:PORT."""
    found = _HEAD.fullmatch(text)
    return found is not None and int(found[2]) <= _LARGEST_PORT
