"""Bundles verified, shown and signed, by the API."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.api.result_checks import check_result

import steelsight as ss
from steelsight.errors import BadBundle, GateRefused, ParityRefused


@pytest.fixture
def keys(tmp_path):
    """Files of a private and its public key."""
    key = Ed25519PrivateKey.generate()
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    pem = serialization.Encoding.PEM
    private.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public.write_bytes(key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    return private, public


def test_engines_answer_as_the_source(exported):
    done = ss.verify_bundle(exported.bundle, threads=1)
    check_result(done)
    assert done.passed
    done.check()
    assert [row[0] for row in done.table().rows] == [each.parity.engine for each in done.engines]


def test_an_engine_that_does_not_is_refused_by_check(exported):
    done = ss.verify_bundle(exported.bundle, threads=1)
    other = replace(done, engines=(replace(done.engines[0], broken=("verdicts 50%",)),))
    assert not other.passed
    with pytest.raises(ParityRefused, match="it does not answer as its source: verdicts 50%; do not use it"):
        other.check()


def test_a_signature_and_a_gate_are_asked_for(exported, keys, tmp_path):
    private, public = keys
    with pytest.raises(BadBundle, match="expected a signature, found none"):
        ss.verify_bundle(exported.bundle, key=public)
    assert ss.sign_bundle(exported.bundle, private).is_file()
    said = []
    done = ss.verify_bundle(
        exported.bundle, key=public, threads=1, progress=lambda event: said.append(event.message)
    )
    assert done.as_dict()["signed_by"] == str(public)
    assert said == [f"signature: by the key {public}"]
    (policy := tmp_path / "policy.toml").write_text("")
    with pytest.raises(GateRefused, match="expected a gate by the policy"):
        ss.verify_bundle(exported.bundle, policy=policy)


def test_what_a_bundle_holds():
    shown = ss.show_bundle("fast")
    check_result(shown)
    facts = dict(shown.table().rows)
    assert facts["classes"] == ", ".join(shown.card.class_names)
    assert facts["model"].endswith(f"id {shown.card.model_id}")
    assert shown.notes == ()
