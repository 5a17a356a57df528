"""`steelsight scan` end to end."""

import hashlib
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.deploy.graph import build_graph
from steelsight.models.catalog import ModelSpec, build_model
from steelsight.runtime.bundle.card import BundleCard, GraphFacts
from steelsight.runtime.bundle.writer import describe_files, write_bundle
from steelsight.types import InputSpec


@pytest.fixture(scope="module")
def plant(tmp_path_factory):
    """A bundle of a random network and a folder of five sheets."""
    root = tmp_path_factory.mktemp("plant")
    spec = ModelSpec(name="squeezenet_reduced", outputs=2, head="direct", height=64, width=96)
    graph = build_graph(build_model(spec, generator=torch.Generator().manual_seed(0)).eval())
    files = {"model.onnx": graph.SerializeToString()}
    card = BundleCard(
        model_id=hashlib.sha256(files["model.onnx"]).hexdigest()[:12],
        task="binary",
        class_names=("none", "defect"),
        model="squeezenet_reduced",
        head="direct",
        input=InputSpec(64, 96),
        graph=GraphFacts(opset=17, grid=(3, 5), embedding=384),
        precision="f32",
        files=describe_files(files),
    )
    write_bundle(root / "bundle", card, files)
    (root / "sheets").mkdir()
    for number in range(5):
        gray = np.random.default_rng(number).integers(0, 255, (64, 96), dtype=np.uint8)
        Image.fromarray(gray).save(root / "sheets" / f"{number}.png")
    return root


def run(*words):
    return CliRunner().invoke(app, ["scan", *(str(word) for word in words)])


def test_a_scan_and_going_on(plant, tmp_path):
    words = (plant / "bundle", plant / "sheets", "--out", tmp_path / "out", "--heatmaps", "--json")
    done = run(*words)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["sheets"] == told["judged"] == 5
    assert told["report"].endswith("report.html")
    assert "maps" in pq.read_table(tmp_path / "out/verdicts").column_names
    again = run(*words)
    assert json.loads(again.stdout.splitlines()[-1])["kept"] == 5
    assert "5 were there" in again.stderr
    assert "heatmaps was true, now false" in run(*words[:4]).stderr
    assert run(*words[:4], "--fresh").exit_code == 0


def test_bad_images_end_with_2_and_are_named(plant, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jpg").write_bytes(b"")
    done = run(plant / "bundle", tmp_path / "in", plant / "sheets", "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "set aside: 1, with reasons in" in done.stderr


def test_what_is_not_scanned_is_named_with_its_reason(plant, tmp_path):
    for number in range(7):
        folder = tmp_path / f"in/{number}"
        folder.mkdir(parents=True)
        (folder / "note.txt").write_text("x")
        Image.new("L", (96, 64), number).save(folder / "a.png")
    done = run(plant / "bundle", tmp_path / "in/0", "--out", tmp_path / "one", "--json")
    (line,) = [line for line in done.stderr.splitlines() if "not scanned" in line]
    assert "1 file(s) ending in .txt" in line
    (named,) = json.loads(done.stdout.splitlines()[-1])["passed_over_named"]
    assert named in line
    done = run(plant / "bundle", *sorted((tmp_path / "in").iterdir()), "--out", tmp_path / "all")
    lines = [line for line in done.stderr.splitlines() if "not scanned" in line]
    assert len(lines) == 6
    assert "not scanned: 2 more places, with reasons in" in lines[-1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "BadSource: nowhere: expected an image"),
        (["sheets", "--idle", "3"], "--idle: expected together with --watch"),
        (["sheets", "--watch", "--workers", "2"], "--workers: a watched folder is judged in one process"),
        (["sheets", "--engine", "abacus"], "expected one of openvino, onnxruntime, got 'abacus'"),
    ],
)
def test_input_that_cannot_be_used(plant, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(plant)
    done = run("bundle", *words, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert message in done.stderr
    assert "Traceback" not in done.output


def test_a_watched_folder(plant, tmp_path):
    done = run(plant / "bundle", plant / "sheets", "--out", tmp_path, "--watch", "--idle", "1.5", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.splitlines()[-1])["judged"] == 5


def test_an_interrupt_says_how_to_go_on(plant, tmp_path, monkeypatch):
    def stop(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("steelsight.runtime.scan.run.scan", stop)
    done = run(plant / "bundle", plant / "sheets", "--out", tmp_path)
    assert done.exit_code == 130
    assert "the same command goes on" in done.stderr
