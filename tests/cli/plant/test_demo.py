"""The newcomer's command and the one that sizes a machine, with the bundle that comes along."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.runtime import sizing

run = CliRunner()


def test_the_demo_draws_scans_and_reports(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    asked = run.invoke(app, ["demo", "--out", str(out), "--count", "6", "--json"])
    assert asked.exit_code == 0, asked.output
    told = json.loads(asked.stdout.strip().splitlines()[-1])
    assert told["judged"] == 6
    assert told["states"]["bad_image"] == 0
    assert Path(told["report"]).read_text().count("<img") >= 1
    drawn = {path: path.stat().st_mtime_ns for path in (out / "sheets" / "train_images").iterdir()}
    again = run.invoke(app, ["demo", "--out", str(out), "--count", "6"])
    assert again.exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in (out / "sheets" / "train_images").iterdir()} == drawn
    for damaged in (b"{", b"\xff", b"[" * 100_000):
        (out / "sheets" / "spec.json").write_bytes(damaged)
        assert run.invoke(app, ["demo", "--out", str(out), "--count", "6"]).exit_code == 0
        assert json.loads((out / "sheets" / "spec.json").read_text())["count"] == 6


def test_the_demo_on_images_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    rng = np.random.default_rng(0)
    for number in range(3):
        gray = np.clip(rng.normal(100, 20, (256, 1600)), 0, 255).astype(np.uint8)
        Image.fromarray(gray).save(tmp_path / "mine" / f"{number}.png")
    (tmp_path / "mine" / "torn.jpg").write_bytes(b"\xff\xd8\xff torn")
    asked = run.invoke(
        app, ["demo", "--data", str(tmp_path / "mine"), "--out", str(tmp_path / "out"), "--json"]
    )
    told = json.loads(asked.stdout.strip().splitlines()[-1])
    assert (told["sheets"], told["states"]["bad_image"]) == (4, 1)
    empty = run.invoke(app, ["demo", "--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out2")])
    assert empty.exit_code == 2
    assert "Traceback" not in empty.output


def test_bench_counts_cameras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizing, "ROUNDS", 3)
    monkeypatch.setattr(sizing, "SINGLE", 10)
    rng = np.random.default_rng(0)
    for number in range(4):
        gray = rng.integers(0, 256, (64, 400), dtype=np.uint8)
        Image.fromarray(gray).save(tmp_path / f"{number}.png")
    plan = ["--plan", "2e6", "--node-cores", "4", "--price", "node-hour=0.5"]
    asked = run.invoke(
        app, ["bench", "--data", str(tmp_path), "--sheets", "100", "--rate", "5", "--json", *plan]
    )
    assert asked.exit_code == 0, asked.output
    told = json.loads(asked.stdout.strip().splitlines()[-1])
    assert told["cameras"] == int(0.8 * told["sheets_per_s"] / 5)
    assert sum(engine["chosen"] for engine in told["engines"]) == 1
    for engine in told["engines"]:
        assert 0 < engine["p50_ms"] <= engine["p90_ms"] <= engine["p99_ms"]
    images = [path.stat().st_size for path in tmp_path.glob("*.png")]
    scan, mill = told["scan"], told["plan"]
    assert scan["workers"] == 1  # a hundred sheets are one part
    assert scan["image_bytes"] == pytest.approx(sum(images) / 4)
    assert 20 < scan["row_bytes"] < 1000
    assert scan["worker_mib"] is None  # it was scanned in this process
    assert mill["node_per_s"] == pytest.approx(scan["warm_sheets_per_s"] * 4)
    assert mill["nodes"] >= 2e6 / 86_400 * 2 / mill["node_per_s"]
    assert mill["monthly_cost"] == {"node-hour": pytest.approx(mill["nodes"] * 730.5 * 0.5)}
    for sentence in mill["sentences"]:
        assert " ".join(sentence.split()) in " ".join(asked.stderr.split())


@pytest.mark.parametrize(
    "words",
    [
        *("--rate 0", "--rate inf", "--plan 0", "--plan -3", "--plan nan", "--plan inf", "--peak 3"),
        *("--plan 1e6 --price x=1", "--plan 1e6 --image-share 2", "--plan 1e6 --node-cores 0"),
        "--plan 1e6 --sheet-kb nan",
    ],
)
def test_bench_refuses_impossible_numbers_before_it_measures(tmp_path: Path, words: str) -> None:
    Image.new("L", (400, 64)).save(tmp_path / "0.png")
    asked = run.invoke(app, ["bench", "--data", str(tmp_path), *words.split()])
    assert asked.exit_code == 2
    assert words.split()[-2].lstrip("-") in asked.output
    assert "Traceback" not in asked.output
