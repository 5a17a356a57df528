"""What a verb says where the extra that it needs is not installed; what runs beside the line needs none."""

import os
import subprocess
import sys

import pytest

HIDE = """
import os, sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in os.environ["HIDDEN"].split(","):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hidden())
"""


@pytest.fixture
def run(tmp_path):
    """Run a verb as if these packages were not installed, in child processes too."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(HIDE)

    def call(hidden, *arguments):
        path = os.pathsep.join([str(tmp_path / "site"), *sys.path])
        return subprocess.run(
            [sys.executable, "-c", "from steelsight.cli import main; main()", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": path, "HIDDEN": hidden},
        )

    return call


@pytest.mark.parametrize(
    ("hidden", "arguments", "extra"),
    [
        ("scipy", ["synth", "OUT", "--count", "1"], "synth"),
        ("scipy", ["demo", "--out", "OUT"], "synth"),
        ("torch", ["models"], "lab"),
        ("sklearn", ["adapt", "BUNDLE", "DATA", "--out", "OUT"], "adapt"),
        ("onnx", ["adapt", "BUNDLE", "DATA", "--out", "OUT"], "adapt"),
        ("skimage", ["gate", "BUNDLE", "DATA", "--policy", "FILE"], "adapt"),
    ],
)
def test_the_missing_extra_is_named(hidden, arguments, extra, tmp_path, run):
    told = run(hidden, *(tmp_path / "out" if word == "OUT" else word for word in arguments))
    assert told.returncode == 2
    assert f"pip install 'steelsight[{extra}]'" in " ".join(told.stderr.split())
    assert "Traceback" not in told.stderr


def test_data_is_described_without_the_lab(tmp_path, run):
    """Whoever adapts a bundle checks the sheets first, with the extra of `adapt` or of `synth`."""
    from steelsight.sheets.synthetic import synth_spec, write_sheets

    write_sheets(synth_spec(count=6), tmp_path / "sheets")
    told = run("torch,onnx,sklearn,sqlalchemy", "data", tmp_path / "sheets", "--out", tmp_path / "out")
    assert told.returncode == 0, told.stderr
    assert (tmp_path / "out" / "data.html").is_file()


def test_the_demo_on_own_images_needs_neither_scipy_nor_torch(tmp_path, run):
    from steelsight.sheets.synthetic import synth_spec, write_sheets

    write_sheets(synth_spec(count=3), tmp_path / "sheets")
    told = run(
        "scipy,torch,sklearn",
        "demo",
        "--data",
        tmp_path / "sheets" / "train_images",
        "--out",
        tmp_path / "out",
    )
    assert told.returncode == 0, told.stderr
    assert (tmp_path / "out" / "scan" / "report.html").exists()


def test_a_gate_needs_no_torch(tmp_path, run):
    from tests.adaptation.gate.gate_cases import known_bundle, known_data, write_policy

    bundle, data = known_bundle(tmp_path / "bundle", white=18.0), known_data(tmp_path / "DATA", 60)
    told = run("torch", "gate", bundle, data, "--policy", write_policy(tmp_path))
    assert told.returncode == 1, told.stderr
    assert "FAIL stain → none: exceeded" in " ".join(told.stderr.split())
    assert "the bundle may not be released" in told.stderr
