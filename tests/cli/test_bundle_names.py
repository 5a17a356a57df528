"""Every verb that takes a BUNDLE takes the names of the package's bundles too."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.runtime import sizing
from steelsight.runtime.bundle import default
from steelsight.runtime.bundle.default import BUNDLES

pytest.importorskip("sqlalchemy")  # line and serve
run = CliRunner()

# The words of each verb with NAME for its bundle, and what it says once it has opened it.
VERBS = {
    "adapt bundle": (["adapt", "NAME", "empty", "--out", "own"], "empty: expected train_images/"),
    "bench bundle": (["bench", "NAME", "--data", "sheets", "--sheets", "100"], "sheets/s"),
    "bundle show folder": (["bundle", "show", "NAME"], "none, type 1"),
    "bundle sign folder": (["bundle", "sign", "NAME", "--key", "private.pem"], "signature: "),
    "bundle verify folder": (["bundle", "verify", "NAME", "--threads", "1"], "as its source"),
    "console bundle": (["console", "--bundle", "NAME", "--out", "taken"], "taken/incoming"),
    "demo bundle": (["demo", "--data", "sheets", "--bundle", "NAME", "--out", "demo"], "1 sheets"),
    "gate bundle": (["gate", "NAME", "empty", "--policy", "none.toml"], "none.toml"),
    "line bundle": (["line", "NAME", "empty", "--ledger", "none.db", "--station", "a"], "none.db"),
    "line shadow": (
        ["line", "other", "empty", "--ledger", "none.db", "--station", "a", "--shadow", "NAME"],
        "none.db",
    ),
    "scan bundle": (["scan", "NAME", "sheets", "--out", "scan", "--workers", "1"], "1 sheets scanned"),
    "serve bundle": (["serve", "--bundle", "NAME", "--ledger", "away/none.db", "--port", "0"], "away"),
}
WRITTEN = ("out",)  # parameters that name a BUNDLE to write


def bundle_parameters() -> set[str]:
    """Every parameter of the command line that names a BUNDLE to read."""
    found = set()

    def walk(command: Any, path: tuple[str, ...]) -> None:
        for name, sub in getattr(command, "commands", {}).items():
            walk(sub, (*path, name))
        for each in command.params:
            if "BUNDLE" in f"{each.metavar} {each.help}" and each.name not in WRITTEN and path:
                found.add(" ".join([*path, each.name]))

    walk(typer.main.get_command(app), ())
    return found


def test_every_verb_with_a_bundle_is_here() -> None:
    assert bundle_parameters() - {"adapt rename"} == set(VERBS)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a copy of the package's bundles, a sheet and a key."""
    import numpy as np
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from PIL import Image

    names = {}
    for name, folder in BUNDLES.items():
        names[name] = Path(shutil.copytree(folder, tmp_path / "package" / name))
    shutil.copytree(BUNDLES["fast"], tmp_path / "other")
    monkeypatch.setattr(default, "BUNDLES", names)
    (tmp_path / "empty").mkdir()
    (tmp_path / "sheets").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (64, 400), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "sheets" / "a.png")
    key = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "private.pem").write_bytes(key)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "incoming").write_text("a file")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sizing, "ROUNDS", 1)  # `bench` measures what no test here looks at
    monkeypatch.setattr(sizing, "SINGLE", 2)
    return tmp_path


@pytest.mark.parametrize(
    ("verb", "name"),
    # `bench` with the larger bundle takes a minute, and reads the name as with the smaller one.
    [(verb, name) for verb in VERBS for name in BUNDLES if (verb, name) != ("bench bundle", "accurate")],
)
def test_a_name_is_taken(verb: str, name: str, work: Path) -> None:
    words, then = VERBS[verb]
    done = run.invoke(app, [name if word == "NAME" else word for word in words])
    assert then in done.output, done.output
    assert "expected a BUNDLE" not in done.output
    if verb == "bundle sign folder":
        assert (work / "package" / name / "card.json.sig").is_file()


@pytest.mark.parametrize("verb", VERBS)
def test_an_unknown_name_lists_the_known_ones(verb: str, work: Path) -> None:
    words, _ = VERBS[verb]
    done = run.invoke(app, ["slow" if word == "NAME" else word for word in words])
    assert done.exit_code == 2
    assert "slow: expected a BUNDLE folder with card.json, found none" in " ".join(done.output.split())
    assert f"a bundle of the package: {', '.join(BUNDLES)}" in " ".join(done.output.split())
