"""One hash over the whole bundle, signatures, and bundles of the format before."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.errors import BadBundle, BadInput
from steelsight.runtime.bundle.open import SIGNATURE_FILE, open_bundle
from steelsight.runtime.bundle.seal import parse_card, seal, write_card
from steelsight.runtime.bundle.signature import check_signature, sign_bundle

Make = Callable[..., Path]


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """A private and a public key, as OpenSSL writes them."""
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    pem = serialization.Encoding.PEM
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    plain = serialization.NoEncryption()
    private.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    public.write_bytes(key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    return private, public


def make_old(folder: Path) -> None:
    """Write the card as format 1 had it."""
    card = json.loads((folder / "card.json").read_text())
    sha256 = card["files"]["model.onnx"]["sha256"]
    (folder / "card.json").write_text(json.dumps(card | {"format": 1, "model_id": sha256[:12]}))


def test_the_id_changes_with_every_file_and_every_value(make_bundle: Make) -> None:
    card = open_bundle(make_bundle()).card
    assert len(card.model_id) == 32
    assert seal(card).model_id == card.model_id
    other = card.files["model.onnx"].model_copy(update={"sha256": "0" * 64})
    for change in (
        {"temperature": 1.5},
        {"class_names": ("none", "type 2", "type 1")},
        {"files": {**card.files, "model.onnx": other}},
        {"source": {"seed": 2}},
    ):
        assert seal(card.model_copy(update=change)).model_id != card.model_id


def test_no_flipped_bit_of_a_card_changes_what_is_read(make_bundle: Make) -> None:
    folder = make_bundle(threshold=0.9, threshold_by="cost", source={"run": "r", "seed": 7})
    text, card = (folder / "card.json").read_bytes(), open_bundle(folder).card
    unchanged = 0
    for bit in random.Random(0).sample(range(8 * len(text)), 1500):
        flipped = bytearray(text)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            found = parse_card(bytes(flipped), "card.json")
        except BadBundle:
            continue
        assert found == card, f"bit {bit}"
        unchanged += 1  # white space between two values
    assert unchanged < 100


@pytest.mark.parametrize(
    "text",
    [
        '{"format": 2, "format": 2}',
        '{"format": 2, "temperature": NaN}',
        '{"format": 2, "temperature": 1e999}',
    ],
)
def test_json_that_parsers_read_differently_is_refused(text: str) -> None:
    with pytest.raises(BadBundle):
        parse_card(text.encode(), "card.json")


def test_a_bundle_of_the_format_before_is_read_with_a_note(make_bundle: Make) -> None:
    folder = make_bundle()
    make_old(folder)
    bundle = open_bundle(folder)
    assert bundle.card.format == 1
    assert bundle.notes[0].startswith("format 1: its card has no checksum of its own")
    shown = CliRunner().invoke(app, ["bundle", "show", str(folder)])
    assert "note: format 1" in shown.output
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | {"model_id": "0" * 12}))
    with pytest.raises(BadBundle, match="model_id: expected"):
        open_bundle(folder)


def test_other_files_in_the_folder_are_named_and_never_read(make_bundle: Make) -> None:
    folder = make_bundle()
    assert open_bundle(folder).notes == ()
    (folder / "..evil").mkdir()
    (folder / "notes.txt").write_text("mine")
    assert open_bundle(folder).notes == ("not part of the bundle and never read: ..evil, notes.txt",)


def test_a_bundle_of_too_many_bytes_is_refused_before_it_is_read(make_bundle: Make) -> None:
    folder = make_bundle()
    card = json.loads((folder / "card.json").read_text())
    for number in range(10):
        with (folder / f"part{number}.bin").open("wb") as file:
            file.truncate(2**29)
        card["files"][f"part{number}.bin"] = {"sha256": "0" * 64, "size": 2**29}
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(BadBundle, match="bytes together, more than the 1073741824 allowed"):
        open_bundle(folder)


def test_a_signature_is_of_every_file_and_of_one_key(make_bundle: Make, keys: tuple[Path, Path]) -> None:
    folder = make_bundle()
    private, public = keys
    with pytest.raises(BadBundle, match="expected a signature, found none; sign it with"):
        check_signature(open_bundle(folder), public)
    assert sign_bundle(folder, private) == folder / SIGNATURE_FILE
    assert open_bundle(folder).notes == ()
    check_signature(open_bundle(folder), public)
    changed = open_bundle(folder).card.model_copy(update={"temperature": 2.0})
    (folder / "card.json").write_bytes(write_card(seal(changed)))  # a card whose own hash fits
    with pytest.raises(BadBundle, match="not the signature of this bundle by the key"):
        check_signature(open_bundle(folder), public)


def test_openssl_verifies_the_signature(make_bundle: Make, keys: tuple[Path, Path]) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = make_bundle()
    signature = sign_bundle(folder, keys[0])
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(keys[1]), "-rawin"]
    files = ["-in", str(folder / "card.json"), "-sigfile", str(signature)]
    assert subprocess.run(command + files, capture_output=True, check=False).returncode == 0


def test_keys_that_cannot_be_used_are_refused(
    make_bundle: Make, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = make_bundle()
    private, public = keys
    for key, message in (
        (public, "expected a private key as PEM"),
        (tmp_path, r"cannot be read \(Is a directory\)"),
    ):
        with pytest.raises(BadInput, match=message):
            sign_bundle(folder, key)
    sign_bundle(folder, private)
    with pytest.raises(BadInput, match="expected a public key as PEM"):
        check_signature(open_bundle(folder), private)
    with pytest.raises(BadInput, match="give the password of an encrypted key"):
        sign_bundle(folder, private, b"password")


def test_sign_and_verify_on_the_command_line(make_bundle: Make, keys: tuple[Path, Path]) -> None:
    folder = make_bundle()
    private, public = keys
    unsigned = CliRunner().invoke(app, ["bundle", "verify", str(folder), "--key", str(public)])
    assert unsigned.exit_code == 2
    signed = CliRunner().invoke(app, ["bundle", "sign", str(folder), "--key", str(private), "--json"])
    assert signed.exit_code == 0, signed.output
    verified = CliRunner().invoke(app, ["bundle", "verify", str(folder), "--key", str(public)])
    assert f"signature: by the key {public}" in verified.output.replace("\n", "")
