"""What a node tells of files that it cannot read, and what the driver makes of it."""

from __future__ import annotations

import pytest

pytest.importorskip("ray", reason="the extra [cluster] is not installed")

from steelsight.cluster.checks import Expected
from steelsight.cluster.node_scanner import NodeScanner, NodeSettings, bundle_files
from steelsight.cluster.packing import pack_rows
from steelsight.cluster.scan import _is_readable
from steelsight.runtime.bundle.open import open_bundle
from steelsight.runtime.engine.engine import open_engine
from steelsight.runtime.scan.options import ScanOptions
from steelsight.runtime.scan.output import machine_facts
from steelsight.runtime.scan.parts import parse_part
from steelsight.runtime.scan.plan import write_plan
from steelsight.runtime.scan.sources import PlannedSheet
from steelsight.types import Reason

OPTIONS = ScanOptions(page=False, engine="onnxruntime")


@pytest.fixture
def scanner(make_bundle):
    bundle = open_bundle(make_bundle())
    facts = machine_facts(open_engine(bundle, "onnxruntime", threads=1))
    scanner = NodeScanner()
    report = scanner.open("here", bundle_files(bundle), NodeSettings("bundle", "", OPTIONS, Expected(facts)))
    assert report.refusal is None
    return scanner


def test_a_file_that_is_missing_is_named_unless_the_plan_knows_of_it(scanner, tmp_path):
    gone = str(tmp_path / "gone.jpg")
    known = PlannedSheet(0, "x.tar", str(tmp_path / "x.tar"), None, Reason.MISSING, "Permission denied")
    stored = PlannedSheet(1, "s3://mill/a.jpg", "s3://mill/a.jpg", None, Reason.MISSING, "no such object")
    missing = PlannedSheet(2, "gone.jpg", gone)
    for sheets, expected in (([known, stored], None), ([known, stored, missing], gone)):
        plan = write_plan(tmp_path, sheets, 8)
        part = scanner.scan(0, pack_rows(plan.rows(0)))
        assert part.missing == expected
        assert set(parse_part(part.content, "part")["reason"].to_pylist()) == {Reason.MISSING.value}


def test_a_node_is_blamed_only_for_what_the_driver_can_read(tmp_path, monkeypatch):
    (tmp_path / "whole.jpg").write_bytes(b"x")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "folder.jpg").mkdir()
    found = {
        name: _is_readable(str(tmp_path / name)) for name in ("whole.jpg", "empty.jpg", "folder.jpg", "gone")
    }
    assert found == {"whole.jpg": True, "empty.jpg": False, "folder.jpg": False, "gone": False}

    def denied(*_arguments, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", denied)
    assert not _is_readable(str(tmp_path / "whole.jpg"))
