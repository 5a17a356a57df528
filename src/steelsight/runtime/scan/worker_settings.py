"""Variables of the environment that a worker of a scan starts with, here and on the nodes of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["WORKER_ENVIRONMENT"]

WORKER_ENVIRONMENT: Final[Mapping[str, str]] = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    # Free large arrays at once: otherwise each part leaves holes that the arrays of the next do not fit into.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_MMAP_THRESHOLD_": str(2**18),  # bytes; glibc only
}
