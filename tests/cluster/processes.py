"""The processes of a cluster that a test has started, and of no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["processes_of"]


def processes_of(nodes: list[Any], title: bytes = b"") -> list[int]:
    """Numbers of the processes of some nodes of Ray and of their children, whose command begins so."""
    own = [each.process.pid for node in nodes for kind in node.all_processes.values() for each in kind]
    found = []
    while own:
        number = own.pop()
        try:
            command = Path(f"/proc/{number}/cmdline").read_bytes()
            own += map(int, Path(f"/proc/{number}/task/{number}/children").read_text().split())
        except OSError:
            continue  # ended meanwhile
        if command.startswith(title):
            found.append(number)
    return found
