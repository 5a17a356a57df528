"""A model of a scan on a cluster: throughput and what limits it, from constants measured on one machine.

Workers take parts of a plan, one process a core; one driver hands parts out, receives their files and writes
them. A worker has the next part before it finishes one, so it waits for the driver only where the driver is
saturated: the throughput is that of the slowest of the resources. Three things make a scan shorter of that:
its start, the last parts, and rounds in which not every worker has a part.

Not in the model: the head's time for registering thousands of workers, deaths, nodes of different speed, and
memory. `store_bytes_per_s` is what the whole store gives; it is a number of the user's, not of a measurement.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from steelsight.errors import BadInput

__all__ = ["Limit", "ScaleConstants", "Throughput", "predict_scan"]

Limit: TypeAlias = Literal["processors", "round trip", "store", "driver", "parts", "start"]
FEW: Final = 0.8  # of the workers' time that is used, below which there are too few parts for them


@dataclass(frozen=True)
class ScaleConstants:
    """Constants of a scan; seconds are of one processor core where nothing else is said."""

    sheets_a_part: int
    decode_s: float  # of a sheet: from the bytes of its file to its pixels
    infer_s: float  # of a sheet
    part_s: float  # of a part beside its sheets: verdicts, rows, Parquet, the call of the worker
    driver_s: float  # of the driver for a part: receive, write, send the next; elapsed
    wait_s: float = 0.0  # of the driver for one part in flight, each time it looks for answers; elapsed
    start_s: float = 0.0  # from the command until the first workers begin a part; elapsed
    request_s: float = 0.0  # of a sheet: its request to a store; 0 for files of a folder
    round_trip_s: float = 0.0  # of a request to a store, until the image is there; elapsed
    reads: int = 16  # images that a worker reads at a time
    image_bytes: float = 1.0
    store_bytes_per_s: float = math.inf  # that the store gives all workers together

    def __post_init__(self) -> None:
        for name in ("sheets_a_part", "driver_s", "reads", "image_bytes", "store_bytes_per_s"):
            if not getattr(self, name) > 0:
                raise BadInput(f"{name}: expected a number above 0, got {getattr(self, name)}")
        for name in ("decode_s", "infer_s", "part_s", "wait_s", "start_s", "request_s", "round_trip_s"):
            if not 0 <= getattr(self, name) < math.inf:
                raise BadInput(f"{name}: expected 0 or more seconds, got {getattr(self, name)}")

    @property
    def sheet_s(self) -> float:
        """Processor seconds of a worker for a sheet."""
        return self.request_s + self.decode_s + self.infer_s

    @property
    def scanned_s(self) -> float:
        """Elapsed seconds of a worker for a part; reading ahead overlaps with decoding and inference."""
        sheets = max(self.sheet_s, self.round_trip_s / self.reads)
        return self.sheets_a_part * sheets + self.part_s

    @property
    def handed_out_s(self) -> float:
        """Elapsed seconds of a saturated driver for a part.

        It looks at all parts in flight twice, then handles all that have come: saturated, that is every one.
        """
        return self.driver_s + 2 * self.wait_s


@dataclass(frozen=True)
class Throughput:
    """What the model predicts of a scan."""

    workers: int
    sheets_per_s: float  # while it runs, with a part for every worker
    limit: Limit  # what the whole scan waits for most
    scan_s: float  # of the whole scan, elapsed
    scan_sheets_per_s: float  # of the whole scan
    read_bytes_per_s: float  # of image files, while it runs


def predict_scan(constants: ScaleConstants, *, nodes: int, cores: int, sheets: int) -> Throughput:
    """Predict the throughput of a scan on equal nodes.

    nodes   of the cluster, that scan
    cores   of a node, each with one worker
    sheets  of the scan
    raises  BadInput for numbers below 1, or constants with which a part takes no time
    """
    for name, value in (("nodes", nodes), ("cores", cores), ("sheets", sheets)):
        if value < 1:
            raise BadInput(f"{name}: expected at least 1, got {value}")
    if not constants.scanned_s > 0:
        raise BadInput("constants: expected a part to take time, got 0 s")
    parts = math.ceil(sheets / constants.sheets_a_part)
    workers = min(nodes * cores, parts)
    rate = _sheets_per_s(constants, nodes * cores)
    worked = parts * constants.scanned_s / workers  # were parts divisible
    rounds = math.ceil(parts / workers) * constants.scanned_s
    driven = parts * constants.handed_out_s
    stored = sheets * constants.image_bytes / constants.store_bytes_per_s
    scanned = max(rounds, driven + constants.scanned_s, stored)  # the driver's last part is scanned first
    return Throughput(
        workers=workers,
        sheets_per_s=rate,
        limit=_limit(constants, worked, rounds, driven, stored),
        scan_s=constants.start_s + scanned,
        scan_sheets_per_s=sheets / (constants.start_s + scanned),
        read_bytes_per_s=rate * constants.image_bytes,
    )


def _sheets_per_s(constants: ScaleConstants, workers: int) -> float:
    return min(
        workers * constants.sheets_a_part / constants.scanned_s,
        constants.sheets_a_part / constants.handed_out_s,
        constants.store_bytes_per_s / constants.image_bytes,
    )


def _limit(constants: ScaleConstants, worked: float, rounds: float, driven: float, stored: float) -> Limit:
    """What takes the most of a scan's time; arguments in elapsed seconds of the whole scan."""
    longest = max(rounds, driven, stored)
    if constants.start_s > longest:
        return "start"
    if longest == stored:
        return "store"
    if longest == driven:
        return "driver"
    if worked < FEW * rounds:
        return "parts"
    return "round trip" if constants.round_trip_s / constants.reads > constants.sheet_s else "processors"
