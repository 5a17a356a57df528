"""What a scan says of a certificate and of label sets: rows, summary, report, scan.json, terminal."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

import steelsight
from steelsight.cli import app
from steelsight.evaluation.abstention.label_sets import label_sets
from steelsight.runtime.bundle.card import CertificationSheets, Familiarity, LabelSets
from steelsight.runtime.bundle.open import open_bundle
from steelsight.runtime.certificate_check import FIRST_LOOK
from steelsight.runtime.scan import run as scan_module
from steelsight.runtime.scan import watch as watch_module
from steelsight.runtime.scan.options import ScanOptions

NAMES = ("none", "type 1", "type 2")
SETS = LabelSets(coverage=0.9, least=(0.2, 0.3, 0.0), sheets=(30, 30, 4), needed=(0, 0, 5))
CERTIFIED = {
    "threshold": 0.97,
    "threshold_by": "certificate",
    "threshold_statement": "at most 0.05 are wrong",
}
ELSEWHERE = CertificationSheets(sheets=300, ranks=(150, 270), confidence=(0.1, 0.2), distance=(0.1, 0.2))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sheets").mkdir()
    for number in range(24):
        rng = np.random.default_rng(number)
        gray = rng.normal(110, 25, (64, 96))
        gray[10:50, 10 : 30 + 10 * (number % 5)] += 90 if number % 2 else -90
        Image.fromarray(np.clip(gray, 0, 255).astype(np.uint8)).save(tmp_path / f"sheets/s{number:02d}.png")
    return tmp_path / "sheets"


def scan(bundle, folder, out, **options):
    return scan_module.scan(bundle, [folder], out, ScanOptions(**options))


def like(bundle, folder):
    """Order statistics of the sheets themselves."""
    verdicts = list(steelsight.load(bundle, threads=1).stream(sorted(folder.iterdir()), heatmaps=False))
    columns = {
        "confidence": sorted(min(1.0, verdict.probability) for verdict in verdicts),
        "distance": sorted(verdict.distance for verdict in verdicts),
    }
    return CertificationSheets(
        sheets=24, ranks=(6, 12, 18), **{name: tuple(values[5:18:6]) for name, values in columns.items()}
    )


def test_a_scan_of_other_sheets_voids_the_certificate_everywhere(make_bundle, folder, tmp_path):
    bundle = make_bundle(**CERTIFIED, certification=ELSEWHERE)
    done = CliRunner().invoke(
        app, ["scan", str(bundle), str(folder), "--out", str(tmp_path / "out"), "--json"]
    )
    assert done.exit_code == 0, done.output
    statement = json.loads((tmp_path / "out/summary.json").read_text())["certificate"]["statement"]
    assert statement.startswith("the certificate does not hold for these sheets: ")
    assert (
        "100% of 24 sheets are farther than 0.2 from the training sheets, against 10% of the 300" in statement
    )
    assert statement in done.output
    assert json.loads(done.output.splitlines()[-1])["certificate"]["void"] is True
    assert json.loads((tmp_path / "out/scan.json").read_text())["certificate"]["statement"] == statement
    page = (tmp_path / "out/report.html").read_text()
    assert "The certificate does not hold for these sheets" in page
    again = scan(bundle, folder, tmp_path / "out")  # scan.json is whole: the scan can be continued
    assert again.scanned == 0
    assert again.summary.certificate.void


def test_sheets_like_the_certified_ones_confirm_nothing(make_bundle, folder, tmp_path):
    first = make_bundle("first", **CERTIFIED)
    bundle = make_bundle(**CERTIFIED, certification=like(first, folder))
    done = CliRunner().invoke(app, ["scan", str(bundle), str(folder), "--out", str(tmp_path / "out")])
    found = json.loads((tmp_path / "out/summary.json").read_text())["certificate"]
    assert found == {"void": False, "reason": "", "sheets": 24, "statement": "", "false_alarm": 0.01}
    assert "certificate" not in done.output
    assert "hold for these sheets" not in (tmp_path / "out/report.html").read_text()


def test_a_few_sheets_get_no_statement(make_bundle, folder, tmp_path):
    for path in sorted(folder.iterdir())[9:]:
        path.unlink()
    report = scan(make_bundle(**CERTIFIED, certification=ELSEWHERE), folder, tmp_path / "out", page=False)
    assert report.summary.certificate.reason.startswith("not tested: 9 sheets")
    assert not report.summary.certificate.void


def test_a_watched_folder_is_tested_at_its_looks_alone(make_bundle, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(watch_module, "POLL_S", 0.05)
    bundle, out = make_bundle(**CERTIFIED, certification=ELSEWHERE), tmp_path / "out"
    watch = watch_module.watch(bundle, [folder], out, ScanOptions(page=False), idle=0.1)
    assert watch.summary.certificate.reason.startswith("not tested: 24 sheets")
    rng = np.random.default_rng(9)
    for number in range(FIRST_LOOK):
        gray = rng.integers(60, 160, (64, 96)).astype(np.uint8)
        Image.fromarray(gray).save(folder / f"later{number}.png")
    watch = watch_module.watch(bundle, [folder], out, ScanOptions(page=False), idle=0.1)
    assert watch.summary.certificate.void
    assert watch.summary.certificate.sheets == FIRST_LOOK
    assert json.loads((out / "scan.json").read_text())["certificate"]["void"] is True


def test_rows_and_verdicts_name_the_classes_that_a_sheet_may_be(make_bundle, folder, tmp_path):
    bundle = make_bundle(**CERTIFIED, label_sets=SETS)
    report = scan(bundle, folder, tmp_path / "out")
    table = pq.read_table(tmp_path / "out/verdicts/part-00000.parquet")
    verdicts = list(steelsight.load(bundle, threads=1).stream(sorted(folder.iterdir())))
    for row, verdict in zip(table.to_pylist(), verdicts, strict=True):
        named = label_sets(verdict.probabilities[None], SETS.least)[0]
        assert row["label_set"] == list(verdict.label_set) == [NAMES[i] for i in np.flatnonzero(named)]
        assert row["label"] in row["label_set"]
        assert "type 2" in row["label_set"]  # too few of its sheets to leave it out
        assert verdict.as_dict()["label_set"] == row["label_set"]
    doubtful = sum(row["state"] == "doubtful" for row in table.to_pylist())
    assert sum(report.summary.label_sets.values()) == doubtful > 0
    assert any(" or type 2" in words for words in report.summary.label_sets)
    assert "Label sets of the doubtful sheets" in (tmp_path / "out/report.html").read_text()


def test_an_unfamiliar_sheet_has_no_label_set(make_bundle, folder):
    bundle = make_bundle(label_sets=SETS, familiarity=Familiarity(limit=1e-3, kept=0.99))
    assert steelsight.load(bundle, threads=1).inspect(sorted(folder.iterdir())[0]).label_set == ()


def test_bundles_without_these_fields_open_as_before(make_bundle, folder, tmp_path):
    bundle = make_bundle()
    card = json.loads((bundle / "card.json").read_text())
    for name in ("label_sets", "certification"):
        del card[name]
    (bundle / "card.json").write_text(json.dumps(card | {"format": 1, "model_id": card_id(card)}))
    assert open_bundle(bundle).card.label_sets is None
    report = scan(bundle, folder, tmp_path / "out")
    assert report.summary.certificate is None
    assert json.loads((tmp_path / "out/summary.json").read_text())["label_sets"] == {}
    assert "certificate" not in json.loads((tmp_path / "out/scan.json").read_text())
    table = pq.read_table(tmp_path / "out/verdicts/part-00000.parquet")
    assert table["label_set"].to_pylist() == [[]] * 24
    assert steelsight.load(bundle).inspect(b"no image").label_set == ()


def card_id(card):
    return card["files"]["model.onnx"]["sha256"][:12]
