"""A scan's output in a folder: files are written where they stay."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from steelsight.files import PARTIAL, replace_file
from steelsight.runtime.scan.job import FinishedPart
from steelsight.runtime.scan.output import ScanIdentity, load_scan
from steelsight.runtime.scan.parts import VERDICTS, read_part

__all__ = ["FolderOutput"]


@dataclass(frozen=True)
class FolderOutput:
    """A locked folder. Its methods are those of `BucketOutput`."""

    place: Path

    @property
    def work(self) -> Path:
        """The folder of this machine that plan and parts are written to: the output itself."""
        return self.place

    def load(self, identity: ScanIdentity) -> dict[str, Any] | None:
        """What scan.json says, as `load_scan`."""
        return load_scan(self.place, identity)

    def part_names(self) -> set[str]:
        """Names of the files among the parts."""
        return {path.name for path in (self.place / VERDICTS).iterdir() if not path.name.endswith(PARTIAL)}

    def expect(self, numbers: Iterable[int]) -> None:
        """Nothing to do: a disk needs no reading ahead."""

    def read_part(self, number: int, schema: pa.Schema | None = None) -> pa.Table:
        """A part, as `parts.read_part`."""
        return read_part(self.place, number, schema)

    def keep(self, finished: Generator[FinishedPart, None, None]) -> Generator[FinishedPart, None, None]:
        """The parts, which lie where they stay."""
        return finished

    def write_files(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Write files by their names in the output, but for those that are there; raises BadOutput."""
        for name, content in files:
            path = self.place / name
            if not path.is_file() or path.read_bytes() != content:
                replace_file(path, content)

    def publish(self, *names: str) -> None:
        """Nothing to do: the files lie where they stay."""
