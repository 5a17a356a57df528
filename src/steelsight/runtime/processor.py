"""The type of this machine's processor: on one type, equal inputs give equal bits."""

from __future__ import annotations

import platform
import re
from functools import cache
from pathlib import Path
from typing import Final

__all__ = ["processor_type"]

CPUINFO: Final = Path("/proc/cpuinfo")
# Instruction sets that engines choose their code by; flags of mitigations differ between equal machines.
_CHOSEN_BY: Final = re.compile(r"(sse|ssse|avx|fma|f16c|amx|bmi|asimd|sve|bf16|i8mm)")


@cache
def processor_type() -> str:
    """Name of the processor and its instruction sets for arithmetic; the architecture where neither is told.

    Two machines with the same text run the same code of an engine.
    """
    try:
        text = CPUINFO.read_text("utf-8", "replace")
    except OSError:  # no Linux
        text = ""
    return describe(text) or " ".join(filter(None, (platform.machine(), platform.processor())))


def describe(cpuinfo: str) -> str:
    """The first processor of a text in the form of /proc/cpuinfo; "" where it names none.

    >>> describe("model name : Some CPU\\nflags : fpu sse2 avx2 ibrs")
    'Some CPU (avx2 sse2)'
    """
    first = cpuinfo.split("\n\n", maxsplit=1)[0]
    fields = dict(re.findall(r"^([^\t:\n]+?)\s*:\s*(.*)$", first, re.MULTILINE))
    name = fields.get("model name") or " ".join(
        fields[key] for key in ("CPU implementer", "CPU part") if key in fields
    )
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    chosen = sorted({flag for flag in flags if _CHOSEN_BY.match(flag)})
    return f"{' '.join(name.split())} ({' '.join(chosen)})" if name else ""
