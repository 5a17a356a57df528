"""What a generated coil sets up: files that the service takes, and a key that stays."""

import pytest

pytest.importorskip("fastapi", reason="needs the extra [serve]")

from steelsight.adaptation.gate.policy import load_gate_policy
from steelsight.coils.rolls import name_rolls, read_rolls
from steelsight.runs.plant.live_coil import LiveCoil
from steelsight.runs.plant.live_settings import live_settings
from steelsight.runtime.bundle.default import default_bundle
from steelsight.runtime.bundle.open import open_bundle
from steelsight.service.recommending.policy import read_rules, unknown_types
from steelsight.service.settings.load import load_settings


@pytest.fixture
def coil() -> LiveCoil:
    return LiveCoil(turn_m=1.9)


def test_the_service_takes_the_settings_and_every_file(tmp_path, coil):
    settings = load_settings(live_settings(tmp_path, coil), config=None)
    classes = open_bundle(default_bundle()).card.class_names
    assert load_gate_policy(settings.gate_policy, classes).limits.shortcut
    rules = read_rules(settings.recommendation_policy).rules
    assert unknown_types(rules, classes) == []
    assert 0 < settings.audit < 1
    assert settings.audit_key.stat().st_mode & 0o077 == 0


def test_the_table_names_the_roll_that_leaves_the_mark_and_no_other(tmp_path, coil):
    rolls = read_rolls(live_settings(tmp_path, coil)["coil_rolls"])
    assert len(rolls) > 1
    assert [each.roll.name for each in name_rolls(coil.turn_m, 0.0, rolls)] == ["back-up roll"]


def test_the_key_of_the_draws_stays_and_changed_files_are_written_anew(tmp_path, coil):
    first = live_settings(tmp_path, coil)
    key = first["audit_key"].read_bytes()
    first["gate_policy"].write_text("changed")
    again = live_settings(tmp_path, coil)
    assert again == first
    assert again["audit_key"].read_bytes() == key
    assert again["gate_policy"].read_text() != "changed"
