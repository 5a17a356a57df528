"""The actor that scans parts on a node: it opens the bundle once, and gives back the bytes of each part."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from steelsight.cluster.checks import Expected, NodeReport, not_installed, why_refused
from steelsight.cluster.packing import unpack_rows
from steelsight.errors import SteelsightError
from steelsight.runtime.bundle.open import CARD_FILE, Bundle, open_bundle
from steelsight.runtime.engine.engine import Engine, open_engine
from steelsight.runtime.parity.verify import verify_bundle
from steelsight.runtime.scan.objects.address import is_address
from steelsight.runtime.scan.options import ScanOptions
from steelsight.runtime.scan.output import machine_facts
from steelsight.runtime.scan.part_scanner import PartScanner
from steelsight.runtime.scan.parts import PartRows, seal_part
from steelsight.runtime.scan.plan import sheets_of
from steelsight.types import Reason

__all__ = ["NodeScanner", "NodeSettings", "ScannedPart", "bundle_files"]


@dataclass(frozen=True)
class NodeSettings:
    """What a node needs to know of a scan beside the bundle and the sheets."""

    bundle: str  # the folder that the driver opened, for messages
    plan: str  # checksum of the plan
    options: ScanOptions
    expected: Expected  # its facts are `output.machine_facts` of the driver


@dataclass(frozen=True)
class ScannedPart:
    """The file of a part."""

    part: int
    sheets: int
    content: bytes
    missing: str | None  # a file that this node could not read, and that the plan does not leave out


def bundle_files(bundle: Bundle) -> dict[str, bytes]:
    """The files of a bundle by name, as `NodeScanner` opens them."""
    return {CARD_FILE: bundle.card_text, **bundle.files}


class NodeScanner:
    """Scans parts in a process of a node, on one thread."""

    def __init__(self) -> None:
        self._scanner: PartScanner | None = None
        self._processor = ""

    def open(self, node: str, files: Mapping[str, bytes], settings: NodeSettings) -> NodeReport:
        """Open the bundle and its engine, and compare this machine with that of the driver."""
        try:
            refusal = self._open(files, settings)
        except SteelsightError as error:
            refusal = str(error)
        except ModuleNotFoundError as error:
            refusal = not_installed(error)
        return NodeReport(node, socket.gethostname(), refusal)

    def scan(self, part: int, rows: bytes) -> ScannedPart:
        """Scan the sheets of some rows of the plan.

        rows    by `pack_rows`
        raises  as PartScanner
        """
        assert self._scanner is not None
        sheets = sheets_of(unpack_rows(rows))
        extra = {"processor": [self._processor] * len(sheets)} if self._scanner.rows.mixed else {}
        table = self._scanner(part, sheets, extra=extra)
        reasons = table["reason"].to_pylist()
        missing = (
            sheet.path
            for sheet, reason in zip(sheets, reasons, strict=True)
            if reason == Reason.MISSING.value and sheet.reason is None and not is_address(sheet.path)
        )
        return ScannedPart(part, len(sheets), seal_part(table), next(missing, None))

    def _open(self, files: Mapping[str, bytes], settings: NodeSettings) -> str | None:
        bundle = replace(_bundle_of(files), folder=Path(settings.bundle))
        options = settings.options
        engine = open_engine(bundle, options.engine, threads=1, batch=options.batch)
        refusal = _refusal(bundle, engine, settings.expected)
        if refusal is None:
            facts = machine_facts(engine)
            self._processor = f"{facts['processor']}; {facts['engine']}"
            rows = PartRows(bundle.card, settings.plan, options.heatmaps, mixed=settings.expected.mixed)
            self._scanner = PartScanner(bundle, engine, rows)
            self._scanner.warm_up()
        return refusal


def _bundle_of(files: Mapping[str, bytes]) -> Bundle:
    """Open a bundle from its bytes, with every check of a folder."""
    with tempfile.TemporaryDirectory(prefix="steelsight-") as name:
        folder = Path(name)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        return open_bundle(folder)


def _refusal(bundle: Bundle, engine: Engine, expected: Expected) -> str | None:
    """Why this node must not scan parts; None = it may."""
    refusal = why_refused(expected, machine_facts(engine))
    if refusal is not None or not expected.mixed:
        return refusal
    broken = [
        text for each in verify_bundle(bundle, threads=1, engines=[engine.name]) for text in each.broken
    ]
    return (
        f"the bundle does not agree with its model there: {'; '.join(broken)}; leave the node out"
        if broken
        else None
    )
